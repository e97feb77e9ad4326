//! A root filesystem as a sorted map over the tar archive it came in, and the canonical archive it goes out as.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use fs_err::File;

use crate::error::BuildError;

/// The one extended attribute that is content: a file's capabilities.
const CAPABILITY: &str = "SCHILY.xattr.security.capability";

/// What lies at a path, without times: those are one number for the whole tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Permission bits, 07777.
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Value of the extended attribute `security.capability`.
    pub(crate) capability: Option<Vec<u8>>,
    pub(crate) kind: Kind,
}

/// The kinds of entries a root is made of; devices and pipes are refused when the archive is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File(Content),
    Symlink(String),
    /// A further name of the file at that path.
    Hardlink(String),
}

/// Bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A range of the archive the tree was read from.
    Spooled { offset: u64, size: u64 },
    /// Bytes of ours.
    Bytes(Vec<u8>),
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Spooled { size, .. } => *size,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

impl Entry {
    /// A file of root's with mode 0644.
    pub(crate) fn file(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            mode: 0o644,
            uid: 0,
            gid: 0,
            capability: None,
            kind: Kind::File(Content::Bytes(bytes.into())),
        }
    }

    /// A directory of root's.
    pub(crate) fn directory(mode: u32, gid: u64) -> Self {
        Self {
            mode,
            uid: 0,
            gid,
            capability: None,
            kind: Kind::Directory,
        }
    }

    /// A symbolic link.
    pub(crate) fn symlink(target: &str) -> Self {
        Self {
            mode: 0o777,
            uid: 0,
            gid: 0,
            capability: None,
            kind: Kind::Symlink(target.to_owned()),
        }
    }
}

/// Entries by path: no leading `/` or `./`, no trailing `/`, sorted by bytes, so that parents come before children.
#[derive(Debug)]
pub(crate) struct Tree {
    entries: BTreeMap<String, Entry>,
    spool: File,
}

impl Tree {
    /// Reads the archive at `path`, leaving file contents where they are. `keep` says which paths to take.
    pub(crate) fn read(path: &Path, keep: impl Fn(&str) -> bool) -> Result<Self, BuildError> {
        let mut archive = tar::Archive::new(File::open(path)?);
        let mut entries = BTreeMap::new();
        for entry in archive.entries_with_seek()? {
            let mut entry = entry?;
            let path = relative(&utf8(&entry.path_bytes())?);
            if path.is_empty() || !keep(&path) {
                continue;
            }
            let capability = capability_of(&mut entry)?;
            let link = entry.link_name_bytes().map(|bytes| utf8(&bytes)).transpose()?;
            let header = entry.header();
            let kind = match (header.entry_type(), link) {
                (tar::EntryType::Directory, _) => Kind::Directory,
                (tar::EntryType::Symlink, Some(target)) => Kind::Symlink(target),
                (tar::EntryType::Link, Some(target)) => Kind::Hardlink(relative(&target)),
                (tar::EntryType::Regular | tar::EntryType::Continuous, _) => Kind::File(Content::Spooled {
                    offset: entry.raw_file_position(),
                    size: entry.size(),
                }),
                (other, _) => {
                    return Err(BuildError::BadRoot {
                        reason: format!("{path} is of type {other:?}"),
                    });
                }
            };
            let mode = header.mode()? & 0o7777;
            let (uid, gid) = (header.uid()?, header.gid()?);
            entries.insert(
                path,
                Entry {
                    mode,
                    uid,
                    gid,
                    capability,
                    kind,
                },
            );
        }
        let tree = Self {
            entries,
            spool: archive.into_inner(),
        };
        tree.check_hard_links()?;
        Ok(tree)
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn insert(&mut self, path: &str, entry: Entry) {
        self.entries.insert(path.to_owned(), entry);
    }

    /// Entries whose path starts with `prefix`.
    pub(crate) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        self.entries
            .range(prefix.to_owned()..)
            .take_while(move |(path, _)| path.starts_with(prefix))
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// The bytes of the file at `path`, following hard links but not symbolic ones; `None` if there is no such file.
    pub(crate) fn bytes(&mut self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        let content = match self.entries.get(path).map(|entry| &entry.kind) {
            Some(Kind::File(content)) => content.clone(),
            Some(Kind::Hardlink(first)) => match self.entries.get(first).map(|entry| &entry.kind) {
                Some(Kind::File(content)) => content.clone(),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        match content {
            Content::Bytes(bytes) => Ok(Some(bytes)),
            Content::Spooled { offset, size } => {
                let mut bytes = Vec::new();
                self.spool.seek(SeekFrom::Start(offset))?;
                (&mut self.spool).take(size).read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            }
        }
    }

    /// Like [`Self::bytes`], as text; an empty string where there is no such file.
    pub(crate) fn text(&mut self, path: &str) -> Result<String, BuildError> {
        let bytes = self.bytes(path)?.unwrap_or_default();
        String::from_utf8(bytes).map_err(|_| BuildError::BadRoot {
            reason: format!("{path} is not UTF-8"),
        })
    }

    /// Writes the canonical archive: GNU headers, entries sorted by path, every time `epoch`, owners as numbers only.
    pub(crate) fn write(&mut self, epoch: u64, out: impl Write) -> Result<(), BuildError> {
        let mut builder = tar::Builder::new(out);
        for (path, entry) in &self.entries {
            append(&mut builder, &mut self.spool, epoch, path, entry)?;
        }
        builder.into_inner()?.flush()?;
        Ok(())
    }

    /// The name that holds the bytes must be there and come first, as it does in an archive made in sorted order.
    fn check_hard_links(&self) -> Result<(), BuildError> {
        for (path, entry) in &self.entries {
            let Kind::Hardlink(first) = &entry.kind else { continue };
            let is_file = matches!(self.entries.get(first).map(|entry| &entry.kind), Some(Kind::File(_)));
            if !is_file || first > path {
                return Err(BuildError::BadRoot {
                    reason: format!("{path} is a hard link to {first}"),
                });
            }
        }
        Ok(())
    }
}

fn append<W: Write>(
    builder: &mut tar::Builder<W>,
    spool: &mut File,
    epoch: u64,
    path: &str,
    entry: &Entry,
) -> std::io::Result<()> {
    if let Some(value) = &entry.capability {
        builder.append_pax_extensions([(CAPABILITY, value.as_slice())])?;
    }
    let mut header = tar::Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(entry.uid);
    header.set_gid(entry.gid);
    header.set_mtime(epoch);
    header.set_size(0);
    match &entry.kind {
        Kind::Directory => {
            header.set_entry_type(tar::EntryType::Directory);
            builder.append_data(&mut header, format!("{path}/"), std::io::empty())
        }
        Kind::File(content) => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(content.size());
            match content {
                Content::Bytes(bytes) => builder.append_data(&mut header, path, bytes.as_slice()),
                Content::Spooled { offset, size } => {
                    spool.seek(SeekFrom::Start(*offset))?;
                    builder.append_data(&mut header, path, spool.take(*size))
                }
            }
        }
        Kind::Symlink(target) => append_link(builder, header, tar::EntryType::Symlink, path, target),
        Kind::Hardlink(target) => append_link(builder, header, tar::EntryType::Link, path, target),
    }
}

fn append_link<W: Write>(
    builder: &mut tar::Builder<W>,
    mut header: tar::Header,
    kind: tar::EntryType,
    path: &str,
    target: &str,
) -> std::io::Result<()> {
    header.set_entry_type(kind);
    if target.len() > 100 {
        return builder.append_link(&mut header, path, target);
    }
    // Literally: a target such as `.` or `a//b` must not be tidied up.
    header.set_link_name_literal(target)?;
    builder.append_data(&mut header, path, std::io::empty())
}

fn capability_of(entry: &mut tar::Entry<'_, impl Read>) -> std::io::Result<Option<Vec<u8>>> {
    let Some(extensions) = entry.pax_extensions()? else {
        return Ok(None);
    };
    for extension in extensions {
        let extension = extension?;
        if extension.key_bytes() == CAPABILITY.as_bytes() {
            return Ok(Some(extension.value_bytes().to_vec()));
        }
    }
    Ok(None)
}

fn relative(path: &str) -> String {
    path.trim_start_matches("./")
        .trim_matches('/')
        .trim_start_matches("./")
        .to_owned()
}

fn utf8(bytes: &[u8]) -> Result<String, BuildError> {
    String::from_utf8(bytes.to_vec()).map_err(|error| BuildError::BadRoot {
        reason: format!("{:?} is not UTF-8", String::from_utf8_lossy(error.as_bytes())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small archive with unsorted entries, odd times and owners' names.
    fn archive(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("in.tar");
        let mut builder = tar::Builder::new(File::create(&path).unwrap());
        let mut add = |name: &str, kind: tar::EntryType, link: Option<&str>, data: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o100_644);
            header.set_uid(5);
            header.set_gid(6);
            header.set_mtime(12345);
            header.set_username("somebody").unwrap();
            header.set_size(data.len() as u64);
            match link {
                Some(target) => builder.append_link(&mut header, name, target).unwrap(),
                None => builder.append_data(&mut header, name, data).unwrap(),
            }
        };
        let long = format!("d/{}", "n".repeat(150));
        add("./z", tar::EntryType::Regular, None, b"last");
        add("./d/", tar::EntryType::Directory, None, b"");
        add(&long, tar::EntryType::Regular, None, b"long");
        add("./d/first", tar::EntryType::Regular, None, b"shared");
        add("./d/second", tar::EntryType::Link, Some("./d/first"), b"");
        add("./here", tar::EntryType::Symlink, Some("."), b"");
        add("./dropped", tar::EntryType::Regular, None, b"x");
        builder.finish().unwrap();
        path
    }

    #[test]
    fn what_is_written_is_sorted_clamped_and_reads_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = Tree::read(&archive(folder.path()), |path| path != "dropped").unwrap();
        tree.insert("a", Entry::file("ours"));
        let mut bytes = Vec::new();
        tree.write(1_700_000_000, &mut bytes).unwrap();

        let again = folder.path().join("again.tar");
        fs_err::write(&again, &bytes).unwrap();
        let mut second = Tree::read(&again, |_| true).unwrap();
        let mut rewritten = Vec::new();
        second.write(1_700_000_000, &mut rewritten).unwrap();
        assert!(bytes == rewritten, "writing is idempotent");

        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut names = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.header().mtime().unwrap(), 1_700_000_000);
            assert_eq!(entry.header().username_bytes().unwrap_or_default(), b"");
            names.push(entry.path().unwrap().display().to_string());
        }
        let long = format!("d/{}", "n".repeat(150));
        assert_eq!(names, ["a", "d/", "d/first", long.as_str(), "d/second", "here", "z"]);
        assert_eq!(second.bytes("d/second").unwrap().unwrap(), b"shared");
        assert_eq!(second.get("here").unwrap().kind, Kind::Symlink(".".into()));
        assert_eq!(second.get("z").unwrap().mode, 0o644);
    }

    #[test]
    fn capabilities_survive() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = Tree::read(&archive(folder.path()), |_| true).unwrap();
        let mut entry = Entry::file("ping");
        entry.capability = Some(vec![1, 0, 0, 2, 0, 255]);
        tree.insert("usr/bin/ping", entry.clone());
        let again = folder.path().join("again.tar");
        tree.write(0, File::create(&again).unwrap()).unwrap();
        let second = Tree::read(&again, |_| true).unwrap();
        assert_eq!(second.get("usr/bin/ping").unwrap().capability, entry.capability);
    }

    #[test]
    fn a_hard_link_to_nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Tree::read(&archive(folder.path()), |path| path != "d/first").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the root is not usable: d/second is a hard link to d/first"
        );
    }
}
