//! `farm debug history` and `farm debug trace`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::run_log::RunArg;
use crate::args::ExecutorChoice;
use crate::domain::{self, HistoryLine, WhichRun};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;
use crate::summary::counts_in_words;
use crate::text::{columns, duration, moment, one_line};

/// The arguments of `farm debug history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Print one JSON object a run
    #[arg(long)]
    json: bool,
}

/// The arguments of `farm debug trace`.
#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    #[command(flatten)]
    run: RunArg,
    /// Write it to a file
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
}

/// Lists the runs that are recorded, the last one first.
pub(super) fn history(app: &App, args: &HistoryArgs, results: &mut Results) -> Result<Status, CliError> {
    let history = domain::history(&app.setup(ExecutorChoice::Auto)?)?;
    if args.json {
        for line in &history {
            results.json(&serde_json::to_value(line).map_err(|error| CliError::bug(error.to_string()))?);
        }
        return Ok(Status::Done);
    }
    for line in in_words(&history) {
        results.line(&line);
    }
    results.flush();
    if history.is_empty() {
        app.say(&["no run is recorded here".to_owned()]);
    }
    Ok(Status::Done)
}

fn in_words(history: &[HistoryLine]) -> Vec<String> {
    let row = |line: &HistoryLine| match line {
        HistoryLine::Run(of) => Some([
            of.run.to_string(),
            moment(of.started_ms),
            of.result.word().to_owned(),
            duration(Duration::from_millis(of.ms)),
            counts_in_words(of.counts),
            one_line(&format!("farm {}", of.words.join(" "))),
        ]),
        HistoryLine::Unreadable { .. } => None,
    };
    let rows: Vec<[String; 6]> = history.iter().filter_map(row).collect();
    let mut readable = columns(&rows).into_iter();
    let line = |line: &HistoryLine| match line {
        HistoryLine::Run(_) => readable.next(),
        HistoryLine::Unreadable { run, unreadable } => Some(format!("{run}  cannot be read: {}", one_line(unreadable))),
    };
    history.iter().filter_map(line).collect()
}

/// Prints a run for Perfetto.
pub(super) fn trace(app: &App, args: &TraceArgs, results: &mut Results) -> Result<Status, CliError> {
    let recorded = args.run.open(app, WhichRun::LastThatRan)?;
    let trace = farm_run_record::trace(&recorded.record);
    match &args.output {
        None => results.json(&trace),
        Some(path) => {
            fs_err::write(path, format!("{trace}\n")).map_err(|error| CliError::environment(error.to_string()))?;
            app.say(&[format!("run {} is in {}", recorded.run, path.display())]);
        }
    }
    Ok(Status::Done)
}
