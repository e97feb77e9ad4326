//! git as a program, where it talks to other machines: the user's configuration, keys and helpers count, and the manifest's `secrets:`.
//!
//! git gets all of farm's environment. What it brings is checked by its commit, so that nothing there decides what is built; and
//! nobody can list what the credential helpers, proxies and wrappers of ssh want that people have set up for git.

mod access;
mod environment;
mod login;

use std::process::Command;

use farm_engine::{Failure, FailureKind};
use farm_manifest::address::redacted;

pub use self::access::GitAccess;
pub use self::environment::GitEnvironment;
use crate::context::Context;

/// Variables with which git, run from a hook, would work in another repository.
pub(crate) const MISLEADING: &[&str] = &[
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
];

/// Runs git with these arguments, of which `remote` is the address that it talks to, and returns what it printed. It logs in with the
/// secret that is for this address, and with no other; where there is none, as the user's own git would.
///
/// # Errors
///
/// The environment's: git is not there, or says no; what the secret names is not there, or is open to everybody.
pub fn git(context: &Context, remote: &str, arguments: &[&str]) -> Result<String, Failure> {
    let login = context.git.login(remote)?;
    let mut command = Command::new("git");
    for name in MISLEADING {
        command.env_remove(name);
    }
    let output = command
        .args(["-c", "core.autocrlf=false"])
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        // What it says is looked at below.
        .env("LC_ALL", "C.UTF-8")
        .envs(login.environment(context.git.environment()))
        .output()
        .map_err(|error| Failure::new(FailureKind::Environment, format!("git cannot be run: {error}")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let message = format!("{remote}: git {}: {}", arguments.join(" "), words.trim());
        return Err(Failure::new(FailureKind::Environment, redacted(&message)).hint(login.advice(&words)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
