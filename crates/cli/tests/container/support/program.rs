//! The program under test, as it was when the tests were started.
//!
//! A copy of it: a build that is under way meanwhile must not change the rules in the middle of a row.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fs_err as fs;

use super::docker::remove_tags;
use super::kept;

const PREFIX: &str = "farm-with-";

struct Program {
    folder: PathBuf,
    id: String,
    /// Keeps other runs of the tests from removing the folder while this one lasts.
    _lock: fs::File,
}

/// The copy of the program.
pub(super) fn path() -> PathBuf {
    folder().join("farm")
}

/// The folder for what was made by this very program: gone when tests are run with another one.
pub(super) fn folder() -> &'static Path {
    &program().folder
}

/// What tells this program from others.
pub(super) fn id() -> &'static str {
    &program().id
}

fn program() -> &'static Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let bytes = fs::read(env!("CARGO_BIN_EXE_farm")).unwrap();
        let id = blake3::hash(&bytes).to_hex()[..12].to_owned();
        let folder = kept().join(format!("{PREFIX}{id}"));
        let lock = lock_shared(&folder);
        let copy = folder.join("farm");
        if !copy.exists() {
            remove_others(&id);
            // Whoever else makes the same copy at the same time puts the same bytes there.
            let new = folder.join(format!("farm.{}", std::process::id()));
            fs::write(&new, bytes).unwrap();
            fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            fs::rename(&new, &copy).unwrap();
        }
        Program {
            folder,
            id,
            _lock: lock,
        }
    })
}

/// Makes the folder, and keeps it from being removed. Never waits for another test: each holds this lock as long as it lasts, and
/// may wait for others meanwhile.
fn lock_shared(folder: &Path) -> fs::File {
    let path = folder.join("lock");
    loop {
        fs::create_dir_all(folder).unwrap();
        let lock = match fs::File::create(&path) {
            // The folder was removed between the two.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            opened => opened.unwrap(),
        };
        lock.lock_shared().unwrap();
        let inode = |found: std::fs::Metadata| std::os::unix::fs::MetadataExt::ino(&found);
        if fs::metadata(&path).is_ok_and(|there| inode(there) == inode(lock.metadata().unwrap())) {
            return lock;
        }
    }
}

/// Removes what programs made that are no more, unless somebody tests with one of them just now.
fn remove_others(id: &str) {
    for entry in fs::read_dir(kept()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(other) = name.strip_prefix(PREFIX).filter(|other| *other != id) else {
            continue;
        };
        let Ok(lock) = fs::File::open(path.join("lock")) else {
            continue;
        };
        if lock.try_lock().is_err() {
            continue;
        }
        remove_tags(&format!("farm/tiny-*:ready-{other}*"));
        remove_tags(&format!("farm-test/ready-{other}*"));
        fs::remove_dir_all(&path).unwrap();
    }
}
