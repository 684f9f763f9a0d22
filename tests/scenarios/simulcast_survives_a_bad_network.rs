//! The studio page sends a camera in three layers through a network that becomes narrow and wide again, and then loses 5 %. Layers
//! change as they should, and every picture of the composite is one that was sent, whole: none is green, grey or torn, and none stands for long.

use crate::harness::browsers;
use crate::harness::fields::{self, Seen};
use crate::harness::playback::{Viewer, until};
use crate::harness::server::{SMALL, Server};
use crate::support::relay::{Bottleneck, Netem, Relay, Way};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Both ways.
const LOSS: f64 = 0.05;
const JITTER: Duration = Duration::from_millis(20);
/// An uplink that is enough for all layers, one that is for the smaller two, and one that is for the smallest with the sound.
const WIDE_BPS: u64 = 3_000_000;
const NARROW_BPS: u64 = 700_000;
const NARROWEST_BPS: u64 = 400_000;
const PATIENCE: Duration = Duration::from_secs(20);
/// Pictures of a segment.
const SEGMENT: usize = 60;
/// Pictures in a row that may repeat the one before: a second.
const FREEZE: usize = 30;
/// Rows of the largest layer.
const WHOLE: u32 = fields::HEIGHT as u32;
/// How long segments take until they are listed.
const LISTED: Duration = Duration::from_secs(4);

/// What the network is like.
struct Network {
    netem: Netem,
    narrow: Bottleneck,
}

/// How long each phase is, in which codecs, and how narrow it becomes. Half a minute and all by `SIMULCAST_SECONDS=30`, as `make soak-simulcast` does.
fn phases() -> (Duration, &'static [&'static str], &'static [u64]) {
    const CODECS: &[&str] = &["H264", "VP8"];
    const NARROW: &[u64] = &[NARROW_BPS, NARROWEST_BPS];
    let seconds = std::env::var("SIMULCAST_SECONDS").ok().and_then(|s| s.parse().ok());
    seconds.map_or((Duration::from_secs(4), &CODECS[..1], &NARROW[..1]), |seconds| {
        (Duration::from_secs(seconds), CODECS, NARROW)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broken_picture() {
    let (phase, codecs, narrow) = phases();
    for codec in codecs {
        for narrow in narrow {
            survives(codec, phase, *narrow).await;
        }
    }
}

async fn survives(codec: &str, phase: Duration, narrow_bps: u64) {
    let config = SMALL
        .replace("width: 320, height: 180", "width: 960, height: 540")
        .replace("bitrate_kbps: 300", "bitrate_kbps: 2000");
    let server = Server::start(&["serve"], &config).await;
    let stream = server.go_live("room").await;
    let (mut studio, files) = browsers::studio_of(&server, "color=s=16x16:d=0.1").await;
    let camera = files.path().join("fields.y4m");
    fields::write_camera(&camera);
    studio["camera"] = json!(camera);
    let webrtc: SocketAddr = server.url("webrtc").parse().unwrap();
    let network =
        Network { netem: Netem::new(7, 0.0, Duration::ZERO), narrow: Bottleneck::new(WIDE_BPS, Instant::now()) };
    let network = Arc::new(Mutex::new(network));
    let relay = Relay::start_by_way(webrtc, fate(Arc::clone(&network))).await;
    let over = files.path().join("over");
    let argument = json!({
        "studio": studio,
        "codec": codec,
        "seconds": (3 * PATIENCE + 2 * phase).as_secs(),
        "until": over,
        "through": {"server": webrtc.port(), "relay": relay.address.port()},
    });
    let (end, last) = watch::channel(u64::MAX);
    let watching = async {
        let height = || height(&server, codec);
        let set = |loss: f64, jitter: Duration, bits_per_second: u64| {
            let mut network = network.lock().unwrap();
            (network.netem.loss, network.netem.jitter, network.narrow.bits_per_second) =
                (loss, jitter, bits_per_second);
        };
        until(PATIENCE, || async { (height().await? == WHOLE).then_some(()) }).await;
        set(0.0, Duration::ZERO, narrow_bps);
        let narrowed = Instant::now();
        let small = until(PATIENCE, || async { height().await.filter(|height| *height < WHOLE) }).await;
        println!("{codec}: {small} lines {:.1} s after the network became narrow", narrowed.elapsed().as_secs_f64());
        tokio::time::sleep_until((narrowed + phase).into()).await;
        let small = height().await.unwrap();
        set(0.0, Duration::ZERO, WIDE_BPS);
        let wide = Instant::now();
        let large = until(PATIENCE, || async { height().await.filter(|height| *height > small) }).await;
        println!("{codec}: {large} lines {:.1} s after it became wide", wide.elapsed().as_secs_f64());
        set(LOSS, JITTER, WIDE_BPS);
        let newest = async || {
            let viewer = Viewer::new(&server, "room", &stream, "180p");
            viewer.playlist(0).await.segments().last().expect("segments").msn
        };
        // What is listed from here on was composed while packets were lost.
        let losing = newest().await as usize + 1;
        tokio::time::sleep(phase + LISTED).await;
        end.send_replace(newest().await);
        std::fs::write(&over, "").unwrap();
        (losing * SEGMENT, server.admin("/metrics").await)
    };
    let mut viewer = Viewer::new(&server, "room", &stream, "180p");
    let following = async {
        while viewer.segments.last().map_or(0, |segment| segment.msn) < *last.borrow() {
            viewer.watch_to(viewer.segments.last().map_or(1, |segment| segment.msn + 1)).await;
        }
    };
    let (said, (losing, metrics), ()) = tokio::join!(browsers::run("simulcast.mjs", argument), watching, following);
    println!("{codec}: {}", said["layers"]);
    let pictures = fields::look(viewer.file());
    judge(&format!("{codec}, {narrow_bps} bit/s and back"), &pictures[..losing]);
    // The viewer has waited for a segment more, whose pictures are of when the page was closed.
    let lost = *last.borrow() as usize * SEGMENT;
    judge(&format!("{codec}, 5 % loss"), &pictures[losing..lost]);
    for broken in ["footlight_stream_undecodable_frames_total", "footlight_track_refused_frames_total"] {
        let lines: Vec<&str> = metrics.lines().filter(|line| line.starts_with(&format!("{broken}{{"))).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line.ends_with(" 0")), "{lines:?}");
    }
    server.end().await;
}

fn fate(network: Arc<Mutex<Network>>) -> impl FnMut(Way, &[u8]) -> Vec<(Duration, Vec<u8>)> + Send + 'static {
    move |way, datagram| {
        let mut network = network.lock().unwrap();
        // An uplink is what is narrow at home.
        let narrow = match way {
            Way::Up => network.narrow.pass(datagram.len(), Instant::now()),
            Way::Down => Some(Duration::ZERO),
        };
        let delay = network.netem.pass().zip(narrow).map(|(jitter, narrow)| jitter + narrow);
        delay.map(|delay| (delay, datagram.to_vec())).into_iter().collect()
    }
}

/// The rows of the last key frame of the layer that is taken.
async fn height(server: &Server, codec: &str) -> Option<u32> {
    let label = format!("codec=\"{codec}\"");
    let metrics = server.admin("/metrics").await;
    let mut lines = metrics.lines().filter(|line| line.starts_with("footlight_track_height_pixels{"));
    lines.find(|line| line.contains(&label))?.rsplit(' ').next()?.parse().ok()
}

fn judge(network: &str, pictures: &[Seen]) {
    // The slate, and how it passes into the camera's picture.
    let first = pictures.iter().position(|seen| matches!(seen, Seen::Whole(_))).expect("the camera is seen");
    let pictures = &pictures[first..];
    let (mut longest, mut until, mut stands, mut changes) = (0, 0, 0, 0);
    for (number, pair) in pictures.windows(2).enumerate() {
        stands = if pair[0] == pair[1] { stands + 1 } else { 0 };
        changes += u32::from(pair[0] != pair[1]);
        if stands > longest {
            (longest, until) = (stands, number + 1);
        }
    }
    let broken: Vec<(usize, &Seen)> =
        pictures.iter().enumerate().filter(|(_, seen)| matches!(seen, Seen::Broken(_))).collect();
    let (all, broken_count) = (pictures.len(), broken.len());
    println!(
        "{network}: {all} pictures, {changes} changes, {longest} repeats at most (to picture {until}), {broken_count} broken"
    );
    assert!(broken.is_empty(), "{network}: (picture, wrong fields) {broken:?}");
    assert!(longest <= FREEZE, "{network}: a picture was repeated {longest} times");
}
