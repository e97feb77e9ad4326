//! Writing a blob whose digest is known only at the end.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err::os::unix::fs::OpenOptionsExt;
use rustix::fs::{FlockOperation, flock, fstat};

use crate::flush::Unflushed;
use crate::{Blob, Store};

/// Files of this length, in bytes, are flushed when they are written.
const LARGE: u64 = 1 << 20;

/// A file that is removed again unless it gets its final name.
///
/// Its owner holds a lock on it for as long as it lives: that is how [`Store::sweep`] knows the leftovers of a process that
/// died from the work of one that lives, on this machine or on another one that shares the folder.
#[derive(Debug)]
pub(crate) struct PendingFile {
    pub(crate) file: fs_err::File,
    path: PathBuf,
    placed: bool,
}

impl PendingFile {
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{number}", process::id()));
            // The final mode is given at creation: the kernel then applies the umask, and no moment exists in which the blob
            // has its name and is still writable.
            let opened = fs_err::OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o444)
                .open(&path);
            let file = match opened {
                Ok(file) => file,
                // Another machine, or an earlier process with this id, uses the name.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            let pending = Self {
                file,
                path,
                placed: false,
            };
            flock(&pending.file, FlockOperation::LockExclusive)?;
            // Between creation and lock a sweeping process may have taken the file for a leftover.
            if fstat(&pending.file)?.st_nlink > 0 {
                return Ok(pending);
            }
        }
    }

    /// Gives the file of `size` bytes the name `target`, replacing what was there.
    pub(crate) fn place(mut self, size: u64, target: &Path, unflushed: &Unflushed) -> io::Result<()> {
        // Whoever wrote much waits for the disk himself; of little, much is flushed at once.
        let large = size >= LARGE;
        if large {
            self.file.sync_data()?;
        }
        match (fs_err::rename(&self.path, target), target.parent()) {
            // The first blob in its folder.
            (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
                fs_err::create_dir_all(parent)?;
                fs_err::rename(&self.path, target)?;
            }
            (renamed, _) => renamed?,
        }
        self.placed = true;
        if !large {
            unflushed.add(target.to_owned());
        }
        Ok(())
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.placed {
            // Nobody can be told, and `sweep` removes what stays.
            let _ = fs_err::remove_file(&self.path);
        }
    }
}

/// Receives the bytes of a new blob; [`finish`](Self::finish) names it. Dropped without that, it leaves nothing.
#[derive(Debug)]
pub struct BlobWriter<'a> {
    store: &'a Store,
    pending: PendingFile,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    size: u64,
}

/// Large enough that neither the system call nor the hash of one piece dominates.
const BUFFER: usize = 1 << 16;

impl<'a> BlobWriter<'a> {
    pub(crate) fn new(store: &'a Store) -> io::Result<Self> {
        let pending = PendingFile::create(store.pending_folder())?;
        Ok(Self {
            store,
            pending,
            hasher: blake3::Hasher::new(),
            buffer: Vec::new(),
            size: 0,
        })
    }

    /// Makes the blob visible under its digest and returns its address.
    ///
    /// # Errors
    /// When the disk refuses; the store is then as it was.
    pub fn finish(mut self) -> io::Result<Blob> {
        self.flush()?;
        let blob = Blob {
            digest: self.hasher.finalize(),
            size: self.size,
        };
        self.pending
            .place(blob.size, &self.store.path(&blob), self.store.unflushed())?;
        Ok(blob)
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        if bytes.len() >= BUFFER {
            self.pending.file.write_all(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pending.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
