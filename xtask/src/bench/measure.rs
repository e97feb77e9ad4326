//! One run of a program, by the clock and by its memory.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use fs_err as fs;

use crate::{Outcome, failed};

/// How GNU time says that a signal ended the command.
const KILLED: &str = "Command terminated by signal";

/// Runs commands whose output goes to a file.
pub(crate) struct Meter {
    said: PathBuf,
    cost: PathBuf,
}

/// What a run needed.
pub(crate) struct Cost {
    /// Time that passed, in seconds.
    pub(crate) took: f64,
    /// Time of processors, that of its children included, in seconds.
    pub(crate) processor: f64,
    /// The most memory of any of its processes, in KiB.
    pub(crate) kib: f64,
}

/// A run: its result, or in words how it failed, which is a result as well.
pub(crate) type Run<T> = Result<T, String>;

impl Meter {
    /// Keeps its files in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            said: folder.join("said"),
            cost: folder.join("cost"),
        }
    }

    /// How many seconds a command took.
    pub(crate) fn time(&self, command: &mut Command) -> Outcome<Run<f64>> {
        let file = fs::File::create(&self.said).map_err(failed)?.into_file();
        let copy = file.try_clone().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(copy).stderr(file);
        let start = Instant::now();
        let status = command
            .status()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let took = start.elapsed().as_secs_f64();
        Ok(if status.success() {
            Ok(took)
        } else {
            Err(self.failure(status)?)
        })
    }

    /// What a command cost.
    ///
    /// It is started by GNU time, a small program, and not by this one: until a process has become another program, it counts
    /// the memory of the one that started it.
    pub(crate) fn cost(&self, command: &Command) -> Outcome<Run<Cost>> {
        let mut time = Command::new("/usr/bin/time");
        time.arg("-f%U %S %M").arg("-o").arg(&self.cost);
        time.arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            time.current_dir(folder);
        }
        let took = self.time(&mut time)?;
        let text = fs::read_to_string(&self.cost).map_err(failed)?;
        let took = match took {
            Ok(took) => took,
            // GNU time itself ends with a status, and notes the signal that ended the command.
            Err(_) if text.starts_with(KILLED) => return Ok(Err(text.lines().next().unwrap_or_default().to_owned())),
            Err(why) => return Ok(Err(why)),
        };
        let numbers: Vec<f64> = text
            .split_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect();
        let [user, system, kib] = numbers[..] else {
            return Err(format!("GNU time said: {text}"));
        };
        Ok(Ok(Cost {
            took,
            processor: user + system,
            kib,
        }))
    }

    /// How a command ended that failed, with the last line it said.
    fn failure(&self, status: ExitStatus) -> Outcome<String> {
        let said = fs::read(&self.said).map_err(failed)?;
        let said = String::from_utf8_lossy(&said);
        let last = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        Ok(format!("{status}: {}", last.trim()).trim_end_matches(": ").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]);
        command
    }

    #[test]
    fn a_failure_is_a_result() {
        let folder = tempfile::tempdir().unwrap();
        let meter = Meter::new(folder.path());
        assert_eq!(
            meter.time(&mut shell("echo why; exit 3")).unwrap().unwrap_err(),
            "exit status: 3: why"
        );
        let crashed = meter.time(&mut shell("kill -SEGV $$")).unwrap().unwrap_err();
        assert!(crashed.starts_with("signal: 11 (SIGSEGV)"), "{crashed}");
        assert!(meter.time(&mut Command::new("/no/such/program")).is_err());
    }

    #[test]
    fn a_crash_is_seen_through_gnu_time() {
        let folder = tempfile::tempdir().unwrap();
        let crashed = Meter::new(folder.path()).cost(&shell("kill -SEGV $$")).unwrap();
        assert_eq!(crashed.err().unwrap(), "Command terminated by signal 11");
    }

    #[test]
    fn a_command_costs_something() {
        let folder = tempfile::tempdir().unwrap();
        let meter = Meter::new(folder.path());
        let cost = meter
            .cost(&shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"))
            .unwrap()
            .unwrap();
        assert!(
            cost.processor > 0.0 && cost.took > 0.0,
            "{} {}",
            cost.processor,
            cost.took
        );
        assert!((100.0..50_000.0).contains(&cost.kib), "{}", cost.kib);
        assert_eq!(
            meter.cost(&shell("echo why; exit 3")).unwrap().err().unwrap(),
            "exit status: 3: why"
        );
    }
}
