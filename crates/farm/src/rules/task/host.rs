//! Tasks on the host: a process group of their own, watched until it is gone.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use farm_engine::{Failure, FailureKind};
use farm_manifest::model::Task;
use fs_err as fs;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::command_line;
use crate::context::{Context, io_failure};
use crate::rules::container::{NodeLog, log_path};

/// Where programs are looked for, the same for every task.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// How often a running task is looked at, to see whether it ended or should be stopped.
const POLL: Duration = Duration::from_millis(50);
/// How long a task may take to end by itself after it was asked to.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long output is waited for that a task's background processes left in the pipe.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs the task in `folder`, with a home and a folder for temporary files of its own.
pub(super) fn run(context: &Context, name: &str, folder: &Path, task: &Task) -> Result<(), Failure> {
    let mut log = NodeLog::create(&log_path(context, name)).map_err(|error| io_failure("write a log", &error))?;
    let status = context.with_scratch(|scratch| {
        let (home, temporary) = (scratch.join("home"), scratch.join("tmp"));
        for path in [&home, &temporary] {
            fs::create_dir(path).map_err(|error| io_failure("make a task's folders", &error))?;
        }
        let (child, output) = start(folder, task, &home, &temporary)?;
        watch(context, child, &output, &mut log).map_err(|error| io_failure("wait for a task", &error))
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(log.failure(ended(status), None))
    }
}

fn start(folder: &Path, task: &Task, home: &Path, temporary: &Path) -> Result<(Child, Receiver<Vec<u8>>), Failure> {
    let argv = command_line(task);
    if !can_be_found(&argv[0], folder) {
        let message = format!("{} cannot be run: there is no such program", argv[0]);
        return Err(Failure::new(FailureKind::Step, message));
    }
    let failed = |error: std::io::Error| io_failure("start a task", &error);
    let (mut reader, writer) = std::io::pipe().map_err(failed)?;
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
        .envs(task.env.iter().map(|(name, value)| (name, &value.value)))
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(stderr)
        .process_group(0)
        .spawn()
        .map_err(|error| Failure::new(FailureKind::Step, format!("{} cannot be run: {error}", argv[0])))?;
    let (sender, output) = sync_channel(16);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read) = reader.read(&mut buffer) {
            if read == 0 || sender.send(buffer[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    Ok((child, output))
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
fn watch(
    context: &Context,
    mut child: Child,
    output: &Receiver<Vec<u8>>,
    log: &mut NodeLog,
) -> std::io::Result<ExitStatus> {
    let group = Pid::from_child(&child);
    let kill = |signal| {
        // A group that is gone is what is wanted.
        let _ = kill_process_group(group, signal);
    };
    let mut asked_at: Option<Instant> = None;
    let mut pause = Duration::from_millis(1);
    loop {
        match output.recv_timeout(POLL) {
            Ok(bytes) => log.write(&bytes),
            Err(RecvTimeoutError::Timeout) => {}
            // It closed its output, most likely by ending; a task that goes on without any is still waited for.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(POLL);
            }
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
        // Not reaped yet: until it is, no other group can have its number.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        if waitid(WaitId::Pid(group), options)?.is_some() {
            break;
        }
    }
    kill(Signal::KILL);
    let status = child.wait()?;
    // What left the group and holds the log open is not waited for, however much it says.
    let since = Instant::now();
    while since.elapsed() < DRAIN
        && let Ok(bytes) = output.recv_timeout(POLL)
    {
        log.write(&bytes);
    }
    Ok(status)
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), std::os::unix::process::ExitStatusExt::signal(&status)) {
        (Some(code), _) => format!("it ended with status {code}"),
        (_, Some(signal)) => format!("it was killed by signal {signal}"),
        _ => "it ended in an unknown way".to_owned(),
    }
}
