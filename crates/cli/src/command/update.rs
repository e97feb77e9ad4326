//! `farm update`.

use clap::Args;
use serde_json::json;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::output::Results;
use crate::session::{App, Session};

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
    let session = Session::start(app, args.executor.executor, Session::mode(app), false)?;
    let view = match domain::update(&session.setup, &words, &*session.display) {
        Ok(view) => view,
        Err(error) => return session.fail(error),
    };
    session.display.close();
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
        session
            .display
            .say(&["nothing moved: the lock file says what the names stand for today".to_owned()]);
    }
    Ok(view
        .plan
        .map_or(Status::Done, |plan| super::plan::end(app, &session, &plan)))
}
