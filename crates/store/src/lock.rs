//! One writer at a time, by name.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{FlockOperation, flock, fstat, stat};
use rustix::io::Errno;

/// What the holder of a lock tells those who find it taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What it is doing, one line: `farm build hepfarm`.
    pub what: String,
    /// Since when, as people write times. The caller knows the clock; this library does not.
    pub since: String,
}

/// Who holds a lock. A field is `None` when the holder has the lock and has not written that line yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldBy {
    /// Process id on the holder's machine.
    pub pid: Option<u32>,
    /// What it is doing.
    pub what: Option<String>,
    /// Since when.
    pub since: Option<String>,
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => f.write_str("another process")?,
        }
        if let Some(what) = &self.what {
            write!(f, " ({what})")?;
        }
        if let Some(since) = &self.since {
            write!(f, " since {since}")?;
        }
        Ok(())
    }
}

/// Why a lock was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it (environment).
    #[error("{} is held by {by}", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Its holder.
        by: HeldBy,
    },
    /// The lock file cannot be made, locked or written (environment).
    #[error("failed to lock {}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// An exclusive lock on whatever the file at `path` stands for; released when dropped, and by the kernel when the process
/// dies. The file itself stays.
#[derive(Debug)]
pub struct DirLock {
    file: fs_err::File,
}

impl DirLock {
    /// Takes the lock, or says at once who has it.
    ///
    /// # Errors
    /// [`LockError::Held`] or [`LockError::Io`].
    pub fn acquire(path: &Path, holder: &Holder) -> Result<Self, LockError> {
        Self::take(path, holder, FlockOperation::NonBlockingLockExclusive)
    }

    /// Takes the lock, waiting for as long as it is held; `on_wait` is told once by whom.
    ///
    /// # Errors
    /// [`LockError::Io`].
    pub fn acquire_waiting(path: &Path, holder: &Holder, on_wait: impl FnOnce(&HeldBy)) -> Result<Self, LockError> {
        match Self::acquire(path, holder) {
            Err(LockError::Held { by, .. }) => {
                on_wait(&by);
                Self::take(path, holder, FlockOperation::LockExclusive)
            }
            done => done,
        }
    }

    fn take(path: &Path, holder: &Holder, how: FlockOperation) -> Result<Self, LockError> {
        let refused = |source: io::Error| LockError::Io {
            path: path.to_path_buf(),
            source,
        };
        loop {
            let mut file = fs_err::OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(refused)?;
            match flock(&file, how) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    return Err(LockError::Held {
                        path: path.to_path_buf(),
                        by: read_holder(&mut file).map_err(refused)?,
                    });
                }
                Err(Errno::INTR) => continue,
                Err(error) => return Err(refused(error.into())),
            }
            // The file may have been removed, or replaced, between `open` and `flock`: then this locks nothing.
            let ours = fstat(&file).map_err(|error| refused(error.into()))?;
            let there = stat(path);
            if ours.st_nlink == 0
                || !there.is_ok_and(|there| (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino))
            {
                continue;
            }
            write_holder(&mut file, holder).map_err(refused)?;
            return Ok(Self { file });
        }
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Only a courtesy to people who look into the file.
        let _ = self.file.set_len(0);
        // Not left to the closing of the descriptor: a child that another thread is just starting holds a copy of it until
        // it executes its program, and the lock would outlive this value.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

fn write_holder(file: &mut fs_err::File, holder: &Holder) -> io::Result<()> {
    let one_line = |text: &str| text.replace(['\n', '\r'], " ");
    file.set_len(0)?;
    file.write_all(
        format!(
            "pid={}\nwhat={}\nsince={}\n",
            process::id(),
            one_line(&holder.what),
            one_line(&holder.since)
        )
        .as_bytes(),
    )
}

fn read_holder(file: &mut fs_err::File) -> io::Result<HeldBy> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let mut held = HeldBy::default();
    // A line without its end is still being written.
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        match line.split_once('=') {
            Some(("pid", pid)) => held.pid = pid.parse().ok(),
            Some(("what", what)) => held.what = Some(what.to_owned()),
            Some(("since", since)) => held.since = Some(since.to_owned()),
            _ => {}
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(what: &str) -> Holder {
        Holder {
            what: what.into(),
            since: "12:00".into(),
        }
    }

    #[test]
    fn the_second_learns_who_holds_it_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = DirLock::acquire(&path, &holder("farm build\nhepfarm")).unwrap();
        let error = DirLock::acquire(&path, &holder("second")).unwrap_err();
        let LockError::Held { by, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(by.pid, Some(process::id()));
        assert_eq!(
            by.to_string(),
            format!("process {} (farm build hepfarm) since 12:00", process::id())
        );
        drop(first);
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "");
        DirLock::acquire(&path, &holder("second")).unwrap();
    }

    #[test]
    fn the_waiting_one_is_told_once_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = DirLock::acquire(&path, &holder("first")).unwrap();
        std::thread::scope(|scope| {
            let (told, hear) = std::sync::mpsc::channel();
            let path = &path;
            let waiting = scope.spawn(move || {
                DirLock::acquire_waiting(path, &holder("second"), |by| told.send(by.what.clone()).unwrap()).map(drop)
            });
            assert_eq!(hear.recv().unwrap().as_deref(), Some("first"));
            drop(first);
            waiting.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_removed_lock_file_locks_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let _first = DirLock::acquire(&path, &holder("first")).unwrap();
        fs_err::remove_file(&path).unwrap();
        let _second = DirLock::acquire(&path, &holder("second")).unwrap();
        assert!(matches!(
            DirLock::acquire(&path, &holder("third")),
            Err(LockError::Held { .. })
        ));
    }
}
