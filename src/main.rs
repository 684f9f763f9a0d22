//! The `footlight` command.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    footlight::commands::run(footlight::commands::Cli::parse())
}
