//! A client of a job server that somebody else runs.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use farm_engine::{TokenSource, Wake};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open};
use rustix::io::Errno;
use thiserror::Error;

use crate::auth::Auth;
use crate::taker::Taker;

/// Why the job server of an invitation cannot be used.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The descriptors are not open, or are not a pipe: the command was not marked as one that calls make. The environment's.
    #[error("its pipe is closed to this program")]
    Closed,
    /// It cannot be opened. The environment's.
    #[error("its pipe cannot be opened: {0}")]
    Open(#[from] std::io::Error),
}

/// Takes tokens from the job server, and gives back what it took: when it is told to, and at the latest when it is dropped. A
/// client that is killed cannot: its tokens are lost to the job server, as those of every client.
#[derive(Debug)]
pub struct Client {
    taker: Taker,
    back: OwnedFd,
    /// The tokens that were handed over: each has to go back as it came.
    out: Mutex<Vec<u8>>,
}

impl Client {
    /// Opens the job server. Nothing is taken yet.
    ///
    /// To be called before the process has opened anything: numbers of descriptors that were not inherited would be given to
    /// other things.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn open(auth: &Auth) -> Result<Self, ClientError> {
        let (read, write) = match auth {
            Auth::Fifo(path) => (reopen(path, OFlags::RDONLY)?, reopen(path, OFlags::RDWR)?),
            Auth::Descriptors { read, write } => {
                (by_number(*read, OFlags::RDONLY)?, by_number(*write, OFlags::WRONLY)?)
            }
        };
        let (ours, theirs) = (status(&read)?, status(&write)?);
        // Both ends of one pipe, and not what happens to have these numbers.
        if FileType::from_raw_mode(ours.st_mode) != FileType::Fifo
            || (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino)
        {
            return Err(ClientError::Closed);
        }
        Ok(Self {
            taker: Taker::new(read),
            back: write,
            out: Mutex::default(),
        })
    }

    /// Takes nothing any more, and gives everything back.
    pub fn leave(&self) {
        let mut tokens = self.taker.close();
        tokens.append(&mut self.out.lock().unwrap_or_else(PoisonError::into_inner));
        self.put(&tokens);
    }

    fn put(&self, mut tokens: &[u8]) {
        while !tokens.is_empty() {
            match rustix::io::write(&self.back, tokens) {
                Ok(count) => tokens = &tokens[count..],
                Err(Errno::INTR) => {}
                // A pipe that takes no more has tokens enough, and a broken one wants none.
                Err(_) => return,
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.leave();
    }
}

impl TokenSource for Client {
    fn open(&self, wake: Wake) {
        self.taker.open(wake);
    }

    fn want(&self, count: usize) {
        self.taker.want(count);
    }

    fn take_arrived(&self) -> usize {
        let tokens = self.taker.fetch();
        let count = tokens.len();
        self.out.lock().unwrap_or_else(PoisonError::into_inner).extend(tokens);
        count
    }

    fn give_back(&self, count: usize) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = out.len().saturating_sub(count);
        let tokens = out.split_off(keep);
        self.put(&tokens);
    }
}

fn by_number(number: i32, mode: OFlags) -> Result<OwnedFd, ClientError> {
    if number < 0 {
        return Err(ClientError::Closed);
    }
    reopen(Path::new(&format!("/proc/self/fd/{number}")), mode)
}

fn reopen(path: &Path, mode: OFlags) -> Result<OwnedFd, ClientError> {
    match open(path, mode | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
        Ok(opened) => Ok(opened),
        // A socket cannot be opened like this.
        Err(Errno::NOENT | Errno::NXIO) => Err(ClientError::Closed),
        Err(error) => Err(ClientError::Open(error.into())),
    }
}

fn status(opened: impl AsFd) -> Result<Stat, ClientError> {
    fstat(opened).map_err(|error| ClientError::Open(error.into()))
}
