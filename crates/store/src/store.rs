//! The folder of blobs.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt;
use rustix::fs::{FlockOperation, flock, ioctl_ficlone};

use crate::flush::Unflushed;
use crate::writer::PendingFile;
use crate::{Blob, BlobReader, BlobWriter, ReadError};

/// Up to this length, in bytes, a file is read as a whole.
const SMALL: u64 = 1 << 16;

/// A folder of content-addressed blobs: `blobs/ab/cdef…` (two and 62 hexadecimal digits of the BLAKE3 digest), each file
/// read-only, plus `pending/` for what is being written.
///
/// A blob appears under its name only when it is complete, so readers need no lock; when it is on the disk, see
/// [`unflushed`](Self::unflushed). Writing a blob that is
/// already there replaces its file: that heals a damaged one. Files belong to the user and are as readable to others as the
/// umask says.
#[derive(Debug, Clone)]
pub struct Store {
    blobs: PathBuf,
    pending: PathBuf,
    unflushed: Unflushed,
}

/// Why content could not be put into the store.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The content could not be read (the caller's side).
    #[error("failed to read the content of a blob")]
    Source(#[source] io::Error),
    /// The store could not be written (environment: disk full, no permission).
    #[error("failed to write to the store")]
    Store(#[source] io::Error),
}

/// What [`Store::sweep`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Number of unfinished files of dead processes.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Store {
    /// Opens the store in `folder` and makes its folders if they are not there.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let store = Self {
            blobs: folder.join("blobs"),
            pending: folder.join("pending"),
            unflushed: Unflushed::default(),
        };
        fs_err::create_dir_all(&store.blobs)?;
        fs_err::create_dir_all(&store.pending)?;
        Ok(store)
    }

    /// Takes the store in `folder` as it is, without making anything: for those who only read. A folder that is not there
    /// is an empty store.
    pub fn open_read_only(folder: &Path) -> Self {
        Self {
            blobs: folder.join("blobs"),
            pending: folder.join("pending"),
            unflushed: Unflushed::default(),
        }
    }

    /// The blobs that may not have reached the disk. Whoever makes something durable that names blobs flushes them before.
    pub fn unflushed(&self) -> &Unflushed {
        &self.unflushed
    }

    pub(crate) fn pending_folder(&self) -> &Path {
        &self.pending
    }

    /// Starts a blob of yet unknown content.
    ///
    /// # Errors
    /// When no file can be made in the store.
    pub fn writer(&self) -> io::Result<BlobWriter<'_>> {
        BlobWriter::new(self)
    }

    /// Stores everything `content` yields.
    ///
    /// # Errors
    /// [`PutError::Source`] when `content` fails, [`PutError::Store`] when the disk does.
    pub fn put(&self, content: &mut dyn Read) -> Result<Blob, PutError> {
        let mut writer = self.writer().map_err(PutError::Store)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => writer.write_all(&buffer[..count]).map_err(PutError::Store)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(PutError::Source(error)),
            }
        }
        writer.finish().map_err(PutError::Store)
    }

    /// Stores `content`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put_bytes(&self, content: &[u8]) -> io::Result<Blob> {
        let mut writer = self.writer()?;
        writer.write_all(content)?;
        writer.finish()
    }

    /// Stores the content of the file at `path` (a symlink is followed), sharing its blocks where the file system can
    /// (reflink). It is never a hard link: a later write to `path` must not reach the blob.
    ///
    /// # Errors
    /// [`PutError::Source`] when the file cannot be read, [`PutError::Store`] when the store cannot be written.
    pub fn put_file(&self, path: &Path) -> Result<Blob, PutError> {
        let mut source = fs_err::File::open(path).map_err(PutError::Source)?;
        if source.metadata().map_err(PutError::Source)?.len() <= SMALL {
            return self.put_small(&mut source);
        }
        let mut pending = PendingFile::create(&self.pending).map_err(PutError::Store)?;
        if ioctl_ficlone(&pending.file, &source).is_err() {
            return self.put(&mut source);
        }
        // The clone is hashed, not the source: the source may change between the two.
        let mut hasher = blake3::Hasher::new();
        let size = io::copy(&mut pending.file, &mut hasher).map_err(PutError::Store)?;
        let blob = Blob {
            digest: hasher.finalize(),
            size,
        };
        pending
            .place(size, &self.path(&blob), &self.unflushed)
            .map_err(PutError::Store)?;
        Ok(blob)
    }

    /// Stores what is so little that looking whether it is there already costs less than writing it, and that sharing blocks
    /// would save nothing.
    fn put_small(&self, source: &mut fs_err::File) -> Result<Blob, PutError> {
        let mut content = Vec::new();
        source.read_to_end(&mut content).map_err(PutError::Source)?;
        let blob = Blob::of(&content);
        if self.present(&blob) && self.read(&blob).is_ok() {
            // Whoever wrote it may not have lived to see it on the disk.
            self.unflushed.add(self.path(&blob));
            return Ok(blob);
        }
        self.put_bytes(&content).map_err(PutError::Store)
    }

    /// Opens a blob for reading; the reader checks the content against the digest.
    ///
    /// # Errors
    /// [`ReadError::Missing`], [`ReadError::Corrupt`] when the length is wrong already, or the disk's error.
    pub fn open_blob(&self, blob: &Blob) -> Result<BlobReader, ReadError> {
        BlobReader::open(*blob, self.path(blob))
    }

    /// Reads a whole blob, checked.
    ///
    /// # Errors
    /// As [`open_blob`](Self::open_blob), and [`ReadError::Corrupt`] when the content has another digest.
    pub fn read(&self, blob: &Blob) -> Result<Vec<u8>, ReadError> {
        let mut reader = self.open_blob(blob)?;
        let mut content = Vec::new();
        reader.read_to_end(&mut content)?;
        Ok(content)
    }

    /// Writes a checked copy of a blob to `target`, with reflinked blocks where possible. The file gets mode 0777 or 0666
    /// less the umask; what was at `target` is replaced, and stays if the blob turns out damaged.
    ///
    /// # Errors
    /// As [`read`](Self::read), and the error of writing `target`.
    pub fn copy_to(&self, blob: &Blob, target: &Path, executable: bool) -> Result<(), ReadError> {
        let mut reader = self.open_blob(blob)?;
        let folder = target
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mode = if executable { 0o777 } else { 0o666 };
        let copy = tempfile::Builder::new().prefix(".farm-").make_in(folder, |path| {
            fs_err::OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(path)
        })?;
        let (mut file, path) = copy.into_parts();
        let source = fs_err::File::open(self.path(blob))?;
        if ioctl_ficlone(&file, &source).is_ok() {
            io::copy(&mut reader, &mut io::sink())?;
        } else {
            io::copy(&mut reader, &mut file)?;
        }
        crate::rename(path, target).map_err(ReadError::Io)
    }

    /// True if the blob is there with the right length. Its content is checked when it is read, not here, so that a run with
    /// nothing to do costs one `stat` a blob.
    pub fn present(&self, blob: &Blob) -> bool {
        fs_err::symlink_metadata(self.path(blob)).is_ok_and(|found| found.is_file() && found.len() == blob.size)
    }

    /// Where the blob's file is or would be, for programs that need a path. Nothing checks what they read.
    pub fn path(&self, blob: &Blob) -> PathBuf {
        let hex = blob.digest.to_hex();
        let (folder, name) = hex.as_str().split_at(2);
        self.blobs.join(folder).join(name)
    }

    /// Removes a blob and says whether it was there.
    ///
    /// # Errors
    /// When the file is there and cannot be removed.
    pub fn remove(&self, blob: &Blob) -> io::Result<bool> {
        match fs_err::remove_file(self.path(blob)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All blobs, sorted by digest; the sizes are those of the files. Files that are not named like blobs are left out.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn iter(&self) -> io::Result<impl Iterator<Item = Blob> + use<>> {
        let mut blobs = Vec::new();
        for folder in fs_err::read_dir(&self.blobs)? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for file in fs_err::read_dir(folder.path())? {
                let file = file?;
                let (Some(head), Some(tail)) = (
                    folder.file_name().to_str().map(str::to_owned),
                    file.file_name().to_str().map(str::to_owned),
                ) else {
                    continue;
                };
                let Ok(digest) = blake3::Hash::from_hex(format!("{head}{tail}")) else {
                    continue;
                };
                match file.metadata() {
                    Ok(found) => blobs.push(Blob {
                        digest,
                        size: found.len(),
                    }),
                    // Another process removed it after the folder was read.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        blobs.sort();
        Ok(blobs.into_iter())
    }

    /// Removes what processes that died left half-written. What living ones write stays.
    ///
    /// # Errors
    /// When the folder cannot be read or a leftover cannot be removed.
    pub fn sweep(&self) -> io::Result<Swept> {
        let mut swept = Swept::default();
        for file in fs_err::read_dir(&self.pending)? {
            let path = file?.path();
            let file = match fs_err::File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // The lock is free only when the writer is dead, or has just renamed its file away.
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            let bytes = file.metadata()?.len();
            match fs_err::remove_file(&path) {
                Ok(()) => {
                    swept.files += 1;
                    swept.bytes += bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(swept)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    fn overwrite(path: &Path, content: &[u8]) {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        fs_err::write(path, content).unwrap();
    }

    #[test]
    fn content_comes_back_whichever_way_it_went_in() {
        let (dir, store) = store();
        for content in [Vec::new(), b"small".to_vec(), vec![7; 300_000]] {
            let file = dir.path().join("file");
            fs_err::write(&file, &content).unwrap();
            let blob = store.put_bytes(&content).unwrap();
            assert_eq!(blob, Blob::of(&content));
            assert_eq!(store.put(&mut content.as_slice()).unwrap(), blob);
            assert_eq!(store.put_file(&file).unwrap(), blob);
            let mut writer = store.writer().unwrap();
            for piece in content.chunks(1000) {
                writer.write_all(piece).unwrap();
            }
            assert_eq!(writer.finish().unwrap(), blob);
            assert!(store.present(&blob));
            assert_eq!(store.read(&blob).unwrap(), content);
            let copy = dir.path().join("copy");
            store.copy_to(&blob, &copy, true).unwrap();
            assert_eq!(fs_err::read(&copy).unwrap(), content);
            assert_ne!(fs_err::metadata(&copy).unwrap().permissions().mode() & 0o100, 0);
        }
        assert_eq!(store.iter().unwrap().count(), 3);
        assert_eq!(fs_err::read_dir(dir.path().join("pending")).unwrap().count(), 0);
    }

    #[test]
    fn blobs_are_read_only_and_lie_under_their_digest() {
        let (dir, store) = store();
        let blob = store.put_bytes(b"hello").unwrap();
        let path = dir
            .path()
            .join("blobs/ea/8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f");
        assert_eq!(store.path(&blob), path);
        assert_eq!(fs_err::metadata(path).unwrap().permissions().mode() & 0o222, 0);
    }

    #[test]
    fn every_damage_is_found_and_healed_by_writing_again() {
        let (dir, store) = store();
        let blob = store.put_bytes(b"content").unwrap();
        let path = store.path(&blob);
        overwrite(&path, b"conten");
        assert!(!store.present(&blob));
        assert!(matches!(store.read(&blob), Err(ReadError::Corrupt(_))));
        overwrite(&path, b"CONTENT");
        assert!(store.present(&blob), "the content is looked at when it is read");
        let Err(ReadError::Corrupt(corrupt)) = store.read(&blob) else {
            panic!("the damage was not seen")
        };
        assert_eq!((corrupt.blob, &corrupt.path), (blob, &path));
        let mut exactly = [0; 7];
        let error = store.open_blob(&blob).unwrap().read_exact(&mut exactly).unwrap_err();
        assert!(
            crate::corrupt_blob(&error).is_some(),
            "a reader of exactly the blob's length is told too"
        );
        let target = dir.path().join("target");
        fs_err::write(&target, "before").unwrap();
        assert!(matches!(
            store.copy_to(&blob, &target, false),
            Err(ReadError::Corrupt(_))
        ));
        assert_eq!(fs_err::read(&target).unwrap(), b"before");
        store.put_bytes(b"content").unwrap();
        assert_eq!(store.read(&blob).unwrap(), b"content");
        assert!(store.remove(&blob).unwrap() && !store.remove(&blob).unwrap());
        assert!(matches!(store.read(&blob), Err(ReadError::Missing { .. })));
        let nothing = store.put_bytes(b"").unwrap();
        overwrite(&store.path(&nothing), b"x");
        assert!(matches!(store.read(&nothing), Err(ReadError::Corrupt(_))));
    }

    #[test]
    fn a_source_that_fails_leaves_nothing() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let (dir, store) = store();
        assert!(matches!(
            store.put(&mut b"some".chain(Broken)),
            Err(PutError::Source(_))
        ));
        assert_eq!(store.iter().unwrap().count(), 0);
        assert_eq!(fs_err::read_dir(dir.path().join("pending")).unwrap().count(), 0);
    }

    #[test]
    fn sweeping_takes_leftovers_and_spares_living_writers() {
        let (dir, store) = store();
        let mut writer = store.writer().unwrap();
        writer.write_all(b"alive").unwrap();
        fs_err::write(dir.path().join("pending/1-1"), "dead").unwrap();
        assert_eq!(store.sweep().unwrap(), Swept { files: 1, bytes: 4 });
        let blob = writer.finish().unwrap();
        assert_eq!(store.read(&blob).unwrap(), b"alive");
    }

    #[test]
    fn many_threads_write_the_same_and_sweep_meanwhile() {
        let (_dir, store) = store();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..50_u8 {
                        let blob = store.put_bytes(&[number]).unwrap();
                        store.sweep().unwrap();
                        assert_eq!(store.read(&blob).unwrap(), [number]);
                    }
                });
            }
        });
        assert_eq!(store.iter().unwrap().count(), 50);
        assert_eq!(store.sweep().unwrap(), Swept::default());
    }
}
