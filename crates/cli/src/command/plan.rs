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
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// Prints the merge list.
pub(crate) fn run(app: &App, args: &PlanArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    let invocation = Invocation::start(app, args.executor.executor, Invocation::mode(app), false)?;
    let plan = if args.write {
        domain::plan_and_write
    } else {
        domain::plan
    };
    let view = match plan(&invocation.setup, &words, &*invocation.display) {
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
