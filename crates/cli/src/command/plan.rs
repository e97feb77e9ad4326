//! `farm plan`.

use clap::Args;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, PlanView, Words};
use crate::error::CliError;
use crate::exit::{Status, exit_code};
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::summary;

/// The arguments of `farm plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    words: WordArgs,
    /// When Portage cannot resolve, put the missing flags, keywords, licences and unmasks into the manifest, and plan again
    #[arg(long)]
    write: bool,
    /// Print only what the plan would have otherwise with this value (can be repeated)
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "write")]
    diff: Vec<String>,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// Prints the merge list.
pub(crate) fn run(app: &App, args: &PlanArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    let other = Words::parse(&args.diff);
    if let Some(word) = other.targets.first() {
        return Err(CliError::input(format!("`{word}` is no KEY=VALUE")).hint("`--diff BINFARM_TYPE=dbg`, say"));
    }
    let invocation = Invocation::start(app, args.executor.executor, Invocation::mode(app), false)?;
    let (setup, events) = (&invocation.setup, &*invocation.display);
    let planned = if args.write {
        domain::plan_and_write(setup, &words, events)
    } else if other.variables.is_empty() {
        domain::plan(setup, &words, events)
    } else {
        domain::plan_diff(setup, &words, &other.variables, events)
    };
    let view = match planned {
        Ok(view) => view,
        Err(error) => return invocation.fail(error),
    };
    invocation.display.close();
    if args.json {
        results.json(&view.json);
    } else {
        results.bytes(view.text.as_bytes());
    }
    results.flush();
    Ok(end(app, &invocation, &view))
}

/// Tells of plans that could not be made. A subject that does not resolve is the user's to mend: Portage says how.
pub(super) fn end(app: &App, invocation: &Invocation, view: &PlanView) -> Status {
    invocation
        .display
        .say(&summary::failures(&view.failures, app.environment.paint));
    exit_code(
        view.failures.iter().map(|(_, failure)| failure.kind),
        false,
        invocation.stopped(),
    )
}
