//! Why a publication failed.

use std::io;
use std::path::PathBuf;

use farm_portage::gpkg::GpkgError;
use farm_portage::index::EntryError;
use farm_portage::normal::NormalError;

/// Whose fault an error is, which decides how a program that uses this crate exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What the user asked for cannot be done.
    Input,
    /// A disk, a permission, another process.
    Environment,
    /// The caller broke a rule of this crate.
    Bug,
}

/// Why nothing was published. What clients see is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Something else than a folder is where packages shall go (environment).
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// Another publication into this folder is under way (environment).
    #[error("another publication into {} is under way", .0.display())]
    Locked(PathBuf),
    /// A newer farm published here, in a way this one does not know (environment).
    #[error("{} was written by a newer farm (format {format})", path.display())]
    NewerFormat {
        /// The record.
        path: PathBuf,
        /// The format it names.
        format: u64,
    },
    /// The record of the newest release is damaged (environment). Without it farm cannot know which BUILD_IDs were used.
    #[error("the record {} cannot be read: {reason}", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A package cannot be read, stamped or signed.
    #[error("{cpv}: {}", with_causes(error))]
    Package {
        /// As the caller named it.
        cpv: String,
        /// What is wrong; the message tells its causes too.
        error: NormalError,
    },
    /// A package cannot be put into an index.
    #[error("{cpv}: {error}")]
    Entry {
        /// As the caller named it.
        cpv: String,
        /// What is wrong.
        error: EntryError,
    },
    /// The caller gave a package another name than its own, or one that is no name (bug).
    #[error("the package given as `{cpv}` calls itself `{own}`")]
    WrongName {
        /// As the caller named it.
        cpv: String,
        /// What its metadata say.
        own: String,
    },
    /// A thread that wrote packages is gone (bug).
    #[error("a thread that writes packages was lost")]
    ThreadLost,
    /// A licence group was to be denied without its members (bug).
    #[error("the licence group `{0}` was not expanded")]
    LicenseGroup(String),
    /// A client file was given a path that leads elsewhere, or that farm itself uses (bug).
    #[error("`{0}` is no path of a client file")]
    ClientPath(String),
    /// The file system refused (environment). The error names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl PublishError {
    /// Tells whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Package { error, .. } => portage_kind(error.kind()),
            Self::Entry { error, .. } => portage_kind(error.kind()),
            Self::WrongName { .. } | Self::LicenseGroup(_) | Self::ClientPath(_) | Self::ThreadLost => ErrorKind::Bug,
            Self::NotAFolder(_) | Self::Locked(_) | Self::NewerFormat { .. } | Self::Record { .. } | Self::Io(_) => {
                ErrorKind::Environment
            }
        }
    }

    /// Says what to do about it, where somebody knows: whoever signs.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Package {
                error: NormalError::Gpkg(GpkgError::Signature { error, .. }),
                ..
            } => error.hint.as_deref(),
            _ => None,
        }
    }
}

/// Joins the messages of an error and of its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn portage_kind(kind: farm_portage::gpkg::ErrorKind) -> ErrorKind {
    match kind {
        farm_portage::gpkg::ErrorKind::Input => ErrorKind::Input,
        farm_portage::gpkg::ErrorKind::Environment => ErrorKind::Environment,
    }
}
