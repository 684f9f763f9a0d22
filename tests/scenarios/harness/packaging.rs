//! A packager in this process, publishing into an origin value that can be made to wait.

use bytes::Bytes;
use footlight_media::time::WallTime;
use footlight_origin::{Limits, Origin};
use footlight_packager::clock::SessionClock;
use footlight_packager::direction::Direction;
use footlight_packager::driver::{self, FromPackager, Start, ToPackager};
use footlight_packager::ladder::{AudioRendition, Ladder, Rung, VideoCodec};
use footlight_packager::layout::Size;
use footlight_packager::objects::Stream;
use footlight_packager::publish::Publisher;
use futures_util::stream;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tower::ServiceExt;

pub struct Packaging {
    pub origin: Origin,
    /// Whether the origin takes what is published.
    pub takes: watch::Sender<bool>,
    pub to: mpsc::Sender<ToPackager>,
    /// All that the packager says.
    pub from: mpsc::Receiver<FromPackager>,
    pub clock: SessionClock,
    pub running: JoinHandle<Result<(), driver::DriverError>>,
}

/// One rung of 320x180 and one AAC rendition: enough for what is not about picture quality.
pub fn small_ladder() -> Ladder {
    let size = Size { width: 320, height: 180 };
    let rung = Rung {
        name: "180p".into(),
        size,
        bitrate_bps: 300_000,
        codec: VideoCodec::Libx264,
        preset: "superfast".into(),
        audio: "audio".into(),
    };
    let audio = AudioRendition { name: "audio".into(), bitrate_bps: 64_000 };
    Ladder { canvas: size, fps: 30, rungs: vec![rung], audio: vec![audio] }
}

pub fn stream() -> Stream {
    Stream::new("room", "stream", 15)
}

impl Packaging {
    pub fn start(ladder: Ladder) -> Self {
        Self::start_at_loudness(ladder, None)
    }

    /// With a mix that is brought to so many LUFS.
    pub fn start_at_loudness(ladder: Ladder, loudness_lufs: Option<f64>) -> Self {
        let (origin, clock) = (Origin::new(Limits::default()), SessionClock::starting_now());
        let (to, mut queue) = mpsc::channel(64);
        let inputs = stream::poll_fn(move |context| queue.poll_recv(context));
        let (outputs, mut says) = mpsc::channel(1024);
        let (heard, from) = mpsc::channel(1024);
        let start = Start {
            stream: stream(),
            ladder,
            direction: Direction::default(),
            loudness_lufs,
            clock,
            zero_date: WallTime::from_micros(1_800_000_000_000_000),
            playout_delay: Duration::from_millis(150),
            predecessor: None,
        };
        let running = tokio::spawn(driver::run(start, inputs, outputs));
        let (publish, mut batches) = mpsc::channel(1024);
        tokio::spawn(async move {
            while let Some(message) = says.recv().await {
                if let FromPackager::Publish(changes) = &message {
                    publish.try_send(changes.clone()).unwrap();
                }
                let _nobody_listens = heard.try_send(message);
            }
        });
        let (takes, mut taking) = watch::channel(true);
        let (mut publisher, confirm) = (Publisher::new(origin.publish()), to.clone());
        tokio::spawn(async move {
            while let Some(changes) = batches.recv().await
                && taking.wait_for(|takes| *takes).await.is_ok()
            {
                publisher.publish(changes).await.unwrap();
                let _ended = confirm.send(ToPackager::Published(clock.now())).await;
            }
        });
        Self { origin, takes, to, from, clock, running }
    }

    /// Waits until the stream can be played.
    pub async fn until_running(&mut self) {
        while let Some(message) = self.from.recv().await {
            if matches!(message, FromPackager::Running) {
                return;
            }
        }
        panic!("the packager ended before it was running");
    }

    /// Stops the stream and waits for its end.
    pub async fn stop(&mut self) -> Vec<String> {
        self.to.send(ToPackager::Stop).await.unwrap();
        while let Some(message) = self.from.recv().await {
            if let FromPackager::Ended { leftovers } = message {
                return leftovers;
            }
        }
        panic!("the packager ended without saying so: {:?}", (&mut self.running).await);
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Bytes) {
        get(&self.origin, path).await
    }

    /// A media playlist, waiting for the segment `msn` to be whole.
    pub async fn playlist(&self, rendition: &str, msn: u64) -> String {
        let (status, body) = self.get(&format!("/hls/room/stream/{rendition}/media.m3u8?_HLS_msn={msn}")).await;
        assert_eq!(status, StatusCode::OK, "{body:?}");
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// The init segments and segments of a playlist, one after the other.
    pub async fn download(&self, rendition: &str, playlist: &str) -> Vec<u8> {
        let mut file = Vec::new();
        for line in playlist.lines() {
            let uri = match line.strip_prefix("#EXT-X-MAP:URI=\"") {
                Some(map) => map.trim_end_matches('"'),
                None if line.starts_with('#') => continue,
                None => line,
            };
            let (status, body) = self.get(&format!("/hls/room/stream/{rendition}/{uri}")).await;
            assert_eq!(status, StatusCode::OK, "{uri} is listed");
            file.extend_from_slice(&body);
        }
        file
    }
}

pub async fn get(origin: &Origin, path: &str) -> (StatusCode, Bytes) {
    let request = Request::get(path).body(Empty::<Bytes>::new()).unwrap();
    let response = origin.clone().oneshot(request).await.unwrap();
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

/// Decodes a file with the ffmpeg command line, which says nothing where nothing is wrong.
pub fn assert_ffmpeg_decodes(file: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.mp4");
    std::fs::write(&path, file).unwrap();
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "warning", "-xerror", "-i"])
        .arg(&path)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "ffmpeg: {said}");
}
