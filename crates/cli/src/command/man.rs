//! `farm man`.

use clap::{Args, CommandFactory as _};
use clap_mangen::Man;

use crate::args::Cli;
use crate::error::CliError;
use crate::exit::Status;
use crate::output::Results;

/// The arguments of `farm man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command whose page is wanted; by default the program's own
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Prints a manual page as roff: `farm man build | man -l -`.
pub(crate) fn run(args: &ManArgs, results: &mut Results) -> Result<Status, CliError> {
    let mut cli = Cli::command();
    cli.build();
    let command = match &args.command {
        None => cli,
        Some(name) => {
            let names = cli
                .get_subcommands()
                .map(clap::Command::get_name)
                .filter(|name| *name != "help");
            let names: Vec<&str> = names.collect();
            let unknown =
                CliError::input(format!("no such command: {name}")).hint(format!("commands: {}", names.join(", ")));
            let found = cli.find_subcommand(name).cloned().ok_or(unknown)?;
            // Pages of commands are called as git's are: farm-build(1).
            let title = format!("farm-{}", found.get_name());
            found.display_name(title)
        }
    };
    let mut page = Vec::new();
    Man::new(command)
        .render(&mut page)
        .map_err(|error| CliError::bug(format!("cannot write a manual page: {error}")))?;
    results.bytes(&page);
    Ok(Status::Done)
}
