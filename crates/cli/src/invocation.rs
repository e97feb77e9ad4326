//! A command under way: its display, its signals, and the way to an executor.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use farm_docker_executor::{ConnectOptions, DockerExecutor};
use farm_engine::{Event, EventSink as _};
use farm_executor::{CancelToken, Executor, ExecutorError};

use crate::args::{ExecutorChoice, GlobalArgs};
use crate::domain::{Connect, FarmError, Gpg, KeyFile, KeySource, OuterJobs, Setup};
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Status;
use crate::progress::{Display, Mode};
use crate::stop::Stop;

/// What every command is given.
#[derive(Debug)]
pub(crate) struct App {
    /// What the process was started with.
    pub(crate) environment: Environment,
    /// The options of every command.
    pub(crate) global: GlobalArgs,
}

impl App {
    /// Lines for people, where no display is open.
    pub(crate) fn say(&self, lines: &[String]) {
        Display::stderr(Mode::Quiet, false, self.environment.paint).say(lines);
    }

    /// What the domain is given by a command that runs nothing.
    ///
    /// # Errors
    ///
    /// See [`Invocation::start`].
    pub(crate) fn setup(&self, executor: ExecutorChoice) -> Result<Setup, CliError> {
        let options = connect_options(&self.environment, executor)?;
        let connect = move |labels: &BTreeMap<String, String>| -> Result<Arc<dyn Executor>, ExecutorError> {
            let options = ConnectOptions {
                labels: labels.clone(),
                ..options.clone()
            };
            Ok(Arc::new(DockerExecutor::connect(options)?))
        };
        Ok(self.setup_with(Arc::new(connect), CancelToken::new()))
    }

    fn setup_with(&self, connect: Arc<Connect>, cancel: CancelToken) -> Setup {
        let gpg = Gpg::new("gpg", self.environment.gpg.clone());
        let here = |file: &PathBuf| self.environment.current_dir.join(file);
        let keys = match &self.environment.key_file {
            Some(file) => {
                let passphrase = self.environment.passphrase_file.as_ref().map(here);
                KeySource::File(KeyFile::new(here(file), passphrase))
            }
            None => KeySource::GnuPg(gpg.clone()),
        };
        Setup {
            workspace: self.global.workspace.clone(),
            current_dir: self.environment.current_dir.clone(),
            environment: self.environment.variables.clone(),
            scratch: self.environment.scratch.clone(),
            connect,
            program: self.environment.program.clone(),
            cancel,
            outer_jobs: Arc::new(OuterJobs::new(self.environment.makeflags.clone())),
            holder: self.environment.command_line.clone(),
            arguments: self.environment.arguments.clone(),
            gpg,
            keys,
            remotes: self.environment.remotes.clone(),
            git: self.environment.git.clone(),
        }
    }
}

/// A command that runs nodes, or may.
pub(crate) struct Invocation {
    /// What the domain is given.
    pub(crate) setup: Setup,
    /// What people see.
    pub(crate) display: Arc<Display>,
    stop: Stop,
    begun: Instant,
}

impl Invocation {
    /// Opens the display and watches for signals. No executor is asked for yet.
    ///
    /// # Errors
    ///
    /// The executor that was asked for is not there yet; or signals cannot be watched.
    pub(crate) fn start(app: &App, executor: ExecutorChoice, mode: Mode, explain: bool) -> Result<Self, CliError> {
        let options = connect_options(&app.environment, executor)?;
        let display = Arc::new(Display::stderr(mode, explain, app.environment.paint));
        let cancel = CancelToken::new();
        let told = Arc::clone(&display);
        let connect = move |labels: &BTreeMap<String, String>| -> Result<Arc<dyn Executor>, ExecutorError> {
            let options = ConnectOptions {
                labels: labels.clone(),
                ..options.clone()
            };
            let executor = DockerExecutor::connect(options)?;
            told.event(&Event::Note {
                message: format!("using {} at {}", executor.name(), executor.address()),
            });
            Ok(Arc::new(executor))
        };
        let setup = app.setup_with(Arc::new(connect), cancel);
        let stop = Stop::install(
            Arc::clone(&display),
            setup.cancel.clone(),
            Arc::clone(&setup.outer_jobs),
        )?;
        Ok(Self {
            setup,
            display,
            stop,
            begun: Instant::now(),
        })
    }

    /// How people are shown a run that prints results on standard output in the end.
    pub(crate) fn mode(app: &App) -> Mode {
        if app.environment.live { Mode::Live } else { Mode::Plain }
    }

    /// How long it has been under way.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The signal that asked to stop.
    pub(crate) fn stopped(&self) -> Option<crate::exit::Signal> {
        self.stop.signal()
    }

    /// The end of a command that could not do what it was asked for: because of `error`, or because it was stopped, in which case
    /// the error is but a consequence.
    ///
    /// # Errors
    ///
    /// `error`, if nobody asked to stop.
    pub(crate) fn fail(&self, error: FarmError) -> Result<Status, CliError> {
        self.display.close();
        match self.stopped() {
            Some(signal) => Ok(Status::Stopped(signal)),
            None => Err(error.into()),
        }
    }
}

/// Whatever happens, no picture stays on the terminal, and no token of somebody else's with farm. (The display itself outlives the invocation: signals write to it.)
impl Drop for Invocation {
    fn drop(&mut self) {
        self.display.close();
        self.setup.outer_jobs.leave();
    }
}

/// Where to look for an engine.
fn connect_options(environment: &Environment, executor: ExecutorChoice) -> Result<ConnectOptions, CliError> {
    if executor == ExecutorChoice::Sandbox {
        return Err(
            CliError::input("the sandbox executor is not there yet").hint("take `--executor auto` or leave it out")
        );
    }
    let mut sockets: Vec<PathBuf> = vec!["/var/run/docker.sock".into()];
    let own = environment.runtime_dir.as_ref();
    sockets.extend(own.map(|folder| folder.join("docker.sock")));
    if executor == ExecutorChoice::Auto {
        sockets.extend(own.map(|folder| folder.join("podman/podman.sock")));
        sockets.push("/run/podman/podman.sock".into());
    }
    Ok(ConnectOptions {
        host: environment.docker_host.clone(),
        sockets,
        credentials: environment.docker_config.clone().filter(|folder| folder.is_dir()),
        ..ConnectOptions::default()
    })
}
