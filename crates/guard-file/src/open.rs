//! Whether the file at a path is a guard file, and of a format that can be written.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::File;
use fs_err::os::unix::fs::FileExt as _;
use thiserror::Error;

use crate::format::{HEADER_LEN, MAGIC, VERSION, header};
use crate::scan::scan;

/// How the file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is written; needs no lock.
    Read,
    /// A torn tail is cut off, damage is taken out, and guards are recorded. The caller holds the workspace's lock.
    Write,
}

/// A guard file that cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// It cannot be read or written. Environment.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It was written by a newer farm. Environment.
    #[error("{path} was written by a newer farm (format {found}, this one knows {VERSION})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It does not begin as a guard file does. Environment: somebody else's file, or a damaged disk.
    #[error("{path} is not a guard file")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// How a file begins that is ours to write.
pub(crate) enum Begin {
    Whole,
    /// It is new, or so torn that not even its header is whole.
    Torn,
    /// Not as a guard file does, but it holds records.
    Damaged,
}

/// How the file begins, or an error when it is not ours to write.
pub(crate) fn check_header(path: &Path, file: &File, len: u64) -> Result<Begin, OpenError> {
    let mut begin = [0; HEADER_LEN];
    let count = usize::try_from(len).unwrap_or(HEADER_LEN).min(HEADER_LEN);
    file.read_exact_at(&mut begin[..count], 0)?;
    let foreign = || OpenError::Foreign { path: path.to_owned() };
    if count < HEADER_LEN {
        return if header().starts_with(&begin[..count]) {
            Ok(Begin::Torn)
        } else {
            Err(foreign())
        };
    }
    let mut version = [0; 4];
    version.copy_from_slice(&begin[MAGIC.len()..]);
    let found = u32::from_le_bytes(version);
    let is_marked = begin[..MAGIC.len()] == *MAGIC;
    if !is_marked || found == 0 {
        let scanned = scan(file, HEADER_LEN as u64, len, &mut |_, _| ())?;
        let is_ours = is_marked || (found == VERSION && scanned.last.is_some());
        return if is_ours { Ok(Begin::Damaged) } else { Err(foreign()) };
    }
    if found > VERSION {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
        });
    }
    Ok(Begin::Whole)
}

/// Opens the file, for appending if it is to be written. `None` when there is none and none is wanted.
pub(crate) fn open_file(path: &Path, mode: Mode) -> io::Result<Option<File>> {
    let opened = match mode {
        Mode::Read => File::open(path),
        Mode::Write => fs::OpenOptions::new().create(true).read(true).append(true).open(path),
    };
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if mode == Mode::Read && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
