//! A lock to files: exactly the bytes it names, or nothing.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fs_err::File;
use sha2::{Digest, Sha256};

use crate::apt::Apt;
use crate::command;
use crate::contents::{hex, sha256_of_file};
use crate::error::{CommandError, FetchError};
use crate::lock::{HostedLock, LockedDeb};
use crate::pip;

/// One file of a lock, checked and in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file's name, as [`HostedLock::files`] has it.
    pub file: String,
    /// Where it lies: the name joined to the folder that was given.
    pub path: PathBuf,
    /// Lower-case hex.
    pub sha256: String,
    /// Whether it was there before (in the folder or in the caller's store), so that nothing was downloaded.
    pub reused: bool,
}

/// Puts every file of `lock` into the folder `into`, downloading those that neither it nor the caller has.
///
/// `have` returns the path of a file with that SHA-256 (hex) if the caller has one; it is copied, never linked, so
/// that whatever happens to the folder cannot reach the caller's store. `scratch` is a folder of the caller's, best
/// the one that was given to [`resolve`](crate::resolve). With everything at hand neither network nor apt is used.
///
/// # Errors
/// [`FetchError::Gone`] lists all packages whose version no source has any more, before anything is downloaded;
/// every other error leaves `into` with checked files only.
pub fn fetch(
    lock: &HostedLock,
    have: &dyn Fn(&str) -> Option<PathBuf>,
    into: &Path,
    scratch: &Path,
) -> Result<Vec<Fetched>, FetchError> {
    fs_err::create_dir_all(into)?;
    let mut fetched = Vec::new();
    for (file, sha256) in lock.files() {
        let path = into.join(&file);
        let reused = is_file_with(&path, sha256)? || copy_checked(have(sha256), &path, sha256)?;
        fetched.push(Fetched {
            file,
            path,
            sha256: sha256.to_owned(),
            reused,
        });
    }
    if fetched.iter().all(|file| file.reused) {
        return Ok(fetched);
    }
    fs_err::create_dir_all(scratch)?;
    let missing = |file: &str| fetched.iter().any(|known| known.file == file && !known.reused);
    let debs: Vec<&LockedDeb> = lock.debs.iter().filter(|deb| missing(&deb.file_name())).collect();
    if !debs.is_empty() {
        download_debs(lock, &debs, into, scratch)?;
    }
    if missing(&lock.portage.file) {
        download_wheel(lock, into, scratch)?;
    }
    Ok(fetched)
}

fn download_debs(lock: &HostedLock, debs: &[&LockedDeb], into: &Path, scratch: &Path) -> Result<(), FetchError> {
    let apt_error = |operation| move |source| FetchError::Command { operation, source };
    let apt = Apt::new(&scratch.join(format!("apt-{}", lock.architecture)), &lock.architecture)?;
    apt.update().map_err(apt_error("cannot get the package lists"))?;
    // No pins: a version that the security archive has dropped may still be in another of the machine's sources, and
    // its digest is known.
    let names: Vec<&str> = debs.iter().map(|deb| deb.name.as_str()).collect();
    let offered = apt.versions(&names).map_err(apt_error("cannot list the packages"))?;
    let is_offered = |deb: &LockedDeb| {
        offered.get(&(deb.name.clone(), deb.version.clone(), deb.architecture.clone())) == Some(&deb.sha256)
    };
    let gone: Vec<String> = debs
        .iter()
        .filter(|deb| !is_offered(deb))
        .map(|deb| format!("{} {}", deb.name, deb.version))
        .collect();
    if !gone.is_empty() {
        return Err(FetchError::Gone { packages: gone });
    }
    let folder = tempfile::Builder::new().prefix("debs-").tempdir_in(scratch)?;
    apt.download(debs, folder.path())
        .map_err(apt_error("cannot download the packages"))?;
    for deb in debs {
        deliver(
            &folder.path().join(deb.file_name()),
            &into.join(deb.file_name()),
            &deb.sha256,
        )?;
    }
    Ok(())
}

fn download_wheel(lock: &HostedLock, into: &Path, scratch: &Path) -> Result<(), FetchError> {
    let wheel = &lock.portage;
    let operation = "cannot get the Portage wheel";
    let folder = tempfile::Builder::new().prefix("wheel-").tempdir_in(scratch)?;
    let output =
        pip::download(&wheel.version, folder.path()).map_err(|source| FetchError::Command { operation, source })?;
    if !output.status.success() {
        if pip::says_no_such_version(&output) {
            return Err(FetchError::Gone {
                packages: vec![format!("portage {}", wheel.version)],
            });
        }
        let source = CommandError::Failed {
            program: "python3 -m pip".to_owned(),
            status: output.status.to_string(),
            output: command::last_lines(&String::from_utf8_lossy(&output.stderr)),
        };
        return Err(FetchError::Command { operation, source });
    }
    deliver(&folder.path().join(&wheel.file), &into.join(&wheel.file), &wheel.sha256)
}

/// Takes a downloaded file over if it is there and has the right bytes.
fn deliver(from: &Path, to: &Path, sha256: &str) -> Result<(), FetchError> {
    let file = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !from.is_file() {
        return Err(FetchError::NotDelivered { file });
    }
    if copy_checked(Some(from.to_owned()), to, sha256)? {
        return Ok(());
    }
    let (found, _) = sha256_of_file(from)?;
    Err(FetchError::Mismatch {
        file,
        wanted: sha256.to_owned(),
        found,
    })
}

fn is_file_with(path: &Path, sha256: &str) -> std::io::Result<bool> {
    Ok(path.is_file() && sha256_of_file(path)?.0 == sha256)
}

/// Copies `from` to `to` if its bytes have that digest; the name `to` appears only then.
fn copy_checked(from: Option<PathBuf>, to: &Path, sha256: &str) -> std::io::Result<bool> {
    let Some(from) = from else { return Ok(false) };
    let folder = to.parent().unwrap_or(Path::new("."));
    let mut copy = tempfile::NamedTempFile::new_in(folder)?;
    let mut source = File::open(from)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        copy.write_all(&buffer[..count])?;
    }
    if hex(&hasher.finalize()) != sha256 {
        return Ok(false);
    }
    copy.as_file().set_permissions(Permissions::from_mode(0o644))?;
    copy.persist(to).map_err(|error| error.error)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::LockedWheel;

    fn lock_of(wheel: &[u8]) -> HostedLock {
        HostedLock {
            suite: "bookworm".into(),
            requested_suite: "bookworm".into(),
            architecture: "amd64".into(),
            packages: Vec::new(),
            portage: LockedWheel {
                version: "3".into(),
                size: wheel.len() as u64,
                file: "portage-3-py3-none-any.whl".into(),
                sha256: hex(&Sha256::digest(wheel)),
            },
            debs: Vec::new(),
        }
    }

    #[test]
    fn what_the_caller_has_is_copied_and_not_downloaded() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("blob");
        fs_err::write(&store, b"wheel").unwrap();
        let into = folder.path().join("into");
        let fetched = fetch(&lock_of(b"wheel"), &|_| Some(store.clone()), &into, folder.path()).unwrap();
        assert!(fetched[0].reused);
        assert_eq!(fs_err::read(&fetched[0].path).unwrap(), b"wheel");
        // The second time the folder itself has it.
        assert!(fetch(&lock_of(b"wheel"), &|_| None, &into, folder.path()).unwrap()[0].reused);
    }

    #[test]
    fn a_damaged_copy_never_gets_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("blob");
        fs_err::write(&store, b"other").unwrap();
        let to = folder.path().join("to");
        assert!(!copy_checked(Some(store), &to, &hex(&Sha256::digest(b"wheel"))).unwrap());
        assert!(!to.exists());
    }
}
