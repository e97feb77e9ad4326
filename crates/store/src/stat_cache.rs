//! The file in which digests of files outlive the process.
//!
//! ```text
//! "farmstat" u32 version, u64 count, count × entry sorted by path, 32 bytes BLAKE3 of all before
//! entry: u32 path length, path, u64 size, i64 mtime s, u32 ns, i64 ctime s, u32 ns, u64 inode, u64 device,
//!        u8 flags (1 executable, 2 symlink, 4 racy), u8 age, 32 bytes digest
//! ```
//! All numbers are little-endian. The file is a cache: whatever is wrong with it, the answer is an empty cache.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;

use crate::file_hasher::{FileDigest, FileKind};

const MAGIC: &[u8; 8] = b"farmstat";
const VERSION: u32 = 1;

/// What `stat` says about a file's content; while it is equal, the content is taken to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) size: u64,
    pub(crate) mtime: (i64, u32),
    pub(crate) ctime: (i64, u32),
    pub(crate) inode: u64,
    pub(crate) device: u64,
    pub(crate) executable: bool,
    pub(crate) kind: FileKind,
}

impl Fingerprint {
    /// `None` for what is neither a regular file nor a symlink.
    pub(crate) fn of(found: &Metadata) -> Option<Self> {
        let kind = if found.file_type().is_symlink() {
            FileKind::Symlink
        } else if found.is_file() {
            FileKind::File
        } else {
            return None;
        };
        let nanoseconds = |value: i64| u32::try_from(value).unwrap_or(0);
        Some(Self {
            size: found.len(),
            mtime: (found.mtime(), nanoseconds(found.mtime_nsec())),
            ctime: (found.ctime(), nanoseconds(found.ctime_nsec())),
            inode: found.ino(),
            device: found.dev(),
            executable: kind == FileKind::File && found.mode() & 0o111 != 0,
            kind,
        })
    }
}

/// A digest and the state of the file it was taken of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) digest: blake3::Hash,
    /// The file was so young when it was hashed that a later change might leave every number of the fingerprint as it is.
    pub(crate) racy: bool,
    /// How many saves ago it was last asked for.
    pub(crate) age: u8,
}

impl Entry {
    pub(crate) fn answer(&self) -> FileDigest {
        FileDigest {
            digest: self.digest,
            size: self.fingerprint.size,
            executable: self.fingerprint.executable,
            kind: self.fingerprint.kind,
        }
    }
}

/// By the bytes of the path.
pub(crate) type Entries = BTreeMap<OsString, Entry>;

pub(crate) fn encode(entries: &Entries) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * 160 + 64);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    for (path, entry) in entries {
        let path = path.as_bytes();
        let print = &entry.fingerprint;
        out.extend_from_slice(&(path.len() as u32).to_le_bytes());
        out.extend_from_slice(path);
        out.extend_from_slice(&print.size.to_le_bytes());
        for (seconds, nanoseconds) in [print.mtime, print.ctime] {
            out.extend_from_slice(&seconds.to_le_bytes());
            out.extend_from_slice(&nanoseconds.to_le_bytes());
        }
        out.extend_from_slice(&print.inode.to_le_bytes());
        out.extend_from_slice(&print.device.to_le_bytes());
        let symlink = print.kind == FileKind::Symlink;
        out.push(u8::from(print.executable) | u8::from(symlink) << 1 | u8::from(entry.racy) << 2);
        out.push(entry.age);
        out.extend_from_slice(entry.digest.as_bytes());
    }
    let sum = blake3::hash(&out);
    out.extend_from_slice(sum.as_bytes());
    out
}

/// Why a cache file says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Damaged,
    OtherVersion,
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Entries, Unreadable> {
    let (body, sum) = bytes.split_last_chunk::<32>().ok_or(Unreadable::Damaged)?;
    let mut rest = body.strip_prefix(MAGIC).ok_or(Unreadable::Damaged)?;
    if u32::from_le_bytes(take(&mut rest)?) != VERSION {
        return Err(Unreadable::OtherVersion);
    }
    if blake3::hash(body).as_bytes() != sum {
        return Err(Unreadable::Damaged);
    }
    let count = u64::from_le_bytes(take(&mut rest)?);
    // Collected and not inserted one by one: a map that is made of sorted entries has no half-empty nodes.
    let entries = (0..count).map(|_| entry(&mut rest)).collect::<Result<Entries, _>>()?;
    if rest.is_empty() {
        Ok(entries)
    } else {
        Err(Unreadable::Damaged)
    }
}

fn entry(rest: &mut &[u8]) -> Result<(OsString, Entry), Unreadable> {
    let length = u32::from_le_bytes(take(rest)?) as usize;
    let (path, tail) = rest.split_at_checked(length).ok_or(Unreadable::Damaged)?;
    *rest = tail;
    let size = u64::from_le_bytes(take(rest)?);
    let mtime = (i64::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?));
    let ctime = (i64::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?));
    let inode = u64::from_le_bytes(take(rest)?);
    let device = u64::from_le_bytes(take(rest)?);
    let [flags, age] = take(rest)?;
    let digest = blake3::Hash::from_bytes(take(rest)?);
    let kind = if flags & 2 != 0 {
        FileKind::Symlink
    } else {
        FileKind::File
    };
    let fingerprint = Fingerprint {
        size,
        mtime,
        ctime,
        inode,
        device,
        executable: flags & 1 != 0,
        kind,
    };
    let entry = Entry {
        fingerprint,
        digest,
        racy: flags & 4 != 0,
        age,
    };
    Ok((OsString::from_vec(path.to_vec()), entry))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Unreadable> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(Unreadable::Damaged)?;
    *rest = tail;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Entries {
        let fingerprint = Fingerprint {
            size: 3,
            mtime: (1, 2),
            ctime: (-3, 4),
            inode: 5,
            device: 6,
            executable: true,
            kind: FileKind::File,
        };
        let entry = Entry {
            fingerprint,
            digest: blake3::hash(b"abc"),
            racy: true,
            age: 7,
        };
        let link = Entry {
            fingerprint: Fingerprint {
                executable: false,
                kind: FileKind::Symlink,
                ..fingerprint
            },
            ..entry.clone()
        };
        Entries::from([("/a/b".into(), entry), ("/a/c".into(), link)])
    }

    #[test]
    fn entries_survive() {
        assert_eq!(decode(&encode(&sample())), Ok(sample()));
        assert_eq!(decode(&encode(&Entries::new())), Ok(Entries::new()));
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_seen() {
        let bytes = encode(&sample());
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x40;
            assert!(decode(&bytes).is_err(), "flipped at {at}");
        }
    }
}
