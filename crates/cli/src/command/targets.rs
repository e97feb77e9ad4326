//! `farm targets`.

use clap::Args;
use serde_json::json;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::progress::Mode;
use crate::text::columns;

/// The arguments of `farm targets`.
#[derive(Debug, Args)]
pub(crate) struct TargetsArgs {
    #[command(flatten)]
    words: WordArgs,
    /// Print the targets as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// Lists what can be built.
pub(crate) fn run(app: &App, args: &TargetsArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    let invocation = Invocation::start(app, args.executor.executor, Mode::Quiet, false)?;
    let targets = match domain::targets(&invocation.setup, &words, &*invocation.display) {
        Ok(targets) => targets,
        Err(error) => return invocation.fail(error),
    };
    if args.json {
        let targets: Vec<_> = targets
            .iter()
            .map(|target| json!({ "name": target.name, "kind": target.kind, "about": target.about }))
            .collect();
        results.json(&json!({ "targets": targets }));
        return Ok(Status::Done);
    }
    let rows: Vec<[String; 2]> = targets.into_iter().map(|target| [target.name, target.about]).collect();
    for line in columns(&rows) {
        results.line(&line);
    }
    Ok(Status::Done)
}
