//! The binary, run as an operator runs it, and what an application does with it over REST.

use super::playback;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// The binary under test.
pub const FOOTLIGHT: &str = env!("CARGO_BIN_EXE_footlight");

/// Nothing takes longer than this, but for a test that says so; what does has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running process of ours.
pub struct Server {
    child: Child,
    lines: HashMap<String, String>,
    folder: tempfile::TempDir,
    /// Its data directory, as this process sees it.
    data_dir: PathBuf,
    /// Its log, line by line.
    log: Log,
    http: Client<HttpConnector, Full<Bytes>>,
}

/// A configuration for tests: every port picked by the system, one small rung so that two cores hold four streams.
pub const SMALL: &str = r#"
http: {listen: "127.0.0.1:0"}
https: {listen: ""}
admin: {listen: "127.0.0.1:0"}
webrtc: {listen: "127.0.0.1:0"}
packager:
  canvas: {width: 320, height: 180}
  rungs: [{name: 180p, width: 320, height: 180, bitrate_kbps: 300, preset: superfast, audio: audio}]
  audio: [{name: audio, bitrate_kbps: 64}]
"#;

/// The defaults, but for the ports.
pub const DEFAULT: &str = r#"
http: {listen: "127.0.0.1:0"}
https: {listen: ""}
admin: {listen: "127.0.0.1:0"}
webrtc: {listen: "127.0.0.1:0"}
"#;

impl Server {
    /// Starts `footlight <role>` with a configuration and waits until it has said where it listens.
    pub async fn start(role: &[&str], config: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), role, config).await
    }

    /// The same with a data directory that has been used.
    pub async fn start_in(folder: tempfile::TempDir, role: &[&str], config: &str) -> Self {
        let mut command = Command::new(FOOTLIGHT);
        command.args(role);
        // The last line of every serving command; the demo goes on to say that it is live.
        let last = if role.contains(&"demo") { "playlist: " } else { "admin: " };
        Self::launch(folder, command, config, last).await
    }

    /// An origin, and a packager that publishes there, as processes of their own.
    pub async fn apart() -> (Self, Self) {
        let secret = "origin: {publish: '127.0.0.1:0', publish_secret: hush";
        let origin = Self::start(&["origin"], &format!("{SMALL}{secret}}}")).await;
        let (viewers, publish) = (origin.url("http"), origin.url("publish"));
        let config = format!("{SMALL}{secret}, url: '{viewers}', publish_url: '{publish}'}}");
        let packager = Self::start(&["packager"], &config).await;
        (origin, packager)
    }

    /// `footlight serve` with its data directory on a file system of its own, of 2 MB, that ends with the process.
    pub async fn start_on_a_small_disk(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("data");
        std::fs::create_dir(&disk).unwrap();
        let mut command = Command::new("unshare");
        // A mount namespace; who is not root becomes it in a user namespace first.
        let namespaces = if rustix::process::geteuid().is_root() { "-m" } else { "-Urm" };
        command.args([namespaces, "sh", "-ec", "mount -t tmpfs -o size=2m tmpfs \"$1\"; shift; exec \"$@\"", "sh"]);
        command.arg(&disk).args([FOOTLIGHT, "serve"]);
        let mut server = Self::launch(folder, command, config, "admin: ").await;
        server.data_dir =
            Path::new("/proc").join(server.pid().to_string()).join("root").join(disk.strip_prefix("/").unwrap());
        server
    }

    /// Runs a command and waits until it has printed a line that begins with `last`.
    async fn launch(folder: tempfile::TempDir, mut command: Command, config: &str, last: &str) -> Self {
        let (file, data_dir) = (folder.path().join("footlight.yaml"), folder.path().join("data"));
        std::fs::write(&file, config).unwrap();
        // By the environment, as an edge has no flag for what it does not have.
        command.arg("--config").arg(&file).env("FOOTLIGHT_DATA_DIR", &data_dir);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let (kept, log) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = errors.next_line().await {
                eprintln!("{line}");
                kept.send_modify(|lines| lines.push(line));
            }
        });
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = HashMap::new();
        let reading = async {
            while let Some(line) = output.next_line().await.unwrap() {
                if let Some((key, value)) = line.split_once(": ") {
                    lines.insert(key.to_owned(), value.to_owned());
                }
                if line.starts_with(last) {
                    return;
                }
            }
            panic!("footlight ended before it said {last:?}");
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("a process starts within seconds");
        // Its further lines are read, or it would block on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = output.next_line().await {} });
        Self { child, lines, folder, data_dir, log: Log(log), http: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// What it has logged so far.
    pub fn log(&self) -> Log {
        self.log.clone()
    }

    /// Where its data are.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The URL of a listener by the name that the process printed: `http`, `admin`, `publish`.
    pub fn url(&self, name: &str) -> &str {
        self.lines.get(name).unwrap_or_else(|| panic!("no {name} among {:?}", self.lines))
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("running")
    }

    /// Closes the connections that were kept for further requests.
    pub fn hang_up(&mut self) {
        self.http = Client::builder(TokioExecutor::new()).build_http();
    }

    /// A token of `footlight token`.
    pub async fn token(&self, args: &[&str]) -> String {
        mint(&self.data_dir, args).await
    }

    pub async fn auth(&self, room: &str, user: &str) -> String {
        self.token(&["auth", "--room", room, "--role", "broadcaster", "--user", user]).await
    }

    /// One HTTP request; `path` is below the HTTP listener.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<(&str, String)>,
    ) -> (StatusCode, http::HeaderMap, Bytes) {
        let (kind, body) = body.unwrap_or_default();
        self.send(method, path, token, kind, body.into()).await
    }

    /// The same with a body of any bytes; `kind` is its Content-Type.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        kind: &str,
        body: Bytes,
    ) -> (StatusCode, http::HeaderMap, Bytes) {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url("http")));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(Full::new(body)).unwrap();
        let response = tokio::time::timeout(PATIENCE, self.http.request(request)).await.expect("an answer").unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    /// A REST call that must succeed.
    pub async fn rest(&self, method: Method, path: &str, body: Value) -> Value {
        let token = self.token(&["management"]).await;
        let body = Some(("application/json", body.to_string()));
        let (status, _, answer) = self.request(method.clone(), path, Some(&token), body).await;
        assert!(status.is_success(), "{method} {path}: {status} {answer:?}");
        serde_json::from_slice(&answer).unwrap_or_default()
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Bytes) {
        let (status, _, body) = self.request(Method::GET, path, None, None).await;
        (status, body)
    }

    /// Makes a room with a caller-chosen id, starts its live stream, and waits until it can be played. Answers with the stream's id.
    pub async fn go_live(&self, room: &str) -> String {
        self.rest(Method::POST, "/v2/rooms", json!({"name": room, "id": room})).await;
        let stream = self.rest(Method::POST, &format!("/v2/live-streams/room/{room}/start"), json!({})).await;
        let id = stream["id"].as_str().unwrap().to_owned();
        playback::until(PATIENCE, || async {
            let (status, _) = self.get(&format!("/live/{room}/master.m3u8")).await;
            (status == StatusCode::OK).then_some(())
        })
        .await;
        id
    }

    /// Publishes a WHIP offer; answers with the SDP and the session's path.
    pub async fn whip(&self, room: &str, token: &str, offer: &str) -> (String, String) {
        let body = Some(("application/sdp", offer.to_owned()));
        let (status, headers, answer) = self.request(Method::POST, &format!("/whip/{room}"), Some(token), body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer:?}");
        let location = headers[header::LOCATION].to_str().unwrap().to_owned();
        (String::from_utf8(answer.to_vec()).unwrap(), location)
    }

    /// What the admin listener answers.
    pub async fn admin(&self, path: &str) -> String {
        let uri = format!("{}{path}", self.url("admin")).parse().unwrap();
        let response = self.http.get(uri).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    /// The sum of a metric's samples, whatever their labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let metrics = self.admin("/metrics").await;
        let of_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let samples: Vec<f64> =
            metrics.lines().filter(of_it).map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
        assert!(!samples.is_empty(), "no {name} in {metrics}");
        samples.iter().sum()
    }

    /// Asks the process to end and waits until it has. Answers with the folder, in which another may start.
    pub async fn end(self) -> tempfile::TempDir {
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap(),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        self.ended().await
    }

    /// Waits until the process, which was asked to, has ended. Answers with the folder, in which another may start.
    pub async fn ended(mut self) -> tempfile::TempDir {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("a process drains within seconds");
        assert!(ended.unwrap().success());
        self.folder
    }
}

/// A process's log, which lasts longer than the process.
#[derive(Clone)]
pub struct Log(watch::Receiver<Vec<String>>);

impl Log {
    /// Its lines with this text.
    pub fn lines(&self, text: &str) -> Vec<String> {
        self.0.borrow().iter().filter(|line| line.contains(text)).cloned().collect()
    }
}

/// A token of `footlight token` with the credentials of a data directory.
pub async fn mint(data_dir: &Path, args: &[&str]) -> String {
    let output =
        Command::new(FOOTLIGHT).arg("token").args(args).arg("--data-dir").arg(data_dir).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
