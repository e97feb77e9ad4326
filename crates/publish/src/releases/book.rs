//! All records of a folder, its tags, and which release is in force.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::tags::Tags;
use super::{CURRENT, RELEASES_FOR_CLIENTS, ReleaseError};
use crate::PublishError;
use crate::instance::is_package_path;
use crate::live::{Live, read_record, recorded};
use crate::record::{Instance, Record};

/// What is known of the releases of a folder. It has at least one record, and the newest can be read.
#[derive(Debug)]
pub(crate) struct Book {
    folder: PathBuf,
    pub(crate) records: BTreeMap<u64, Record>,
    /// Records that cannot be read, and why.
    pub(crate) unreadable: BTreeMap<u64, PublishError>,
    pub(crate) tags: Tags,
    pub(crate) live: Live,
    /// The release whose index clients see.
    pub(crate) in_force: Option<u64>,
}

impl Book {
    /// Reads it. Takes no lock: records never change, and come before what they tell of.
    pub(crate) fn read(folder: &Path) -> Result<Self, ReleaseError> {
        let numbers = recorded(folder)?;
        let newest = numbers.last().copied();
        let (mut records, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
        for number in numbers {
            match read_record(folder, number) {
                Ok(record) => drop(records.insert(number, record)),
                Err(error) if Some(number) == newest => return Err(error.into()),
                // Somebody has just removed it.
                Err(PublishError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => drop(unreadable.insert(number, error)),
            }
        }
        if records.is_empty() {
            return Err(ReleaseError::NoReleases(folder.to_owned()));
        }
        let live = Live::read(folder)?;
        // Of two records of the same index the newer one is it.
        let in_force = records
            .values()
            .rev()
            .find(|record| live.is_of(record))
            .map(|record| record.number);
        Ok(Self {
            folder: folder.to_owned(),
            tags: Tags::read(folder)?,
            records,
            unreadable,
            live,
            in_force,
        })
    }

    /// The number of the newest release.
    pub(crate) fn newest(&self) -> u64 {
        self.records.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// The release that clients have: the one in force, or else the newest.
    pub(crate) fn present(&self) -> u64 {
        self.in_force.unwrap_or_else(|| self.newest())
    }

    /// The release that a word means: its number, a tag, or `current`.
    pub(crate) fn find(&self, word: &str) -> Result<&Record, ReleaseError> {
        let number = match word {
            CURRENT => Some(
                self.in_force
                    .ok_or_else(|| ReleaseError::NoneInForce(self.folder.clone()))?,
            ),
            _ => word.parse().ok().or_else(|| self.tags.get(word)),
        };
        if let Some(record) = number.and_then(|number| self.records.get(&number)) {
            return Ok(record);
        }
        Err(ReleaseError::NoSuchRelease {
            word: word.to_owned(),
            there: self.in_words(),
        })
    }

    /// The release before this one, as far as there are any.
    pub(crate) fn before(&self, number: u64) -> Result<&Record, ReleaseError> {
        let earlier = self.records.range(..number).next_back();
        earlier
            .map(|(_, record)| record)
            .ok_or(ReleaseError::NoneBefore(number))
    }

    /// The releases that stay if the newest `keep` are to stay, and those of them that do only for clients that are at work.
    pub(crate) fn kept(&self, keep: u64) -> (BTreeSet<u64>, BTreeSet<u64>) {
        let numbers: BTreeSet<u64> = self.records.keys().chain(self.unreadable.keys()).copied().collect();
        let newest = |many: u64| -> BTreeSet<u64> {
            let many = usize::try_from(many).unwrap_or(usize::MAX);
            numbers.iter().rev().take(many).copied().collect()
        };
        let mut kept = newest(keep);
        kept.extend(self.tags.releases().filter(|number| numbers.contains(number)));
        kept.extend(self.in_force);
        let for_clients = newest(1 + RELEASES_FOR_CLIENTS)
            .difference(&kept)
            .copied()
            .collect::<BTreeSet<u64>>();
        kept.extend(&for_clients);
        (kept, for_clients)
    }

    /// The files of packages that any of these releases, or what clients see now, lists, and the archives of their client files.
    pub(crate) fn needed(&self, releases: &BTreeSet<u64>) -> BTreeSet<String> {
        let records = releases.iter().filter_map(|number| self.records.get(number));
        let files_of = |record: &Record| -> Vec<String> {
            let packages = record.paths().map(str::to_owned);
            packages.chain(record.client_path()).collect()
        };
        let mut paths: BTreeSet<String> = records.flat_map(files_of).collect();
        paths.extend(self.live.paths());
        paths
    }

    /// Every instance that a record has, by path. No path is used twice for different bytes.
    pub(crate) fn instances(&self) -> BTreeMap<&str, &Instance> {
        let instances = self.records.values().flat_map(|record| &record.packages);
        instances
            .filter(|instance| is_package_path(&instance.path))
            .map(|instance| (instance.path.as_str(), instance))
            .collect()
    }

    fn in_words(&self) -> String {
        let numbers: Vec<String> = self.records.keys().map(u64::to_string).collect();
        let tags: Vec<String> = self.tags.names().map(|tag| format!("`{tag}`")).collect();
        let list: Vec<String> = numbers.into_iter().chain(tags).collect();
        list.join(", ")
    }
}
