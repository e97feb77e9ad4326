//! Tasks on the host: a process group of their own, watched until it is gone.

use std::io::{PipeReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use farm_engine::{Failure, FailureKind, Run};
use farm_manifest::model::Task;
use fs_err as fs;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::command_line;
use super::host_jobs::Jobs;
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
pub(super) fn run(context: &Context, run: &Run<'_>, name: &str, folder: &Path, task: &Task) -> Result<(), Failure> {
    let mut log = NodeLog::create(&log_path(context, name)).map_err(|error| io_failure("write a log", &error))?;
    let status = context.with_scratch(|scratch| {
        let (home, temporary) = (scratch.join("home"), scratch.join("tmp"));
        for path in [&home, &temporary] {
            fs::create_dir(path).map_err(|error| io_failure("make a task's folders", &error))?;
        }
        let jobs = Jobs::offer(run, task, scratch);
        let (child, output) = start(folder, task, &home, &temporary, jobs.as_ref())?;
        watch(context, child, output, &mut log).map_err(|error| io_failure("wait for a task", &error))
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(log.failure(ended(status), None))
    }
}

fn start(
    folder: &Path,
    task: &Task,
    home: &Path,
    temporary: &Path,
    jobs: Option<&Jobs>,
) -> Result<(Child, PipeReader), Failure> {
    let argv = command_line(task);
    if !can_be_found(&argv[0], folder) {
        let message = format!("{} cannot be run: there is no such program", argv[0]);
        return Err(Failure::new(FailureKind::Step, message));
    }
    let failed = |error: std::io::Error| io_failure("start a task", &error);
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let stderr = writer.try_clone().map_err(failed)?;
    // The command holds the pipe's other ends until it is dropped at the end of this function; reading would never end.
    let mut command = match setpriv() {
        // A task that outlived a killed farm would write into the outputs of the next run.
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--", &argv[0]]);
            command
        }
        None => Command::new(&argv[0]),
    };
    let child = command
        .args(&argv[1..])
        .current_dir(folder)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", home)
        .env("TMPDIR", temporary)
        .env("LC_ALL", "C.UTF-8")
        .envs(jobs.map(|jobs| ("MAKEFLAGS", jobs.makeflags())))
        .envs(task.env.iter().map(|(name, value)| (name, &value.value)))
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(stderr)
        .process_group(0)
        .spawn()
        .map_err(|error| Failure::new(FailureKind::Step, format!("{} cannot be run: {error}", argv[0])))?;
    Ok((child, reader))
}

/// Whether the shell would find the program: what runs it for farm says less well that it does not.
fn can_be_found(program: &str, folder: &Path) -> bool {
    if program.contains('/') {
        return folder.join(program).exists();
    }
    PATH.split(':').any(|place| Path::new(place).join(program).exists())
}

/// The program of util-linux that has the kernel kill a process when its parent dies, if this machine has one that can.
fn setpriv() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let works = |program: &PathBuf| {
        let probe = Command::new(program)
            .args(["--pdeathsig", "KILL", "--", "true"])
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        probe.is_ok_and(|status| status.success())
    };
    let find = || {
        PATH.split(':')
            .map(|place| Path::new(place).join("setpriv"))
            .find(works)
    };
    FOUND.get_or_init(find).as_deref()
}

/// Writes down what the task says until it ended, and ends whatever it left running in its group.
fn watch(context: &Context, mut child: Child, output: PipeReader, log: &mut NodeLog) -> std::io::Result<ExitStatus> {
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
        let (ended, said) = {
            let mut ready = vec![PollFd::new(&process, PollFlags::IN)];
            ready.extend(output.interest());
            wait_for(&mut ready)?;
            let is_ready = |at: usize| ready.get(at).is_some_and(|fd| !fd.revents().is_empty());
            (is_ready(0), is_ready(1))
        };
        if said {
            output.take(log);
        }
        if ended {
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
fn wait_for(ready: &mut [PollFd<'_>]) -> std::io::Result<()> {
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
