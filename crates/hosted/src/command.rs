//! Programs of the machine: how they are started and what is kept of what they say.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::CommandError;

/// How much of a failed program's output an error message carries.
const KEPT_LINES: usize = 15;

/// How often a program is looked at that may be stopped.
const POLL: Duration = Duration::from_millis(50);
/// How long a program may take to clean up after itself.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a program to its end and returns what it wrote, whatever its exit status.
///
/// Its messages are in English (`LC_ALL=C.UTF-8`), since some of them are read, and it cannot ask anybody anything.
pub(crate) fn run(command: &mut Command, package: &'static str) -> Result<Output, CommandError> {
    command
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| start_error(command, package, source))
}

/// Like [`run`], but a status other than 0 is an error; returns the standard output.
pub(crate) fn run_checked(command: &mut Command, package: &'static str) -> Result<String, CommandError> {
    let output = run(command, package)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(command, &output))
    }
}

/// Runs a program to its end, unless `stop` says so first: then it and everything it started are asked to end, and made to
/// if they do not. `None` means that it was stopped.
pub(crate) fn run_stoppable(command: &mut Command, stop: &dyn Fn() -> bool) -> std::io::Result<Option<ExitStatus>> {
    let mut child = command.process_group(0).spawn()?;
    let group = Pid::from_child(&child);
    let mut patience = GRACE;
    let mut stopped = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((!stopped).then_some(status));
        }
        if stop() {
            let signal = if patience.is_zero() { Signal::KILL } else { Signal::TERM };
            if !stopped || patience.is_zero() {
                // A group that is gone already is what is wanted.
                let _ = kill_process_group(group, signal);
            }
            stopped = true;
            patience = patience.saturating_sub(POLL);
        }
        std::thread::sleep(POLL);
    }
}

/// The error of a program that ended badly.
pub(crate) fn failed(command: &Command, output: &Output) -> CommandError {
    let said = if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    CommandError::Failed {
        program: program_of(command),
        status: output.status.to_string(),
        output: last_lines(&String::from_utf8_lossy(said)),
    }
}

/// The error of a program that could not even be started.
pub(crate) fn start_error(command: &Command, package: &'static str, source: std::io::Error) -> CommandError {
    let program = program_of(command);
    if source.kind() == std::io::ErrorKind::NotFound {
        CommandError::Missing { program, package }
    } else {
        CommandError::Run { program, source }
    }
}

/// The end of a program's output, without its empty lines.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(KEPT_LINES)..].join("\n")
}

fn program_of(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        let error = run(&mut Command::new("no-such-program-of-farm"), "nothing").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no-such-program-of-farm is not installed (Debian package nothing)"
        );
    }

    #[test]
    fn a_program_that_is_stopped_ends_with_all_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & sleep 1000; wait"]);
        assert!(run_stoppable(&mut command, &|| true).unwrap().is_none());
        let mut command = Command::new("true");
        assert!(run_stoppable(&mut command, &|| false).unwrap().unwrap().success());
    }

    #[test]
    fn a_failure_carries_status_and_words() {
        let error = run_checked(Command::new("sh").args(["-c", "echo alas >&2; exit 7"]), "dash").unwrap_err();
        assert_eq!(error.to_string(), "sh ended with exit status: 7: alas");
    }
}
