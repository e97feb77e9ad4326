//! What moves when a published folder goes elsewhere: told by its records, for those who know nothing else of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fs_err as fs;

use crate::PublishError;
use crate::client::{Packed, archive_digest, is_placed_path};
use crate::instance::is_package_path;
use crate::live::{INDEX, INDEX_GZ, recorded};
use crate::record::{self, BadRecord, Record};

/// The files of the index in the order in which they are replaced: who sees the last one new sees all of the release.
pub const INDEX_FILES: [&str; 2] = [INDEX_GZ, INDEX];

/// The folder of the records.
pub const RECORDS: &str = record::FOLDER;

/// A package file that a release lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFile {
    /// Relative to the folder.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Its time, in seconds since the epoch.
    pub mtime: u64,
    /// The digest of its bytes.
    pub digest: blake3::Hash,
    /// `category/name-version`.
    pub cpv: String,
}

/// What a record says of the files of its release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseFiles {
    /// The release's number.
    pub number: u64,
    /// The time of the index, in seconds since the epoch.
    pub timestamp: u64,
    /// What the index lists.
    pub packages: Vec<PackageFile>,
    /// Where the archive of its client files lies, if it has any.
    pub client: Option<String>,
    index: [blake3::Hash; 2],
}

impl ReleaseFiles {
    /// Reads a record. `place` names it in errors.
    ///
    /// # Errors
    /// It is damaged, or a newer farm wrote it.
    pub fn parse(record: &[u8], place: &Path) -> Result<Self, PublishError> {
        let damaged = |reason| PublishError::Record {
            path: place.to_owned(),
            reason,
        };
        let record = match Record::parse(record) {
            Ok(record) => record,
            Err(BadRecord::Newer(format)) => {
                let path = place.to_owned();
                return Err(PublishError::NewerFormat { path, format });
            }
            Err(BadRecord::Damaged(reason)) => return Err(damaged(reason)),
        };
        if let Some(package) = record.packages.iter().find(|package| !is_package_path(&package.path)) {
            return Err(damaged(format!("`{}` is no path of a package", package.path)));
        }
        let client = record.client_path();
        let packages = record.packages.into_iter().map(|package| PackageFile {
            path: package.path,
            size: package.size,
            mtime: package.stamp.build_time,
            digest: package.digest,
            cpv: package.cpv,
        });
        Ok(Self {
            number: record.number,
            timestamp: record.timestamp,
            packages: packages.collect(),
            client,
            index: [record.index_gz, record.index],
        })
    }

    /// Whether these are the files of the release's index, in the order of [`INDEX_FILES`].
    pub fn is_indexed_by(&self, files: &[Vec<u8>; 2]) -> bool {
        let digests = [blake3::hash(&files[0]), blake3::hash(&files[1])];
        digests == self.index
    }
}

/// The package files and archives of client files that must stay in a folder: those that its releases list.
///
/// # Errors
/// A record cannot be read.
pub fn needed(folder: &Path) -> Result<BTreeSet<String>, PublishError> {
    let mut paths = client_archives(folder)?;
    paths.extend(packages_of_all(folder)?.into_iter().map(|package| package.path));
    Ok(paths)
}

/// The archives of client files that the releases of a folder name.
///
/// # Errors
/// A record cannot be read.
pub fn client_archives(folder: &Path) -> Result<BTreeSet<String>, PublishError> {
    let mut paths = BTreeSet::new();
    for number in record_numbers(folder)? {
        let path = folder.join(record_path(number));
        paths.extend(ReleaseFiles::parse(&fs::read(&path)?, &path)?.client);
    }
    Ok(paths)
}

/// The package files that the releases of a folder list, each once, by path.
///
/// # Errors
/// A record cannot be read.
pub fn packages_of_all(folder: &Path) -> Result<Vec<PackageFile>, PublishError> {
    let mut files = BTreeMap::new();
    for number in record_numbers(folder)? {
        let release = packages_of(folder, number)?;
        files.extend(release.into_iter().map(|package| (package.path.clone(), package)));
    }
    Ok(files.into_values().collect())
}

/// The package files that a release lists.
///
/// # Errors
/// Its record cannot be read.
pub fn packages_of(folder: &Path, number: u64) -> Result<Vec<PackageFile>, PublishError> {
    let path = folder.join(record_path(number));
    Ok(ReleaseFiles::parse(&fs::read(&path)?, &path)?.packages)
}

/// Whether a path is one that a publication could have given to a package: nothing else may be removed.
pub fn is_package_file(path: &str) -> bool {
    is_package_path(path)
}

/// The digest that the archive of client files at this path has; `None` for other paths.
pub fn client_archive_digest(path: &str) -> Option<blake3::Hash> {
    archive_digest(path)
}

/// Whether a path is one that a publication could have given to a file of `client/`.
pub fn is_client_file(path: &str) -> bool {
    is_placed_path(path)
}

/// What an archive of client files brings to `client/`, by path in the folder; nothing if the folder does not have the archive whole.
pub fn archived_client_files(folder: &Path, archive: &str) -> BTreeMap<String, Vec<u8>> {
    let packed = archive_digest(archive).and_then(|digest| Packed::kept(folder, digest).ok());
    let files = packed.iter().flat_map(Packed::placed);
    files.map(|(path, bytes)| (path, bytes.to_vec())).collect()
}

/// The path of a release's record in the folder.
pub fn record_path(number: u64) -> String {
    format!("{RECORDS}/{}", Record::file_name(number))
}

/// The number of the release that a file of [`RECORDS`] records; `None` for other files.
pub fn record_number(name: &str) -> Option<u64> {
    Record::number_of_file(name)
}

/// The numbers of the releases that a folder has records of, rising.
///
/// # Errors
/// The folder of the records cannot be read.
pub fn record_numbers(folder: &Path) -> Result<BTreeSet<u64>, PublishError> {
    Ok(recorded(folder)?)
}
