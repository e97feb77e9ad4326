//! `farm plan`.

use clap::Args;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, PlanView, Words};
use crate::error::CliError;
use crate::exit::{Status, exit_code};
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::summary;

/// What `--diff` calls the release that clients have.
const RELEASE: &str = "release";

/// The arguments of `farm plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    words: WordArgs,
    /// When Portage cannot resolve, put the missing flags, keywords, licences and unmasks into the manifest, and plan again
    #[arg(long)]
    write: bool,
    /// Print only what differs: from what is published (`release`), or with another value of a variable (can be repeated)
    #[arg(long, value_name = "release | KEY=VALUE", conflicts_with = "write")]
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
    let with_release = match &other.targets[..] {
        [] => false,
        [word] if word == RELEASE && other.variables.is_empty() => true,
        [word, ..] if word == RELEASE => {
            let message = format!("`--diff {RELEASE}` stands alone");
            return Err(
                CliError::input(message).hint("values of variables go behind the farm: `farm plan BINFARM_TYPE=dbg`")
            );
        }
        [word, ..] => {
            let message = format!("`{word}` is neither `{RELEASE}` nor KEY=VALUE");
            return Err(CliError::input(message).hint("`--diff BINFARM_TYPE=dbg`, say"));
        }
    };
    let invocation = Invocation::start(app, args.executor.executor, Invocation::mode(app), false)?;
    let (setup, events) = (&invocation.setup, &*invocation.display);
    let planned = if args.write {
        domain::plan_and_write(setup, &words, events)
    } else if with_release {
        domain::plan_release(setup, &words, events)
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
