#![allow(clippy::disallowed_methods)] // IO: runtime, standard output, waits for the stream, the time between status lines.
//! `footlight demo`: serve, with synthetic publishers in a room that is live, and its links.

use super::serve::{announce, end, prepare, until_signalled};
use super::{CommandError, Serving};
use crate::config::Config;
use crate::live::Live;
use crate::publishing::{Publication, Status};
use crate::whip::endpoint;
use crate::whip_http::WhipClient;
use crate::wire::{self, Running};
use clap::Args;
use footlight_control::credentials::Credentials;
use footlight_control::rooms::token;
use footlight_packager::contribution::VideoSettings;
use footlight_packager::ladder::{PARTS_PER_SEGMENT, SEGMENT_SECONDS};
use footlight_packager::layout::Size;
use footlight_packager::source::{Source, TestSettings};
use footlight_packager::stages::Stage as Row;
use footlight_stage::driver::Stage;
use std::io::{IsTerminal, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The demo's room.
const ROOM: &str = "demo";
/// Who publishes, what they say that their name is, and the tint of each.
const NAMES: [(&str, &str, u8); 4] =
    [("ada", "Ada", 0), ("grace", "Grace", 170), ("alan", "Alan", 85), ("edsger", "Edsger", 255)];
/// Cheap enough for four of them beside the stream itself: about a twentieth of a core each.
const PICTURE: VideoSettings =
    VideoSettings { size: Size { width: 640, height: 360 }, fps: 30, bitrate_bps: 500_000, preset: "ultrafast" };
/// A demo that runs longer than this has its publishers turned away when they reconnect.
const TOKEN_TTL: Duration = Duration::from_secs(30 * 86_400);
/// The links are printed when the publishers are in the picture, or after this without them.
const ON_STAGE_WAIT: Duration = Duration::from_secs(8);
/// On a terminal the status is written over itself; elsewhere each is a line in a log.
const STATUS_ON_TERMINAL: Duration = Duration::from_secs(1);
const STATUS_IN_LOG: Duration = Duration::from_secs(60);
/// What every terminal shows on one line, and the cursor behind it: a line that wraps is not written over.
const STATUS_COLUMNS: usize = 79;

#[derive(Debug, Args)]
pub(super) struct Demo {
    #[command(flatten)]
    serving: Serving,
    /// Listen beyond loopback, although the room's links let anyone on stage.
    #[arg(long)]
    public: bool,
    /// Synthetic publishers on the room's stage: test pictures, each with a clock, and a flash and a tone each second.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=4))]
    publishers: u8,
}

pub(super) fn run(args: &Demo) -> Result<(), CommandError> {
    let mut config = args.serving.load()?;
    if !args.public {
        // Where nobody said otherwise, WebRTC listens on all addresses, which a demo does not need.
        if config.webrtc.listen.ip().is_unspecified() {
            config.webrtc.listen.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        refuse_beyond_loopback(&config)?;
        // Whoever reaches it is at this machine, where the data directory's credentials lie open, too.
        config.open_to_this_machine = true;
    }
    let recorder = prepare(&config.log)?;
    footlight_packager::ffmpeg::quiet();
    let data_dir = config.data_dir.clone();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let shutdown = CancellationToken::new();
        let running = wire::serve_all(config, recorder, shutdown.clone()).await?;
        announce(&running);
        let publishers = Publishers { shutdown: CancellationToken::new(), tasks: TaskTracker::new() };
        let lasting = async {
            go_live(&running, &data_dir, usize::from(args.publishers), &publishers).await?;
            tell(&running).await;
            Ok::<(), CommandError>(())
        };
        tokio::select! {
            result = lasting => result?,
            signalled = until_signalled() => signalled?,
        }
        end(async {
            // Publishers first, so that they end their sessions while the server still answers.
            publishers.end().await;
            shutdown.cancel();
            running.ended().await;
        })
        .await;
        Ok(())
    })
}

fn refuse_beyond_loopback(config: &Config) -> Result<(), CommandError> {
    let listeners = [
        ("http.listen", Some(config.http.listen)),
        ("https.listen", config.https.listen.0),
        ("admin.listen", Some(config.admin.listen)),
        ("webrtc.listen", Some(config.webrtc.listen)),
    ];
    for (key, address) in listeners {
        if let Some(address) = address.filter(|a| !a.ip().is_loopback()) {
            return Err(format!("{key} {address}: the demo's links let anyone on stage, so it listens on loopback only; add --public to open it").into());
        }
    }
    Ok(())
}

/// Makes the room, starts its stream, puts publishers on its stage, and prints the links once it can be played and they are in the picture.
async fn go_live(
    running: &Running,
    data_dir: &Path,
    count: usize,
    publishers: &Publishers,
) -> Result<(), CommandError> {
    let control = running.control.as_ref().ok_or("the demo has a catalog")?;
    let codes = control.ensure_room(ROOM).await?;
    let stream = control.start_stream(ROOM).await?;
    let mut on_stage = Vec::new();
    for who in NAMES.into_iter().take(count) {
        on_stage.push(publishers.start(running.http, data_dir, who).await?);
    }
    control.until_running(&stream.id).await?;
    let all_on_stage = async {
        for publisher in &mut on_stage {
            // An error means that it has ended, and has said why.
            let _ended = publisher.wait_for(|status| status.pictures > 0).await;
        }
    };
    if tokio::time::timeout(ON_STAGE_WAIT, all_on_stage).await.is_err() {
        tracing::warn!("the demo's publishers are not on stage yet");
    }
    let code = |role: &str| codes.iter().find(|c| c.role == role).map(|c| c.code.as_str()).unwrap_or_default();
    println!("studio: {}/studio/{}", running.public_url, code("broadcaster"));
    println!("watch: {}/watch/{}", running.public_url, code("viewer-near-realtime"));
    println!("playlist: {}/live/{ROOM}/master.m3u8", running.public_url);
    println!("live; stop with Ctrl-C");
    Ok(())
}

/// The synthetic publishers: tasks that speak WHIP to this process's own listener, as anyone would.
struct Publishers {
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Publishers {
    async fn start(
        &self,
        http: SocketAddr,
        data_dir: &Path,
        (user, name, hue): (&'static str, &'static str, u8),
    ) -> Result<watch::Receiver<Status>, CommandError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let jti = footlight_control::random_uuid();
        let credentials = Credentials::load(data_dir)?;
        let token = token::mint_auth(&credentials, ROOM, "broadcaster", user, now, TOKEN_TTL, &jti);
        let url = endpoint(&format!("http://{}/whip/{ROOM}?name={name}", loopback(http)))?;
        let client = WhipClient::new(url, Some(&token), None)?;
        let settings = TestSettings { video: PICTURE, name: user.to_owned(), hue };
        // Opening encoders is FFmpeg's work, which stays off the runtime.
        let source = tokio::task::spawn_blocking(|| Source::test(settings)).await??;
        let (publication, status) = Publication::new(client, source, self.shutdown.clone());
        self.tasks.spawn(async move {
            if let Err(error) = publication.run().await {
                tracing::warn!(user, %error, "a demo publisher left the stage");
            }
        });
        Ok(status)
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Where a listener is reached from this machine, when it is bound to all addresses.
fn loopback(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// Says who is on stage, for ever.
async fn tell(running: &Running) {
    let Some((live, stage)) = &running.on_air else { return std::future::pending().await };
    let terminal = std::io::stdout().is_terminal();
    let mut ticks = tokio::time::interval(if terminal { STATUS_ON_TERMINAL } else { STATUS_IN_LOG });
    loop {
        ticks.tick().await;
        let (on_air, upstream) = stream(live).await;
        let line = line(on_air, &people(stage).await, upstream);
        if terminal {
            // What was there is erased, and the cursor goes back to the line's begin, so that a log line is written over the status.
            print!("\x1b[2K{line}\r");
        } else {
            println!("{line}");
        }
        let _nobody_reads = std::io::stdout().flush();
    }
}

async fn people(stage: &Stage) -> Vec<String> {
    let sessions = stage.stats().await;
    let mut people: Vec<String> =
        sessions.into_iter().filter(|s| s.room == ROOM && s.connected).map(|s| s.from.peer.0).collect();
    people.sort();
    people
}

/// For how long the room's stream has been on air; and from a frame's capture to the playlist that lists it, without the wait for its part to be
/// complete, of the newest one.
async fn stream(live: &Live) -> (Option<Duration>, Option<Duration>) {
    let reports = live.reports().await;
    let Some(found) = reports.iter().find(|r| r.room == ROOM) else { return (None, None) };
    let durations = found.report.journey.map(|journey| journey.durations());
    let upstream = durations.and_then(|d| d.into_iter().find(|(row, _)| *row == Row::Upstream));
    let upstream = upstream.map(|(_, us)| Duration::from_micros(us.max(0).unsigned_abs()));
    (found.running_since.map(|since| since.elapsed()), upstream)
}

/// `on air for 0:01:05; on stage: ada, grace; playable after 0.31 to 0.64 s`: the first frame of a part waits for all of it, the last for nothing.
fn line(on_air: Option<Duration>, people: &[String], upstream: Option<Duration>) -> String {
    let on_air = on_air.map_or_else(
        || "not on air".to_owned(),
        |on_air| {
            let seconds = on_air.as_secs();
            format!("on air for {}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
        },
    );
    let part = f64::from(SEGMENT_SECONDS) / f64::from(PARTS_PER_SEGMENT);
    let listed =
        upstream.map(|u| format!("; playable after {:.2} to {:.2} s", u.as_secs_f64(), u.as_secs_f64() + part));
    let listed = listed.unwrap_or_default();
    let stage = "; on stage: ";
    let room = STATUS_COLUMNS.saturating_sub(on_air.len() + stage.len() + listed.len());
    format!("{on_air}{stage}{}{listed}", names(people, room))
}

/// As many names as there is room for.
fn names(people: &[String], columns: usize) -> String {
    match people {
        [] => return "nobody".to_owned(),
        [one] if one.chars().count() > columns => return "1 person".to_owned(),
        _ => {}
    }
    let some = |shown: usize| match people.len() - shown {
        0 => people.join(", "),
        more => format!("{} and {more} more", people[..shown].join(", ")),
    };
    let fits = (1..=people.len()).rev().map(some).find(|names| names.chars().count() <= columns);
    fits.unwrap_or_else(|| format!("{} people", people.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_how_long_who_and_how_fast() {
        let people = ["ada".to_owned(), "grace".to_owned()];
        let long = line(Some(Duration::from_secs(3_665)), &people, Some(Duration::from_millis(312)));
        assert_eq!(long, "on air for 1:01:05; on stage: ada, grace; playable after 0.31 to 0.65 s");
        assert_eq!(line(Some(Duration::ZERO), &[], None), "on air for 0:00:00; on stage: nobody");
        assert_eq!(line(None, &people, None), "not on air; on stage: ada, grace");
    }

    #[test]
    fn the_status_fits_a_terminal_s_line() {
        let people: Vec<String> = (0..9).map(|n| format!("someone-{n}")).collect();
        for count in 0..=9 {
            let line = line(Some(Duration::from_secs(360_000)), &people[..count], Some(Duration::from_millis(9_312)));
            assert!(line.len() <= STATUS_COLUMNS, "{line}");
        }
        let check = |people: &[&str], columns, want: &str| {
            let people: Vec<String> = people.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(names(&people, columns), want);
        };
        check(&["ada", "alan", "grace"], 16, "ada, alan, grace");
        check(&["ada", "alan", "grace"], 15, "ada and 2 more");
        check(&["ada", "alan", "grace"], 13, "3 people");
        check(&["somebody"], 7, "1 person");
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_loopback() {
        let check = |bound: &str, want: &str| {
            assert_eq!(loopback(bound.parse().expect("an address")), want.parse::<SocketAddr>().expect("an address"));
        };
        check("0.0.0.0:80", "127.0.0.1:80");
        check("[::]:80", "[::1]:80");
        check("192.0.2.1:80", "192.0.2.1:80");
    }
}
