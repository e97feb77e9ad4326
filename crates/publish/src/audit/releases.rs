//! Records, tags, and files that nothing lists.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use farm_portage::index::Index;
use fs_err as fs;

use super::{Fault, Looked};
use crate::PublishError;
use crate::live::{INDEX, recorded};
use crate::record::{FOLDER, Record};
use crate::releases::{Book, ReleaseError};

/// Reads the records; `None` where there are none or they cannot be used, which is a fault if the newest one cannot.
pub(super) fn read(folder: &Path, has_index: bool, faults: &mut Vec<Fault>) -> Result<Option<Book>, ReleaseError> {
    match Book::read(folder) {
        Ok(book) => Ok(Some(book)),
        Err(ReleaseError::NoReleases(_)) if has_index => Ok(None),
        Err(ReleaseError::Publish(error @ (PublishError::Record { .. } | PublishError::NewerFormat { .. }))) => {
            let newest = recorded(folder)?.last().map(|number| Record::file_name(*number));
            let path = format!("{FOLDER}/{}", newest.unwrap_or_default());
            faults.push(Fault::new(&path, error.to_string()));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Looks at what the records say of each other, and of the index.
pub(super) fn check(folder: &Path, book: &Book, index: Option<&Index>, faults: &mut Vec<Fault>) {
    let record = |number: u64| format!("{FOLDER}/{}", Record::file_name(number));
    for (number, error) in &book.unreadable {
        faults.push(Fault::new(&record(*number), error.to_string()));
    }
    for (tag, number) in book
        .tags
        .iter()
        .filter(|(_, number)| !book.records.contains_key(number))
    {
        let fault = format!("the tag `{tag}` names release {number}, which is not there");
        faults.push(Fault::new(&format!("{FOLDER}/tags.json"), fault));
    }
    let newest = book.newest();
    match book.in_force {
        Some(number) if number == newest => {}
        Some(number) => {
            let fault =
                format!("it is that of release {number}: the publication of {newest} was broken off, or is under way");
            faults.push(Fault::new(INDEX, fault));
        }
        None if index.is_some() && folder.join(INDEX).exists() => {
            faults.push(Fault::new(
                INDEX,
                "it is not the index of any release: something else wrote it",
            ));
        }
        None => {}
    }
}

/// Names packages that neither the index nor a release lists.
pub(super) fn leftovers(
    folder: &Path,
    listed: &BTreeMap<String, Looked<'_>>,
    faults: &mut Vec<Fault>,
) -> io::Result<()> {
    let mut pending: BTreeSet<String> = [String::new()].into();
    while let Some(below) = pending.pop_first() {
        for entry in fs::read_dir(folder.join(&below))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let path = if below.is_empty() {
                name
            } else {
                format!("{below}/{name}")
            };
            if entry.file_type()?.is_dir() {
                pending.insert(path);
            } else if is_package(&path) && !listed.contains_key(&path) {
                faults.push(Fault::new(&path, "neither the index nor a release lists it"));
            }
        }
    }
    Ok(())
}

fn is_package(path: &str) -> bool {
    [".gpkg.tar", ".xpak", ".tbz2"]
        .iter()
        .any(|suffix| path.ends_with(suffix))
}
