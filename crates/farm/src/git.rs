//! git as a program, where it talks to other machines: the user's configuration, keys and helpers count.

use std::process::Command;

use farm_engine::{Failure, FailureKind};

use crate::context::Context;

/// Variables with which git, run from a hook, would work in another repository.
pub(crate) const MISLEADING: &[&str] = &[
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
];

/// Runs git with these arguments, of which `remote` is the address that it talks to, and returns what it printed.
///
/// # Errors
///
/// The environment's: git is not there, or says no.
pub fn git(_context: &Context, remote: &str, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new("git");
    for name in MISLEADING {
        command.env_remove(name);
    }
    let output = command
        .args(["-c", "core.autocrlf=false"])
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .map_err(|error| Failure::new(FailureKind::Environment, format!("git cannot be run: {error}")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let message = format!("{remote}: git {}: {}", arguments.join(" "), words.trim());
        return Err(
            Failure::new(FailureKind::Environment, message).hint("check the address, the branch and your access")
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
