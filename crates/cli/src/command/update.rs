//! `farm update`.

use clap::Args;
use serde_json::json;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;

/// The arguments of `farm update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    words: WordArgs,
    /// Print what moved, and the plan, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// Moves the lock file; prints what moved, then the plan.
pub(crate) fn run(app: &App, args: &UpdateArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    let invocation = Invocation::start(app, args.executor.executor, Invocation::mode(app), false)?;
    let view = match domain::update(&invocation.setup, &words, &*invocation.display) {
        Ok(view) => view,
        Err(error) => return invocation.fail(error),
    };
    invocation.display.close();
    if args.json {
        results.json(&json!({ "changes": view.changes, "plan": view.plan.as_ref().map(|plan| &plan.json) }));
    } else {
        for change in &view.changes {
            results.line(change);
        }
        if let Some(plan) = &view.plan {
            results.bytes(plan.text.as_bytes());
        }
    }
    results.flush();
    if view.changes.is_empty() {
        invocation
            .display
            .say(&["nothing moved: the lock file says what the names stand for today".to_owned()]);
    }
    Ok(view
        .plan
        .map_or(Status::Done, |plan| super::plan::end(app, &invocation, &plan)))
}
