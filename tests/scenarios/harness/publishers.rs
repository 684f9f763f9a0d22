//! Publishers: other people's WHIP clients (aiortc and FFmpeg's muxer, run by `tests/python/publish.py`), and one in this process.

use super::server::Server;
use crate::support::live::Live;
use crate::support::media::Clip;
use crate::support::{Client, Running, Setup};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Publishes a picture of 320x180 with a flash and a beep each second as `client` (`aiortc` or `ffmpeg`), until the handle is dropped: killed, it says
/// goodbye to nobody.
pub async fn publish(server: &Server, room: &str, client: &str, args: &[&str]) -> Child {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let token = server.auth(room, client).await;
    Command::new(root.join(".venv/bin/python"))
        .arg(root.join("tests/python/publish.py"))
        .args([client, &format!("{}/whip/{room}", server.url("http")), "--token", &token])
        .args(["--width", "320", "--height", "180", "--bitrate", "300000"])
        .args(args)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Sends a clip with sound from this process, as `user`; `room` may have a query. Connected when this returns; it goes on until the handle is dropped, and says goodbye to nobody.
pub async fn send(server: &Server, room: &str, user: &str, clip: Clip) -> Running {
    send_only(server, room, user, &Setup::default(), (Some(clip), true)).await
}

/// Likewise, with what is offered and what is sent of it: a clip, and whether there is sound.
pub async fn send_only(server: &Server, room: &str, user: &str, setup: &Setup, sent: (Option<Clip>, bool)) -> Running {
    let mut client = joined(server, room, user, setup).await;
    client.publish(sent.0, sent.1);
    client.run_until(|seen| seen.connected).await;
    client.spawn()
}

/// As [`send`] does, but for a part of its time in which it consents and sends nothing.
pub async fn send_muted(server: &Server, room: &str, user: &str, clip: Clip, muted: Range<Duration>) -> Running {
    let mut client = joined(server, room, user, &Setup::default()).await;
    client.publish(Some(clip), true);
    client.mute(muted);
    client.run_until(|seen| seen.connected).await;
    client.spawn()
}

/// Sends what a camera and a microphone give, by a token. Connected when this returns; it goes on as with
/// [`send`]. Answers with the session's path, too.
pub async fn send_live(server: &Server, room: &str, token: &str, live: Live) -> (Running, String) {
    let mut client = Client::for_live(&live).await;
    let (answer, session) = server.whip(room, token, client.offer()).await;
    client.accept(&answer);
    client.go_live(live);
    client.run_until(|seen| seen.connected).await;
    (client.spawn(), session)
}

async fn joined(server: &Server, room: &str, user: &str, setup: &Setup) -> Client {
    let token = server.auth(room.split('?').next().unwrap(), user).await;
    let mut client = Client::udp(setup, None).await;
    let (answer, _) = server.whip(room, &token, client.offer()).await;
    client.accept(&answer);
    client
}
