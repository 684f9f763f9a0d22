//! Lists: what 100ms's paging asks for, and the shape of a page.

use crate::catalog::Page;
use crate::rooms::{Invalid, id};
use axum::extract::FromRequestParts;
use axum::extract::Query as AxumQuery;
use http::request::Parts;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;

/// 100ms's default, and that of its room codes.
pub(super) const LIMIT: u32 = 10;
pub(super) const CODES_LIMIT: u32 = 20;
/// 100ms's most. More is refused rather than lowered: a client stops paging when a page is shorter than what it asked for.
const MAX_LIMIT: u32 = 100;

/// One page.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// How many were asked for.
    limit: u32,
    /// Newest first. Fewer than `limit` on the last page.
    data: Vec<T>,
    /// What `start` is to be for the next page; empty where there is none.
    last: String,
}

impl<T> List<T> {
    /// A page whose last item has the id that `id` says.
    pub(super) fn new(limit: u32, data: Vec<T>, id: impl FnOnce(&T) -> &str) -> Self {
        let last = data.last().map(|item| id(item).to_owned()).unwrap_or_default();
        Self { limit, data, last }
    }
}

/// A request's query.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let pairs = AxumQuery::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        Ok(Self(pairs.map_err(|_| Invalid("query: cannot be read; give key=value pairs".to_owned()))?.0))
    }
}

impl Query {
    /// What a key says; an empty value says nothing.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, v)| k == key && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Invalid> {
        match self.text(key) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Invalid(format!("{key}: {} is neither true nor false", id::quoted(other)))),
        }
    }

    pub(super) fn page(&self, default_limit: u32) -> Result<Page, Invalid> {
        let limit = match self.text("limit") {
            None => default_limit,
            Some(text) => text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
                Invalid(format!("limit: {} is not a whole number from 1 to {MAX_LIMIT}", id::quoted(text)))
            })?,
        };
        Ok(Page { limit, start: self.text("start").map(str::to_owned) })
    }
}

/// A page that was asked to start after something that is not there.
pub(super) fn unknown_start(page: &Page) -> Invalid {
    let start = id::quoted(page.start.as_deref().unwrap_or_default());
    Invalid(format!("start: {start} is not in the list; give the `last` of the page before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query(AxumQuery::try_from_uri(&format!("/?{text}").parse().unwrap()).unwrap().0)
    }

    #[test]
    fn small_limits_are_honoured_and_others_refused() {
        let check = |text: &str, want: Option<u32>| {
            assert_eq!(query(text).page(LIMIT).ok().map(|page| page.limit), want, "{text}");
        };
        check("", Some(10));
        check("limit=", Some(10));
        check("limit=1", Some(1));
        check("limit=100", Some(100));
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=ten", "limit=99999999999"] {
            check(bad, None);
        }
    }

    #[test]
    fn a_page_ends_with_its_last_id() {
        assert_eq!(List::new(2, vec!["a", "b"], |id| id).last, "b");
        assert_eq!(List::new(2, Vec::<&str>::new(), |id| id).last, "");
    }

    #[test]
    fn flags_are_words() {
        assert_eq!(query("enabled=false").flag("enabled"), Ok(Some(false)));
        assert_eq!(query("a=b").flag("enabled"), Ok(None));
        assert!(query("enabled=1").flag("enabled").is_err());
    }
}
