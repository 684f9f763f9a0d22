#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: binds listeners, starts the parts.
//! Who is handed what. The only file that knows how the parts of a process are put together; each command picks its parts.

use crate::audience::Audience;
use crate::config::{Config, IceServer};
use crate::desk;
use crate::encoding::{self, Encoders};
use crate::http::{BodyError, Surface};
use crate::listeners::{BindError, Listeners, address, bind, public_url};
use crate::live::{Common, Live, StreamEvent};
use crate::metrics::{Admin, OnAir};
use crate::packaging::{ObjectBody, ObjectError, Objects};
use crate::tls::TlsError;
use crate::web::Web;
use bytes::Bytes;
use footlight_control::credentials::{Credentials, CredentialsError};
use footlight_control::{CheckLadder, Control, Event, OpenError};
use footlight_edge::key::QueryRule;
use footlight_edge::remote::{Address, AddressError, Remote};
use footlight_edge::{Edge, Wiring};
use footlight_media::track::PeerKey;
use footlight_origin::serve::Secret;
use footlight_origin::{Limits, Origin};
use footlight_packager::clock::SessionClock;
use footlight_stage::driver::{Stage, StartError};
use footlight_stage::whip::{self, Publisher, Refusal, Whip};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Events of live streams and of the catalog that wait to be passed on.
const EVENTS: usize = 256;
/// A process that is told to end and has not after so long says what it waits for: the longest wait of its parts is for connections, of ten seconds.
const LINGERS: Duration = Duration::from_secs(15);
/// For a remote origin to take a connection: a round trip around the world is a third of a second.
const ORIGIN_CONNECT_WAIT: Duration = Duration::from_secs(3);
/// For a remote origin to take an object and answer. A segment at 10 Mbit/s is 2.5 MB; one that takes longer than five segments' time
/// is out of the window soon, and the packager goes on better without.
const ORIGIN_ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Delivery directives count in the key of a media playlist; anything else in its query does not.
const QUERY_RULES: [QueryRule; 2] = [
    QueryRule { prefix: "/hls/", suffix: ".m3u8", keys: &["_HLS_msn", "_HLS_part", "_HLS_skip"] },
    // Elsewhere no query counts: a viewer who adds one must not pass the cache by.
    QueryRule { prefix: "/", suffix: "", keys: &[] },
];

/// Why a process could not be put together. The operator's to mend; each says what, where and how.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// An encoder that is configured is not here.
    #[error("packager.rungs: {0}")]
    Ladder(String),
    /// WebRTC cannot start.
    #[error(transparent)]
    Stage(StartError),
    /// The credentials cannot be read or made.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The catalog cannot be opened.
    #[error(transparent)]
    Catalog(#[from] OpenError),
    /// The certificate cannot be read or made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The origin's URL is none.
    #[error("origin.url: {0}")]
    Address(#[from] AddressError),
    /// Something is missing that this role needs.
    #[error("{0}")]
    Missing(&'static str),
}

impl From<StartError> for WireError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Bind { address, source: cause } => {
                Self::Bind(BindError { key: "webrtc.listen", flag: "--webrtc", address, cause })
            }
            error @ StartError::Identity(_) => Self::Stage(error),
        }
    }
}

/// A process that has been put together.
pub struct Running {
    /// Where its HTTP listener is.
    pub http: SocketAddr,
    /// Where its HTTPS listener is, if it has one.
    pub https: Option<SocketAddr>,
    /// Where its admin listener is.
    pub admin: SocketAddr,
    /// Where packagers publish, for an origin alone.
    pub publish: Option<SocketAddr>,
    /// Where WebRTC is, where this process has it.
    pub webrtc: Option<SocketAddr>,
    /// The catalog, where this process has it.
    pub control: Option<Control>,
    /// Its live streams and its stage, where this process has them.
    pub on_air: Option<(Live, Stage)>,
    /// The URL that playback and pages begin with.
    pub public_url: String,
    tasks: TaskTracker,
}

impl Running {
    /// Waits for every task to end, after the shutdown token was cancelled.
    pub async fn ended(self) {
        self.tasks.close();
        while tokio::time::timeout(LINGERS, self.tasks.wait()).await.is_err() {
            let stage = self.on_air.as_ref().map_or(0, |(_, stage)| stage.tasks());
            tracing::warn!(tasks = self.tasks.len(), stage, "still ending");
        }
    }
}

/// Everything in one process.
pub async fn serve_all(
    config: Config,
    recorder: PrometheusHandle,
    shutdown: CancellationToken,
) -> Result<Running, WireError> {
    let origin = Origin::new(origin_limits(&config));
    let publish = origin.publish();
    let objects = Objects::new(
        tower::ServiceBuilder::new()
            .map_response(|response: Response<footlight_origin::Body>| {
                response.map(|b| b.map_err(|never| match never {}).boxed_unsync())
            })
            .map_err(|never: std::convert::Infallible| match never {})
            .service(publish),
    );
    let objects = Publishing { objects, elsewhere: false };
    assemble(config, recorder, shutdown, objects, origin).await
}

/// The room's side without the origin: `footlight packager`.
pub async fn serve_packager(
    config: Config,
    recorder: PrometheusHandle,
    shutdown: CancellationToken,
) -> Result<Running, WireError> {
    if config.origin.publish_url.is_empty() || config.origin.url.is_empty() {
        return Err(WireError::Missing(
            "footlight packager publishes to an origin elsewhere: set origin.publish_url (its publish listener), origin.publish_secret and origin.url (its viewers' listener)",
        ));
    }
    let objects = remote_objects(&config.origin.publish_url, &config.origin.publish_secret)?;
    let upstream = Remote::new(origin_address(&config)?)?;
    let objects = Publishing { objects, elsewhere: true };
    assemble(config, recorder, shutdown, objects, upstream).await
}

/// An origin alone: `footlight origin`.
pub async fn serve_origin(
    config: Config,
    recorder: PrometheusHandle,
    shutdown: CancellationToken,
) -> Result<Running, WireError> {
    let tasks = TaskTracker::new();
    let secret = Secret::new(&config.origin.publish_secret).ok_or(WireError::Missing(
        "footlight origin needs origin.publish_secret: packagers present it, and nobody else may publish",
    ))?;
    let origin = Origin::new(origin_limits(&config));
    let viewers = bind("http.listen", "--http", config.http.listen).await?;
    let publish = bind("origin.publish", "--publish", config.origin.publish).await?;
    let admin = bind("admin.listen", "--admin", config.admin.listen).await?;
    let addresses = (address(&viewers), address(&admin), address(&publish));
    tasks.spawn(footlight_origin::serve::run_viewers(viewers, origin.clone(), shutdown.clone().cancelled_owned()));
    tasks.spawn(footlight_origin::serve::run_publish(
        publish,
        origin.publish(),
        secret,
        shutdown.clone().cancelled_owned(),
    ));
    tasks.spawn(Admin::new(recorder, None, shutdown.clone()).run(admin, shutdown));
    let public_url = public_url(&config, addresses.0);
    let publish = Some(addresses.2);
    Ok(Running {
        http: addresses.0,
        https: None,
        admin: addresses.1,
        publish,
        webrtc: None,
        control: None,
        on_air: None,
        public_url,
        tasks,
    })
}

/// An edge alone: `footlight edge`.
pub async fn serve_edge(
    config: Config,
    recorder: PrometheusHandle,
    shutdown: CancellationToken,
) -> Result<Running, WireError> {
    if config.origin.url.is_empty() {
        return Err(WireError::Missing(
            "footlight edge needs the origin that it caches: --origin URL, or origin.url in the configuration",
        ));
    }
    let tasks = TaskTracker::new();
    let edge = Edge::new(Remote::new(origin_address(&config)?)?, wiring(&config));
    // It has no state, and so no directory for it.
    let listeners = Listeners::bind(&config, None).await?;
    let answer = move |request| {
        let edge = edge.clone();
        async move { edge.handle(request).await }
    };
    let running = listeners.start(&edge_limits(&config), &tasks, &shutdown, answer);
    let admin = bind("admin.listen", "--admin", config.admin.listen).await?;
    let admin_address = address(&admin);
    tasks.spawn(Admin::new(recorder, None, shutdown.clone()).run(admin, shutdown));
    let public_url = public_url(&config, running.0);
    let (http, https) = running;
    Ok(Running {
        http,
        https,
        admin: admin_address,
        publish: None,
        webrtc: None,
        control: None,
        on_air: None,
        public_url,
        tasks,
    })
}

/// The publishing side of the origin.
struct Publishing {
    objects: Objects,
    /// It outlives this process.
    elsewhere: bool,
}

/// Stage, packagers, catalog, pages, and an edge over `upstream`. They end in the order in which they need each other: streams, then stage and the
/// listeners, by which players fetch how the streams ended; the catalog hears out the streams.
async fn assemble<S, B>(
    config: Config,
    recorder: PrometheusHandle,
    shutdown: CancellationToken,
    objects: Publishing,
    upstream: S,
) -> Result<Running, WireError>
where
    S: tower::Service<Request<http_body_util::Empty<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BodyError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let tasks = TaskTracker::new();
    // The two clocks of frames are read in one place, so that they agree.
    let (epoch, clock) = (Instant::now(), SessionClock::starting_now());
    let listeners = Listeners::bind(&config, Some(&config.data_dir)).await?;
    let admin = bind("admin.listen", "--admin", config.admin.listen).await?;
    let public_url = public_url(&config, address(&listeners.http));
    let streams_ended = CancellationToken::new();
    let stage = start_stage(&config, epoch, &streams_ended).await?;
    let (events, events_out) = mpsc::channel(EVENTS);
    let (happened, happenings) = mpsc::channel(EVENTS);
    let isolation = config.packager.isolation;
    let encoders = tokio::task::spawn_blocking(move || Encoders::try_all(isolation)).await;
    let encoders = encoders.expect("opening encoders does not panic");
    encoders.check(&config.ladder()).map_err(WireError::Ladder)?;
    let control_config = footlight_control::Config {
        data_dir: config.data_dir.clone(),
        public_url: public_url.clone(),
        cors_origins: config.cors.origins.clone(),
        check_ladder: check_ladder(&config, encoders),
        open_to_this_machine: config.open_to_this_machine,
    };
    let credentials = Credentials::load_or_create(&config.data_dir)?;
    let (control, commands, questions) =
        Control::open(control_config, credentials, events_out, shutdown.clone()).await?;
    let common = Common {
        stage: stage.clone(),
        origin: objects.objects,
        origin_is_elsewhere: objects.elsewhere,
        isolation: config.packager.isolation,
        memory_bytes: config.packager.memory_mb << 20,
        loudness_lufs: config.packager.loudness_lufs,
        window: config.packager.window_segments,
        playout_delay: Duration::from_millis(config.packager.playout_delay_ms),
        clock,
    };
    let live = Live::start(common, happened, shutdown.clone(), &tasks);
    tasks.spawn(end_in_order(shutdown.clone(), live.clone(), streams_ended.clone(), stage.clone()));
    let audience = Audience::default();
    let (owner, desk) = desk::Owner::new(live.clone(), stage.clone(), audience.clone(), config.ladder());
    tasks.spawn(owner.run(desk::Control { commands, questions }, shutdown.clone()));
    tasks.spawn(pass_events(happenings, events));
    let surface = Surface {
        edge: Edge::new(upstream, wiring(&config)),
        whip: Whip::new(stage.clone(), authorizer(control.clone())),
        api: control.router(),
        audience,
        web: Web,
    };
    let answer = move |request| surface.clone().answer(request);
    let (http, https) = listeners.start(&edge_limits(&config), &tasks, &streams_ended, answer);
    let (admin_address, webrtc) = (address(&admin), Some(stage.local_addr()));
    let on_air = Some((live.clone(), stage.clone()));
    tasks.spawn(Admin::new(recorder, Some(OnAir { live, stage, desk }), shutdown).run(admin, streams_ended));
    Ok(Running {
        http,
        https,
        admin: admin_address,
        publish: None,
        webrtc,
        control: Some(control),
        on_air,
        public_url,
        tasks,
    })
}

/// What control asks before it takes a ladder.
fn check_ladder(config: &Config, encoders: Encoders) -> CheckLadder {
    let configured = config.ladder();
    CheckLadder::new(move |asked| encoders.check(&encoding::ladder(asked, &configured)?))
}

async fn end_in_order(shutdown: CancellationToken, live: Live, streams_ended: CancellationToken, stage: Stage) {
    shutdown.cancelled().await;
    live.ended().await;
    streams_ended.cancel();
    stage.ended().await;
}

/// What control hears.
async fn pass_events(mut happenings: mpsc::Receiver<(String, StreamEvent)>, events: mpsc::Sender<Event>) {
    while let Some((stream, event)) = happenings.recv().await {
        let event = match event {
            StreamEvent::Running => Event::StreamRunning { stream },
            StreamEvent::Ended => Event::StreamEnded { stream },
            StreamEvent::Failed { reason } => Event::StreamFailed { stream, reason },
        };
        let _control_has_ended = events.send(event).await;
    }
}

/// WHIP asks control; stage knows no tokens.
fn authorizer(control: Control) -> whip::Authorize {
    Arc::new(move |room, bearer, ask| {
        let control = control.clone();
        let ask = match ask {
            whip::Ask::Join => footlight_control::Ask::Join,
            whip::Ask::Change => footlight_control::Ask::Change,
        };
        Box::pin(async move {
            match control.authorize_publish(&room, bearer.as_deref(), ask).await {
                Ok(publisher) => Ok(Publisher { peer: PeerKey(publisher.user), role: publisher.role }),
                Err(footlight_control::Refusal::Unauthorized) => Err(Refusal::Unauthorized),
                Err(footlight_control::Refusal::Forbidden(obstacle)) => {
                    Err(Refusal::Forbidden { reason: obstacle.to_string(), cure: obstacle.cure() })
                }
                Err(footlight_control::Refusal::UnknownRoom) => Err(Refusal::UnknownRoom),
                Err(footlight_control::Refusal::Unavailable) => Err(Refusal::Unavailable),
            }
        })
    })
}

/// The default takes IPv4 with IPv6; a system without IPv6 has the first alone.
async fn start_stage(config: &Config, epoch: Instant, shutdown: &CancellationToken) -> Result<Stage, StartError> {
    let wanted = stage_config(config);
    match Stage::start(wanted.clone(), epoch, shutdown.clone()).await {
        Err(StartError::Bind { address, source }) if lacks_ipv6(address, &source) => {
            let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            tracing::warn!(%source, "webrtc.listen {address}: this system has no IPv6; it is {listen} now");
            Stage::start(footlight_stage::config::Config { listen, ..wanted }, epoch, shutdown.clone()).await
        }
        started => started,
    }
}

/// Whether the default could not be had for the want of IPv6; what an operator has set is had or refused.
fn lacks_ipv6(address: SocketAddr, cause: &std::io::Error) -> bool {
    let no_family = matches!(cause.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL));
    address == footlight_stage::config::Config::default().listen && no_family
}

fn stage_config(config: &Config) -> footlight_stage::config::Config {
    let ice_server = |server: &IceServer| footlight_stage::ice_servers::IceServer {
        url: server.url.clone(),
        credentials: server.credentials(),
    };
    footlight_stage::config::Config {
        listen: config.webrtc.listen,
        announce: config.webrtc.announce.clone(),
        ice_servers: config.webrtc.ice_servers.iter().map(ice_server).collect(),
        max_sessions: config.webrtc.max_sessions,
        max_sessions_per_room: config.webrtc.max_sessions_per_room,
        ..footlight_stage::config::Config::default()
    }
}

fn origin_limits(config: &Config) -> Limits {
    Limits { origin_bytes: config.origin.memory_mb << 20, ..Limits::default() }
}

fn edge_limits(config: &Config) -> footlight_edge::Limits {
    footlight_edge::Limits {
        connections: config.edge.connections,
        connections_per_address: config.edge.connections_per_address,
        cache_bytes: config.edge.cache_mb << 20,
        ..footlight_edge::Limits::default()
    }
}

fn wiring(config: &Config) -> Wiring {
    Wiring { limits: edge_limits(config), query_rules: Arc::from(QUERY_RULES), verifier: None }
}

fn origin_address(config: &Config) -> Result<Address, WireError> {
    let url: Uri =
        config.origin.url.parse().map_err(|_| WireError::Missing("origin.url: not a URL; give http://HOST:PORT"))?;
    let target_duration = Duration::from_secs(footlight_packager::ladder::SEGMENT_SECONDS.into());
    Ok(Address { url, http2: true, target_duration })
}

/// The publish listener of an origin elsewhere, as a service.
fn remote_objects(url: &str, secret: &str) -> Result<Objects, WireError> {
    let base: Uri =
        url.parse().map_err(|_| WireError::Missing("origin.publish_url: not a URL; give http://HOST:PORT"))?;
    let (Some(authority), Some("http")) = (base.authority().cloned(), base.scheme_str()) else {
        return Err(WireError::Missing("origin.publish_url: give http://HOST:PORT"));
    };
    let bearer = HeaderValue::from_str(&format!("Bearer {secret}"))
        .map_err(|_| WireError::Missing("origin.publish_secret: printable ASCII only"))?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(ORIGIN_CONNECT_WAIT));
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    Ok(Objects::new(tower::service_fn(move |mut request: Request<Full<Bytes>>| {
        let (client, authority, bearer) = (client.clone(), authority.clone(), bearer.clone());
        async move {
            let mut parts = request.uri().clone().into_parts();
            parts.scheme = Some(http::uri::Scheme::HTTP);
            parts.authority = Some(authority.clone());
            *request.uri_mut() = Uri::from_parts(parts).map_err(|e| ObjectError(e.to_string()))?;
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
            let answer = async {
                let (parts, body) = client.oneshot(request).await.map_err(|e| ObjectError(e.to_string()))?.into_parts();
                let body = body.collect().await.map_err(|e| ObjectError(e.to_string()))?.to_bytes();
                Ok(Response::from_parts(parts, body))
            };
            let late = |_| ObjectError(format!("{authority} did not answer within {ORIGIN_ANSWER_WAIT:?}"));
            let whole: Response<Bytes> = tokio::time::timeout(ORIGIN_ANSWER_WAIT, answer).await.map_err(late)??;
            let boxed = |body| Full::new(body).map_err(|never| match never {}).boxed_unsync();
            Ok::<Response<ObjectBody>, ObjectError>(whole.map(boxed))
        }
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_default_does_without_ipv6() {
        let default = footlight_stage::config::Config::default().listen;
        assert_eq!(Config::merge(None, std::iter::empty()).expect("valid").webrtc.listen, default);
        let check = |address: &str, code: i32, want: bool| {
            let cause = std::io::Error::from_raw_os_error(code);
            assert_eq!(lacks_ipv6(address.parse().expect("an address"), &cause), want, "{address} {code}");
        };
        check("[::]:8189", libc::EAFNOSUPPORT, true);
        check("[::]:8189", libc::EADDRNOTAVAIL, true);
        check("[::]:8189", libc::EADDRINUSE, false);
        check("[::]:9000", libc::EAFNOSUPPORT, false);
        check("[::1]:8189", libc::EADDRNOTAVAIL, false);
    }

    #[tokio::test(start_paused = true)]
    async fn an_origin_that_says_nothing_is_waited_for_no_longer_than_a_segment_lives() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let objects = remote_objects(&format!("http://{}", address(&silent)), "s3cret").expect("a URL");
        let put = Request::put("/hls/room/stream/1.m4s").body(Full::default()).expect("a request");
        let asked = tokio::time::Instant::now();
        let answer = tokio::time::timeout(10 * ORIGIN_ANSWER_WAIT, objects.oneshot(put)).await.expect("it gives up");
        assert!(answer.expect_err("nobody answers").to_string().contains("did not answer"));
        assert_eq!(asked.elapsed().as_secs(), ORIGIN_ANSWER_WAIT.as_secs());
    }
}
