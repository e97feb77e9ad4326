//! Programs that chores run.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::{Outcome, failed};

/// An address on which nobody listens, for programs that cannot choose a port themselves. Before they listen somebody else could
/// take it; then they say so.
pub(crate) fn free_address() -> Outcome<String> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    Ok(address.map_err(failed)?.to_string())
}

/// Runs a program whose output is for the developer who looks on.
pub(crate) fn show(command: &mut Command) -> Outcome {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} ended with {status}", shown(command)))
    }
}

/// What a program that was run to its end left.
pub(crate) struct Ended {
    /// Its exit status; -1 when a signal ended it.
    pub(crate) code: i32,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

/// Runs a program and returns how it ended, whatever its status.
pub(crate) fn ended(command: &mut Command) -> Outcome<Ended> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", shown(command)))?;
    Ok(Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a program that must succeed, and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let ended = ended(command)?;
    if ended.code == 0 {
        return Ok(ended.stdout);
    }
    Err(format!(
        "{} ended with status {}:\n{}{}",
        shown(command),
        ended.code,
        ended.stdout,
        ended.stderr
    ))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
