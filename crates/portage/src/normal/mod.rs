//! The normal form of a package: what stays of it when clock, job count and order of folders are taken away.
//!
//! Two builds of the same thing have the same normal form, byte for byte, and so have the GPKG and the XPAK of one
//! build. [`normalise`], [`normalise_xpak`] and, of what is installed, [`normalise_installed`] make it and sum it up in two digests and an [`abi`](crate::abi); [`stamp`] puts into it what a
//! published package needs and a digest must not know.

mod abi;
mod digests;
mod image;
mod installed;
mod metadata;
mod rewrite;
mod stamp;

pub use digests::INTERFACE_METADATA;
pub use installed::{INSTALLED_METADATA, lacking_metadata, normalise_installed};
pub use metadata::{DROPPED_METADATA, SORTED_METADATA, normalise_metadata};
pub use rewrite::{NormalOptions, NormalReport, Warning, normalise, normalise_xpak};
pub use stamp::{StampReport, stamp};

use crate::environment::EnvironmentError;
use crate::gpkg::{ErrorKind, GpkgError};
use crate::xpak::XpakError;

/// Why a package could not be brought into normal form, or stamped.
#[derive(Debug, thiserror::Error)]
pub enum NormalError {
    /// The container.
    #[error(transparent)]
    Gpkg(#[from] GpkgError),
    /// The package that is to become one.
    #[error(transparent)]
    Xpak(#[from] XpakError),
    /// The saved environment.
    #[error("environment.bz2: {0}")]
    Environment(#[from] EnvironmentError),
}

impl NormalError {
    /// Tells whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Gpkg(error) => error.kind(),
            Self::Xpak(error) => error.kind(),
            Self::Environment(_) => ErrorKind::Input,
        }
    }
}
