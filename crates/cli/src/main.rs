//! The `farm` program: arguments in, the domain called, progress and results out. No logic of its own.
//!
//! * Results go to standard output ([`output`]), everything for people to standard error ([`progress`], [`summary`]).
//! * Only [`environment`] reads the environment; only this crate prints.
//! * [`domain`] is the border to the domain, [`error`] turns its errors into sentences, [`exit`] into a status.

mod args;
mod command;
mod domain;
mod environment;
mod error;
mod exit;
mod invocation;
mod output;
mod paint;
mod progress;
mod stop;
mod summary;
mod text;

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::Cli;
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::paint::Paint;
use crate::progress::{Display, Mode};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(tell_of_panic));
    let status = catch_unwind(AssertUnwindSafe(run)).unwrap_or(Status::Bug);
    ExitCode::from(status.code())
}

fn run() -> Status {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return tell_of_usage(&error),
    };
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(error) => return tell(&error, Paint::default()),
    };
    let app = App {
        environment,
        global: cli.global,
    };
    command::run(&app, cli.command).unwrap_or_else(|error| tell(&error, app.environment.paint))
}

/// Help and the version are results; everything else is a mistake.
fn tell_of_usage(error: &clap::Error) -> Status {
    // Nobody reads it: no reason to say anything else.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Status::Done,
        _ => Status::Usage,
    }
}

fn tell(error: &CliError, paint: Paint) -> Status {
    Display::stderr(Mode::Quiet, false, paint).say(&error.lines(paint));
    error.status()
}

fn tell_of_panic(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("no message");
    let place = panic
        .location()
        .map_or_else(|| "somewhere".to_owned(), ToString::to_string);
    tell(&CliError::bug(format!("{what} ({place})")), Paint::default());
}
