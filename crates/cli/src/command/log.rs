//! `farm log`: the log of a node, and what was recorded of a run.

use clap::{Args, Subcommand};

use super::run_log::{self, Question, QuestionArgs};
use crate::args::{ExecutorChoice, WordArgs};
use crate::domain::{self, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;

/// The arguments of `farm log`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    subcommand_help_heading = "About a run as a whole"
)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    question: Option<LogQuestion>,
    #[command(flatten)]
    words: WordArgs,
    /// Print where the log is instead
    #[arg(long)]
    path: bool,
}

/// What can be asked of a run. A target that is called so is written with its farm: `FARM:last`.
#[derive(Debug, Subcommand)]
enum LogQuestion {
    /// Sum up the last run
    #[command(mut_arg("run", |run| run.help("The run's number in `farm debug history` [default: the last one]")))]
    Last(QuestionArgs),
    /// List the nodes that ran, and why
    WhatRan(QuestionArgs),
    /// List the nodes that failed, and how
    WhatFailed(QuestionArgs),
    /// List the nodes that ran, the slowest first
    Slowest(QuestionArgs),
    /// List the nodes that decided how long the run took
    CriticalPath(QuestionArgs),
}

/// Prints the log of a node's last run as it was written, or what was recorded of a run.
pub(crate) fn run(app: &App, args: &LogArgs, results: &mut Results) -> Result<Status, CliError> {
    if let Some(question) = &args.question {
        let (question, args) = match question {
            LogQuestion::Last(args) => (Question::Last, args),
            LogQuestion::WhatRan(args) => (Question::WhatRan, args),
            LogQuestion::WhatFailed(args) => (Question::WhatFailed, args),
            LogQuestion::Slowest(args) => (Question::Slowest, args),
            LogQuestion::CriticalPath(args) => (Question::CriticalPath, args),
        };
        return run_log::run(app, question, args, results);
    }
    let words = Words::parse(&args.words.words);
    if words.targets.is_empty() {
        return Err(CliError::input("which node? `farm log` needs a target").hint("`farm targets` lists them"));
    }
    // A node that said nothing has no file.
    let Some(path) = domain::log(&app.setup(ExecutorChoice::Auto)?, &words)? else {
        return Ok(Status::Done);
    };
    if args.path {
        results.line(&path.to_string_lossy());
    } else {
        let bytes = fs_err::read(&path).map_err(|error| CliError::environment(error.to_string()))?;
        results.bytes(&bytes);
    }
    Ok(Status::Done)
}
