//! The commands: what can be asked of the binary, and what each hands to the wiring.

mod config;
mod demo;
mod publish;
mod serve;
mod token;
mod trace;
mod worker;

use crate::config::{Config, ConfigError};
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Go live from a room to 100,000 viewers, from one binary that you run yourself.
#[derive(Debug, Parser)]
#[command(name = "footlight", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything in one process: rooms, WebRTC, packaging, origin, edge, pages.
    Serve(Serving),
    /// serve, with a room that is live.
    Demo(demo::Demo),
    /// An origin alone: keeps what packagers publish.
    Origin(serve::OriginArgs),
    /// Rooms, WebRTC and packaging, publishing to an origin elsewhere.
    Packager(Serving),
    /// A caching edge alone, in front of an origin.
    Edge(serve::EdgeArgs),
    /// Puts a file or a test picture on a stage, by WHIP.
    Publish(publish::PublishArgs),
    /// Mints a token and prints it alone.
    Token(token::TokenArgs),
    /// Shows where the time of one frame of a running stream went.
    Trace(trace::TraceArgs),
    /// Checks or prints the configuration.
    Config(config::ConfigArgs),
    /// The child process of a live stream; started by serve, demo and packager.
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
}

/// What every serving command takes.
#[derive(Debug, Clone, Args)]
struct Serving {
    /// Plain HTTP listener, ADDRESS:PORT; port 0 picks one.
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    http: Option<SocketAddr>,
    /// HTTPS listener, ADDRESS:PORT; port 0 picks one.
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    https: Option<SocketAddr>,
    /// WebRTC UDP and TCP port, ADDRESS:PORT; port 0 picks one.
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    webrtc: Option<SocketAddr>,
    /// Admin listener, ADDRESS:PORT; port 0 picks one.
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    admin: Option<SocketAddr>,
    #[command(flatten)]
    source: Source,
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Args)]
struct Source {
    /// Directory of rooms, keys and credentials.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file; see footlight.yaml for every setting.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Source {
    fn load(&self) -> Result<Config, ConfigError> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(data_dir) = &self.data_dir {
            config.data_dir.clone_from(data_dir);
        }
        config.check_data_dir()?;
        Ok(config)
    }
}

impl Serving {
    fn load(&self) -> Result<Config, ConfigError> {
        let mut config = self.source.load()?;
        config.http.listen = self.http.unwrap_or(config.http.listen);
        config.https.listen.0 = self.https.or(config.https.listen.0);
        config.webrtc.listen = self.webrtc.unwrap_or(config.webrtc.listen);
        config.admin.listen = self.admin.unwrap_or(config.admin.listen);
        Ok(config)
    }
}

/// Runs a command. What goes wrong is said on standard error, with its causes.
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Serve(args) => serve::serve(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Origin(args) => serve::origin(&args),
        Command::Packager(args) => serve::packager(&args),
        Command::Edge(args) => serve::edge(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Worker(args) => worker::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("footlight: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads what a listener's flag is given.
fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|error| format!("{error}; give ADDRESS:PORT with an IP address, such as 127.0.0.1:8080"))
}

/// What a command fails with: an error that says whose it is and what helps.
type CommandError = Box<dyn std::error::Error>;
