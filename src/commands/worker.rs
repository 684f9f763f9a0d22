//! `footlight worker`: what runs in the child process of a live stream.

use super::CommandError;
use clap::Args;
use std::os::fd::RawFd;

#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// Inherited socket of frames and commands.
    messages: RawFd,
    /// Inherited socket of objects.
    objects: RawFd,
}

pub(super) fn run(args: &WorkerArgs) -> Result<(), CommandError> {
    for fd in [args.messages, args.objects] {
        if fd < 3 {
            return Err(format!(
                "worker: descriptor {fd} is no inherited socket; this command is started by footlight serve"
            )
            .into());
        }
    }
    // SAFETY: the descriptors were made for this process by the one that started it, and nothing in it has touched them.
    Ok(unsafe { crate::worker::run_child(args.messages, args.objects) }?)
}
