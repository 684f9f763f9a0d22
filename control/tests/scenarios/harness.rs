//! A control plane in a data directory of its own, and a client without a socket.

use axum::body::Body;
use footlight_control::credentials::Credentials;
use footlight_control::rooms::token;
use footlight_control::{CheckLadder, Command, Config, Control, Event, Ladder, OpenError, Question, random_uuid};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) struct Harness {
    pub(crate) control: Control,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) questions: mpsc::Receiver<Question>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) credentials: Credentials,
    pub(crate) dir: TempDir,
    shutdown: CancellationToken,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self::with_origins(&["https://app.example"]).await
    }

    pub(crate) async fn with_origins(origins: &[&str]) -> Self {
        Self::open(tempfile::tempdir().unwrap(), origins, false).await.unwrap()
    }

    /// As a demo's is.
    pub(crate) async fn open_to_this_machine() -> Self {
        Self::open(tempfile::tempdir().unwrap(), &["*"], true).await.unwrap()
    }

    async fn open(dir: TempDir, origins: &[&str], open_to_this_machine: bool) -> Result<Self, OpenError> {
        let credentials = Credentials::load_or_create(dir.path()).unwrap();
        let shutdown = CancellationToken::new();
        let (events, happenings) = mpsc::channel(8);
        let config = Config {
            data_dir: dir.path().to_owned(),
            public_url: "http://127.0.0.1:8080".to_owned(),
            cors_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            check_ladder: CheckLadder::new(refuse_no_height),
            open_to_this_machine,
        };
        let (control, commands, questions) =
            Control::open(config, credentials.clone(), happenings, shutdown.clone()).await?;
        Ok(Self { control, commands, questions, events, credentials, dir, shutdown })
    }

    /// Ends this control plane, which first hears `last` of its streams, and opens another one on its data.
    pub(crate) async fn restart(mut self, last: Vec<Event>) -> Self {
        self.shutdown.cancel();
        for event in last {
            self.events.send(event).await.unwrap();
        }
        drop(self.events);
        // The owner has gone when it commands no more.
        while self.commands.recv().await.is_some() {}
        Self::open(self.dir, &[], false).await.unwrap()
    }

    pub(crate) fn management(&self) -> String {
        token::mint_management(&self.credentials, now(), HOUR, &random_uuid())
    }

    pub(crate) fn auth(&self, room: &str, role: &str) -> String {
        token::mint_auth(&self.credentials, room, role, "u1", now(), HOUR, &random_uuid())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Some(&self.management()), String::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(&self.management()), body.to_string()).await
    }

    /// A POST that must succeed; its body.
    pub(crate) async fn made(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.body
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: Option<&str>, body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.raw(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> Answer {
        let response = self.control.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Tells what happened to a stream and waits until it shows: happenings have no answer of their own.
    pub(crate) async fn happen(&self, event: Event) {
        self.events.send(event).await.unwrap();
        // The owner takes happenings before requests, and one at a time.
        let _after_it = self.control.until_running("nothing").await;
    }
}

impl Answer {
    /// Checks an error's status, and that its text says what it must.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, text: &str) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.body["code"], status, "{self:?}");
        assert!(self.body["message"].as_str().unwrap().contains(text), "{self:?}");
        assert!(self.body["details"].as_array().is_some_and(|details| !details.is_empty()), "{self:?}");
    }
}

pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

/// Who encodes refuses this much.
fn refuse_no_height(ladder: &Ladder) -> Result<(), String> {
    if ladder.layers.iter().any(|layer| layer.height == 0) { Err("no such height".to_owned()) } else { Ok(()) }
}
