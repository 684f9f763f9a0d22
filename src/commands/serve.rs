#![allow(clippy::disallowed_methods)] // IO: runtime, signals, standard output.
//! `serve`, `origin`, `packager`, `edge`: start the parts, wait for a signal, end in order.

use super::{CommandError, Serving, Source};
use crate::config::{Config, LogConfig, LogFormat};
use crate::wire::{self, Running, WireError};
use clap::Args;
use metrics_exporter_prometheus::PrometheusHandle;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// `footlight origin`.
#[derive(Debug, Args)]
pub(super) struct OriginArgs {
    /// Viewers' and edges' listener, ADDRESS:PORT; port 0 picks one.
    #[arg(long, value_name = "ADDR", value_parser = super::listen)]
    http: Option<SocketAddr>,
    /// Packagers' listener, ADDRESS:PORT.
    #[arg(long, value_name = "ADDR", value_parser = super::listen)]
    publish: Option<SocketAddr>,
    /// Admin listener, ADDRESS:PORT; port 0 picks one.
    #[arg(long, value_name = "ADDR", value_parser = super::listen)]
    admin: Option<SocketAddr>,
    #[command(flatten)]
    source: Source,
}

/// `footlight edge`.
#[derive(Debug, Args)]
pub(super) struct EdgeArgs {
    /// The origin's URL, http://HOST:PORT.
    #[arg(long, value_name = "URL")]
    origin: Option<String>,
    /// Plain HTTP listener, ADDRESS:PORT; port 0 picks one.
    #[arg(long, value_name = "ADDR", value_parser = super::listen)]
    http: Option<SocketAddr>,
    /// HTTPS listener, ADDRESS:PORT; port 0 picks one.
    #[arg(long, value_name = "ADDR", value_parser = super::listen)]
    https: Option<SocketAddr>,
    /// Admin listener, ADDRESS:PORT; port 0 picks one.
    #[arg(long, value_name = "ADDR", value_parser = super::listen)]
    admin: Option<SocketAddr>,
    /// Configuration file; see footlight.yaml for every setting.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn serve(args: &Serving) -> Result<(), CommandError> {
    run(args.load()?, wire::serve_all)
}

pub(super) fn packager(args: &Serving) -> Result<(), CommandError> {
    run(args.load()?, wire::serve_packager)
}

pub(super) fn origin(args: &OriginArgs) -> Result<(), CommandError> {
    let mut config = args.source.load()?;
    config.http.listen = args.http.unwrap_or(config.http.listen);
    config.origin.publish = args.publish.unwrap_or(config.origin.publish);
    config.admin.listen = args.admin.unwrap_or(config.admin.listen);
    run(config, wire::serve_origin)
}

pub(super) fn edge(args: &EdgeArgs) -> Result<(), CommandError> {
    let mut config = Config::load(args.config.as_deref())?;
    config.http.listen = args.http.unwrap_or(config.http.listen);
    config.https.listen.0 = args.https.or(config.https.listen.0);
    config.admin.listen = args.admin.unwrap_or(config.admin.listen);
    config.origin.url = args.origin.clone().unwrap_or(config.origin.url);
    run(config, wire::serve_edge)
}

fn run<F>(
    config: Config,
    start: impl FnOnce(Config, PrometheusHandle, CancellationToken) -> F,
) -> Result<(), CommandError>
where
    F: Future<Output = Result<Running, WireError>>,
{
    let recorder = prepare(&config.log)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let shutdown = CancellationToken::new();
        let running = start(config, recorder, shutdown.clone()).await?;
        announce(&running);
        until_signalled().await?;
        shutdown.cancel();
        end(running.ended()).await;
        Ok(())
    })
}

/// Log and metrics, once in a process.
pub(super) fn prepare(log: &LogConfig) -> Result<PrometheusHandle, CommandError> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|e| format!("log.filter {:?}: {e}", log.filter))?;
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(coloured());
    match log.format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(crate::metrics::install().ok_or("the metrics recorder is installed already")?)
}

/// Whether the log has colours: for eyes alone, and for those that have not said otherwise (<https://no-color.org>).
pub(super) fn coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

/// Where the process listens, a line each.
pub(super) fn announce(running: &Running) {
    println!("http: http://{}", running.http);
    if let Some(https) = running.https {
        println!("https: https://{https}");
    }
    if let Some(publish) = running.publish {
        println!("publish: http://{publish}");
    }
    if let Some(webrtc) = running.webrtc {
        println!("webrtc: {webrtc}");
    }
    println!("admin: http://{}", running.admin);
}

/// SIGTERM or SIGINT.
pub(super) async fn until_signalled() -> std::io::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

/// Waits for the parts, or for a second signal.
pub(super) async fn end(ended: impl Future<Output = ()>) {
    tracing::info!("ending: streams are finished first; a second signal ends at once");
    tokio::select! {
        () = ended => {}
        _ = until_signalled() => tracing::warn!("ended at once, with what was not finished"),
    }
}
