//! Ends what host tasks run when farm is killed.
//!
//! Nothing in a killed program can do that, and a task that lives on would write into the outputs of the next run. So a small
//! shell waits at a pipe which only farm holds open. When it closes, farm has ended in one way or another, and the shell kills the
//! process groups that stand in a table in memory. It sleeps until then: that a task begins or ends costs one write into the
//! table. (`PR_SET_PDEATHSIG` would reach the first process of a task and none of its children, and costs a program more a task.)

use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Pid;

/// Waits for the end of standard input; then reads groups, one a line or none, from the table, which is its standard output.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
while read -r line; do :; done
while read -r group; do
  [ -z "$group" ] || kill -KILL "-$group"
done <&1
"#;

/// The length of a line of the table: a process number has ten digits at most.
const LINE: u64 = 11;

/// The shell, the pipe to it, and the table. Dropped, it ends, and kills what it was not told the end of.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    pipe: Option<ChildStdin>,
    table: OwnedFd,
    lines: Mutex<Lines>,
}

/// Which lines of the table nobody uses.
#[derive(Debug, Default)]
struct Lines {
    free: Vec<Watched>,
    /// So many lines there are.
    count: u64,
}

/// A group that is watched, by the line in which it stands.
#[derive(Debug)]
pub(crate) struct Watched(u64);

impl Watchdog {
    /// Starts the shell, out of reach of the terminal's signals.
    pub(crate) fn start() -> std::io::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let table = memfd_create("farm-groups", MemfdFlags::CLOEXEC)?;
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .current_dir("/")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(table.try_clone()?)
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self {
            pipe: shell.stdin.take(),
            shell,
            table,
            lines: Mutex::default(),
        })
    }

    /// A task runs in this group.
    pub(crate) fn begun(&self, group: Pid) -> Watched {
        let watched = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.free.pop().unwrap_or_else(|| {
                lines.count += 1;
                Watched(lines.count - 1)
            })
        };
        self.write(&watched, &group.as_raw_nonzero().to_string());
        watched
    }

    /// Nothing runs in this group any more. To be said while the number cannot belong to another one yet: before its first process
    /// is waited for.
    pub(crate) fn ended(&self, watched: Watched) {
        self.write(&watched, "");
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.free.push(watched);
    }

    /// Fills a line. The file's position is the shell's, and stays at the start.
    fn write(&self, watched: &Watched, text: &str) {
        let width = LINE as usize - 1;
        let text = format!("{text:<width$}\n");
        // Without memory for a page of the table nothing is watched, and that must not fail a build.
        let _ = rustix::io::pwrite(&self.table, text.as_bytes(), watched.0 * LINE);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.pipe = None;
        // It ends by itself, and is only waited for so that it leaves no zombie.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("1000").process_group(0).spawn().unwrap()
    }

    #[test]
    fn groups_that_did_not_end_are_killed_and_no_other() {
        let mut children: Vec<Child> = (0..4).map(|_| sleeper()).collect();
        let groups: Vec<Pid> = children.iter().map(Pid::from_child).collect();
        let watchdog = Watchdog::start().unwrap();
        let mut watched: Vec<Watched> = groups.iter().map(|&group| watchdog.begun(group)).collect();
        watchdog.ended(watched.remove(2));
        watchdog.ended(watched.remove(0));
        // Takes the line of one that ended.
        watchdog.begun(groups[0]);
        drop(watchdog);
        for at in [0, 1, 3] {
            assert_eq!(children[at].wait().unwrap().signal(), Some(9), "{at}");
        }
        assert!(children[2].try_wait().unwrap().is_none());
        children[2].kill().unwrap();
        children[2].wait().unwrap();
    }
}
