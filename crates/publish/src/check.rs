//! Whether a folder still is what was published.

use std::path::Path;

use fs_err as fs;

use crate::live::{Live, newest_record};

/// Gives the digest of `Packages` if the folder is whole: the newest release is in force, and every file that its index
/// lists is there with its size. Otherwise `None`, and [`publish`](crate::publish) will mend it.
///
/// Reads the index and the newest record, but no package, and takes no lock.
pub fn index_digest(folder: &Path) -> Option<blake3::Hash> {
    let record = newest_record(folder).ok()??;
    let live = Live::read(folder).ok()?;
    let whole = live.is_of(&record)
        && record
            .packages
            .iter()
            .all(|package| has_size(&folder.join(&package.path), package.size));
    live.digest.filter(|_| whole)
}

/// Whether a plain file of this size is there.
pub(crate) fn has_size(path: &Path, size: u64) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
}
