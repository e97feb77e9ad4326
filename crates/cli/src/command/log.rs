//! `farm log`.

use clap::Args;

use crate::args::{ExecutorChoice, WordArgs};
use crate::domain::{self, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;

/// The arguments of `farm log`.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    words: WordArgs,
    /// Print where the log is instead
    #[arg(long)]
    path: bool,
}

/// Prints the log of a node's last run as it was written.
pub(crate) fn run(app: &App, args: &LogArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    if words.targets.is_empty() {
        return Err(CliError::input("which node? `farm log` needs a target").hint("`farm targets` lists them"));
    }
    // A node that said nothing has no file.
    let Some(path) = domain::log(&app.setup(ExecutorChoice::Auto)?, &words)? else {
        return Ok(Status::Done);
    };
    if args.path {
        results.line(&path.to_string_lossy());
    } else {
        let bytes = fs_err::read(&path).map_err(|error| CliError::environment(error.to_string()))?;
        results.bytes(&bytes);
    }
    Ok(Status::Done)
}
