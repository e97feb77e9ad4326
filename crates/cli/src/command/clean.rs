//! `farm clean`.

use crate::args::ExecutorArgs;
use crate::domain::{self, CleanReport};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::progress::Mode;
use crate::text::count;

/// Removes what farm made, and prints what that was.
pub(crate) fn run(app: &App, args: &ExecutorArgs, results: &mut Results) -> Result<Status, CliError> {
    let invocation = Invocation::start(app, args.executor, Mode::Quiet, false)?;
    let report = match domain::clean(&invocation.setup, &*invocation.display) {
        Ok(report) => report,
        Err(error) => return invocation.fail(error),
    };
    let lines = in_words(&report);
    for line in &lines {
        results.line(line);
    }
    if lines.is_empty() {
        invocation.display.say(&["nothing to remove".to_owned()]);
    }
    Ok(Status::Done)
}

fn in_words(report: &CleanReport) -> Vec<String> {
    let mut lines = Vec::new();
    if report.containers > 0 {
        lines.push(format!("removed {}", count(report.containers as u64, "container")));
    }
    lines.extend(report.images.iter().map(|image| format!("removed image {image}")));
    lines.extend(report.state.iter().map(|state| format!("removed {}", state.display())));
    lines
}
