//! Which state of the file something was derived from.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use fs_err::File;

use crate::format::RECORD_HEADER_LEN;

/// Number of bytes of a [`Stamp`].
pub const STAMP_LEN: usize = 16 + RECORD_HEADER_LEN;

/// The length of a guard file, and the place, length and checksum of its last record. Records are only appended, so two states
/// with equal stamps are equal, and whatever was derived from one holds for the other. Telling costs one small read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub(crate) len: u64,
    pub(crate) last: u64,
    pub(crate) header: [u8; RECORD_HEADER_LEN],
}

impl Stamp {
    /// The stamp as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; STAMP_LEN] {
        let mut bytes = [0; STAMP_LEN];
        bytes[..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.last.to_le_bytes());
        bytes[16..].copy_from_slice(&self.header);
        bytes
    }

    /// The stamp that gave these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; STAMP_LEN]) -> Self {
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        let mut header = [0; RECORD_HEADER_LEN];
        header.copy_from_slice(&bytes[16..]);
        Self {
            len: number(0),
            last: number(8),
            header,
        }
    }

    /// Whether the file at `path` is in this state. Reads nothing but its length and the head of its last record.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be read.
    pub fn is_of(&self, path: &Path) -> io::Result<bool> {
        self.compare(path, |len| len == self.len)
    }

    /// Whether the file at `path` was in this state once, and records were appended since, or none.
    pub(crate) fn is_part_of(&self, path: &Path) -> io::Result<bool> {
        self.compare(path, |len| len >= self.len)
    }

    fn compare(&self, path: &Path, len_fits: impl Fn(u64) -> bool) -> io::Result<bool> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if !len_fits(file.metadata()?.len()) {
            return Ok(false);
        }
        if self.last == 0 {
            return Ok(true);
        }
        let mut header = [0; RECORD_HEADER_LEN];
        file.seek(SeekFrom::Start(self.last))?;
        match file.read_exact(&mut header) {
            Ok(()) => Ok(header == self.header),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}
