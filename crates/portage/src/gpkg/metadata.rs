//! Taking `metadata.tar` apart.

use std::io::{self, BufRead, Read};

use super::limits::Budgeted;
use super::{GpkgError, Limits, Metadata};
use crate::compression::{Compression, decoder};

/// What messages call the archive.
const ARCHIVE: &str = "metadata.tar";

/// Reads the metadata from the bytes of its member, as they lie in the container.
///
/// Fails for damage, for more than `limits.metadata_bytes`, and for anything but plain files with plain names in
/// `metadata/`, each there once.
pub(super) fn read(member: impl BufRead, compression: Compression, limits: &Limits) -> Result<Metadata, GpkgError> {
    let decoding = |error| GpkgError::decoding(ARCHIVE, error);
    let tar = Budgeted::new(decoder(compression, member).map_err(decoding)?, limits.metadata_bytes);
    let mut archive = tar::Archive::new(tar);
    let mut metadata = Metadata::new();
    for entry in archive.entries().map_err(decoding)? {
        let mut entry = entry.map_err(decoding)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let dangerous = |reason: &str| GpkgError::Dangerous {
            archive: ARCHIVE,
            path: path.clone(),
            reason: reason.to_owned(),
        };
        if entry.header().entry_type().is_dir() && path.trim_end_matches('/') == "metadata" {
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err(dangerous("it is not a plain file"));
        }
        let name = path.strip_prefix("metadata/").unwrap_or_default();
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0', '\u{fffd}']) {
            return Err(dangerous("it is not a plain name in `metadata/`"));
        }
        let size = entry.size();
        let mut value = Vec::new();
        entry.read_to_end(&mut value).map_err(decoding)?;
        if value.len() as u64 != size {
            return Err(decoding(io::ErrorKind::UnexpectedEof.into()));
        }
        if metadata.insert(name.to_owned(), value).is_some() {
            return Err(dangerous("it appears twice"));
        }
    }
    Ok(metadata)
}
