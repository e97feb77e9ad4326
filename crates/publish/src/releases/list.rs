//! What releases there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::{Book, ReleaseError};
use crate::check::has_size;

/// One release, as people and programs are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseLine {
    /// Counted from 1.
    pub release: u64,
    /// Whether its index is the one that clients see.
    pub current: bool,
    /// Its names.
    pub tags: Vec<String>,
    /// TIMESTAMP of its index, in seconds since the epoch.
    pub timestamp: u64,
    /// How many packages it lists.
    pub packages: usize,
    /// Their size, whoever else lists them.
    pub bytes: u64,
    /// Fingerprints of the primary keys that signed them; `None` among them for packages without a signature.
    pub signed_by: BTreeSet<Option<String>>,
    /// How many of the packages are gone, or have another size.
    pub missing: usize,
}

/// Lists the releases that have a record, the newest first.
///
/// # Errors
/// Nothing was published there; the newest record cannot be read; or the disk. Other records that cannot be read are left out:
/// [`audit`](crate::audit) names them.
pub fn releases(folder: &Path) -> Result<Vec<ReleaseLine>, ReleaseError> {
    let book = Book::read(folder)?;
    // Most files are shared.
    let mut whole: BTreeMap<(&str, u64), bool> = BTreeMap::new();
    let mut lines = Vec::new();
    for record in book.records.values().rev() {
        let mut missing = 0;
        for package in &record.packages {
            let there = whole
                .entry((&package.path, package.size))
                .or_insert_with(|| has_size(&folder.join(&package.path), package.size));
            missing += usize::from(!*there);
        }
        lines.push(ReleaseLine {
            release: record.number,
            current: book.in_force == Some(record.number),
            tags: book.tags.of(record.number),
            timestamp: record.timestamp,
            packages: record.packages.len(),
            bytes: record.packages.iter().map(|package| package.size).sum(),
            signed_by: record
                .packages
                .iter()
                .map(|package| package.signed_by.clone())
                .collect(),
            missing,
        });
    }
    Ok(lines)
}
