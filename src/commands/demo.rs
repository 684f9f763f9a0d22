#![allow(clippy::disallowed_methods)] // IO: runtime, standard output, waits for the stream.
//! `footlight demo`: serve, with a room that is live, and its links.

use super::serve::{announce, end, prepare, until_signalled};
use super::{CommandError, Serving};
use crate::config::Config;
use crate::wire::{self, Running};
use clap::Args;
use tokio_util::sync::CancellationToken;

/// The demo's room.
const ROOM: &str = "demo";

#[derive(Debug, Args)]
pub(super) struct Demo {
    #[command(flatten)]
    serving: Serving,
    /// Listen beyond loopback, although the room's links let anyone on stage.
    #[arg(long)]
    public: bool,
}

pub(super) fn run(args: &Demo) -> Result<(), CommandError> {
    let config = args.serving.load()?;
    if !args.public {
        refuse_beyond_loopback(&config)?;
    }
    let recorder = prepare(&config.log)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let shutdown = CancellationToken::new();
        let running = wire::serve_all(config, recorder, shutdown.clone()).await?;
        announce(&running);
        tokio::select! {
            result = go_live(&running) => result?,
            signalled = until_signalled() => return Ok(signalled?),
        }
        until_signalled().await?;
        shutdown.cancel();
        end(running).await;
        Ok(())
    })
}

fn refuse_beyond_loopback(config: &Config) -> Result<(), CommandError> {
    let listeners = [
        ("http.listen", Some(config.http.listen)),
        ("https.listen", config.https.listen.0),
        ("admin.listen", Some(config.admin.listen)),
    ];
    for (key, address) in listeners {
        if let Some(address) = address.filter(|a| !a.ip().is_loopback()) {
            return Err(format!("{key} {address}: the demo's links let anyone on stage, so it listens on loopback only; add --public to open it").into());
        }
    }
    Ok(())
}

/// Makes the room, starts its stream, puts a synthetic publisher on its stage, and prints the links once it can be played.
async fn go_live(running: &Running) -> Result<(), CommandError> {
    let control = running.control.as_ref().ok_or("the demo has a catalog")?;
    let codes = control.ensure_room(ROOM).await?;
    let stream = control.start_stream(ROOM).await?;
    control.until_running(&stream.id).await?;
    let code = |role: &str| codes.iter().find(|c| c.role == role).map(|c| c.code.as_str()).unwrap_or_default();
    println!("studio: {}/studio/{}", running.public_url, code("broadcaster"));
    println!("watch: {}/watch/{}", running.public_url, code("viewer-near-realtime"));
    println!("playlist: {}/live/{ROOM}/master.m3u8", running.public_url);
    println!("live; stop with Ctrl-C");
    Ok(())
}
