//! The canonical encoding of an index: what is hashed is what is stored.
//!
//! ```text
//! "farm index 1\n", u64 count, count × entry in the order of paths
//! entry: text path, u32 mode, u32 uid, u32 gid, capability: u8 0 | u8 1 text,
//!        u8 kind: 0 folder | 1 file: u64 size, 32 bytes BLAKE3, group: u8 0 | u8 1 text | 2 symlink: text | 3 FIFO
//!                 | 4 character device: u32 major, u32 minor | 5 block device: the same
//! text: u32 length, bytes
//! ```
//! All numbers are little-endian.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::entry::{Entry, EntryKind};

const MAGIC: &[u8] = b"farm index 1\n";
const FAMILY: &[u8] = b"farm index ";

/// Why bytes are no index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Another version of farm wrote them (environment).
    #[error("the index of a tree has a format of another version")]
    OtherVersion,
    /// They are cut short or were changed (environment).
    #[error("the index of a tree is damaged at byte {0}")]
    Damaged(usize),
}

pub(crate) fn encode(entries: &BTreeMap<PathBuf, Entry>) -> Vec<u8> {
    let mut out = Vec::with_capacity(MAGIC.len() + 8 + entries.len() * 112);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    for (path, entry) in entries {
        text(&mut out, path.as_os_str().as_bytes());
        for number in [entry.mode, entry.uid, entry.gid] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        optional(&mut out, entry.capability.as_deref());
        match &entry.kind {
            EntryKind::Dir => out.push(0),
            EntryKind::File {
                size,
                digest,
                link_group,
            } => {
                out.push(1);
                out.extend_from_slice(&size.to_le_bytes());
                out.extend_from_slice(digest.as_bytes());
                optional(&mut out, link_group.as_ref().map(|group| group.as_os_str().as_bytes()));
            }
            EntryKind::Symlink { target } => {
                out.push(2);
                text(&mut out, target.as_bytes());
            }
            EntryKind::Fifo => out.push(3),
            EntryKind::CharDevice { major, minor } => device(&mut out, 4, *major, *minor),
            EntryKind::BlockDevice { major, minor } => device(&mut out, 5, *major, *minor),
        }
    }
    out
}

fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn optional(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    out.push(u8::from(bytes.is_some()));
    if let Some(bytes) = bytes {
        text(out, bytes);
    }
}

fn device(out: &mut Vec<u8>, tag: u8, major: u32, minor: u32) {
    out.push(tag);
    out.extend_from_slice(&major.to_le_bytes());
    out.extend_from_slice(&minor.to_le_bytes());
}

pub(crate) fn decode(bytes: &[u8]) -> Result<BTreeMap<PathBuf, Entry>, DecodeError> {
    if !bytes.starts_with(MAGIC) {
        return Err(if bytes.starts_with(FAMILY) {
            DecodeError::OtherVersion
        } else {
            DecodeError::Damaged(0)
        });
    }
    let mut source = Source { bytes, at: MAGIC.len() };
    let count = u64::from_le_bytes(source.array()?);
    let mut entries = Vec::new();
    for _ in 0..count {
        let path = PathBuf::from(source.os_text()?);
        let (mode, uid, gid) = (source.number()?, source.number()?, source.number()?);
        let capability = if source.flag()? {
            Some(source.text()?.to_vec())
        } else {
            None
        };
        let [tag] = source.array()?;
        let kind = match tag {
            0 => EntryKind::Dir,
            1 => EntryKind::File {
                size: u64::from_le_bytes(source.array()?),
                digest: blake3::Hash::from_bytes(source.array()?),
                link_group: if source.flag()? {
                    Some(PathBuf::from(source.os_text()?))
                } else {
                    None
                },
            },
            2 => EntryKind::Symlink {
                target: source.os_text()?,
            },
            3 => EntryKind::Fifo,
            4 => EntryKind::CharDevice {
                major: source.number()?,
                minor: source.number()?,
            },
            5 => EntryKind::BlockDevice {
                major: source.number()?,
                minor: source.number()?,
            },
            _ => return Err(DecodeError::Damaged(source.at)),
        };
        entries.push((
            path,
            Entry {
                kind,
                mode,
                uid,
                gid,
                capability,
            },
        ));
    }
    if source.at == bytes.len() {
        Ok(entries.into_iter().collect())
    } else {
        Err(DecodeError::Damaged(source.at))
    }
}

struct Source<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Source<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(length).ok_or(DecodeError::Damaged(self.at))?;
        let taken = self.bytes.get(self.at..end).ok_or(DecodeError::Damaged(self.at))?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let at = self.at;
        self.take(N)?.try_into().map_err(|_| DecodeError::Damaged(at))
    }

    fn number(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(DecodeError::Damaged(self.at)),
        }
    }

    fn text(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.number()? as usize;
        self.take(length)
    }

    fn os_text(&mut self) -> Result<OsString, DecodeError> {
        Ok(OsString::from_vec(self.text()?.to_vec()))
    }
}
