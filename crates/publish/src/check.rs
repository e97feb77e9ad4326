//! Whether a folder still is what was published.

use std::collections::BTreeSet;
use std::path::Path;

use fs_err as fs;

use crate::client;
use crate::live::{Live, newest_record};

/// A release that is in force and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// The digest of `Packages`.
    pub index: blake3::Hash,
    /// The fingerprints of the primary keys that signed its packages; `None` among them for packages without a signature.
    pub signers: BTreeSet<Option<String>>,
}

/// Looks whether the folder is whole: the newest release is in force, and every file that its index lists is there with its
/// size, and the client files are as they should be. Otherwise `None`, and [`publish`](crate::publish) will mend it.
///
/// Reads the index and the newest record, but no package, and takes no lock. What it says of signatures is what the record
/// says.
pub fn in_force(folder: &Path) -> Option<InForce> {
    let record = newest_record(folder).ok()??;
    let live = Live::read(folder).ok()?;
    let whole = live.is_of(&record)
        && record
            .packages
            .iter()
            .all(|package| has_size(&folder.join(&package.path), package.size))
        && client::is_whole(folder, &record);
    let index = live.digest.filter(|_| whole)?;
    let signers = record.packages.into_iter().map(|package| package.signed_by).collect();
    Some(InForce { index, signers })
}

/// Gives the digest of `Packages` if the folder is whole; see [`in_force`].
pub fn index_digest(folder: &Path) -> Option<blake3::Hash> {
    in_force(folder).map(|release| release.index)
}

/// Whether a plain file of this size is there.
pub(crate) fn has_size(path: &Path, size: u64) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
}
