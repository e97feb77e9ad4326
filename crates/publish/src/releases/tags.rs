//! Names for releases. They lie beside the records, so that whoever publishes into the folder, or mirrors it, has them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Book, CURRENT, ReleaseError};
use crate::PublishError;
use crate::folder::Folder;
use crate::live::read_if_there;
use crate::record::{FOLDER, Record};

/// The file of the tags, in the folder of the records.
const FILE: &str = "tags.json";

const FORMAT: u64 = 1;

/// The longest name.
const LONGEST: usize = 64;

/// Which name stands for which release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tags {
    format: u64,
    tags: BTreeMap<String, u64>,
}

impl Tags {
    pub(super) fn read(folder: &Path) -> Result<Self, PublishError> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let path = folder.join(FOLDER).join(FILE);
        let Some(text) = read_if_there(&path)? else {
            return Ok(Self {
                format: FORMAT,
                tags: BTreeMap::new(),
            });
        };
        let parsed = serde_json::from_slice(&text).and_then(|Format { format }| match format {
            FORMAT => serde_json::from_slice(&text).map(Ok),
            newer => Ok(Err(newer)),
        });
        match parsed {
            Ok(Ok(tags)) => Ok(tags),
            Ok(Err(format)) => Err(PublishError::NewerFormat { path, format }),
            Err(error) => Err(PublishError::Record {
                path,
                reason: error.to_string(),
            }),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<u64> {
        self.tags.get(name).copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tags.keys().map(String::as_str)
    }

    /// The names of a release.
    pub(super) fn of(&self, release: u64) -> Vec<String> {
        let names = self.tags.iter().filter(|(_, number)| **number == release);
        names.map(|(name, _)| name.clone()).collect()
    }

    /// Every name with its release.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.tags.iter().map(|(name, number)| (name.as_str(), *number))
    }

    pub(super) fn releases(&self) -> impl Iterator<Item = u64> {
        self.tags.values().copied()
    }

    fn write(&self, folder: &mut Folder, time: u64) -> Result<(), PublishError> {
        let text = serde_json::to_string_pretty(self).expect("texts and numbers are JSON") + "\n";
        replace(folder, FILE, &text, time)
    }
}

/// A tag that was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tagged {
    /// Its name.
    pub tag: String,
    /// The release that it names now.
    pub release: u64,
    /// The one that it named before, if it is another one.
    pub moved_from: Option<u64>,
}

/// Gives a release a name, by which it can be asked for, and which keeps it. A name that is there already moves.
///
/// `release` is a number, another tag, or `current`.
///
/// # Errors
/// The name cannot be one; there is no such release; or the folder cannot be written.
pub fn tag(folder: &Path, name: &str, release: &str) -> Result<Tagged, ReleaseError> {
    if !can_be_tag(name) {
        return Err(ReleaseError::BadTag(name.to_owned()));
    }
    let (mut locked, mut book) = open(folder)?;
    let release = book.find(release)?.number;
    let former = book.tags.tags.insert(name.to_owned(), release);
    if former != Some(release) {
        save(&mut locked, &book)?;
    }
    Ok(Tagged {
        tag: name.to_owned(),
        release,
        moved_from: former.filter(|former| *former != release),
    })
}

/// Takes a name away; gives the release that had it.
///
/// # Errors
/// There is no such tag; or the folder cannot be written.
pub fn untag(folder: &Path, name: &str) -> Result<u64, ReleaseError> {
    let (mut locked, mut book) = open(folder)?;
    let Some(release) = book.tags.tags.remove(name) else {
        return Err(ReleaseError::NoSuchTag(name.to_owned()));
    };
    save(&mut locked, &book)?;
    Ok(release)
}

/// Reads what is there, with the folder locked. A folder without releases is not made, and not touched.
fn open(folder: &Path) -> Result<(Folder, Book), ReleaseError> {
    Book::read(folder)?;
    let locked = Folder::open(folder)?;
    Ok((locked, Book::read(folder)?))
}

fn save(folder: &mut Folder, book: &Book) -> Result<(), ReleaseError> {
    let newest = book.records.last_key_value().map(|(_, record)| record);
    if let Some(record) = newest {
        guard_against_older_farms(folder, record)?;
    }
    let time = newest.map_or(0, |record| record.timestamp);
    book.tags.write(folder, time)?;
    folder.keep();
    Ok(())
}

/// A farm that knows the first format only would go on from a record of it, and remove what a tag keeps. Of a newer format it keeps
/// its hands off.
fn guard_against_older_farms(folder: &mut Folder, newest: &Record) -> Result<(), PublishError> {
    if newest.is_of_today() {
        return Ok(());
    }
    let record = newest.clone().of_today();
    replace(
        folder,
        &Record::file_name(record.number),
        &record.render(),
        record.timestamp,
    )
}

/// Replaces a file of the records' folder.
fn replace(folder: &mut Folder, name: &str, text: &str, time: u64) -> Result<(), PublishError> {
    let mut staged = folder.stage(name)?;
    staged.file.write_all(text.as_bytes())?;
    let file = staged.finish(time)?;
    folder.replace(&file, &format!("{FOLDER}/{name}"))?;
    folder.sync(Path::new(FOLDER))?;
    Ok(())
}

/// Whether a text can be a tag: a word that is no number and needs no quotes anywhere.
fn can_be_tag(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && name.len() <= LONGEST
        && name != CURRENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_words() {
        for name in ["stable", "v1.2-rc_3", "A", &"x".repeat(LONGEST)] {
            assert!(can_be_tag(name), "{name}");
        }
        for name in [
            "",
            "1",
            "-x",
            ".x",
            "a b",
            "a/b",
            "a=b",
            "ä",
            "current",
            &"x".repeat(LONGEST + 1),
        ] {
            assert!(!can_be_tag(name), "{name}");
        }
    }
}
