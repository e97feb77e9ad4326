//! One path of a file system.

use std::ffi::OsString;
use std::path::PathBuf;

/// What is at a path and who may do what with it. Times are no part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is there.
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky: mode & 07777.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// The raw value of `security.capability`.
    pub capability: Option<Vec<u8>>,
}

/// The kind of an [`Entry`], with what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Dir,
    /// A regular file.
    File {
        /// Length in bytes.
        size: u64,
        /// BLAKE3 of the content.
        digest: blake3::Hash,
        /// For a file with more than one name, the first of its names in the order of paths: all names of one file agree
        /// on it. `None` for a file with one name.
        link_group: Option<PathBuf>,
    },
    /// A symbolic link.
    Symlink {
        /// The text it holds, byte for byte.
        target: OsString,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

impl Entry {
    /// An entry of root's, without capability.
    pub fn new(kind: EntryKind, mode: u32) -> Self {
        Self {
            kind,
            mode: mode & 0o7777,
            uid: 0,
            gid: 0,
            capability: None,
        }
    }

    /// True for a folder.
    pub fn is_dir(&self) -> bool {
        matches!(self.kind, EntryKind::Dir)
    }

    pub(crate) fn link_group(&self) -> Option<&PathBuf> {
        match &self.kind {
            EntryKind::File { link_group, .. } => link_group.as_ref(),
            _ => None,
        }
    }
}
