//! Ends what host tasks run when farm is killed.
//!
//! Nothing in a killed program can do that, and a task that lives on would write into the outputs of the next run. So a small
//! shell is told of every process group that begins and ends, by a pipe which only farm holds open. When it closes, farm has
//! ended in one way or another, and the shell kills the groups that are left. (`PR_SET_PDEATHSIG` would reach the first process
//! of a task and none of its children, and costs a program more a task.)

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::Pid;

/// Reads `+GROUP` and `-GROUP`, one a line, until the end.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -KILL "-$group"; done
"#;

/// The shell, and the pipe to it. Dropped, it ends, and kills what it was not told the end of.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Watchdog {
    /// Starts the shell, out of reach of the terminal's signals.
    pub(crate) fn start() -> std::io::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .current_dir("/")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Self { shell, pipe })
    }

    /// A task runs in this group.
    pub(crate) fn begun(&self, group: Pid) {
        self.tell('+', group);
    }

    /// Nothing runs in this group any more. To be said while the number cannot belong to another one yet: before its first process
    /// is waited for.
    pub(crate) fn ended(&self, group: Pid) {
        self.tell('-', group);
    }

    fn tell(&self, sign: char, group: Pid) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = &mut *pipe {
            // A shell that somebody killed watches nothing, and that must not fail a build.
            let _ = pipe.write_all(format!("{sign} {}\n", group.as_raw_nonzero()).as_bytes());
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.pipe.lock().unwrap_or_else(PoisonError::into_inner) = None;
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
        for &group in &groups {
            watchdog.begun(group);
        }
        watchdog.ended(groups[2]);
        drop(watchdog);
        for at in [0, 1, 3] {
            assert_eq!(children[at].wait().unwrap().signal(), Some(9), "{at}");
        }
        assert!(children[2].try_wait().unwrap().is_none());
        children[2].kill().unwrap();
        children[2].wait().unwrap();
    }
}
