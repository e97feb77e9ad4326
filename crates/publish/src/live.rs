//! What lies in the folder: the newest record, the index that clients see, the files.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use farm_portage::cpv::Cpv;
use farm_portage::index::{Index, Stanza};
use fs_err as fs;

use crate::PublishError;
use crate::folder::Folder;
use crate::instance::{Stamp, Stamps, build_id_of_file, is_package_path};
use crate::record::{self, BadRecord, Record};

pub(crate) const INDEX: &str = "Packages";
pub(crate) const INDEX_GZ: &str = "Packages.gz";

/// The index that clients see, whoever wrote it.
#[derive(Debug)]
pub(crate) struct Live {
    /// The digest of `Packages`; `None` if there is none.
    pub(crate) digest: Option<blake3::Hash>,
    /// The digest of `Packages.gz`.
    pub(crate) digest_gz: Option<blake3::Hash>,
    /// `None` if there is none or no client could read it.
    pub(crate) index: Option<Index>,
}

impl Live {
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let text = read_if_there(&folder.join(INDEX))?;
        let gz = read_if_there(&folder.join(INDEX_GZ))?;
        Ok(Self {
            digest: text.as_deref().map(blake3::hash),
            digest_gz: gz.as_deref().map(blake3::hash),
            index: text.and_then(|text| Index::parse(&String::from_utf8_lossy(&text)).ok()),
        })
    }

    /// Whether it is the index of this release, both files of it.
    pub(crate) fn is_of(&self, record: &Record) -> bool {
        self.digest == Some(record.index) && self.digest_gz == Some(record.index_gz)
    }

    /// TIMESTAMP; `None` if there is no index or no number in it.
    pub(crate) fn timestamp(&self) -> Option<u64> {
        self.index.as_ref()?.header.get("TIMESTAMP")?.trim().parse().ok()
    }

    /// The stanza of the file at `path`.
    pub(crate) fn stanza(&self, path: &str) -> Option<&Stanza> {
        let mut packages = self.index.iter().flat_map(|index| &index.packages);
        packages.find(|stanza| stanza.get("PATH").is_some_and(|there| there == path))
    }

    /// The paths of the files it lists; those that are no paths of packages are left out.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        let packages = self.index.iter().flat_map(|index| &index.packages);
        packages
            .filter_map(|stanza| stanza.get("PATH"))
            .filter(|path| is_package_path(path))
            .cloned()
            .collect()
    }

    /// The settings in its header: all of it but what every index has of its own.
    pub(crate) fn header(&self) -> BTreeMap<String, String> {
        self.index
            .as_ref()
            .map(|index| settings_of(&index.header))
            .unwrap_or_default()
    }

    /// Notes the stamps of everything it lists.
    pub(crate) fn note_stamps(&self, stamps: &mut Stamps) {
        for stanza in self.index.iter().flat_map(|index| &index.packages) {
            let number = |key: &str| stanza.get(key).and_then(|value| value.parse().ok()).unwrap_or(0);
            if let Some(cpv) = stanza.get("CPV") {
                stamps.note(
                    cpv,
                    Stamp {
                        build_id: number("BUILD_ID"),
                        build_time: number("BUILD_TIME"),
                    },
                );
            }
        }
    }
}

/// A header without what every index has of its own: PACKAGES, TIMESTAMP and VERSION.
pub(crate) fn settings_of(header: &Stanza) -> BTreeMap<String, String> {
    let own = ["PACKAGES", "TIMESTAMP", "VERSION"];
    let settings = header.iter().filter(|(key, _)| !own.contains(&key.as_str()));
    settings.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Notes the BUILD_IDs of all files of this version that lie in the folder, listed or not: none may be used again.
pub(crate) fn note_files(folder: &Folder, cpv: &Cpv, stamps: &mut Stamps) -> io::Result<()> {
    let entries = match fs::read_dir(folder.path(&cpv.cp())) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        if let Some(build_id) = entry?.file_name().to_str().and_then(|name| build_id_of_file(cpv, name)) {
            stamps.note(
                &cpv.to_string(),
                Stamp {
                    build_id,
                    build_time: 0,
                },
            );
        }
    }
    Ok(())
}

/// Reads the record of the newest release; `None` in a folder that was never published to.
pub(crate) fn newest_record(folder: &Path) -> Result<Option<Record>, PublishError> {
    let newest = recorded(folder)?.pop_last();
    newest.map(|number| read_record(folder, number)).transpose()
}

/// The numbers of the releases that have a record.
pub(crate) fn recorded(folder: &Path) -> io::Result<BTreeSet<u64>> {
    let entries = match fs::read_dir(folder.join(record::FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = BTreeSet::new();
    for entry in entries {
        numbers.extend(entry?.file_name().to_str().and_then(Record::number_of_file));
    }
    Ok(numbers)
}

/// Reads the record of one release.
pub(crate) fn read_record(folder: &Path, number: u64) -> Result<Record, PublishError> {
    let path = folder.join(record::FOLDER).join(Record::file_name(number));
    let parsed = Record::parse(&fs::read(&path)?);
    match parsed {
        Ok(record) if record.number == number => Ok(record),
        Ok(record) => {
            let reason = format!("it calls itself the one of release {}", record.number);
            Err(PublishError::Record { path, reason })
        }
        Err(BadRecord::Newer(format)) => Err(PublishError::NewerFormat { path, format }),
        Err(BadRecord::Damaged(reason)) => Err(PublishError::Record { path, reason }),
    }
}

pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
