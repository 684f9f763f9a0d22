//! Who may ask. Decided before a body is read, so that a refused request has no effect: stock clients repeat every request once on
//! 401 and 403, POST included.

use super::problem::Problem;
use crate::Control;
use crate::rooms::token::{Auth, Token};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, header};

/// Who asked, for handlers that answer both kinds of token.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    Server,
    Peer(Auth),
}

impl Caller {
    /// The token of a peer; a server may do all that any may.
    pub(super) fn auth(self) -> Option<Auth> {
        match self {
            Self::Server => None,
            Self::Peer(auth) => Some(auth),
        }
    }
}

/// Lets management tokens through.
pub(super) async fn management(
    State(control): State<Control>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    match token(&control, request.headers())? {
        Token::Management => Ok(next.run(request).await),
        Token::Auth(_) => Err(Problem::not_management()),
    }
}

/// Lets both kinds through; the handler asks what an auth token may do.
pub(super) async fn management_or_auth(
    State(control): State<Control>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = match token(&control, request.headers())? {
        Token::Management => Caller::Server,
        Token::Auth(auth) => Caller::Peer(auth),
    };
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

fn token(control: &Control, headers: &HeaderMap) -> Result<Token, Problem> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = value.and_then(bearer).ok_or_else(Problem::no_token)?;
    Ok(control.verify(bearer)?)
}

/// The token of `Bearer <token>`; the scheme's case does not count (RFC 9110 section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_header() {
        let check = |value: &str, want: Option<&str>| assert_eq!(bearer(value), want, "{value}");
        check("Bearer abc", Some("abc"));
        check("bearer  abc ", Some("abc"));
        check("Basic abc", None);
        check("abc", None);
        check("", None);
    }
}
