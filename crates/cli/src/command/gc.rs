//! `farm gc`.

use clap::Args;

use crate::args::ExecutorChoice;
use crate::domain::{self, Freed, GcReport};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::progress::Mode;
use crate::text::{bytes, count};

/// The arguments of `farm gc`.
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Say what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Removes what no build of the last time needs, and prints what that was.
pub(crate) fn run(app: &App, args: &GcArgs, results: &mut Results) -> Result<Status, CliError> {
    let invocation = Invocation::start(app, ExecutorChoice::Auto, Mode::Quiet, false)?;
    let report = match domain::gc(&invocation.setup, args.dry_run, &*invocation.display) {
        Ok(report) => report,
        Err(error) => return invocation.fail(error),
    };
    if args.json {
        let line = serde_json::to_string(&report).map_err(|error| CliError::bug(error.to_string()))?;
        results.line(&line);
        return Ok(Status::Done);
    }
    for line in in_words(&report) {
        results.line(&line);
    }
    if report.is_empty() {
        invocation.display.say(&["nothing to remove".to_owned()]);
    }
    Ok(Status::Done)
}

fn in_words(report: &GcReport) -> Vec<String> {
    let done = if report.dry_run { "would remove" } else { "removed" };
    let of = |freed: Freed, noun: &str| {
        (freed.count > 0).then(|| format!("{done} {} ({})", count(freed.count, noun), bytes(freed.bytes)))
    };
    let mut lines: Vec<String> = [
        of(report.guards, "record"),
        of(report.blobs, "blob"),
        of(report.logs, "log"),
        of(report.failed, "failed work tree"),
        (report.digests > 0).then(|| format!("{done} {} of files that are gone", count(report.digests, "digest"))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some(why) = &report.blobs_left {
        lines.push(format!("left the blobs alone: {why}"));
    }
    lines.extend(
        report
            .images
            .iter()
            .map(|image| format!("left image {image} in the engine: `farm clean` removes it")),
    );
    lines
}
