//! `footlight config check|print`.

use super::{CommandError, Source};
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Says whether the configuration is valid, and what is wrong with it.
    Check(Source),
    /// Prints the configuration with everything that overrides it; secrets are left out.
    Print(Source),
}

pub(super) fn run(args: &ConfigArgs) -> Result<(), CommandError> {
    match &args.action {
        Action::Check(source) => {
            source.load()?;
            println!("the configuration is valid");
        }
        Action::Print(source) => print!("{}", source.load()?.print()),
    }
    Ok(())
}
