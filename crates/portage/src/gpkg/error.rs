//! What can go wrong with a GPKG.

use std::io;

use super::SignatureError;
use super::image::IMAGE;
use super::limits::BudgetExceeded;

/// Whose fault an error is, which decides how a program that uses this crate exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The package is damaged, dangerous, or of a kind that is not supported.
    Input,
    /// Reading or writing failed underneath: a disk, a socket.
    Environment,
}

/// Why a GPKG could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GpkgError {
    /// The source of the package failed.
    #[error("cannot read the package")]
    Read(#[source] io::Error),
    /// The destination of the package failed.
    #[error("cannot write the package")]
    Write(#[source] io::Error),
    /// The bytes are no tar, end too early, or a compressed stream is damaged.
    #[error("{part} is damaged: {reason}")]
    Damaged {
        /// The container, or the name of the member.
        part: String,
        /// What the decoder said.
        reason: String,
    },
    /// The container does not have the structure that GLEP 78 demands.
    #[error("not a GPKG container: {0}")]
    Structure(String),
    /// The `Manifest` member does not parse.
    #[error("Manifest line {line}: {reason}")]
    Manifest {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A member and its line in `Manifest` disagree.
    #[error("member `{member}` does not match Manifest: {what}")]
    Mismatch {
        /// The member's name without the directory.
        member: String,
        /// `size`, or the name of the digest.
        what: String,
    },
    /// A member is compressed in a way that this crate cannot undo.
    #[error("member `{member}`: compression `{suffix}` is not supported")]
    Compression {
        /// The member's name without the directory.
        member: String,
        /// The suffix, with its dot.
        suffix: String,
    },
    /// An inner archive has an entry that must not be extracted.
    #[error("{archive} has a dangerous entry `{path}`: {reason}")]
    Dangerous {
        /// `metadata.tar` or `the image`.
        archive: &'static str,
        /// The entry's path as it stands there.
        path: String,
        /// Why it is refused.
        reason: String,
    },
    /// The image has a device node or a FIFO, which Portage packs but refuses to install.
    #[error("the image has a {kind} at `/{path}`, which emerge refuses to install")]
    SpecialFile {
        /// Relative to the root of the image.
        path: String,
        /// `FIFO`, `character device` or `block device`.
        kind: &'static str,
    },
    /// The package unpacks to more than the given limits allow.
    #[error("{part} exceeds the limit of {limit} {unit}")]
    TooLarge {
        /// The archive that is too large.
        part: String,
        /// The limit, from [`Limits`](super::Limits).
        limit: u64,
        /// What the limit counts.
        unit: &'static str,
    },
    /// A member of a package that must be signed has no signature.
    #[error("`{member}` is not signed")]
    Unsigned {
        /// The member's name without the directory.
        member: String,
    },
    /// A signature could not be made, or does not count.
    #[error("signature of `{member}`: {error}")]
    Signature {
        /// The signed member's name without the directory.
        member: String,
        /// What whoever signs or checks says.
        error: SignatureError,
    },
    /// A metadata value that every package has is missing or unreadable.
    #[error("metadata `{key}`: {reason}")]
    Metadata {
        /// The metadata key.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

impl GpkgError {
    /// Tells whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read(_) | Self::Write(_) => ErrorKind::Environment,
            Self::Signature { error, .. } => error.kind,
            _ => ErrorKind::Input,
        }
    }

    /// Sorts an error that came out of a stack of decoders over the package's source.
    ///
    /// Decoders report damage as an I/O error too, so the error's kind tells the two apart: the operating system's
    /// errors carry a code, the decoders' do not.
    pub(super) fn decoding(part: &str, error: io::Error) -> Self {
        if let Some(budget) = find_budget(&error) {
            return Self::TooLarge {
                part: part.to_owned(),
                limit: budget,
                unit: "bytes",
            };
        }
        if has_os_code(&error) {
            return Self::Read(error);
        }
        Self::Damaged {
            part: part.to_owned(),
            reason: error.to_string(),
        }
    }

    /// Sorts an error of a content reader that [`Reader::visit_image`](super::Reader::visit_image) or its namesake in
    /// [`xpak`](crate::xpak) hands out: a limit, damage, or the source.
    pub fn content(error: io::Error) -> Self {
        Self::decoding(IMAGE, error)
    }

    pub(super) fn structure(text: impl Into<String>) -> Self {
        Self::Structure(text.into())
    }
}

fn find_budget(error: &io::Error) -> Option<u64> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|e| e as _);
    while let Some(e) = source {
        if let Some(budget) = e.downcast_ref::<BudgetExceeded>() {
            return Some(budget.limit);
        }
        // An `io::Error` reports its inner error's source as its own, which would skip that inner error.
        source = match e.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|e| e as _),
            None => e.source(),
        };
    }
    None
}

fn has_os_code(error: &io::Error) -> bool {
    if error.raw_os_error().is_some() {
        return true;
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|e| e as _);
    while let Some(e) = source {
        match e.downcast_ref::<io::Error>() {
            Some(io) if io.raw_os_error().is_some() => return true,
            Some(io) => source = io.get_ref().map(|e| e as _),
            None => source = e.source(),
        }
    }
    false
}
