//! A flat apt repository of exactly the lock's packages.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::command;
use crate::contents::{hex, sha256_of_file};
use crate::error::BuildError;
use crate::lock::HostedLock;

/// The repository's folder in the staging folder.
pub(crate) const DEBS: &str = "debs";

/// Links or copies the packages from `files` to `stage`/[`DEBS`], checking each, and writes the repository's indices.
///
/// The hashes in the index are those of the lock, so that apt checks every package once more.
pub(crate) fn stage(lock: &HostedLock, files: &Path, stage: &Path) -> Result<(), BuildError> {
    let folder = stage.join(DEBS);
    fs_err::create_dir_all(&folder)?;
    let mut index = String::new();
    for deb in &lock.debs {
        let file = deb.file_name();
        let staged = folder.join(&file);
        take(&files.join(&file), &staged, &deb.sha256)?;
        let mut command = Command::new("dpkg-deb");
        command.arg("--field").arg(&staged);
        let control = command::run_checked(&mut command, "dpkg").map_err(|source| BuildError::Command {
            operation: "cannot read a package's control file",
            source,
        })?;
        write!(
            index,
            "{}\nFilename: ./{file}\nSize: {}\nSHA256: {}\n\n",
            control.trim_end(),
            deb.size,
            deb.sha256
        )
        .expect("writing to a string cannot fail");
    }
    fs_err::write(folder.join("Packages"), &index)?;
    fs_err::write(folder.join("Release"), release(lock, &index))?;
    Ok(())
}

/// The suite's name is how mmdebstrap tells essential packages of the suite from others.
fn release(lock: &HostedLock, index: &str) -> String {
    let digest = hex(&Sha256::digest(index.as_bytes()));
    format!(
        "Suite: {0}\nCodename: {0}\nSHA256:\n {digest} {1} Packages\n",
        lock.suite,
        index.len()
    )
}

/// Links `from` to `to`, or copies it where the folders are on different filesystems, and checks what arrived.
pub(crate) fn take(from: &Path, to: &Path, sha256: &str) -> Result<(), BuildError> {
    let wrong = |reason: String| BuildError::WrongFile {
        file: from.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        reason,
    };
    if !from.is_file() {
        return Err(wrong("it is missing".to_owned()));
    }
    if fs_err::hard_link(from, to).is_err() {
        fs_err::copy(from, to)?;
    }
    match sha256_of_file(to)?.0 {
        found if found == sha256 => Ok(()),
        found => Err(wrong(format!("SHA-256 {found} instead of {sha256}"))),
    }
}
