//! The normal form of a package: what stays of a GPKG when clock, job count and order of folders are taken away.
//!
//! Two builds of the same thing have the same normal form, byte for byte. [`normalise`] makes it and sums it up in two
//! digests; [`stamp`] puts into it what a published package needs and a digest must not know.

mod digests;
mod metadata;
mod rewrite;
mod stamp;

pub use digests::INTERFACE_METADATA;
pub use metadata::{DROPPED_METADATA, SORTED_METADATA, normalise_metadata};
pub use rewrite::{NormalOptions, NormalReport, Warning, normalise};
pub use stamp::{StampReport, stamp};

use crate::environment::EnvironmentError;
use crate::gpkg::{ErrorKind, GpkgError};

/// Why a package could not be brought into normal form, or stamped.
#[derive(Debug, thiserror::Error)]
pub enum NormalError {
    /// The container.
    #[error(transparent)]
    Gpkg(#[from] GpkgError),
    /// The saved environment.
    #[error("environment.bz2: {0}")]
    Environment(#[from] EnvironmentError),
}

impl NormalError {
    /// Tells whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Gpkg(error) => error.kind(),
            Self::Environment(_) => ErrorKind::Input,
        }
    }
}
