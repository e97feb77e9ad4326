//! Farm with one of its system calls going wrong, by way of strace.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use crate::space::{Ended, Space};

/// Every call that changes what is on the disk, but for the opening of files that are not there: what it leaves is what there is
/// before the next of these.
pub(crate) const CHANGES: [&str; 16] = [
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "copy_file_range",
    "chmod",
    "fchmod",
];

/// What is done to a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Injection<'a> {
    /// Its name.
    pub(crate) call: &'a str,
    /// Which of them, from 1 on. Each thread and each call has a count of its own.
    pub(crate) number: usize,
    /// `signal=KILL`, `error=ENOSPC`.
    pub(crate) what: &'a str,
    /// In all threads, and in the programs that farm starts; or in the first thread alone.
    pub(crate) all_threads: bool,
}

/// A run in which a call may have gone wrong.
pub(crate) struct Injected {
    /// How it ended.
    pub(crate) ended: Ended,
    /// It was killed.
    pub(crate) killed: bool,
    /// The calls that went wrong, as strace writes them, with the paths of descriptors.
    pub(crate) calls: Vec<String>,
}

/// Runs farm with these arguments to its end, whatever that is.
pub(crate) fn farm_with(space: &Space, arguments: &[&str], injection: Injection<'_>) -> Injected {
    let trace = space.path("../trace");
    let farm = space.command(arguments);
    let Injection { call, number, what, .. } = injection;
    let mut command = Command::new("strace");
    if injection.all_threads {
        command.arg("-f");
    }
    command
        .args(["-qq", "-y", "-o"])
        .arg(&trace)
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:{what}:when={number}")])
        .arg(farm.get_program())
        .args(farm.get_args())
        .current_dir(space.path(""))
        .env_clear()
        .envs(farm.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().expect("strace is installed by scripts/setup --tests");
    let output = child.wait_with_output().unwrap();
    let written = fs_err::read(&trace).unwrap_or_default();
    let calls = String::from_utf8_lossy(&written)
        .lines()
        .filter(|line| line.contains("(INJECTED)"))
        .map(str::to_owned)
        .collect();
    Injected {
        // Whoever traces a process dies the same death.
        killed: output.status.signal() == Some(9),
        ended: space.ended_with(output),
        calls,
    }
}
