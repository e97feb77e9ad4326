//! `farm plan`.

use clap::Args;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, BuildOptions, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::output::Results;
use crate::session::{App, Session};

/// The arguments of `farm plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    words: WordArgs,
    /// When Portage cannot resolve, put the missing flags, keywords and licences into the manifest
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
    let session = Session::start(app, args.executor.executor, Session::mode(app), false)?;
    let options = BuildOptions {
        jobs: super::build::processors(),
        plan: true,
        ..BuildOptions::default()
    };
    let view = match domain::plan(&session.setup, &words, &options, args.write, &*session.display) {
        Ok(view) => view,
        Err(error) => return session.fail(error),
    };
    session.display.close();
    if args.json {
        results.json(&view.json);
    } else {
        results.bytes(view.text.as_bytes());
    }
    Ok(Status::Done)
}
