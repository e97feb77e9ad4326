//! What is told of every request that was answered.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Who asked.
    pub peer: IpAddr,
    /// `GET`, say; anything that can be a method.
    pub method: String,
    /// The path as it was asked for, still encoded.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of content that were handed to the connection. (Some of the last may not have left it, if it broke.)
    pub bytes: u64,
    /// From the request's last byte to the answer's, or to where it ended.
    pub took: Duration,
    /// False if the client went away, or the file could not be read to its end.
    pub whole: bool,
}

/// Who is told. It is called on threads that serve others, and must not wait.
pub(crate) type Log = Arc<dyn Fn(&Access) + Send + Sync>;

/// An access that is under way.
pub(crate) struct Account {
    /// Bytes so far.
    pub(crate) bytes: u64,
    peer: IpAddr,
    method: String,
    path: String,
    status: u16,
    began: Instant,
    log: Log,
}

impl Account {
    /// Begins, with a request that was just read.
    pub(crate) fn open(peer: IpAddr, method: &str, path: &str, log: &Log) -> Self {
        Self {
            bytes: 0,
            peer,
            method: method.to_owned(),
            path: path.to_owned(),
            status: 0,
            began: Instant::now(),
            log: Arc::clone(log),
        }
    }

    /// With the status of the answer.
    pub(crate) fn answered(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Tells of it.
    pub(crate) fn close(&mut self, whole: bool) {
        (self.log)(&Access {
            peer: self.peer,
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            status: self.status,
            bytes: self.bytes,
            took: self.began.elapsed(),
            whole,
        });
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            method, path, bytes, ..
        } = self;
        write!(f, "Account({method} {path}, {bytes} bytes so far)")
    }
}
