//! The whole tree of an image, out of the archive that an engine saves of it.
//!
//! What a container of the image shows is not that tree: engines put files of their own over some of it, such as `/etc/hosts` and
//! what is below `/dev`. The layers have it all, with the times.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::apply::Marks;
use crate::entry::{Entry, EntryKind};
use crate::index::{Index, groups_of};
use crate::layer::append;
use crate::scan::{Found, scan};
use crate::tar_read::{Member, MemberKind, TarError, normalise, read_members};
use crate::tar_write::TarWriter;

/// More bytes than any manifest has.
const LARGEST_MANIFEST: u64 = 8 << 20;

/// Undoes the compression of a layer; one that has none passes as it is.
pub type Decompress = dyn for<'a> Fn(&'a mut dyn Read) -> io::Result<Box<dyn Read + 'a>>;

/// All that an image's layers hold together, contents and times included.
#[derive(Debug)]
pub struct SavedTree {
    index: Index,
    /// In seconds since 1970. Folders that no layer speaks of have none.
    times: BTreeMap<PathBuf, u64>,
    contents: Contents,
    dropped_xattrs: u64,
}

/// Why the tree of an image is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// The archive or one of its layers could not be read, or contents not be kept meanwhile (environment).
    #[error(transparent)]
    Read(#[from] TarError),
    /// No file could be made for contents (environment).
    #[error("failed to keep contents in {}", folder.display())]
    Scratch {
        /// The scratch folder.
        folder: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The archive is not of the form that `docker save` has (environment: the engine's).
    #[error("the saved image cannot be understood: {0}")]
    Form(String),
    /// The tree could not be written (environment).
    #[error("failed to write a tree")]
    Write(#[source] io::Error),
}

/// The part of `manifest.json` that matters (Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    layers: Vec<PathBuf>,
}

impl SavedTree {
    /// Reads an archive of one image, once and to its end. Contents are kept in an unnamed file in `scratch`.
    ///
    /// Layers are put on each other as engines do it, by their names alone: symbolic links below are not followed.
    ///
    /// # Errors
    /// See [`SavedError`].
    pub fn read(archive: &mut dyn Read, decompress: &Decompress, scratch: &Path) -> Result<Self, SavedError> {
        let failed = |source| SavedError::Scratch {
            folder: scratch.to_path_buf(),
            source,
        };
        let unnamed = tempfile::tempfile_in(scratch).map_err(failed)?;
        let mut contents = Contents::new(fs_err::File::from_parts(unnamed, scratch));
        let mut layers: BTreeMap<PathBuf, Found> = BTreeMap::new();
        let mut links: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
        let mut manifest = None;
        read_members(archive, &mut |member: Member, content: &mut dyn Read| {
            match member.kind {
                MemberKind::File { size } if member.path == Path::new("manifest.json") => {
                    let mut json = Vec::new();
                    content
                        .take(size.min(LARGEST_MANIFEST))
                        .read_to_end(&mut json)
                        .map_err(TarError::from)?;
                    manifest = Some(json);
                }
                MemberKind::File { .. } if !is_description(&member.path) => {
                    if let Some(found) = contents.layer(content, decompress)? {
                        layers.insert(member.path, found);
                    }
                }
                // A layer that is there twice is there once, and a link.
                MemberKind::Symlink { target } => {
                    let folder = member.path.parent().unwrap_or(Path::new(""));
                    links.insert(member.path.clone(), climbed(&folder.join(target)));
                }
                MemberKind::HardLink { target } => {
                    links.insert(member.path, target);
                }
                _ => {}
            }
            Ok::<(), SavedError>(())
        })?;
        let form = |what: &str| SavedError::Form(what.to_owned());
        let manifest = manifest.ok_or_else(|| form("it has no manifest.json"))?;
        let images: Vec<Manifest> =
            serde_json::from_slice(&manifest).map_err(|error| SavedError::Form(format!("manifest.json: {error}")))?;
        let [image] = &images[..] else {
            return Err(form("it is not of one image"));
        };
        let mut tree = Growing::default();
        let mut dropped_xattrs = 0;
        for name in &image.layers {
            let name = normalise(name).ok_or_else(|| form("a layer's name climbs"))?;
            let found = layers
                .get(&name)
                .or_else(|| layers.get(links.get(&name)?))
                .ok_or_else(|| SavedError::Form(format!("there is no layer {}", name.display())))?;
            dropped_xattrs += found.dropped_xattrs;
            tree.add(found);
        }
        Ok(Self {
            index: Index::from_parts(tree.entries, &tree.names),
            times: tree.times,
            contents,
            dropped_xattrs,
        })
    }

    /// What it holds.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// How many extended attributes other than `security.capability` are not in it.
    pub fn dropped_xattrs(&self) -> u64 {
        self.dropped_xattrs
    }

    /// The content of a file, by its path.
    ///
    /// # Errors
    /// There is no file there, or it cannot be read back.
    pub fn content(&self, path: &Path) -> io::Result<impl Read + use<>> {
        match self.index.get(path).map(|entry| &entry.kind) {
            Some(EntryKind::File { digest, size, .. }) => Ok(self.contents.open(digest)?.take(*size)),
            _ => Err(io::Error::other(format!("{} has no content", path.display()))),
        }
    }

    /// Writes what `keep` wants as a tar: sorted by path, without names of owners, and of a folder that goes nothing stays. Every
    /// entry has its own time; what has none gets `epoch`.
    ///
    /// # Errors
    /// [`SavedError::Write`].
    pub fn write(
        &self,
        keep: impl Fn(&Path, &Entry) -> bool,
        epoch: u64,
        out: &mut dyn Write,
    ) -> Result<(), SavedError> {
        let kept = self.index.only(keep);
        let mut tar = TarWriter::new(io::BufWriter::with_capacity(1 << 16, out), epoch);
        let mut content = |path: &Path| -> io::Result<Box<dyn Read>> {
            match kept.get(path).map(|entry| &entry.kind) {
                Some(EntryKind::File { digest, .. }) => Ok(Box::new(self.contents.open(digest)?)),
                _ => Err(io::Error::other(format!("{} has no content", path.display()))),
            }
        };
        for (path, entry) in kept.iter() {
            let time = self.times.get(path).copied();
            append(&mut tar, path, entry, time, &mut content).map_err(SavedError::Write)?;
        }
        tar.finish().map_err(SavedError::Write)?;
        Ok(())
    }
}

/// Files that describe layers, as far as their names tell: some JSON has names as layers have them.
fn is_description(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
        || path.file_name().is_some_and(|name| name == "VERSION")
}

/// Resolves `..` by words alone, as in an archive that nobody unpacked.
fn climbed(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::Normal(name) => result.push(name),
            std::path::Component::ParentDir => {
                result.pop();
            }
            _ => {}
        }
    }
    result
}

/// The contents of files, each once.
#[derive(Debug)]
struct Contents {
    spool: fs_err::File,
    end: u64,
    at: BTreeMap<[u8; 32], u64>,
}

impl Contents {
    fn new(spool: fs_err::File) -> Self {
        Self {
            spool,
            end: 0,
            at: BTreeMap::new(),
        }
    }

    /// Reads a layer; `None` for JSON, which lies beside layers under names like theirs.
    fn layer(&mut self, mut content: &mut dyn Read, decompress: &Decompress) -> Result<Option<Found>, TarError> {
        let mut first = Vec::new();
        (&mut content).take(1).read_to_end(&mut first)?;
        if matches!(first[..], [b'{' | b'[']) {
            return Ok(None);
        }
        let mut whole = io::Cursor::new(first).chain(content);
        let mut tar = decompress(&mut whole)?;
        scan(&mut tar, Path::new(""), &mut |_, _, content| self.keep(content)).map(Some)
    }

    fn keep(&mut self, content: &mut dyn Read) -> io::Result<()> {
        self.spool.seek(SeekFrom::Start(self.end))?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = [0; 1 << 16];
        let mut size = 0;
        loop {
            let count = content.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            self.spool.write_all(&buffer[..count])?;
            size += count as u64;
        }
        // What is there already is written over by the next.
        if let std::collections::btree_map::Entry::Vacant(new) = self.at.entry(*hasher.finalize().as_bytes()) {
            new.insert(self.end);
            self.end += size;
        }
        Ok(())
    }

    /// A reader that begins at a content, and does not end with it.
    fn open(&self, digest: &blake3::Hash) -> io::Result<fs_err::File> {
        let at = self.at.get(digest.as_bytes());
        let at = at.ok_or_else(|| io::Error::other("a content is not there"))?;
        let mut file = self.spool.try_clone()?;
        file.seek(SeekFrom::Start(*at))?;
        Ok(file)
    }
}

/// A tree to which layers are added, the lowest first.
#[derive(Default)]
struct Growing {
    entries: BTreeMap<PathBuf, Entry>,
    times: BTreeMap<PathBuf, u64>,
    /// Numbers that names of one file share.
    names: BTreeMap<PathBuf, u64>,
    next_number: u64,
}

impl Growing {
    fn add(&mut self, layer: &Found) {
        let mut marks = Marks::default();
        let added: Vec<(&Path, &Entry)> = layer.index.iter().filter(|(path, _)| !marks.take(path)).collect();
        for folder in &marks.opaque {
            self.remove_below(folder);
        }
        for gone in &marks.whiteouts {
            self.remove(gone);
        }
        let mut numbers = BTreeMap::new();
        let groups = groups_of(layer.index.entries(), &mut numbers);
        for (path, entry) in added {
            let time = layer.times.get(path);
            let there = self.entries.get(path);
            // A folder that the layer has for the sake of what is in it stays as it was.
            if time.is_none() && there.is_some_and(Entry::is_dir) {
                continue;
            }
            if there.is_some_and(Entry::is_dir) && !entry.is_dir() {
                self.remove_below(path);
            }
            self.forget(path);
            self.entries.insert(path.to_path_buf(), entry.clone());
            self.times.extend(time.map(|time| (path.to_path_buf(), *time)));
            let group = groups
                .get(path)
                .map(|number| (path.to_path_buf(), self.next_number + number));
            self.names.extend(group);
        }
        self.next_number += numbers.len() as u64;
    }

    fn remove_below(&mut self, folder: &Path) {
        let below: BTreeSet<PathBuf> = self
            .entries
            .range::<Path, _>((std::ops::Bound::Excluded(folder), std::ops::Bound::Unbounded))
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(folder))
            .cloned()
            .collect();
        for path in below {
            self.forget(&path);
        }
    }

    fn remove(&mut self, path: &Path) {
        self.remove_below(path);
        self.forget(path);
    }

    fn forget(&mut self, path: &Path) {
        self.entries.remove(path);
        self.times.remove(path);
        self.names.remove(path);
    }
}

#[cfg(test)]
#[path = "saved_tests.rs"]
mod tests;
