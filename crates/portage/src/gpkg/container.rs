//! The outer tar: finding its members and checking its structure.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use super::{GpkgError, VERSION_MEMBER};
use crate::compression::Compression;

/// One member of the container, found but not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name without the directory: `metadata.tar.zst`.
    pub name: String,
    /// Where its bytes begin, counted from the start of the container.
    pub offset: u64,
    /// How many bytes it has.
    pub size: u64,
    /// Its modification time in seconds since the epoch.
    pub mtime: u64,
}

impl Member {
    /// Whether this is the inner archive `stem`, such as `metadata.tar`, with or without a suffix of compression.
    pub(super) fn is_archive(&self, stem: &str) -> bool {
        let rest = self.name.strip_prefix(stem);
        rest.is_some_and(|rest| !rest.ends_with(".sig") && (rest.is_empty() || rest.starts_with('.')))
    }

    /// How the inner archive `stem` is compressed, by what follows `stem` in its name.
    pub(super) fn compression(&self, stem: &str) -> Result<Compression, GpkgError> {
        let suffix = self.name.strip_prefix(stem).unwrap_or_default();
        Compression::from_suffix(suffix).ok_or_else(|| GpkgError::Compression {
            member: self.name.clone(),
            suffix: suffix.to_owned(),
        })
    }
}

/// Walks the outer tar by its headers alone and gives the common directory and the members in the order of the file.
///
/// Refuses what Portage refuses: no common directory, absolute or deeper names, a name twice, anything but plain files,
/// no `gpkg-1`; and a member that reaches beyond the end of the file.
pub(super) fn scan<R: Read + Seek>(source: &mut R) -> Result<(String, Vec<Member>), GpkgError> {
    let end = source.seek(SeekFrom::End(0)).map_err(GpkgError::Read)?;
    source.seek(SeekFrom::Start(0)).map_err(GpkgError::Read)?;
    let mut members = Vec::new();
    let prefix = walk(source, Some(end), |member| {
        members.push(member);
        Ok(ControlFlow::Continue(()))
    })?;
    let prefix = prefix.ok_or_else(|| GpkgError::structure("it has no members"))?;
    if !members.iter().any(|member| member.name == VERSION_MEMBER) {
        return Err(GpkgError::structure(format!("it has no member `{VERSION_MEMBER}`")));
    }
    Ok((prefix, members))
}

/// Hands every member to `visit`, in the order of the file, until it has seen enough; gives the common directory.
///
/// `end` is the length of the file, if it is known.
pub(super) fn walk<R: Read + Seek>(
    source: R,
    end: Option<u64>,
    mut visit: impl FnMut(Member) -> Result<ControlFlow<()>, GpkgError>,
) -> Result<Option<String>, GpkgError> {
    let mut archive = tar::Archive::new(source);
    let mut prefix: Option<String> = None;
    let mut names = BTreeSet::new();
    let decoding = |error| GpkgError::decoding("the container", error);
    for entry in archive.entries_with_seek().map_err(decoding)? {
        let entry = entry.map_err(decoding)?;
        let path = entry.path_bytes();
        let path = std::str::from_utf8(&path).map_err(|_| GpkgError::structure("a member's name is not UTF-8"))?;
        let Some((directory, name)) = path.split_once('/') else {
            return Err(GpkgError::structure(format!("member `{path}` lies in no directory")));
        };
        let bad = |part: &str| part.is_empty() || part == "." || part == "..";
        if bad(directory) || bad(name) || name.contains('/') {
            return Err(GpkgError::structure(format!(
                "member `{path}` does not lie in exactly one directory"
            )));
        }
        if prefix.as_deref().is_some_and(|prefix| prefix != directory) {
            return Err(GpkgError::structure(format!(
                "member `{path}` lies in another directory than the first"
            )));
        }
        if !entry.header().entry_type().is_file() {
            return Err(GpkgError::structure(format!("member `{path}` is not a plain file")));
        }
        if !names.insert(name.to_owned()) {
            return Err(GpkgError::structure(format!("member `{path}` appears twice")));
        }
        let (offset, size) = (entry.raw_file_position(), entry.size());
        if offset
            .checked_add(size)
            .is_none_or(|last| end.is_some_and(|end| last > end))
        {
            return Err(GpkgError::Damaged {
                part: "the container".to_owned(),
                reason: format!("it ends inside member `{path}`"),
            });
        }
        let mtime = entry.header().mtime().map_err(decoding)?;
        prefix.get_or_insert_with(|| directory.to_owned());
        let member = Member {
            name: name.to_owned(),
            offset,
            size,
            mtime,
        };
        if visit(member)?.is_break() {
            break;
        }
    }
    Ok(prefix)
}
