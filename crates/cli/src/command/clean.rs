//! `farm clean`.

use clap::Args;

use crate::args::ExecutorArgs;
use crate::domain::{self, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::output::Results;
use crate::progress::Mode;
use crate::session::{App, Session};

/// The arguments of `farm clean`.
#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// Remove the workspace's state as well: everything is built anew next time
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// Removes what farm made, and prints what that was.
pub(crate) fn run(app: &App, args: &CleanArgs, results: &mut Results) -> Result<Status, CliError> {
    let session = Session::start(app, args.executor.executor, Mode::Quiet, false)?;
    let report = match domain::clean(&session.setup, &Words::parse(&[]), args.all) {
        Ok(report) => report,
        Err(error) => return session.fail(error),
    };
    for line in &report.removed {
        results.line(line);
    }
    if report.removed.is_empty() {
        session.display.say(&["nothing to remove".to_owned()]);
    }
    Ok(Status::Done)
}
