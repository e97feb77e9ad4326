//! `farm build`, and what it shares with whatever else builds.

use farm_engine::{EventSink, Summary};
use serde_json::Value;

use crate::args::RunArgs;
use crate::domain::{self, BuildOptions, FarmError, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::progress::{Both, JsonLines, Mode};
use crate::summary;

/// Builds targets.
pub(crate) fn run(app: &App, args: &RunArgs, results: &mut Results) -> Result<Status, CliError> {
    run_with(app, args, results, |invocation, words, options, events| {
        Ok((domain::build(&invocation.setup, words, options, events)?, Vec::new()))
    })
}

/// A result of a run beside what became of its nodes: for people, and for programs.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) json: Value,
}

/// Builds, publishes perhaps, and tells of it. `action` returns what became of the run and the lines that are its results.
pub(super) fn run_with<F>(app: &App, args: &RunArgs, results: &mut Results, action: F) -> Result<Status, CliError>
where
    F: FnOnce(&Invocation, &Words, &BuildOptions, &dyn EventSink) -> Result<(Summary, Vec<Line>), FarmError>,
{
    let words = Words::parse(&args.words.words);
    let options = options(args);
    // Events that a program reads on standard output are not told a second time.
    let mode = if args.json && !args.dry_run {
        Mode::Quiet
    } else {
        Invocation::mode(app)
    };
    let invocation = Invocation::start(app, args.executor.executor, mode, args.explain && !args.dry_run)?;
    let outcome = if args.json && !args.dry_run {
        let json = JsonLines::new(results);
        action(&invocation, &words, &options, &Both(&*invocation.display, &json))
    } else {
        action(&invocation, &words, &options, &*invocation.display)
    };
    let (summary, lines) = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return invocation.fail(error),
    };
    invocation.display.close();
    let paint = app.environment.paint;
    if args.dry_run {
        if args.json {
            results.json(&summary::json(&summary));
        } else {
            for line in summary::table(&summary, args.explain) {
                results.line(&line);
            }
        }
        results.flush();
        let mut said = summary::problems(&summary, paint);
        said.push(summary::of_dry_run(&summary));
        invocation.display.say(&said);
    } else {
        for line in &lines {
            if args.json {
                results.json(&line.json);
            } else {
                results.line(&line.text);
            }
        }
        results.flush();
        invocation
            .display
            .say(&summary::of_build(&summary, invocation.elapsed(), paint));
    }
    Ok(summary::status(&summary, invocation.stopped()))
}

fn options(args: &RunArgs) -> BuildOptions {
    BuildOptions {
        jobs: args.jobs.map(usize::from),
        keep_going: args.keep_going,
        dry_run: args.dry_run,
        plan: !args.no_plan,
        rebuild: args.rebuild.clone(),
    }
}
