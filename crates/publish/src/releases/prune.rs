//! Releases that nobody keeps, and what goes with them.

use std::collections::BTreeSet;
use std::path::Path;

use fs_err as fs;
use serde::Serialize;

use super::{Book, RELEASES_KEPT, ReleaseError};
use crate::folder::Folder;
use crate::instance::is_package_path;
use crate::live::recorded;
use crate::record::{FOLDER, Record};

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// The releases that are forgotten.
    pub releases: Vec<u64>,
    /// The packages and archives of client files that go with them, relative to the folder.
    pub files: Vec<String>,
    /// Their size.
    pub bytes: u64,
    /// The releases that stay.
    pub kept: Vec<u64>,
    /// Those of them that stay only because clients may be at work with their index.
    pub for_clients: Vec<u64>,
}

/// Forgets all releases but the newest `keep`, those with a tag, the one in force, and the
/// [`RELEASES_FOR_CLIENTS`](super::RELEASES_FOR_CLIENTS) before the newest; removes the packages that no other lists. In a dry
/// run it only says what it would remove.
///
/// # Errors
/// Nothing was published there; a record that stays cannot be read, so that it is not known what it needs; or the disk.
pub fn prune(folder: &Path, keep: u64, dry_run: bool) -> Result<Pruned, ReleaseError> {
    let book = Book::read(folder)?;
    if dry_run {
        return Ok(plan(folder, book, keep)?.0);
    }
    let locked = Folder::open(folder)?;
    // Now nobody else changes it.
    let (pruned, files) = plan(folder, Book::read(folder)?, keep)?;
    remove(&locked, &pruned, &files);
    Ok(pruned)
}

/// After a publication: forgets what is older than the [`RELEASES_KEPT`] newest. Where it is not known what stays needs, everything
/// stays.
pub(crate) fn forget_the_oldest(locked: &Folder, folder: &Path) {
    let many = recorded(folder).map_or(0, |numbers| numbers.len() as u64);
    if many <= RELEASES_KEPT {
        return;
    }
    // The release is published; a file too many harms no client, and whoever wants to know asks `prune`, or the audit.
    if let Ok((pruned, files)) = Book::read(folder).and_then(|book| plan(folder, book, RELEASES_KEPT)) {
        remove(locked, &pruned, &files);
    }
}

/// What there is to remove. The second part names all files, also those that are gone already.
fn plan(folder: &Path, mut book: Book, keep: u64) -> Result<(Pruned, BTreeSet<String>), ReleaseError> {
    let (kept, for_clients) = book.kept(keep);
    if let Some(number) = book.unreadable.keys().copied().find(|number| kept.contains(number))
        && let Some(error) = book.unreadable.remove(&number)
    {
        return Err(error.into());
    }
    let needed = book.needed(&kept);
    let fallen: Vec<&Record> = book
        .records
        .values()
        .filter(|record| !kept.contains(&record.number))
        .collect();
    let files: BTreeSet<String> = fallen
        .iter()
        .flat_map(|record| {
            let packages = record.paths().filter(|path| is_package_path(path));
            packages.map(str::to_owned).chain(record.client_path())
        })
        .filter(|path| !needed.contains(path))
        .collect();
    let sizes = files.iter().filter_map(|path| {
        let metadata = fs::symlink_metadata(folder.join(path)).ok()?;
        Some((path.clone(), metadata.len()))
    });
    let (there, sizes): (Vec<String>, Vec<u64>) = sizes.unzip();
    let pruned = Pruned {
        releases: fallen.iter().map(|record| record.number).collect(),
        files: there,
        bytes: sizes.into_iter().sum(),
        kept: kept.into_iter().collect(),
        for_clients: for_clients.into_iter().collect(),
    };
    Ok((pruned, files))
}

/// Files go before the record that tells of them: what is killed in between is done again by the next one.
fn remove(locked: &Folder, pruned: &Pruned, files: &BTreeSet<String>) {
    for path in files {
        locked.discard(path);
    }
    for number in &pruned.releases {
        locked.discard(&format!("{FOLDER}/{}", Record::file_name(*number)));
    }
}
