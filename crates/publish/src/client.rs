//! What clients need besides packages: the folder `client/`, and the archive of it that a release keeps.
//!
//! The archive lies under `releases/client/`, called after its digest, so that releases with the same files share it; `client/` holds the
//! files of the release in force, and a copy of the archive as the one file to download. What is in the files is nothing to this crate.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use fs_err as fs;

use crate::PublishError;
use crate::folder::Folder;
use crate::live::{read_if_there, read_record, recorded};
use crate::record::Record;

/// The files of `client/` by their paths below it.
pub type ClientFiles = BTreeMap<String, Vec<u8>>;

/// The folder of the release in force.
pub(crate) const FOLDER: &str = "client";

/// The archive in that folder.
const ARCHIVE: &str = "client.tar.gz";

/// The folder of the archives of all kept releases.
pub(crate) const ARCHIVES: &str = "releases/client";

const SUFFIX: &str = ".tar.gz";

/// No archive of client files is larger when it is unpacked; one that is was not made by farm.
const LIMIT: u64 = 1 << 30;

/// The client files of a release as they are written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) digest: blake3::Hash,
    archive: Vec<u8>,
    files: ClientFiles,
}

impl Packed {
    /// Packs files. Where a release keeps the same, its archive stays, whoever compressed it: what did not change makes no release.
    pub(crate) fn of(folder: &Path, files: &ClientFiles, epoch: u64) -> Result<Self, PublishError> {
        if let Some(path) = files.keys().find(|path| !is_plain(path) || *path == ARCHIVE) {
            return Err(PublishError::ClientPath(path.clone()));
        }
        // The newest release, which has it most often, is looked at first.
        let former = kept(folder).find(|former| former.files == *files);
        if let Some(former) = former {
            return Ok(former);
        }
        let archive = pack(files, epoch)?;
        Ok(Self {
            digest: blake3::hash(&archive),
            archive,
            files: files.clone(),
        })
    }

    /// Reads the archive of a release; else what is wrong with it, for people.
    pub(crate) fn kept(folder: &Path, digest: blake3::Hash) -> Result<Self, String> {
        let archive = match read_if_there(&folder.join(archive_path(digest))) {
            Ok(Some(archive)) => archive,
            Ok(None) => return Err("is gone".to_owned()),
            Err(error) => return Err(format!("cannot be read: {error}")),
        };
        if blake3::hash(&archive) != digest {
            return Err("is damaged".to_owned());
        }
        let files = unpack(&archive).map_err(|error| format!("cannot be unpacked: {error}"))?;
        Ok(Self { digest, archive, files })
    }

    /// The files, those below `client/`.
    pub(crate) fn files(&self) -> &ClientFiles {
        &self.files
    }

    /// What lies in the published folder for it, but for the archive under `releases/`: path and content.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (String, &[u8])> {
        let files = self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
        files
            .chain([(ARCHIVE, self.archive.as_slice())])
            .map(|(path, bytes)| (format!("{FOLDER}/{path}"), bytes))
    }

    /// Whether all of it is in the folder as it should be.
    pub(crate) fn is_in(&self, folder: &Path) -> io::Result<bool> {
        if read_if_there(&folder.join(archive_path(self.digest)))?.as_ref() != Some(&self.archive) {
            return Ok(false);
        }
        for (path, bytes) in self.placed() {
            if !holds(folder, &path, bytes)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes what is not there to the staging folder, with this time: the archive, which gets a name of its own, and what replaces files of
    /// the release before.
    pub(crate) fn stage(&self, folder: &Folder, mtime: u64) -> io::Result<Staged> {
        let path = archive_path(self.digest);
        let archive = match holds(&folder.path(""), &path, &self.archive)? {
            true => None,
            false => Some((write(folder, "client-archive", &self.archive, mtime)?, path)),
        };
        let mut replaced = Vec::new();
        for (number, (path, bytes)) in self.placed().enumerate() {
            if !holds(&folder.path(""), &path, bytes)? {
                replaced.push((write(folder, &format!("client-{number}"), bytes, mtime)?, path));
            }
        }
        Ok(Staged { archive, replaced })
    }
}

/// Client files that are about to be put in place: where each is, and where it goes.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    archive: Option<(PathBuf, String)>,
    pub(crate) replaced: Vec<(PathBuf, String)>,
}

impl Staged {
    /// Gives the archive its name, and makes the folders of what is to be replaced.
    pub(crate) fn place_archive(&self, folder: &mut Folder) -> io::Result<()> {
        if let Some((staged, path)) = &self.archive {
            folder.make_folder(Path::new(ARCHIVES))?;
            // One that is there is damaged.
            if folder.path(path).exists() {
                folder.replace(staged, path)?;
            } else {
                folder.place_new(staged, path)?;
            }
            folder.sync(Path::new(ARCHIVES))?;
        }
        for (_, path) in &self.replaced {
            if let Some(parent) = Path::new(path).parent() {
                folder.make_folder(parent)?;
            }
        }
        Ok(())
    }
}

/// Removes the files of `client/` that a release put there and that the present one does not have.
///
/// What stays harms nobody much, and the audit names it: an error is not told.
pub(crate) fn forget_former(locked: &Folder, folder: &Path, present: Option<&Packed>) {
    let present: BTreeSet<String> = present
        .into_iter()
        .flat_map(Packed::placed)
        .map(|(path, _)| path)
        .collect();
    let former: BTreeSet<String> = kept(folder)
        .flat_map(|packed| packed.placed().map(|(path, _)| path).collect::<Vec<_>>())
        .collect();
    for path in former.difference(&present) {
        locked.discard(path);
    }
}

/// The client files of all kept releases as far as they can be read, the newest release's first, each once.
fn kept(folder: &Path) -> impl Iterator<Item = Packed> {
    let numbers = recorded(folder).unwrap_or_default().into_iter().rev();
    let mut seen = BTreeSet::new();
    numbers.filter_map(move |number| {
        let digest = read_record(folder, number).ok()?.client?;
        let is_new = seen.insert(*digest.as_bytes());
        is_new.then(|| Packed::kept(folder, digest).ok()).flatten()
    })
}

/// Whether the client files of a release are all there.
pub(crate) fn is_whole(folder: &Path, record: &Record) -> bool {
    record.client.is_none_or(|digest| {
        Packed::kept(folder, digest).is_ok_and(|packed| packed.is_in(folder).is_ok_and(|is_there| is_there))
    })
}

/// Where the archive with this digest lies.
pub(crate) fn archive_path(digest: blake3::Hash) -> String {
    format!("{ARCHIVES}/{digest}{SUFFIX}")
}

/// The digest of the archive that lies at this path, if it is the path of one.
pub(crate) fn archive_digest(path: &str) -> Option<blake3::Hash> {
    let name = path.strip_prefix(ARCHIVES)?.strip_prefix('/')?;
    let digest = blake3::Hash::from_hex(name.strip_suffix(SUFFIX)?).ok()?;
    (archive_path(digest) == path).then_some(digest)
}

/// Whether a path, relative to the published folder, is one of `client/` that farm may have made.
pub(crate) fn is_placed_path(path: &str) -> bool {
    let below = path.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/'));
    below.is_some_and(is_plain)
}

/// The files in a folder of the published folder, relative to that; none if it is not there.
pub(crate) fn files_in(folder: &Path, below: &str) -> io::Result<BTreeSet<String>> {
    let (mut found, mut pending) = (BTreeSet::new(), vec![below.to_owned()]);
    while let Some(at) = pending.pop() {
        let entries = match fs::read_dir(folder.join(&at)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = format!("{at}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                pending.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

/// Whether a path stays below the folder that it is relative to, and no part of it is hidden or holds what would need quoting.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-:@".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
    })
}

fn holds(folder: &Path, path: &str, bytes: &[u8]) -> io::Result<bool> {
    Ok(read_if_there(&folder.join(path))?.as_deref() == Some(bytes))
}

fn write(folder: &Folder, name: &str, bytes: &[u8], mtime: u64) -> io::Result<PathBuf> {
    let mut staged = folder.stage(name)?;
    staged.file.write_all(bytes)?;
    staged.finish(mtime)
}

/// Packs files in the order of their names, in a folder `client/`. Tells of no clock, no machine and nobody.
fn pack(files: &ClientFiles, epoch: u64) -> io::Result<Vec<u8>> {
    let out = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(out);
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(epoch);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, format!("{FOLDER}/{path}"), bytes.as_slice())?;
    }
    tar.into_inner()?.finish()
}

fn unpack(archive: &[u8]) -> io::Result<ClientFiles> {
    let mut files = ClientFiles::new();
    let unpacked = flate2::read::GzDecoder::new(archive).take(LIMIT);
    for entry in tar::Archive::new(unpacked).entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != tar::EntryType::Regular || !is_placed_path(&path) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{path}` is in it")));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.insert(path[FOLDER.len() + 1..].to_owned(), bytes);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> ClientFiles {
        let file = |name: &&str| ((*name).to_owned(), name.as_bytes().to_vec());
        names.iter().map(file).collect()
    }

    #[test]
    fn what_is_packed_is_unpacked_and_packed_alike() {
        let long = format!("profile/{}/package.use", "0001-gentoo-".repeat(12));
        let files = files(&["README", "profile/parent", &long]);
        let archive = pack(&files, 7).unwrap();
        assert_eq!(unpack(&archive).unwrap(), files);
        assert_eq!(pack(&files, 7).unwrap(), archive);
        // The header of gzip: no time, no name, and no system.
        assert_eq!(archive[3..8], [0; 5]);
        assert_eq!(archive[9], 255);
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for path in [
            "../x",
            "a/../b",
            "/etc/passwd",
            "a//b",
            ".hidden",
            "a/.b",
            "a b",
            "a\nb",
            "",
        ] {
            assert!(!is_plain(path), "{path}");
        }
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), Compression::fast()));
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        tar.append_link(&mut link, "client/README", "/etc/passwd").unwrap();
        assert!(unpack(&tar.into_inner().unwrap().finish().unwrap()).is_err());
        assert!(is_plain("profile/0001-gentoo-base/use.mask"));
        let digest = blake3::hash(b"x");
        assert_eq!(archive_digest(&archive_path(digest)), Some(digest));
        for path in [
            "releases/client/x.tar.gz",
            "releases/0001.json",
            "releases/client/../x.tar.gz",
        ] {
            assert_eq!(archive_digest(path), None, "{path}");
        }
    }
}
