//! Where the packages of another binhost are read from.

use std::fmt;
use std::io;
use std::path::PathBuf;

use fs_err as fs;

/// A binhost that somebody else published. Packages are asked for by several threads at once.
pub trait ForeignBinhost: fmt::Debug + Sync {
    /// The text of its `Packages`.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    fn index(&self) -> io::Result<String>;

    /// A package by its PATH, opened for reading from its start. `room` is an empty file of the caller's for what must be copied to be
    /// read.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    fn package(&self, path: &str, room: fs::File) -> io::Result<fs::File>;
}

/// A PKGDIR, or a folder that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignFolder(pub PathBuf);

impl ForeignBinhost for ForeignFolder {
    fn index(&self) -> io::Result<String> {
        fs::read_to_string(self.0.join("Packages"))
    }

    fn package(&self, path: &str, _room: fs::File) -> io::Result<fs::File> {
        fs::File::open(self.0.join(path))
    }
}
