//! Making a release visible: packages first, the index last.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::PublishError;
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
}

/// Gives packages their names, and nothing else: for those that an index lists already.
pub(crate) fn restore(folder: &mut Folder, packages: &[StagedPackage]) -> Result<(), PublishError> {
    place_packages(folder, packages)?;
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
    let index_gz = stage_bytes(folder, INDEX_GZ, release.index_gz, release.record.timestamp)?;
    let index = stage_bytes(folder, INDEX, release.index, release.record.timestamp)?;

    // The record comes before what it tells of: after a crash the next publication knows all that clients may have seen.
    folder.make_folder(Path::new(record::FOLDER))?;
    let name = format!("{}/{}", record::FOLDER, Record::file_name(release.record.number));
    folder.place_new(&record, &name)?;
    folder.sync(Path::new(record::FOLDER))?;
    place_packages(folder, packages)?;
    // Clients ask for the compressed index first. `Packages` is the last: while it is the old one, so is the release.
    folder.replace_both((&index_gz, INDEX_GZ), (&index, INDEX))?;
    folder.keep();
    // The release is in force; should the machine fail before its name is on the disk, the old one is again.
    let _ = folder.sync(Path::new(""));
    Ok(())
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
