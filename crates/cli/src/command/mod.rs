//! The commands, one file each.

pub(crate) mod binhost;
pub(crate) mod build;
pub(crate) mod clean;
pub(crate) mod completions;
pub(crate) mod debug;
pub(crate) mod distfiles;
pub(crate) mod doctor;
pub(crate) mod gc;
pub(crate) mod graph;
mod history;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod man;
pub(crate) mod patch;
pub(crate) mod plan;
pub(crate) mod publish_image;
pub(crate) mod publish_pkgs;
mod run_log;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod targets;
pub(crate) mod update;
pub(crate) mod why;

use crate::args::Command;
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;

/// Carries out a command, and hands its results to whoever reads standard output.
///
/// # Errors
///
/// What stopped it; failures of nodes are no errors but part of the status.
pub(crate) fn run(app: &App, command: Command) -> Result<Status, CliError> {
    let mut results = Results::stdout();
    let builds = builds(&command);
    let status = match command {
        Command::Build(args) => build::run(app, &args, &mut results),
        Command::PublishPkgs(args) => publish_pkgs::run(app, &args, &mut results),
        Command::PublishImage(args) => publish_image::run(app, &args, &mut results),
        Command::Plan(args) => plan::run(app, &args, &mut results),
        Command::Patch(args) => patch::run(app, &args, &mut results),
        Command::Update(args) => update::run(app, &args, &mut results),
        Command::Binhost(args) => binhost::run(app, &args, &mut results),
        Command::Key(args) => key::run(app, &args, &mut results),
        Command::Distfiles(args) => distfiles::run(app, &args, &mut results),
        Command::Import(args) => import::run(app, &args, &mut results),
        Command::Targets(args) => targets::run(app, &args, &mut results),
        Command::Why(args) => why::run(app, &args, &mut results),
        Command::Graph(args) => graph::run(app, &args, &mut results),
        Command::Log(args) => log::run(app, &args, &mut results),
        Command::Serve(args) => serve::run(app, &args),
        Command::Clean(args) => clean::run(app, &args, &mut results),
        Command::Gc(args) => gc::run(app, &args, &mut results),
        Command::Debug(args) => debug::run(app, &args, &mut results),
        Command::Doctor(args) => doctor::run(app, &args, &mut results),
        Command::Schema => schema::run(&mut results),
        Command::Completions(args) => completions::run(&args, &mut results),
        Command::Man(args) => man::run(&args, &mut results),
    }?;
    match results.finish() {
        Err(lost) if builds => {
            app.say(&[format!("note: {}", lost.message)]);
            Ok(status)
        }
        Err(lost) if status == Status::Done => Err(lost),
        // What went wrong with the command itself says more than that nobody could be told of it.
        _ => Ok(status),
    }
}

/// Whether what a command does matters more than what it prints: it is done even if nobody could be told.
fn builds(command: &Command) -> bool {
    match command {
        Command::Build(args) | Command::PublishImage(args) => !args.dry_run,
        Command::PublishPkgs(args) => !args.run.dry_run,
        Command::Binhost(args) => args.writes(),
        Command::Patch(args) => args.writes(),
        Command::Distfiles(_) => true,
        Command::Import(args) => args.writes(),
        _ => false,
    }
}
