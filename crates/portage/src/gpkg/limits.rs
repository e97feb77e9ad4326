//! Budgets that keep a hostile package from filling memory or disk.

use std::io::{self, Read};

/// A `Manifest` larger than this is refused: real ones have six short lines and perhaps a signature.
pub(super) const MANIFEST_LIMIT: u64 = 1 << 20;

/// How much a package may unpack to before reading it stops with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Uncompressed bytes of `metadata.tar`, or of an XPAK's segment, which are held in memory.
    pub metadata_bytes: u64,
    /// Uncompressed bytes of the image's archive, headers included.
    pub image_bytes: u64,
    /// Entries of the image; their names are held in memory.
    pub image_entries: u64,
    /// Uncompressed bytes of a GPKG's image that may be held in memory to bring its entries into order. Portage writes
    /// sorted images into a GPKG, so this concerns packages of other writers only.
    pub sort_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            metadata_bytes: 256 << 20,
            image_bytes: 256 << 30,
            image_entries: 10_000_000,
            sort_bytes: 1 << 30,
        }
    }
}

/// Marks the I/O error that [`Budgeted`] makes, so that it can be told from a failing disk.
#[derive(Debug, thiserror::Error)]
#[error("the archive unpacks to more than {limit} bytes")]
pub(super) struct BudgetExceeded {
    pub(super) limit: u64,
}

/// A reader that fails as soon as more than `limit` bytes came through.
pub(crate) struct Budgeted<R> {
    inner: R,
    limit: u64,
    used: u64,
}

impl<R> Budgeted<R> {
    pub(crate) fn new(inner: R, limit: u64) -> Self {
        Self { inner, limit, used: 0 }
    }
}

impl<R: Read> Read for Budgeted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.used += n as u64;
        if self.used > self.limit {
            return Err(io::Error::other(BudgetExceeded { limit: self.limit }));
        }
        Ok(n)
    }
}
