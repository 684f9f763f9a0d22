//! Other people's WHIP clients: aiortc and FFmpeg's muxer, run by `tests/python/publish.py`.

use super::server::Server;
use std::path::Path;
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
