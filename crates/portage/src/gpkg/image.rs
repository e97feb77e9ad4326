//! The entries of `image.tar`, and what is refused among them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::{GpkgError, Limits};

/// What an entry of the image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file with its content in the archive.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, with its target verbatim.
    Symlink {
        /// Absolute or relative; it may point anywhere.
        target: String,
    },
    /// Another name of a file that came earlier in the archive.
    HardLink {
        /// The path of that file, relative to the root of the image.
        target: String,
    },
}

/// One entry of the image, as the package has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// Relative to the root of the image, without a leading or trailing slash; empty for the root itself.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// The permission bits with setuid, setgid and sticky: `mode & 0o7777`.
    pub mode: u32,
    /// The numeric owner.
    pub uid: u64,
    /// The numeric group.
    pub gid: u64,
    /// The owner's name, which takes precedence over the number when Portage unpacks as root; may be empty.
    pub uname: String,
    /// The group's name, likewise.
    pub gname: String,
    /// Seconds since the epoch.
    pub mtime: u64,
    /// The content's size in bytes; 0 for everything but files.
    pub size: u64,
    /// Extended attributes of a pax archive. Portage neither writes nor restores them.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// The order in which Portage packs an image: a directory, then its children by name, depth first.
///
/// That is the order of the paths compared component by component, which differs from the order of the strings where a
/// name contains a character below `/`.
pub(crate) fn path_order(a: &str, b: &str) -> Ordering {
    a.split('/').cmp(b.split('/'))
}

/// Walks an uncompressed `image.tar`, hands every entry with its content to `visit`, and refuses what must not be
/// extracted.
///
/// The content reader gives exactly `size` bytes; what `visit` leaves of it is skipped.
pub(super) fn walk<E: From<GpkgError>>(
    tar: impl Read,
    limits: &Limits,
    mut visit: impl FnMut(ImageEntry, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let decoding = |error| GpkgError::decoding("image.tar", error);
    let mut archive = tar::Archive::new(tar);
    let mut guard = Guard::default();
    let mut count = 0;
    for raw in archive.entries().map_err(decoding)? {
        let mut raw = raw.map_err(decoding)?;
        count += 1;
        if count > limits.image_entries {
            let part = "image.tar".to_owned();
            return Err(GpkgError::TooLarge {
                part,
                limit: limits.image_entries,
                unit: "entries",
            }
            .into());
        }
        let entry = parse(&mut raw)?;
        guard.admit(&entry)?;
        let size = entry.size;
        let mut content = Exact {
            inner: &mut raw,
            left: size,
        };
        visit(entry, &mut content)?;
        // Reading to the end here proves that the archive holds all that the header promised.
        std::io::copy(&mut content, &mut std::io::sink()).map_err(decoding)?;
    }
    Ok(())
}

/// Turns a tar entry into an [`ImageEntry`], checking its name and type.
fn parse<R: Read>(raw: &mut tar::Entry<'_, R>) -> Result<ImageEntry, GpkgError> {
    let decoding = |error| GpkgError::decoding("image.tar", error);
    let full = utf8(raw.path_bytes().as_ref())?;
    let path = strip_root(&full)?.to_owned();
    let xattrs = xattrs(raw)?;
    let header = raw.header();
    let kind = match header.entry_type() {
        tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => EntryKind::File,
        tar::EntryType::Directory => EntryKind::Directory,
        tar::EntryType::Symlink => EntryKind::Symlink {
            target: link_target(raw, &full)?,
        },
        tar::EntryType::Link => {
            let target = link_target(raw, &full)?;
            EntryKind::HardLink {
                target: strip_root(&target)?.to_owned(),
            }
        }
        tar::EntryType::Fifo => return Err(GpkgError::SpecialFile { path, kind: "FIFO" }),
        tar::EntryType::Char => {
            return Err(GpkgError::SpecialFile {
                path,
                kind: "character device",
            });
        }
        tar::EntryType::Block => {
            return Err(GpkgError::SpecialFile {
                path,
                kind: "block device",
            });
        }
        other => {
            return Err(dangerous(
                &full,
                &format!("unknown entry type {:#04x}", other.as_byte()),
            ));
        }
    };
    if path.is_empty() && kind != EntryKind::Directory {
        return Err(dangerous(&full, "the root of the image is not a directory"));
    }
    let name = |bytes: Option<&[u8]>| bytes.map_or_else(|| Ok(String::new()), utf8);
    Ok(ImageEntry {
        path,
        mode: header.mode().map_err(decoding)? & 0o7777,
        uid: header.uid().map_err(decoding)?,
        gid: header.gid().map_err(decoding)?,
        uname: name(header.username_bytes())?,
        gname: name(header.groupname_bytes())?,
        mtime: header.mtime().map_err(decoding)?,
        size: if kind == EntryKind::File { raw.size() } else { 0 },
        kind,
        xattrs,
    })
}

/// Checks a path of the archive and takes off the `image` directory that everything lies in.
fn strip_root(full: &str) -> Result<&str, GpkgError> {
    if full.starts_with('/') {
        return Err(dangerous(full, "the path is absolute"));
    }
    let path = full.strip_suffix('/').unwrap_or(full);
    if path.split('/').any(|part| part == "..") {
        return Err(dangerous(full, "the path leaves the archive"));
    }
    if path.split('/').any(|part| part.is_empty() || part == ".") || path.contains('\0') {
        return Err(dangerous(full, "the path is not in plain form"));
    }
    match path.strip_prefix("image") {
        Some("") => Ok(""),
        Some(rest) if rest.starts_with('/') => Ok(&rest[1..]),
        _ => Err(dangerous(full, "the path does not lie in `image/`")),
    }
}

fn link_target<R: Read>(raw: &tar::Entry<'_, R>, full: &str) -> Result<String, GpkgError> {
    let target = raw
        .link_name_bytes()
        .ok_or_else(|| dangerous(full, "the link has no target"))?;
    let target = utf8(&target)?;
    if target.is_empty() {
        Err(dangerous(full, "the link has no target"))
    } else {
        Ok(target)
    }
}

/// Collects the extended attributes that pax headers carry (`SCHILY.xattr.NAME`).
fn xattrs<R: Read>(raw: &mut tar::Entry<'_, R>) -> Result<BTreeMap<String, Vec<u8>>, GpkgError> {
    let decoding = |error| GpkgError::decoding("image.tar", error);
    let mut found = BTreeMap::new();
    let Some(extensions) = raw.pax_extensions().map_err(decoding)? else {
        return Ok(found);
    };
    for extension in extensions {
        let extension = extension.map_err(decoding)?;
        let Ok(key) = extension.key() else { continue };
        if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
            found.insert(name.to_owned(), extension.value_bytes().to_vec());
        }
    }
    Ok(found)
}

/// Portage packs UTF-8 names only, and refuses to merge others.
fn utf8(bytes: &[u8]) -> Result<String, GpkgError> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| dangerous(&String::from_utf8_lossy(bytes), "the name is not UTF-8"))
}

fn dangerous(path: &str, reason: &str) -> GpkgError {
    GpkgError::Dangerous {
        archive: "image.tar",
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Remembers what came before, to refuse what only the whole archive shows.
#[derive(Debug, Default)]
struct Guard {
    directories: BTreeSet<String>,
    /// Files and hard links.
    files: BTreeSet<String>,
    symlinks: BTreeSet<String>,
    /// Every folder that some path went through, whether or not it has an entry of its own.
    ancestors: BTreeSet<String>,
}

impl Guard {
    fn admit(&mut self, entry: &ImageEntry) -> Result<(), GpkgError> {
        let path = entry.path.as_str();
        if self.directories.contains(path) || self.files.contains(path) || self.symlinks.contains(path) {
            return Err(dangerous(path, "the path appears twice"));
        }
        for (end, _) in path.match_indices('/') {
            let parent = &path[..end];
            if self.symlinks.contains(parent) {
                return Err(dangerous(
                    path,
                    "the path goes through a symbolic link of the same archive",
                ));
            }
            if self.files.contains(parent) {
                return Err(dangerous(path, "the path goes through a file of the same archive"));
            }
            if !self.ancestors.contains(parent) {
                self.ancestors.insert(parent.to_owned());
            }
        }
        if entry.kind != EntryKind::Directory && self.ancestors.contains(path) {
            return Err(dangerous(
                path,
                "earlier paths went through it, and it is not a directory",
            ));
        }
        if let EntryKind::HardLink { target } = &entry.kind
            && !self.files.contains(target)
        {
            return Err(dangerous(path, "a hard link to what did not come before it"));
        }
        match entry.kind {
            EntryKind::Directory => self.directories.insert(path.to_owned()),
            EntryKind::Symlink { .. } => self.symlinks.insert(path.to_owned()),
            EntryKind::File | EntryKind::HardLink { .. } => self.files.insert(path.to_owned()),
        };
        Ok(())
    }
}

/// A reader of exactly `left` bytes: an early end of the source is an error, not an end.
struct Exact<'a, R> {
    inner: &'a mut R,
    left: u64,
}

impl<R: Read> Read for Exact<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        if want == 0 {
            return Ok(0);
        }
        let n = self.inner.read(&mut buf[..want])?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_follow_their_directory() {
        let mut paths = ["a/b", "a+b", "a", "a/b-c", "", "a/b/c"];
        paths.sort_by(|a, b| path_order(a, b));
        assert_eq!(paths, ["", "a", "a/b", "a/b/c", "a/b-c", "a+b"]);
    }
}
