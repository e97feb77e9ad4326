//! The machine's pip, asked for one wheel and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::command;
use crate::error::CommandError;

/// Downloads the wheel of `portage` VERSION into `folder`, which should be empty, and returns pip's answer.
///
/// The name only is given: index, proxy and cache are the machine's own configuration. No source package is taken,
/// since building one would run its code.
pub(crate) fn download(version: &str, folder: &Path) -> Result<Output, CommandError> {
    let mut command = Command::new("python3");
    command
        .args(["-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"])
        .args(["download", "--no-deps", "--only-binary", ":all:", "--dest"])
        .arg(folder)
        .arg(format!("portage=={version}"));
    command::run(&mut command, "python3-pip")
}

/// The one wheel in `folder`.
pub(crate) fn wheel_in(folder: &Path) -> std::io::Result<Option<PathBuf>> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether pip says that there is no such version, rather than that it could not ask.
///
/// With no connection pip says the same words with an empty list of versions, after its warnings.
pub(crate) fn says_no_such_version(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    said.contains("No matching distribution found") && !said.contains("(from versions: none)")
}
