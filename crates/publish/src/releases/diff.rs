//! What is different between two releases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::{Book, ReleaseError};
use crate::record::{Instance, Record};

/// What one release has and another one has not. Instances are named as Portage names them, `category/name-version-BUILD_ID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The number of the first release.
    pub from: u64,
    /// The number of the second.
    pub to: u64,
    /// Instances that only the second has, of versions of which it has more.
    pub added: Vec<String>,
    /// Instances that only the first has, of versions of which it had more.
    pub removed: Vec<String>,
    /// Instances of the second that stand in the place of one of the first.
    pub changed: Vec<Changed>,
}

/// Another build of the same version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The version.
    pub cpv: String,
    /// BUILD_ID in the first release.
    pub from: u64,
    /// BUILD_ID in the second.
    pub to: u64,
    /// Whether the package holds something else; if not, only its stamp or its signature is another one.
    pub content: bool,
}

/// Compares two releases. Each is a number, a tag, or `current`; `from` may be left out for the one before `to`.
///
/// # Errors
/// There is no such release; or it cannot be read.
pub fn diff(folder: &Path, from: Option<&str>, to: &str) -> Result<Diff, ReleaseError> {
    let book = Book::read(folder)?;
    let to = book.find(to)?;
    let from = match from {
        Some(word) => book.find(word)?,
        None => book.before(to.number)?,
    };
    Ok(compare(from, to))
}

fn compare(from: &Record, to: &Record) -> Diff {
    let mut diff = Diff {
        from: from.number,
        to: to.number,
        added: Vec::new(),
        removed: Vec::new(),
        changed: Vec::new(),
    };
    let (mut gone, mut come) = (only_in(from, to), only_in(to, from));
    let versions: BTreeSet<&str> = gone.keys().chain(come.keys()).copied().collect();
    for cpv in versions {
        let (mut old, mut new) = (
            gone.remove(cpv).unwrap_or_default(),
            come.remove(cpv).unwrap_or_default(),
        );
        let mut change = |old: &Instance, new: &Instance, content| {
            diff.changed.push(Changed {
                cpv: cpv.to_owned(),
                from: old.stamp.build_id,
                to: new.stamp.build_id,
                content,
            });
        };
        // The same content is the same package; of the rest, the oldest stands for the oldest.
        new.retain(|new| match old.iter().position(|old| old.payload == new.payload) {
            Some(place) => {
                change(old.remove(place), new, false);
                false
            }
            None => true,
        });
        let pairs = old.len().min(new.len());
        for (old, new) in old.drain(..pairs).zip(new.drain(..pairs)) {
            change(old, new, true);
        }
        diff.removed.extend(old.into_iter().map(Instance::name));
        diff.added.extend(new.into_iter().map(Instance::name));
    }
    diff.changed.sort_by(|a, b| (&a.cpv, a.to).cmp(&(&b.cpv, b.to)));
    diff
}

/// The instances of a release that the other one has not, by version, each version's by BUILD_ID.
fn only_in<'a>(record: &'a Record, other: &Record) -> BTreeMap<&'a str, Vec<&'a Instance>> {
    let known: BTreeSet<(&str, &[u8])> = other.packages.iter().map(identity).collect();
    let mut found: BTreeMap<&str, Vec<&Instance>> = BTreeMap::new();
    for instance in record
        .packages
        .iter()
        .filter(|instance| !known.contains(&identity(instance)))
    {
        found.entry(&instance.cpv).or_default().push(instance);
    }
    for instances in found.values_mut() {
        instances.sort_by_key(|instance| instance.stamp.build_id);
    }
    found
}

fn identity(instance: &Instance) -> (&str, &[u8]) {
    (&instance.path, instance.digest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{Stamp, Stamps};

    fn release(number: u64, packages: &[(&str, u64, &str)]) -> Record {
        let packages = packages
            .iter()
            .map(|(cpv, build_id, content)| Instance {
                cpv: (*cpv).to_owned(),
                payload: blake3::hash(content.as_bytes()),
                stamp: Stamp {
                    build_id: *build_id,
                    build_time: 0,
                },
                path: format!("{cpv}-{build_id}"),
                size: 0,
                digest: blake3::hash(format!("{content}{build_id}").as_bytes()),
                signed_by: None,
            })
            .collect();
        let mut record = Record::following(None, 0, BTreeMap::new(), packages, Stamps::default());
        record.number = number;
        record
    }

    #[test]
    fn instances_come_go_and_change() {
        let a = release(
            1,
            &[
                ("a/gone-1", 1, "g"),
                ("a/same-1", 4, "s"),
                ("a/x-1", 1, "A"),
                ("a/x-1", 2, "V"),
            ],
        );
        let b = release(
            2,
            &[
                ("a/new-2", 1, "n"),
                ("a/same-1", 4, "s"),
                ("a/x-1", 3, "V"),
                ("a/x-1", 4, "B"),
                ("a/x-1", 5, "W"),
            ],
        );
        let changed = |from, to, content| Changed {
            cpv: "a/x-1".to_owned(),
            from,
            to,
            content,
        };
        let there = compare(&a, &b);
        assert_eq!((there.from, there.to), (1, 2));
        assert_eq!(there.added, ["a/new-2-1", "a/x-1-5"]);
        assert_eq!(there.removed, ["a/gone-1-1"]);
        assert_eq!(there.changed, [changed(2, 3, false), changed(1, 4, true)]);
        let back = compare(&b, &a);
        assert_eq!((back.added, back.removed), (there.removed, there.added));
        let same = compare(&a, &a);
        assert!(same.added.is_empty() && same.removed.is_empty() && same.changed.is_empty());
    }
}
