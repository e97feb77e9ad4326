//! Why a folder cannot be served.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Whose fault an error is, which decides how a program that uses this crate exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What the user asked for cannot be done.
    Input,
    /// A permission, another process, the network.
    Environment,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no such folder (input).
    #[error("there is no folder {}", .0.display())]
    NotThere(PathBuf),
    /// Something else than a folder was given (input).
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// The folder cannot be opened (environment).
    #[error("cannot open {}: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Somebody else listens on the address (environment).
    #[error("cannot listen on {0}: the address is in use")]
    InUse(SocketAddr),
    /// The address cannot be listened on (environment).
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// No threads can be started (environment).
    #[error("cannot start the server: {0}")]
    Start(io::Error),
}

impl ServeError {
    /// Tells whose fault this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotThere(_) | Self::NotAFolder(_) => ErrorKind::Input,
            Self::Folder { .. } | Self::InUse(_) | Self::Listen { .. } | Self::Start(_) => ErrorKind::Environment,
        }
    }
}
