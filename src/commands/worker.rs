//! `footlight worker`: what runs in the child process of a live stream.

use super::CommandError;
use clap::Args;
use std::os::fd::RawFd;

#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// The inherited socket.
    socket: RawFd,
}

pub(super) fn run(args: &WorkerArgs) -> Result<(), CommandError> {
    let WorkerArgs { socket } = *args;
    if socket < 3 {
        return Err(format!(
            "worker: descriptor {socket} is no inherited socket; this command is started by footlight serve"
        )
        .into());
    }
    // SAFETY: the descriptor was made for this process by the one that started it, and nothing in it has touched it.
    Ok(unsafe { crate::worker::run_child(socket) }?)
}
