//! `farm distfiles`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::args::ExecutorArgs;
use crate::domain::{self, BuildOptions, Distfiles, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::summary;
use crate::text::count;

/// The arguments of `farm distfiles`.
#[derive(Debug, Args)]
pub(crate) struct DistfilesArgs {
    #[command(subcommand)]
    command: DistfilesCommand,
}

/// What to do with source files.
#[derive(Debug, Subcommand)]
enum DistfilesCommand {
    /// Get the source files of all packages of the plan, and copy them to a folder
    Export(FolderArgs),
    /// Take the source files of all packages of the plan from a folder, and nothing from the network
    Import(FolderArgs),
}

#[derive(Debug, Args)]
struct FolderArgs {
    /// The folder
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
    /// A farm, or a variable of the manifest (can be repeated)
    #[arg(value_name = "FARM | KEY=VALUE")]
    words: Vec<String>,
    /// Go on with the others when one cannot be had
    #[arg(short, long)]
    keep_going: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// Carries out one of them.
pub(crate) fn run(app: &App, args: &DistfilesArgs, results: &mut Results) -> Result<Status, CliError> {
    let (DistfilesCommand::Export(of) | DistfilesCommand::Import(of)) = &args.command;
    let invocation = Invocation::start(app, of.executor.executor, Invocation::mode(app), false)?;
    let words = Words::parse(&of.words);
    let options = BuildOptions {
        keep_going: of.keep_going,
        plan: true,
        ..BuildOptions::default()
    };
    let is_export = matches!(args.command, DistfilesCommand::Export(_));
    let command = if is_export {
        domain::export_distfiles
    } else {
        domain::import_distfiles
    };
    match command(&invocation.setup, &words, &of.folder, &options, &*invocation.display) {
        Ok((ended, found)) => {
            invocation.display.close();
            results.line(&in_words(&found, is_export));
            results.flush();
            invocation
                .display
                .say(&summary::problems(&ended, app.environment.paint));
            Ok(summary::status(&ended, invocation.stopped()))
        }
        Err(error) => invocation.fail(error),
    }
}

fn in_words(found: &Distfiles, is_export: bool) -> String {
    let new = if is_export { "written" } else { "taken" };
    format!(
        "{}, {} bytes; {} {new}, the others were there",
        count(found.files, "source file"),
        found.bytes,
        found.new
    )
}
