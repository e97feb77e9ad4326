//! `farm update`.

use clap::Args;
use serde_json::json;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, Proposal, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;

/// The arguments of `farm update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    words: WordArgs,
    /// Put newer tags and commits into the manifest, and move the lock file to them
    #[arg(long)]
    write: bool,
    /// Print what moved, what is newer, and the plan, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// Moves the lock file; prints what moved, what is newer, the plan, and in what that differs from the one before.
pub(crate) fn run(app: &App, args: &UpdateArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    let invocation = Invocation::start(app, args.executor.executor, Invocation::mode(app), false)?;
    let view = match domain::update(&invocation.setup, &words, args.write, &*invocation.display) {
        Ok(view) => view,
        Err(error) => return invocation.fail(error),
    };
    invocation.display.close();
    if args.json {
        results.json(&json!({
            "changes": view.changes,
            "proposals": view.proposals.iter().map(Proposal::json).collect::<Vec<_>>(),
            "plan": view.plan.as_ref().map(|plan| &plan.json),
            "difference": view.difference.as_ref().map(|(_, json)| json),
        }));
    } else {
        for change in &view.changes {
            results.line(change);
        }
        for proposal in &view.proposals {
            results.line(&proposal.text());
        }
        if let Some(plan) = &view.plan {
            results.bytes(plan.text.as_bytes());
        }
        if let Some((text, _)) = &view.difference {
            results.bytes(format!("\n{text}").as_bytes());
        }
    }
    results.flush();
    if view.changes.is_empty() {
        invocation
            .display
            .say(&["nothing moved: the lock file says what the names stand for today".to_owned()]);
    }
    if !args.write && !view.proposals.is_empty() {
        let hint = "`farm update --write` puts what is newer into the manifest";
        invocation.display.say(&[hint.to_owned()]);
    }
    Ok(view
        .plan
        .map_or(Status::Done, |plan| super::plan::end(app, &invocation, &plan)))
}
