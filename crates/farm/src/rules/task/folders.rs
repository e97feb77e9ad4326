//! The home and the folder for temporary files that a host task gets as its own.
//!
//! Making and removing folders costs more than a short task, so that a pair that a task left empty serves the next one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fs_err as fs;
use tempfile::TempDir;

/// The pairs that nobody uses at the moment.
#[derive(Debug, Default)]
pub(crate) struct TaskFolders(Mutex<Vec<Pair>>);

/// Two empty folders in one that is removed with everything in it.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The task's home.
    pub(crate) home: PathBuf,
    /// Where it puts temporary files.
    pub(crate) temporary: PathBuf,
    _around: TempDir,
}

impl TaskFolders {
    /// A pair; `make` makes the folder around a new one.
    pub(super) fn take(&self, make: impl FnOnce() -> std::io::Result<TempDir>) -> std::io::Result<Pair> {
        if let Some(pair) = self.idle().pop() {
            return Ok(pair);
        }
        let around = make()?;
        let (home, temporary) = (around.path().join("home"), around.path().join("tmp"));
        fs::create_dir(&home)?;
        fs::create_dir(&temporary)?;
        Ok(Pair {
            home,
            temporary,
            _around: around,
        })
    }

    /// Takes a pair back if it is as good as new; otherwise it is removed.
    pub(super) fn give_back(&self, pair: Pair) {
        if is_empty(&pair.home) && is_empty(&pair.temporary) {
            self.idle().push(pair);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Pair>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is a folder that can be read and written, with nothing in it.
fn is_empty(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let usable =
        fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir() && found.permissions().mode() & 0o700 == 0o700);
    usable && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_left_empty_is_used_again() {
        let folders = TaskFolders::default();
        let take = || folders.take(tempfile::tempdir).unwrap();
        let (one, two) = (take(), take());
        assert_ne!(one.home, two.home);
        let (first, second) = (one.home.clone(), two.home.clone());
        fs::write(two.temporary.join("left"), "x").unwrap();
        folders.give_back(one);
        folders.give_back(two);
        assert!(first.exists() && !second.exists());
        let again = take();
        assert_eq!(again.home, first);
        fs::remove_dir(&again.home).unwrap();
        folders.give_back(again);
        assert!(!first.parent().unwrap().exists());
    }
}
