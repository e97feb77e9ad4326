//! Making a release visible: packages first, then what clients are configured with, the index last.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::PublishError;
use crate::client::{Packed, Staged};
use crate::folder::Folder;
use crate::live::{INDEX, INDEX_GZ};
use crate::record::{self, Record};
use crate::stage::StagedPackage;

/// The files of a release that clients must not see before its packages.
#[derive(Debug)]
pub(crate) struct Release<'a> {
    pub(crate) record: &'a Record,
    pub(crate) index: &'a [u8],
    pub(crate) index_gz: &'a [u8],
    /// What clients need besides, if the release has that.
    pub(crate) client: Option<&'a Packed>,
}

/// Gives packages and client files their names, and nothing else: for those that the release in force has already, whose time is `timestamp`.
pub(crate) fn restore(
    folder: &mut Folder,
    packages: &[StagedPackage],
    client: Option<&Packed>,
    timestamp: u64,
) -> Result<(), PublishError> {
    place_packages(folder, packages)?;
    let client = stage_client(folder, client, timestamp)?;
    client.place_archive(folder)?;
    folder.replace_all(&named(&client.replaced))?;
    folder.keep();
    Ok(())
}

/// Puts a release in force. On an error everything is as it was, but for damaged packages that are whole again.
pub(crate) fn commit(
    folder: &mut Folder,
    packages: &[StagedPackage],
    release: &Release<'_>,
) -> Result<(), PublishError> {
    // All that can fail for want of space comes before anything that clients see.
    let record = stage_bytes(
        folder,
        "record",
        release.record.render().as_bytes(),
        release.record.timestamp,
    )?;
    let client = stage_client(folder, release.client, release.record.timestamp)?;
    let index_gz = stage_bytes(folder, INDEX_GZ, release.index_gz, release.record.timestamp)?;
    let index = stage_bytes(folder, INDEX, release.index, release.record.timestamp)?;

    // The record comes before what it tells of: after a crash the next publication knows all that clients may have seen.
    folder.make_folder(Path::new(record::FOLDER))?;
    let name = format!("{}/{}", record::FOLDER, Record::file_name(release.record.number));
    folder.place_new(&record, &name)?;
    folder.sync(Path::new(record::FOLDER))?;
    place_packages(folder, packages)?;
    client.place_archive(folder)?;
    // Clients ask for the compressed index first. `Packages` is the last: while it is the old one, so is the release.
    let mut replaced = named(&client.replaced);
    replaced.extend([(index_gz.as_path(), INDEX_GZ), (index.as_path(), INDEX)]);
    folder.replace_all(&replaced)?;
    folder.keep();
    // The release is in force; should the machine fail before its name is on the disk, the old one is again.
    let _ = folder.sync(Path::new(""));
    Ok(())
}

fn stage_client(folder: &Folder, client: Option<&Packed>, timestamp: u64) -> io::Result<Staged> {
    client.map_or_else(|| Ok(Staged::default()), |client| client.stage(folder, timestamp))
}

fn named(files: &[(PathBuf, String)]) -> Vec<(&Path, &str)> {
    files
        .iter()
        .map(|(staged, path)| (staged.as_path(), path.as_str()))
        .collect()
}

fn place_packages(folder: &mut Folder, packages: &[StagedPackage]) -> io::Result<()> {
    let mut touched = BTreeSet::new();
    for package in packages {
        let path = &package.instance.path;
        if let Some(parent) = Path::new(path).parent() {
            folder.make_folder(parent)?;
            touched.insert(parent);
        }
        if folder.path(path).exists() {
            folder.replace(&package.file, path)?;
        } else {
            folder.place_new(&package.file, path)?;
        }
    }
    touched.into_iter().try_for_each(|parent| folder.sync(parent))
}

fn stage_bytes(folder: &Folder, name: &str, bytes: &[u8], mtime: u64) -> io::Result<PathBuf> {
    let mut staged = folder.stage(name)?;
    staged.file.write_all(bytes)?;
    staged.finish(mtime)
}
