#![allow(clippy::disallowed_methods)] // IO: reads the clock and the credentials.
//! `footlight token management|auth`: mints a token with the credentials of a data directory and prints it alone.

use super::{CommandError, Source};
use clap::{Args, Subcommand};
use footlight_control::credentials::Credentials;
use footlight_control::rooms::template::roles;
use footlight_control::rooms::token;
use std::time::{Duration, SystemTime};

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// For servers: everything over the REST API.
    Management {
        #[command(flatten)]
        common: Common,
    },
    /// For one user in one room: publishing by WHIP.
    Auth {
        /// The room's id.
        #[arg(long)]
        room: String,
        /// The user's role, e.g. broadcaster.
        #[arg(long, value_parser = role)]
        role: String,
        /// The user's id; a new session of the same user replaces the old one.
        #[arg(long)]
        user: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// Seconds until it expires.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(1..=7_776_000))]
    ttl: u64,
    #[command(flatten)]
    source: Source,
}

/// A role that rooms have. Any other is in a token that opens nothing.
fn role(name: &str) -> Result<String, String> {
    let roles = roles();
    if roles.contains_key(name) {
        return Ok(name.to_owned());
    }
    let names: Vec<String> = roles.into_keys().collect();
    Err(format!("no room has this role; give one of {}", names.join(", ")))
}

pub(super) fn run(args: &TokenArgs) -> Result<(), CommandError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let jti = footlight_control::random_uuid();
    let (Kind::Management { common } | Kind::Auth { common, .. }) = &args.kind;
    let credentials = Credentials::load(&common.source.load()?.data_dir)?;
    let ttl = Duration::from_secs(common.ttl);
    let minted = match &args.kind {
        Kind::Management { .. } => token::mint_management(&credentials, now, ttl, &jti),
        Kind::Auth { room, role, user, .. } => token::mint_auth(&credentials, room, role, user, now, ttl, &jti),
    };
    println!("{minted}");
    Ok(())
}
