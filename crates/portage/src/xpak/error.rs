//! What can go wrong with an XPAK.

use std::io;

use crate::gpkg::{ErrorKind, GpkgError};

/// Why an XPAK could not be read.
#[derive(Debug, thiserror::Error)]
pub enum XpakError {
    /// The source of the package failed.
    #[error("cannot read the package")]
    Read(#[source] io::Error),
    /// The file does not end like one.
    #[error("not an XPAK: it does not end with XPAKSTOP, a length and STOP")]
    Trailer,
    /// The segment contradicts itself or the file.
    #[error("the XPAK segment is damaged: {0}")]
    Segment(String),
    /// The segment has a file that metadata cannot have.
    #[error("the XPAK segment has a file `{name}`: {reason}")]
    Name {
        /// The name, with what is not UTF-8 replaced.
        name: String,
        /// Why it is refused.
        reason: &'static str,
    },
    /// The segment is larger than the given limits allow.
    #[error("the XPAK segment has {size} bytes, which exceeds the limit of {limit}")]
    TooLarge {
        /// The size that the trailer tells.
        size: u64,
        /// The limit, from [`Limits`](crate::gpkg::Limits).
        limit: u64,
    },
    /// The image is compressed in a way that this crate cannot undo.
    #[error("the image is compressed with {0}, which is not supported")]
    Compression(&'static str),
    /// The image begins neither like a tar nor like anything compressed that Portage knows.
    #[error("the image is neither a tar nor compressed in a known way")]
    Unrecognised,
    /// The image, which must be what that of a GPKG must be.
    #[error(transparent)]
    Image(#[from] GpkgError),
}

impl XpakError {
    /// Tells whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read(_) => ErrorKind::Environment,
            Self::Image(error) => error.kind(),
            Self::Trailer
            | Self::Segment(_)
            | Self::Name { .. }
            | Self::TooLarge { .. }
            | Self::Compression(_)
            | Self::Unrecognised => ErrorKind::Input,
        }
    }

    pub(super) fn segment(text: impl Into<String>) -> Self {
        Self::Segment(text.into())
    }
}
