#![allow(clippy::disallowed_methods)] // IO: runtime, standard output, the time between status lines.
//! `footlight publish <whip-url>`: puts a file or the test picture on a stage.

use super::CommandError;
use super::serve::{coloured, until_signalled};
use crate::config::TOKEN_VARIABLE;
use crate::publishing::{Publication, Status};
use crate::whip::endpoint;
use crate::whip_http::WhipClient;
use clap::Args;
use footlight_packager::contribution::VideoSettings;
use footlight_packager::layout::Size;
use footlight_packager::source::{Source, TestSettings};
use footlight_packager::testsrc::SIZES;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use url::Url;

/// Between two status lines.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);
const DEFAULT_SIZE: Size = Size { width: 1280, height: 720 };
const DEFAULT_FPS: u32 = 30;
/// What goes wrong is said; how WebRTC got there is not.
const LOG_FILTER: &str = "warn,rtc=error,rtc_ice=error,rtc_dtls=error,rtc_srtp=error,webrtc=error";

#[derive(Debug, Args)]
#[command(
    override_usage = "footlight publish [OPTIONS] <WHIP_URL> <FILE>\n       footlight publish [OPTIONS] <WHIP_URL> --testsrc"
)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["file", "testsrc"]))]
pub(super) struct PublishArgs {
    /// The server's WHIP URL, such as http://127.0.0.1:8080/whip/ROOM.
    #[arg(value_name = "WHIP_URL")]
    url: String,
    /// A file that FFmpeg can read. H.264 without B-frames, VP8 and Opus are sent as they are, all else is encoded anew.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// A moving test picture with a clock, and a flash and a tone each second.
    #[arg(long)]
    testsrc: bool,
    /// A token whose role may publish. In the environment, other users of this machine do not see it.
    #[arg(long, env = TOKEN_VARIABLE, hide_env_values = true)]
    token: Option<String>,
    /// Certificates to trust in place of the web's, as PEM: for a server whose own is self-signed.
    #[arg(long, value_name = "PEM")]
    ca: Option<PathBuf>,
    /// The test picture's pixels; both even.
    #[arg(long, value_name = "WxH", value_parser = size, conflicts_with = "file")]
    size: Option<Size>,
    /// The test picture's frames per second.
    #[arg(long, value_parser = clap::value_parser!(u32).range(5..=60), conflicts_with = "file")]
    fps: Option<u32>,
    /// What is written on the test picture.
    #[arg(long, conflicts_with = "file")]
    name: Option<String>,
    /// Kilobits per second of picture. A file's picture is then encoded anew. By default what suits its size.
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(100..=20_000))]
    bitrate: Option<u32>,
    /// Begins the file again at its end.
    #[arg(long = "loop", conflicts_with = "testsrc")]
    repeat: bool,
}

pub(super) fn run(args: &PublishArgs) -> Result<(), CommandError> {
    let url = endpoint(&args.url)?;
    let filter = EnvFilter::try_new(LOG_FILTER)?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(coloured()).init();
    footlight_packager::ffmpeg::quiet();
    let client = WhipClient::new(url.clone(), args.token.as_deref(), args.ca.as_deref())?;
    let source = args.source()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let (publication, status) = Publication::new(client, source, shutdown.clone());
        let telling = tokio::spawn(tell(url, status));
        let ended = until_interrupted_twice(publication, &shutdown).await;
        telling.await?;
        ended
    });
    // A look-up of the server's address may still run on a thread that nothing ends; who publishes does not wait for it.
    runtime.shutdown_background();
    ended
}

/// The publication is gone when this returns, so that whoever hears how it goes hears that it is over.
async fn until_interrupted_twice(publication: Publication, shutdown: &CancellationToken) -> Result<(), CommandError> {
    let publishing = publication.run();
    tokio::pin!(publishing);
    tokio::select! {
        ended = &mut publishing => return Ok(ended?),
        signalled = until_signalled() => signalled?,
    }
    shutdown.cancel();
    // A second signal ends at once; the server then notices by itself.
    tokio::select! {
        ended = publishing => Ok(ended?),
        _ = until_signalled() => Ok(()),
    }
}

impl PublishArgs {
    fn source(&self) -> Result<Source, CommandError> {
        if let Some(file) = &self.file {
            return Ok(Source::file(file, self.repeat, self.bitrate.map(|kbps| kbps * 1_000))
                .map_err(|e| format!("{e}; give a file that FFmpeg can read"))?);
        }
        let size = self.size.unwrap_or(DEFAULT_SIZE);
        let fps = self.fps.unwrap_or(DEFAULT_FPS);
        let bitrate_bps = self.bitrate.map_or_else(|| default_bitrate_bps(size, fps), |kbps| kbps * 1_000);
        let video = VideoSettings { size, fps, bitrate_bps, preset: "superfast" };
        let name = self.name.clone().unwrap_or_else(|| "footlight".into());
        Ok(Source::test(TestSettings { video, name, hue: 128 })?)
    }
}

/// About 0.06 bits for each pixel of each frame: 1.66 Mbit/s for 720p30, which the test picture and most footage look well at.
fn default_bitrate_bps(size: Size, fps: u32) -> u32 {
    let pixels_per_second = u64::from(size.width) * u64::from(size.height) * u64::from(fps);
    u32::try_from(pixels_per_second * 6 / 100).unwrap_or(u32::MAX).clamp(150_000, 8_000_000)
}

fn size(text: &str) -> Result<Size, String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let (width, height): (u32, u32) = sides.ok_or("not WIDTHxHEIGHT; give for example 1280x720")?;
    for (name, side) in [("width", width), ("height", height)] {
        if !SIZES.contains(&side) || side % 2 != 0 {
            return Err(format!("{name} {side}: give an even number from {} to {}", SIZES.start(), SIZES.end()));
        }
    }
    Ok(Size { width, height })
}

/// Says once that it works, and then how well, until the publication ends.
async fn tell(url: Url, mut status: watch::Receiver<Status>) {
    if status.wait_for(|status| status.connected).await.is_err() {
        return;
    }
    println!("publishing to {url}");
    let (mut before, mut until_ended) = (Status::default(), status.clone());
    let mut ticks = tokio::time::interval(STATUS_INTERVAL);
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let now = *status.borrow();
                eprintln!("{}", line(before, now));
                before = now;
            }
            // Only the end is waited for: changes come with each frame.
            _ended = until_ended.wait_for(|_| false) => return,
        }
    }
}

/// `1640 kbit/s, 30.0 fps, 2 packets sent again, 3 key frames asked for, round trip 12 ms`.
fn line(before: Status, now: Status) -> String {
    if !now.connected {
        return "not connected".into();
    }
    let seconds = STATUS_INTERVAL.as_secs_f64();
    let kbps = (now.bytes - before.bytes) as f64 * 8.0 / 1_000.0 / seconds;
    let fps = (now.pictures - before.pictures) as f64 / seconds;
    let mut line = format!(
        "{kbps:.0} kbit/s, {fps:.1} fps, {} packets sent again, {} key frames asked for",
        now.retransmissions - before.retransmissions,
        now.key_frames_wanted - before.key_frames_wanted
    );
    if let Some(trip) = now.round_trip {
        let _ = write!(line, ", round trip {:.1} ms", trip.as_secs_f64() * 1_000.0);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_named_where_they_are_wrong() {
        assert_eq!(size("640x360"), Ok(Size { width: 640, height: 360 }));
        for (text, says) in [
            ("640", "1280x720"),
            ("640x", "1280x720"),
            ("641x360", "width 641"),
            ("640x64", "height 64"),
            ("8192x360", "to 3840"),
        ] {
            assert!(size(text).expect_err("refused").contains(says), "{text}: {:?}", size(text));
        }
    }

    #[test]
    fn a_status_line_counts_what_came_since_the_one_before() {
        let before = Status { connected: true, bytes: 1_000_000, pictures: 300, ..Status::default() };
        let now = Status {
            bytes: 2_000_000,
            pictures: 450,
            retransmissions: 2,
            round_trip: Some(Duration::from_micros(12_345)),
            ..before
        };
        let want = "1600 kbit/s, 30.0 fps, 2 packets sent again, 0 key frames asked for, round trip 12.3 ms";
        assert_eq!(line(before, now), want);
        assert_eq!(line(before, Status::default()), "not connected");
    }
}
