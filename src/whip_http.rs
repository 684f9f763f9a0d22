#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: speaks HTTP to a WHIP server, reads a certificate.
//! The HTTP side of a WHIP client (RFC 9725): an offer out, an answer and a session back, the session's end.

use crate::whip::{Answered, MAX_REDIRECTS, Reached, Refusal, redirected, refusal, session_url};
use bytes::Bytes;
use footlight_stage::link::{IceServer, ice_servers};
use footlight_stage::sdp::MAX_SDP_BYTES;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// To connect and be answered: a server gathers its candidates before it answers.
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// For the end of a session, and before that for the answer to an offer that is out: who publishes has left, and does not wait for a server
/// that has too.
pub const END_WAIT: Duration = Duration::from_secs(3);

/// A client for one endpoint. Cheap to clone.
#[derive(Clone)]
pub struct WhipClient {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Url,
    bearer: Option<HeaderValue>,
}

/// A session at a server.
pub struct WhipSession {
    /// The answer, SDP.
    pub answer: String,
    /// ICE servers that it recommends.
    pub ice_servers: Vec<IceServer>,
    /// What DELETE ends; none where the server does not say, which is its fault.
    url: Option<Url>,
}

impl WhipClient {
    /// `ca` is a PEM file of certificates to trust in place of the web's, as that of a server whose own is self-signed.
    pub fn new(endpoint: Url, token: Option<&str>, ca: Option<&Path>) -> Result<Self, Refusal> {
        let bearer = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))).transpose();
        let mut bearer = bearer.map_err(|_| {
            Refusal::lasting("the token has characters that no token has: check that it was copied whole")
        })?;
        if let Some(bearer) = &mut bearer {
            bearer.set_sensitive(true);
        }
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(ca)?)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(connector);
        Ok(Self { http: Client::builder(TokioExecutor::new()).build(connector), endpoint, bearer })
    }

    /// Posts an offer. Redirects are followed (RFC 9725 section 4.5: 307; 308 says the same for ever).
    pub async fn post(&self, offer: &str) -> Result<WhipSession, Refusal> {
        let mut url = self.endpoint.clone();
        let wrong = |message| Refusal::passing_once(Reached::Stage, message);
        for _ in 0..=MAX_REDIRECTS {
            let (status, headers, body) = self.ask(Method::POST, &url, Some(offer), ANSWER_WAIT).await?;
            let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
            match status {
                StatusCode::CREATED => {
                    let links = headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
                    let session = session_url(&url, text(header::LOCATION));
                    if session.is_none() {
                        tracing::warn!(%url, "the server gives no usable Location, so its session ends only when it notices");
                    }
                    let Some(answer) = body else {
                        self.delete(session).await;
                        return Err(wrong(format!("{url}: the answer is no SDP; the server's fault")));
                    };
                    return Ok(WhipSession { answer, ice_servers: ice_servers(links), url: session });
                }
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
                    url = redirected(&url, text(header::LOCATION))?;
                }
                _ => {
                    let answered = Answered {
                        retry_after: text(header::RETRY_AFTER),
                        content_type: text(header::CONTENT_TYPE),
                        body: body.as_deref().unwrap_or_default(),
                    };
                    return Err(refusal(&url, status, answered));
                }
            }
        }
        Err(wrong(format!("{}: more than {MAX_REDIRECTS} redirects; the server's fault", self.endpoint)))
    }

    /// Ends a session. What goes wrong with it is only logged: the server notices by itself that nothing comes any more.
    pub async fn end(&self, session: WhipSession) {
        self.delete(session.url).await;
    }

    async fn delete(&self, session: Option<Url>) {
        let Some(url) = session else { return };
        match self.ask(Method::DELETE, &url, None, END_WAIT).await {
            Ok((status, ..)) if status.is_success() => {}
            Ok((status, ..)) => tracing::warn!(%url, %status, "end of the session"),
            Err(error) => tracing::warn!(%url, %error, "end of the session"),
        }
    }

    /// The answer's status, its headers, and its body where that comes within `wait` and is text.
    async fn ask(
        &self,
        method: Method,
        url: &Url,
        offer: Option<&str>,
        wait: Duration,
    ) -> Result<(StatusCode, HeaderMap, Option<String>), Refusal> {
        let mut request = Request::builder().method(method).uri(url.as_str());
        if let Some(bearer) = &self.bearer {
            request = request.header(header::AUTHORIZATION, bearer.clone());
        }
        if offer.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/sdp");
        }
        let body = Full::new(Bytes::from(offer.unwrap_or_default().to_owned()));
        let request = request.body(body).map_err(|e| Refusal::lasting(format!("{url}: {e}; check the URL")))?;
        let deadline = Instant::now() + wait;
        let answered = tokio::time::timeout_at(deadline, self.http.request(request)).await.map_err(|_| {
            let within = wait.as_secs();
            nobody_there(format!("{url}: no answer within {within} s; the server or the way to it is stuck"))
        })?;
        let (parts, body) = answered.map_err(|e| unreachable_server(url, &e))?.into_parts();
        let body = tokio::time::timeout_at(deadline, Limited::new(body, MAX_SDP_BYTES).collect()).await;
        let text = body.ok().and_then(Result::ok).and_then(|body| String::from_utf8(body.to_bytes().to_vec()).ok());
        Ok((parts.status, parts.headers, text))
    }
}

/// No answer, or nobody whom we trust.
fn unreachable_server(url: &Url, error: &hyper_util::client::legacy::Error) -> Refusal {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        causes.push(next.to_string());
        cause = next.source();
    }
    let causes = causes.join(": ");
    if causes.contains("certificate") {
        return Refusal::lasting(format!(
            "{url}: {causes}; a server with a certificate of its own needs --ca FILE (for footlight's development certificate: development-certificate.pem in its data directory)"
        ));
    }
    let cure = if spoke_another_protocol(url, error, &causes) {
        let other = if url.scheme() == "https" { "http" } else { "https" };
        format!("what listens there does not speak {}: try {other}://", url.scheme().to_uppercase())
    } else {
        "check the URL, and that the server runs".to_owned()
    };
    nobody_there(format!("{url}: {causes}; {cure}"))
}

/// Whether somebody took the connection and answered neither HTTP nor TLS as it was asked for.
fn spoke_another_protocol(url: &Url, error: &hyper_util::client::legacy::Error, causes: &str) -> bool {
    if url.scheme() == "https" {
        // rustls's name for a record that no TLS server begins with.
        return causes.contains("InvalidContentType");
    }
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<hyper::Error>());
    cause.is_some_and(|cause| cause.is_parse() || cause.is_incomplete_message())
}

/// At the very first try it is a wrong URL more often than a server that is about to start.
fn nobody_there(message: String) -> Refusal {
    Refusal::passing_once(Reached::Server, message)
}

fn tls(ca: Option<&Path>) -> Result<ClientConfig, Refusal> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Refusal::lasting(e.to_string()))?;
    let Some(ca) = ca else { return Ok(builder.with_webpki_roots().with_no_client_auth()) };
    let wrong = |e: &dyn std::fmt::Display| {
        Refusal::lasting(format!("--ca {}: {e}; give a PEM file of certificates", ca.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|e| wrong(&e))? {
        roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"no certificate in it"));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
