//! Reading blobs, with the content checked against the name.

use std::io::{self, Read};
use std::path::PathBuf;

use crate::Blob;

/// A file of the store whose bytes are not what its name says: a disk fault, or somebody's hand.
///
/// It travels inside [`io::Error`] when it is found in the middle of a stream; [`corrupt_blob`] gets it out again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("blob {blob} in {} is damaged: {found}", path.display())]
pub struct CorruptBlob {
    /// The blob that was asked for.
    pub blob: Blob,
    /// Its file.
    pub path: PathBuf,
    /// What was found instead, a sentence fragment for people.
    pub found: String,
}

/// Why a blob could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store does not hold the blob (environment: it was removed, or never restored).
    #[error("blob {blob} is not in the store at {}", path.display())]
    Missing {
        /// The blob that was asked for.
        blob: Blob,
        /// Where it would be.
        path: PathBuf,
    },
    /// The file is there with other content (environment). The caller may [`remove`](crate::Store::remove) it and make the
    /// content again.
    #[error(transparent)]
    Corrupt(#[from] CorruptBlob),
    /// The disk or the file system refused (environment).
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    /// Recognises a [`CorruptBlob`] that a [`BlobReader`] reported through the [`Read`] interface.
    fn from(error: io::Error) -> Self {
        match corrupt_blob(&error) {
            Some(corrupt) => Self::Corrupt(corrupt.clone()),
            None => Self::Io(error),
        }
    }
}

/// The [`CorruptBlob`] inside an I/O error, where a [`BlobReader`] put one.
pub fn corrupt_blob(error: &io::Error) -> Option<&CorruptBlob> {
    error.get_ref()?.downcast_ref()
}

/// Reads a blob and checks it on the way.
///
/// The bytes that complete the blob are handed out only after the digest of the whole agreed, so a reader that stops after
/// exactly `size` bytes is as safe as one that reads to the end. A mismatch is an [`io::Error`] of kind
/// [`io::ErrorKind::InvalidData`] that holds a [`CorruptBlob`].
#[derive(Debug)]
pub struct BlobReader {
    file: fs_err::File,
    blob: Blob,
    hasher: blake3::Hasher,
    read: u64,
}

impl BlobReader {
    pub(crate) fn open(blob: Blob, path: PathBuf) -> Result<Self, ReadError> {
        let file = match fs_err::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReadError::Missing { blob, path }),
            Err(error) => return Err(ReadError::Io(error)),
        };
        let reader = Self {
            file,
            blob,
            hasher: blake3::Hasher::new(),
            read: 0,
        };
        let size = reader.file.metadata().map_err(ReadError::Io)?.len();
        if size != blob.size {
            return Err(reader.corrupt(format!("{size} bytes instead of {}", blob.size)).into());
        }
        // The empty blob is complete before the first read, so the check of the last read would never come.
        if blob.size == 0 {
            reader.check().map_err(ReadError::Corrupt)?;
        }
        Ok(reader)
    }

    /// The blob that is being read.
    pub fn blob(&self) -> Blob {
        self.blob
    }

    fn corrupt(&self, found: String) -> CorruptBlob {
        CorruptBlob {
            blob: self.blob,
            path: self.file.path().to_path_buf(),
            found,
        }
    }

    fn check(&self) -> Result<(), CorruptBlob> {
        let digest = self.hasher.finalize();
        if digest == self.blob.digest {
            Ok(())
        } else {
            Err(self.corrupt(format!("its content has the digest {digest}")))
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.blob.size - self.read;
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let limit = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.file.read(&mut buffer[..limit])?;
        let damaged = |corrupt| io::Error::new(io::ErrorKind::InvalidData, corrupt);
        if count == 0 {
            return Err(damaged(
                self.corrupt(format!("it ends after {} of {} bytes", self.read, self.blob.size)),
            ));
        }
        self.hasher.update(&buffer[..count]);
        self.read += count as u64;
        if self.read == self.blob.size {
            self.check().map_err(damaged)?;
        }
        Ok(count)
    }
}
