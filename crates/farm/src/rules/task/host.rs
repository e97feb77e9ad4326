//! Tasks on the host: a process group of their own, watched until it is gone.

use std::ffi::OsStr;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use farm_engine::{Failure, FailureKind, Run};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::direct::{Direct, Streams};
use super::folders::Pair;
use super::host_jobs::Jobs;
use crate::action::TaskData;
use crate::context::{Context, io_failure};
use crate::rules::container::{NodeLog, log_path};

/// Where programs are looked for, the same for every task.
pub(super) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// How often farm looks whether a running task should be stopped. That it said something, or ended, wakes farm at once.
const POLL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
/// How long a task may take to end by itself after it was asked to.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long output is waited for that a task's background processes left in the pipe.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs the task in `folder`, with a home and a folder for temporary files of its own.
pub(super) fn run(context: &Context, run: &Run<'_>, name: &str, folder: &Path, task: &TaskData) -> Result<(), Failure> {
    let mut log = NodeLog::create(&log_path(context, name)).map_err(|error| io_failure("write a log", &error))?;
    let folders = context.task_folders();
    let own = folders
        .take(|| context.new_scratch())
        .map_err(|error| io_failure("make a task's folders", &error))?;
    let watchdog = context.watchdog()?;
    let jobs = Jobs::offer(context, run, task);
    let (child, output) = start(folder, task, &own, jobs.as_ref())?;
    let watched = watchdog.begun(Pid::from_child(&child));
    let status = watch(context, child, output, &mut log, || watchdog.ended(watched));
    drop(jobs);
    folders.give_back(own);
    let status = status.map_err(|error| io_failure("wait for a task", &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(log.failure(ended(status), None))
    }
}

/// Starts the task's command, or what a shell would do for it.
fn start(folder: &Path, task: &TaskData, own: &Pair, jobs: Option<&Jobs>) -> Result<(Child, PipeReader), Failure> {
    let failed = |error: io::Error| io_failure("start a task", &error);
    // The writing end is dropped with what is started: reading would never end.
    let (reader, writer) = io::pipe().map_err(failed)?;
    if let Some(child) = start_directly(folder, task, own, jobs, &writer) {
        return Ok((child, reader));
    }
    let argv = task.command.argv();
    let name = &argv[0];
    // A program with its path is started without a copy of farm's page tables, whatever PATH the task has.
    let Some(program) = find_program(name, folder) else {
        let message = format!("{name} cannot be run: there is no such program");
        return Err(Failure::new(FailureKind::Step, message));
    };
    let command = command(&program, &argv, folder, own, jobs, Streams::default(), &writer);
    let child = command
        .map_err(failed)?
        .envs(&task.env)
        .spawn()
        .map_err(|error| Failure::new(FailureKind::Step, format!("{name} cannot be run: {error}")))?;
    Ok((child, reader))
}

/// Starts a line for the shell without the shell; `None` if it takes one, for whatever reason.
fn start_directly(
    folder: &Path,
    task: &TaskData,
    own: &Pair,
    jobs: Option<&Jobs>,
    writer: &PipeWriter,
) -> Option<Child> {
    let direct = Direct::of(folder, task)?;
    let command = command(&direct.program, &direct.argv, folder, own, jobs, direct.streams, writer);
    command.ok()?.env("PWD", direct.current).spawn().ok()
}

/// A program with what every task gets. Streams that are not given elsewhere say what goes to `writer`, and hear nothing.
fn command(
    program: &Path,
    argv: &[impl AsRef<OsStr>],
    folder: &Path,
    own: &Pair,
    jobs: Option<&Jobs>,
    streams: Streams,
    writer: &PipeWriter,
) -> io::Result<Command> {
    let said = |elsewhere: Option<OwnedFd>| match elsewhere {
        Some(file) => Ok(Stdio::from(file)),
        None => writer.try_clone().map(Stdio::from),
    };
    let mut command = Command::new(program);
    command
        .arg0(&argv[0])
        .args(&argv[1..])
        .current_dir(folder)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", &own.home)
        .env("TMPDIR", &own.temporary)
        .env("LC_ALL", "C.UTF-8")
        .envs(jobs.map(|jobs| ("MAKEFLAGS", jobs.makeflags())))
        .stdin(streams.input.map_or_else(Stdio::null, Stdio::from))
        .stdout(said(streams.output)?)
        .stderr(said(streams.errors)?)
        .process_group(0);
    Ok(command)
}

/// Where the shell would find the program; `None` if nowhere.
pub(super) fn find_program(program: &str, folder: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(folder.join(program)).filter(|path| path.exists());
    }
    let places = PATH.split(':').map(|place| Path::new(place).join(program));
    places.into_iter().find(|path| path.exists())
}

/// Writes down what the task says until it ended, and ends whatever it left running in its group. `ended` is called when that is
/// done, and before another group can have its number.
fn watch(
    context: &Context,
    mut child: Child,
    output: PipeReader,
    log: &mut NodeLog,
    ended: impl FnOnce(),
) -> io::Result<ExitStatus> {
    let group = Pid::from_child(&child);
    let kill = |signal| {
        // A group that is gone is what is wanted.
        let _ = kill_process_group(group, signal);
    };
    // Not reaped before the end of the loop: until then no other group can have its number.
    let process = pidfd_open(group, PidfdFlags::empty())?;
    let mut output = Output::of(output);
    let mut asked_at: Option<Instant> = None;
    loop {
        let (is_over, said) = {
            let mut ready = vec![PollFd::new(&process, PollFlags::IN)];
            ready.extend(output.interest());
            wait_for(&mut ready)?;
            let is_ready = |at: usize| ready.get(at).is_some_and(|fd| !fd.revents().is_empty());
            (is_ready(0), is_ready(1))
        };
        if said {
            output.take(log);
        }
        if is_over {
            break;
        }
        if context.cancel.is_cancelled() {
            match asked_at {
                None => {
                    kill(Signal::TERM);
                    asked_at = Some(Instant::now());
                }
                Some(at) if at.elapsed() > PATIENCE => kill(Signal::KILL),
                Some(_) => {}
            }
        }
    }
    kill(Signal::KILL);
    ended();
    let status = child.wait()?;
    // What left the group and holds the log open is not waited for, however much it says.
    let since = Instant::now();
    while since.elapsed() < DRAIN
        && let Some(fd) = output.interest()
    {
        let mut ready = [fd];
        wait_for(&mut ready)?;
        if ready[0].revents().is_empty() {
            break;
        }
        output.take(log);
    }
    Ok(status)
}

/// Waits until something is ready, for [`POLL`] at most.
fn wait_for(ready: &mut [PollFd<'_>]) -> io::Result<()> {
    match poll(ready, Some(&POLL)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The reading end of what a task says.
struct Output {
    pipe: PipeReader,
    open: bool,
    buffer: Vec<u8>,
}

impl Output {
    fn of(pipe: PipeReader) -> Self {
        Self {
            pipe,
            open: true,
            buffer: vec![0; 1 << 16],
        }
    }

    /// What to wait for; nothing once it is closed, when it would always be ready.
    fn interest(&self) -> Option<PollFd<'_>> {
        self.open.then(|| PollFd::new(&self.pipe, PollFlags::IN))
    }

    /// Writes down what is there. Called when something is, so that it does not block.
    fn take(&mut self, log: &mut NodeLog) {
        match self.pipe.read(&mut self.buffer) {
            Ok(read @ 1..) => log.write(&self.buffer[..read]),
            // Closed, by ending or before.
            _ => self.open = false,
        }
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), std::os::unix::process::ExitStatusExt::signal(&status)) {
        (Some(code), _) => format!("it ended with status {code}"),
        (_, Some(signal)) => format!("it was killed by signal {signal}"),
        _ => "it ended in an unknown way".to_owned(),
    }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
