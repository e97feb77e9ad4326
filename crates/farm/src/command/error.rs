//! What a command could not do, and whose fault it is.

use farm_engine::{EngineError, Failure, FailureKind};
use farm_guard_file::OpenError;
use farm_manifest::LoadError;
use farm_manifest::address::redacted;
use farm_store::LockError;

use crate::context::{DISK_FULL, chain, is_disk_full};
use crate::lockfile::LockFileError;

/// A command that could not be carried out. Failures of nodes are not errors but part of a run's summary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FarmError {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// What happened, as a sentence fragment, possibly with further lines.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Mistakes in files, with the text and carets, ready to be printed.
    pub rendered: Option<String>,
}

impl FarmError {
    /// The user's mistake.
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Input,
            message: redacted(&message.into()).into_owned(),
            hint: None,
            rendered: None,
        }
    }

    /// The machine's.
    pub fn environment(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Environment,
            ..Self::input(message)
        }
    }

    /// Ours.
    pub fn bug(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Bug,
            ..Self::input(message)
        }
    }

    /// The disk's, with all that caused it.
    pub(super) fn of_disk(error: &(dyn std::error::Error + 'static)) -> Self {
        let failed = Self::environment(chain(error));
        if is_disk_full(error) {
            failed.hint(DISK_FULL)
        } else {
            failed
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(redacted(&hint.into()).into_owned());
        self
    }
}

impl From<Failure> for FarmError {
    fn from(failure: Failure) -> Self {
        let error = Self {
            kind: failure.kind,
            ..Self::input(failure.message)
        };
        match failure.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<std::io::Error> for FarmError {
    fn from(error: std::io::Error) -> Self {
        Self::of_disk(&error)
    }
}

impl From<LoadError> for FarmError {
    fn from(error: LoadError) -> Self {
        match &error {
            LoadError::NoSuchFarm { .. } => Self::input(error.to_string()),
            LoadError::Invalid {
                diagnostics, sources, ..
            } => Self {
                rendered: Some(diagnostics.render(sources, false)),
                ..Self::input(error.to_string())
            },
            LoadError::Io(cause) => Self::environment(format!("{error}: {cause}")),
        }
    }
}

impl From<LockFileError> for FarmError {
    fn from(error: LockFileError) -> Self {
        match &error {
            LockFileError::Malformed { .. } => {
                Self::input(error.to_string()).hint("mend it, or remove it and run `farm update`")
            }
            LockFileError::Newer { .. } => Self::environment(error.to_string()).hint("use that newer farm"),
            LockFileError::Io(_) => Self::environment(error.to_string()),
        }
    }
}

impl From<LockError> for FarmError {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held { .. } => {
                Self::environment(error.to_string()).hint("wait until that run is over, or stop it")
            }
            LockError::Io { .. } => Self::of_disk(&error),
        }
    }
}

impl From<OpenError> for FarmError {
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::Newer { .. } => Self::environment(error.to_string()).hint("use that newer farm"),
            OpenError::Foreign { .. } => {
                Self::environment(error.to_string()).hint("move it away: what it recorded is built again")
            }
            OpenError::Io(_) => Self::of_disk(&error),
        }
    }
}

impl From<EngineError> for FarmError {
    fn from(error: EngineError) -> Self {
        match &error {
            EngineError::Graph(farm_engine::GraphError::Cycle { .. }) => Self::input(error.to_string()),
            EngineError::Guard(_) => Self::environment(error.to_string()),
            EngineError::Graph(_) | EngineError::WorkerLost | EngineError::Unknown { .. } => {
                Self::bug(error.to_string())
            }
        }
    }
}
