//! A job server for one client: a FIFO in a folder of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use farm_engine::{TokenLine, Wake};
use rustix::fs::{CWD, Mode, OFlags, mkfifoat, open};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd, ioctl_fionread};

use crate::taker::Taker;

/// What a token is. Clients give back what they took, whatever it is.
const TOKEN: u8 = b'+';

/// Descriptors for clients get numbers from here on: shell scripts use small ones as they like.
const FIRST_DESCRIPTOR: i32 = 100;

/// A FIFO with tokens. It is held open at both ends, so that tokens stay when no client has it open. Removed when dropped.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    taker: Taker,
}

impl Fifo {
    /// Makes an empty FIFO that nobody but the user can open.
    ///
    /// # Errors
    ///
    /// The path exists, or its folder cannot be written to or is on a file system without FIFOs.
    pub fn create(path: &Path) -> io::Result<Self> {
        mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?;
        let pipe = open(path, OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self {
            path: path.to_owned(),
            taker: Taker::new(pipe),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for clients that must inherit a descriptor. Every program that this process starts inherits this one, until it
    /// is dropped; only who is told its number has a use for it. It blocks, as those of make's own job server do.
    ///
    /// # Errors
    ///
    /// There are too many open files.
    pub fn open_to_inherit(&self) -> io::Result<OwnedFd> {
        let opened = open(&self.path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let inherited = fcntl_dupfd_cloexec(opened, FIRST_DESCRIPTOR)?;
        fcntl_setfd(&inherited, FdFlags::empty())?;
        Ok(inherited)
    }
}

impl TokenLine for Fifo {
    fn open(&self, wake: Wake) {
        self.taker.open(wake);
    }

    fn lend(&self, count: usize) {
        // A FIFO holds thousands of bytes and has a reader: nothing is left over.
        let _ = rustix::io::write(self.taker.pipe(), &vec![TOKEN; count]);
    }

    fn want_back(&self, count: usize) {
        self.taker.want(count);
    }

    fn take_returned(&self) -> usize {
        self.taker.fetch().len()
    }

    fn unused(&self) -> usize {
        ioctl_fionread(self.taker.pipe()).map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX))
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // Gone with its folder in any case.
        let _ = fs_err::remove_file(&self.path);
    }
}
