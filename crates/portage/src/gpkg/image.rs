//! The entries of an image, and what is refused among them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::{GpkgError, Limits};

/// What messages call the archive.
pub(super) const IMAGE: &str = "the image";

/// How an archive names the root of its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// `image`, with everything in it: a GPKG (GLEP 78).
    Image,
    /// `.`, as `tar -C "${D}" .` has it, or not at all: an XPAK (`__dyn_package` in Portage's `misc-functions.sh`).
    Dot,
}

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
    /// Extended attributes of a pax archive. In a GPKG, Portage neither writes nor restores them.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// The order in which Portage packs an image: a directory, then its children by name, depth first.
///
/// That is the order of the paths compared component by component, which differs from the order of the strings where a
/// name contains a character below `/`.
pub(crate) fn path_order(a: &str, b: &str) -> Ordering {
    a.split('/').cmp(b.split('/'))
}

/// Walks an uncompressed archive, hands every entry with its content to `visit`, and refuses what must not be
/// extracted.
///
/// The content reader gives exactly `size` bytes; what `visit` leaves of it is skipped.
pub(crate) fn walk<E: From<GpkgError>>(
    tar: impl Read,
    root: Root,
    limits: &Limits,
    mut visit: impl FnMut(ImageEntry, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let decoding = |error| GpkgError::decoding(IMAGE, error);
    let mut archive = tar::Archive::new(tar);
    let mut guard = EntryGuard::default();
    let (mut count, mut sparse): (u64, u64) = (0, 0);
    let too_large = |limit, unit| GpkgError::TooLarge {
        part: IMAGE.to_owned(),
        limit,
        unit,
    };
    for raw in archive.entries().map_err(decoding)? {
        let mut raw = raw.map_err(decoding)?;
        count += 1;
        if count > limits.image_entries {
            return Err(too_large(limits.image_entries, "entries").into());
        }
        let mut entry = parse(&mut raw, root)?;
        if root == Root::Dot {
            guard.untie(&mut entry);
        }
        guard.admit(&entry)?;
        let size = entry.size;
        // Only a sparse file can be larger than what is read of the archive.
        if raw.header().entry_type().is_gnu_sparse() {
            sparse = sparse.saturating_add(size);
            if sparse > limits.image_bytes {
                return Err(too_large(limits.image_bytes, "bytes").into());
            }
        }
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
fn parse<R: Read>(raw: &mut tar::Entry<'_, R>, root: Root) -> Result<ImageEntry, GpkgError> {
    let decoding = |error| GpkgError::decoding(IMAGE, error);
    let full = utf8(raw.path_bytes().as_ref())?;
    let path = strip_root(&full, root)?.to_owned();
    let extensions = extensions(raw, &full)?;
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
                target: strip_root(&target, root)?.to_owned(),
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
    let name = |long: Option<String>, bytes: Option<&[u8]>| match (long, bytes) {
        (Some(long), _) => Ok(long),
        (None, Some(bytes)) => utf8(bytes),
        (None, None) => Ok(String::new()),
    };
    Ok(ImageEntry {
        path,
        mode: header.mode().map_err(decoding)? & 0o7777,
        uid: header.uid().map_err(decoding)?,
        gid: header.gid().map_err(decoding)?,
        uname: name(extensions.uname, header.username_bytes())?,
        gname: name(extensions.gname, header.groupname_bytes())?,
        mtime: header.mtime().map_err(decoding)?,
        size: if kind == EntryKind::File { raw.size() } else { 0 },
        kind,
        xattrs: extensions.xattrs,
    })
}

/// Checks a path of the archive and takes off the root that everything lies in.
fn strip_root(full: &str, root: Root) -> Result<&str, GpkgError> {
    if full.starts_with('/') {
        return Err(dangerous(full, "the path is absolute"));
    }
    let path = full.strip_suffix('/').unwrap_or(full);
    let path = match root {
        Root::Dot if path == "." => return Ok(""),
        Root::Dot => path.strip_prefix("./").unwrap_or(path),
        Root::Image => path,
    };
    if path.split('/').any(|part| part == "..") {
        return Err(dangerous(full, "the path leaves the archive"));
    }
    if path.split('/').any(|part| part.is_empty() || part == ".") || path.contains('\0') {
        return Err(dangerous(full, "the path is not in plain form"));
    }
    if root == Root::Dot {
        return Ok(path);
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

/// What the pax header before an entry says of it, apart from what `tar` takes from there by itself.
#[derive(Default)]
struct Extensions {
    uname: Option<String>,
    gname: Option<String>,
    xattrs: BTreeMap<String, Vec<u8>>,
}

/// Collects what pax headers carry: extended attributes (`SCHILY.xattr.NAME`), and names of owners that do not fit
/// elsewhere.
///
/// Fails for sparse files in pax form: what follows such a header is a map and pieces, which would be taken for the
/// file. It also fails for an attribute with a line feed in it, which `tar` cannot tell from the end of a line.
fn extensions<R: Read>(raw: &mut tar::Entry<'_, R>, full: &str) -> Result<Extensions, GpkgError> {
    let decoding = |error| GpkgError::decoding(IMAGE, error);
    let mut found = Extensions::default();
    let Some(extensions) = raw.pax_extensions().map_err(decoding)? else {
        return Ok(found);
    };
    for extension in extensions {
        let extension = extension.map_err(decoding)?;
        let Ok(key) = extension.key() else { continue };
        let value = extension.value_bytes();
        if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
            found.xattrs.insert(name.to_owned(), value.to_vec());
        } else if key.starts_with("GNU.sparse.") {
            return Err(dangerous(full, "a sparse file in pax form is not supported"));
        } else if key == "uname" {
            found.uname = Some(utf8(value)?);
        } else if key == "gname" {
            found.gname = Some(utf8(value)?);
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
        archive: IMAGE,
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Remembers what came before, to refuse what only the whole archive shows.
#[derive(Debug, Default)]
pub(crate) struct EntryGuard {
    directories: BTreeSet<String>,
    /// Files and hard links.
    files: BTreeSet<String>,
    /// With their targets.
    symlinks: BTreeMap<String, String>,
    /// Every folder that some path went through, whether or not it has an entry of its own.
    ancestors: BTreeSet<String>,
}

impl EntryGuard {
    /// Makes a hard link to a symbolic link another symbolic link.
    ///
    /// GNU tar packs the second name of a symbolic link as a hard link. Portage's GPKG writer does not, and what is
    /// unpacked behaves alike.
    fn untie(&self, entry: &mut ImageEntry) {
        if let EntryKind::HardLink { target } = &entry.kind
            && let Some(target) = self.symlinks.get(target)
        {
            entry.kind = EntryKind::Symlink { target: target.clone() };
        }
    }

    /// Takes an entry, or refuses it.
    pub(crate) fn admit(&mut self, entry: &ImageEntry) -> Result<(), GpkgError> {
        let path = entry.path.as_str();
        if self.directories.contains(path) || self.files.contains(path) || self.symlinks.contains_key(path) {
            return Err(dangerous(path, "the path appears twice"));
        }
        for (end, _) in path.match_indices('/') {
            let parent = &path[..end];
            if self.symlinks.contains_key(parent) {
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
        match &entry.kind {
            EntryKind::Directory => {
                self.directories.insert(path.to_owned());
            }
            EntryKind::Symlink { target } => {
                self.symlinks.insert(path.to_owned(), target.clone());
            }
            EntryKind::File | EntryKind::HardLink { .. } => {
                self.files.insert(path.to_owned());
            }
        }
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
