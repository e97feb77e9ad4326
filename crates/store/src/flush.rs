//! Blobs on their way to the disk.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The blobs that were given their names and may not have reached the disk.
///
/// Large ones never wait here. A flush a small blob would cost a thousand short tasks a thousand waits. So blobs are flushed
/// together, by whoever is about to make something durable that names them and that would be a pity to lose: the record of a
/// build that took long. Clones flush the same blobs.
#[derive(Clone, Debug, Default)]
pub struct Unflushed(Arc<Mutex<Vec<PathBuf>>>);

impl Unflushed {
    pub(crate) fn add(&self, blob: PathBuf) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(blob);
    }

    /// Returns when every blob that had its name before the call is on the disk.
    ///
    /// # Errors
    /// When the disk refuses. The blobs that did not reach it are tried again by the next call.
    pub fn flush(&self) -> io::Result<()> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(blob) = waiting.last() {
            match fs_err::File::open(blob) {
                Ok(file) => file.sync_data()?,
                // Found damaged, and removed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            waiting.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Store;

    #[test]
    fn small_blobs_wait_for_a_flush() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let waiting = || store.unflushed().0.lock().unwrap().len();
        let one = store.put_bytes(b"one").unwrap();
        fs_err::write(dir.path().join("file"), "two").unwrap();
        store.put_file(&dir.path().join("file")).unwrap();
        store.put_bytes(&vec![0; 1 << 20]).unwrap();
        assert_eq!(waiting(), 2, "the large one is there already");
        store.remove(&one).unwrap();
        store.unflushed().flush().unwrap();
        assert_eq!(waiting(), 0);
    }
}
