//! The one HTTP surface of a process: which path goes to whom. Pure routing; `edge::serve` holds the sockets.

use crate::audience::{self, Audience, Viewer};
use crate::web::Web;
use axum::Router;
use bytes::Bytes;
use footlight_edge::Edge;
use footlight_edge::serve::Peer;
use footlight_stage::whip::Whip;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use tower::ServiceExt;

/// What every answer's body is boxed as.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;
/// Why an answer's body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// In a request of a page of those who make a stream: they are not among its viewers.
const CREW: &str = "footlight-crew";

/// Whoever answers requests in this process; what is absent is not this process's role.
#[derive(Clone)]
pub struct Surface<S> {
    /// `/live`, `/hls`, `/vod`, `/t`.
    pub edge: Edge<S>,
    /// `/whip`.
    pub whip: Whip,
    /// `/v2`, `/openapi.json`.
    pub api: Router,
    /// Who watches what is given out.
    pub audience: Audience,
    /// `/`, `/studio`, `/watch`, `/assets`.
    pub web: Web,
}

impl<S, B> Surface<S>
where
    S: tower::Service<Request<http_body_util::Empty<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BodyError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    /// Answers one request.
    pub async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let first = request.uri().path().split('/').nth(1).unwrap_or_default();
        match first {
            "live" | "hls" | "vod" | "t" => self.watched(request).await.map(boxed),
            "whip" => self.whip.handle(request).await.map(boxed),
            "v2" | "openapi.json" => {
                let answered = self.api.oneshot(request).await;
                answered.unwrap_or_else(|never| match never {}).map(boxed)
            }
            _ => self.web.answer(request.method(), request.uri().path(), request.headers()).map(boxed),
        }
    }

    /// A viewer's request: who is given a playlist watches.
    async fn watched(self, request: Request<Incoming>) -> Response<footlight_edge::Body> {
        let path = request.uri().path();
        // The studio's own player shows the crew what they make.
        let crew = request.headers().contains_key(CREW);
        let peer = request.extensions().get::<Peer>().filter(|_| !crew && audience::key(path).is_some());
        let watching = peer.map(|Peer(address)| {
            let agent = request.headers().get(header::USER_AGENT).map_or(&[][..], |agent| agent.as_bytes());
            (path.to_owned(), Viewer::of(address.ip(), agent))
        });
        let response = self.edge.handle(request).await;
        if let Some((path, viewer)) = watching.filter(|_| response.status().is_success()) {
            self.audience.note(&path, viewer);
        }
        response
    }
}

fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    body.map_err(Into::into).boxed_unsync()
}
