//! Why nothing could be moved.

use std::io;
use std::path::PathBuf;

use farm_publish::PublishError;

/// Whose fault an error is, which decides how a program that uses this crate exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What the user wrote.
    Input,
    /// A host, a network, a permission, another publisher.
    Environment,
    /// The caller broke a rule of this crate.
    Bug,
}

/// Why a folder was not moved, or not all of it. The next run goes on where this one ended.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nobody answers, or the connection broke, also after several attempts (environment).
    #[error("{place} is out of reach: {reason}")]
    Unreachable {
        /// The remote, or a file of it.
        place: String,
        /// What was seen.
        reason: String,
    },
    /// Who publishes was not recognised, or may not do this (environment).
    #[error("{place} refuses: {reason}")]
    Refused {
        /// The remote, or a file of it.
        place: String,
        /// What it said.
        reason: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// No room is left, or a file is bigger than the remote takes (environment).
    #[error("{place} takes no more: {reason}")]
    Full {
        /// The remote, or a file of it.
        place: String,
        /// What it said.
        reason: String,
    },
    /// The remote does not do what publishing needs (environment).
    #[error("{place}: {reason}")]
    Unable {
        /// The remote, or a file of it.
        place: String,
        /// What it does not do.
        reason: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A program of this machine is not there (environment).
    #[error("cannot start {program}: {error}")]
    NoProgram {
        /// Its name.
        program: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The credentials are not there, or cannot be read (environment).
    #[error("{reason}")]
    Credentials {
        /// What is missing.
        reason: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// Another publisher made this release at the same time (environment).
    #[error("another publisher made release {number} of {place} at the same time")]
    Overtaken {
        /// The remote.
        place: String,
        /// The release's number.
        number: u64,
    },
    /// Something at the remote is not what a publisher left there (environment).
    #[error("{place} cannot be used: {reason}")]
    Damaged {
        /// The file.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody asked to stop (environment).
    #[error("stopped")]
    Stopped,
    /// A push did not come to its end, and what it was to bring is here neither (environment).
    #[error("{place}: a push did not come to its end, and {path} is neither there nor here")]
    Unfinished {
        /// The remote.
        place: String,
        /// The file.
        path: String,
    },
    /// The mirror is not what a publication left (environment).
    #[error("the mirror {}: {reason}", path.display())]
    Mirror {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A record cannot be used.
    #[error(transparent)]
    Record(#[from] PublishError),
    /// The local file system refused (environment). The error names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl RemoteError {
    /// Nobody answers at `place`.
    pub(crate) fn unreachable(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unreachable {
            place: place.into(),
            reason: reason.into(),
        }
    }

    /// Tells whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Record(error) => match error.kind() {
                farm_publish::ErrorKind::Input => ErrorKind::Input,
                farm_publish::ErrorKind::Environment => ErrorKind::Environment,
                farm_publish::ErrorKind::Bug => ErrorKind::Bug,
            },
            _ => ErrorKind::Environment,
        }
    }

    /// Says what to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unreachable { .. } => Some(
                "what clients see is the release before; run it again when the host answers: it goes on where it ended",
            ),
            Self::Full { .. } => Some(
                "make room there, or let it take bigger files (nginx: client_max_body_size), and run it again: it goes on where it ended",
            ),
            Self::Refused { hint, .. } | Self::Unable { hint, .. } | Self::Credentials { hint, .. } => Some(hint),
            Self::NoProgram { .. } => Some("install it (Debian: openssh-client, rsync), or put it into PATH"),
            Self::Overtaken { .. } => Some("run it again: it takes over that release and follows it"),
            Self::Mirror { .. } => Some("remove the folder: it is made again from the remote and the packages"),
            Self::Unfinished { .. } => Some("publish again where the packages are: `farm publish-pkgs` completes it"),
            Self::Damaged { .. } => Some("put back the file that the publisher made"),
            Self::Record(error) => error.hint(),
            Self::Stopped | Self::Io(_) => None,
        }
    }
}
