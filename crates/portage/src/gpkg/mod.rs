//! The GPKG binary package container (GLEP 78).
//!
//! A GPKG is an uncompressed tar whose members lie in one directory: `gpkg-1`, `metadata.tar*`, `image.tar*`, their
//! optional signatures, and `Manifest` with the size and digests of every other member. [`Reader`] takes apart what
//! anybody wrote, distrusting all of it; [`ContainerWriter`] writes the one form that this crate produces, and
//! [`SignedWriter`] the same with signatures; [`early_metadata`] finds the metadata of a package that is elsewhere, without
//! its image. The signatures themselves are made by a [`Signer`] and checked by a [`Verifier`]: that takes a key ring and is
//! the caller's business.

mod container;
mod error;
pub(crate) mod image;
pub(crate) mod limits;
mod manifest;
mod metadata;
mod partial;
mod pieces;
mod reader;
mod signature;
mod signed_writer;
mod tar_header;
mod verify;
mod writer;

pub use crate::compression::{Compression, ZSTD_LEVEL};
pub use container::Member;
pub use error::{ErrorKind, GpkgError};
pub(crate) use image::{EntryGuard, path_order};
pub use image::{EntryKind, ImageEntry};
pub use limits::Limits;
pub use manifest::{Manifest, ManifestEntry, MemberDigests};
pub use partial::{EarlyMetadata, Step, early_manifest, early_metadata};
pub use pieces::Pieces;
pub use reader::Reader;
pub use signature::{SignatureError, Signer, Verifier};
pub use signed_writer::{SignedWriter, sign};
pub use writer::{ContainerWriter, ImageWriter, metadata_tar};

use std::collections::BTreeMap;

/// The metadata of a package: file name (a VDB key such as `SLOT`, or `environment.bz2`) to the verbatim bytes.
pub type Metadata = BTreeMap<String, Vec<u8>>;

/// The name of the empty member that identifies the container's format version (GLEP 78).
pub const VERSION_MEMBER: &str = "gpkg-1";

/// The name of the member that holds sizes and digests of the others (GLEP 78, GLEP 74).
pub const MANIFEST_MEMBER: &str = "Manifest";

/// Takes one metadata value as Portage's package database reads it: invalid UTF-8 replaced, runs of white space
/// folded to one space, the ends trimmed.
///
/// A missing key reads as the empty string.
pub fn folded(metadata: &Metadata, key: &str) -> String {
    metadata
        .get(key)
        .map_or_else(String::new, |value| fold_whitespace(&String::from_utf8_lossy(value)))
}

/// Folds runs of white space to one space, counting as white space what Python's `str.split` does.
///
/// Python also splits at the four ASCII separators U+001C to U+001F, which Unicode does not call white space.
pub(crate) fn fold_whitespace(text: &str) -> String {
    let is_space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    text.split(is_space)
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
