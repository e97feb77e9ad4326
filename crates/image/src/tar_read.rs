//! Reads tar archives: ustar, GNU long names, and PAX records with binary values.
//!
//! The `tar` crate splits PAX records at line feeds, which breaks values such as a capability that holds the byte 0x0a; so
//! blocks and records are read here and only the fields of a header are left to it.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// Extension headers hold names and attributes; more than this is no sane archive.
const LARGEST_EXTENSION: u64 = 8 << 20;

/// Why a tar archive could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The stream failed (environment).
    #[error("failed to read the archive")]
    Io(#[from] io::Error),
    /// The bytes are no tar archive, or a damaged one (input).
    #[error("the archive is malformed at `{path}`: {reason}")]
    Malformed {
        /// The entry at fault, as far as it is known.
        path: String,
        /// A sentence fragment.
        reason: String,
    },
    /// An entry of a kind that no tree of ours holds (input).
    #[error("`{path}` in the archive is {what}, which is not supported")]
    Unsupported {
        /// The entry.
        path: String,
        /// What it is, with its article.
        what: String,
    },
}

/// One entry of an archive, its extension headers applied.
#[derive(Debug)]
pub(crate) struct Member {
    /// Relative, normal; empty for the root.
    pub(crate) path: PathBuf,
    pub(crate) kind: MemberKind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) capability: Option<Vec<u8>>,
    pub(crate) other_xattrs: u64,
    /// When it was changed, in whole seconds since 1970; 0 for before that.
    pub(crate) time: u64,
}

#[derive(Debug)]
pub(crate) enum MemberKind {
    File { size: u64 },
    HardLink { target: PathBuf },
    Dir,
    Symlink { target: OsString },
    Fifo,
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
}

#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    capability: Option<Vec<u8>>,
    other_xattrs: u64,
    time: Option<u64>,
    sparse: bool,
}

/// Calls `each` for every entry with a reader of exactly its content, and reads the stream to its end.
pub(crate) fn read_members<E: From<TarError>>(
    stream: &mut dyn Read,
    each: &mut dyn FnMut(Member, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let mut extensions = Extensions::default();
    while let Some(header) = next_header(stream)? {
        let name = header.path_bytes();
        let shown = || String::from_utf8_lossy(&name).into_owned();
        let malformed = |error: io::Error| TarError::Malformed {
            path: shown(),
            reason: error.to_string(),
        };
        let declared = header.entry_size().map_err(malformed)?;
        let kind = header.entry_type();
        match kind {
            EntryType::XHeader => {
                parse_pax(&read_extension(stream, declared, &name)?, &mut extensions).map_err(|reason| {
                    TarError::Malformed {
                        path: shown(),
                        reason: reason.to_owned(),
                    }
                })?;
                continue;
            }
            // Defaults for all entries: nothing that is kept here is ever written there.
            EntryType::XGlobalHeader => {
                read_extension(stream, declared, &name)?;
                continue;
            }
            EntryType::GNULongName => {
                extensions.path = Some(until_nul(read_extension(stream, declared, &name)?));
                continue;
            }
            EntryType::GNULongLink => {
                extensions.link = Some(until_nul(read_extension(stream, declared, &name)?));
                continue;
            }
            _ => {}
        }
        let extensions = std::mem::take(&mut extensions);
        // Only regular files have content; some writers put a size on links all the same.
        let regular = matches!(kind, EntryType::Regular | EntryType::Continuous);
        let size = if regular {
            extensions.size.unwrap_or(declared)
        } else {
            0
        };
        let member = member(&header, extensions, size)?;
        let mut content = stream.take(size);
        each(member, &mut content)?;
        let unread = io::copy(&mut content, &mut io::sink()).map_err(TarError::from)?;
        let _ = unread;
        if content.limit() > 0 {
            return Err(TarError::Malformed {
                path: shown(),
                reason: "it ends within a file".into(),
            }
            .into());
        }
        skip_padding(stream, size)?;
    }
    io::copy(stream, &mut io::sink()).map_err(TarError::from)?;
    Ok(())
}

fn next_header(stream: &mut dyn Read) -> Result<Option<Header>, TarError> {
    let mut header = Header::new_old();
    let mut filled = 0;
    while filled < BLOCK {
        match stream.read(&mut header.as_mut_bytes()[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => {
                return Err(TarError::Malformed {
                    path: String::new(),
                    reason: "it ends within a header".into(),
                });
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    // One block of zeros is enough of an end: some writers leave out the second.
    if header.as_bytes().iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let bytes = header.as_bytes();
    let sum = bytes[..148]
        .iter()
        .chain(&bytes[156..])
        .map(|byte| u32::from(*byte))
        .sum::<u32>()
        + 8 * u32::from(b' ');
    if header.cksum().ok() != Some(sum) {
        let path = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        return Err(TarError::Malformed {
            path,
            reason: "a header has a wrong checksum".into(),
        });
    }
    Ok(Some(header))
}

fn skip_padding(stream: &mut dyn Read, size: u64) -> Result<(), TarError> {
    let padding = size.next_multiple_of(BLOCK as u64) - size;
    io::copy(&mut stream.take(padding), &mut io::sink())?;
    Ok(())
}

fn read_extension(stream: &mut dyn Read, size: u64, name: &[u8]) -> Result<Vec<u8>, TarError> {
    let malformed = |reason: &str| TarError::Malformed {
        path: String::from_utf8_lossy(name).into_owned(),
        reason: reason.into(),
    };
    if size > LARGEST_EXTENSION {
        return Err(malformed("an extension header is larger than 8 MiB"));
    }
    let mut bytes = Vec::new();
    stream.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(malformed("it ends within an extension header"));
    }
    skip_padding(stream, size)?;
    Ok(bytes)
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

/// Reads PAX records (POSIX.1-2001, pax Extended Header): `LENGTH KEY=VALUE\n`, the length counting the whole record.
fn parse_pax(mut records: &[u8], into: &mut Extensions) -> Result<(), &'static str> {
    while !records.is_empty() && records[0] != 0 {
        let broken = "a PAX record is broken";
        let space = records.iter().position(|byte| *byte == b' ').ok_or(broken)?;
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<u64>().ok();
        let length = number(&records[..space])
            .and_then(|length| usize::try_from(length).ok())
            .ok_or(broken)?;
        let record = records
            .get(space + 1..length)
            .and_then(|record| record.strip_suffix(b"\n"))
            .ok_or(broken)?;
        records = &records[length..];
        let equals = record.iter().position(|byte| *byte == b'=').ok_or(broken)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => into.path = Some(value.to_vec()),
            b"linkpath" => into.link = Some(value.to_vec()),
            b"size" => into.size = Some(number(value).ok_or(broken)?),
            b"uid" => into.uid = Some(number(value).ok_or(broken)?),
            b"gid" => into.gid = Some(number(value).ok_or(broken)?),
            b"mtime" => into.time = Some(whole_seconds(value).ok_or(broken)?),
            b"SCHILY.xattr.security.capability" => into.capability = Some(value.to_vec()),
            _ if key.starts_with(b"SCHILY.xattr.") => into.other_xattrs += 1,
            _ if key.starts_with(b"GNU.sparse.") => into.sparse = true,
            _ => {}
        }
    }
    Ok(())
}

/// Reads a PAX time, which may have a fraction and a sign.
fn whole_seconds(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let seconds: i64 = text.split('.').next()?.parse().ok()?;
    Some(u64::try_from(seconds).unwrap_or(0))
}

fn member(header: &Header, extensions: Extensions, size: u64) -> Result<Member, TarError> {
    let name = extensions.path.unwrap_or_else(|| header.path_bytes().into_owned());
    let shown = || String::from_utf8_lossy(&name).into_owned();
    let malformed = |reason: &str| TarError::Malformed {
        path: shown(),
        reason: reason.to_owned(),
    };
    let old = header.as_old();
    let owner = |field: &[u8; 8], read: io::Result<u64>, given: Option<u64>| {
        let number = if given.is_none() && is_blank(field) {
            Some(0)
        } else {
            given.or(read.ok())
        };
        number
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| malformed("an owner is no number"))
    };
    let mode = if is_blank(&old.mode) {
        Some(0)
    } else {
        header.mode().ok()
    };
    let path = normalise(Path::new(OsStr::from_bytes(&name))).ok_or_else(|| malformed("the path climbs with `..`"))?;
    let link = || match &extensions.link {
        Some(link) => link.clone(),
        None => header.link_name_bytes().unwrap_or_default().into_owned(),
    };
    let device = || -> Result<(u32, u32), TarError> {
        let read =
            |field: io::Result<Option<u32>>| field.ok().flatten().ok_or_else(|| malformed("a device has no number"));
        Ok((read(header.device_major())?, read(header.device_minor())?))
    };
    let kind = match header.entry_type() {
        _ if extensions.sparse => {
            return Err(TarError::Unsupported {
                path: shown(),
                what: "a sparse file".into(),
            });
        }
        // Archives older than POSIX mark folders by a trailing slash only.
        EntryType::Regular if name.ends_with(b"/") => MemberKind::Dir,
        EntryType::Regular | EntryType::Continuous => MemberKind::File { size },
        EntryType::Directory => MemberKind::Dir,
        EntryType::Link => {
            let target = normalise(Path::new(&OsString::from_vec(link())));
            MemberKind::HardLink {
                target: target.ok_or_else(|| malformed("a hard link climbs with `..`"))?,
            }
        }
        EntryType::Symlink => MemberKind::Symlink {
            target: OsString::from_vec(link()),
        },
        EntryType::Fifo => MemberKind::Fifo,
        EntryType::Char => {
            let (major, minor) = device()?;
            MemberKind::CharDevice { major, minor }
        }
        EntryType::Block => {
            let (major, minor) = device()?;
            MemberKind::BlockDevice { major, minor }
        }
        other => {
            let what = if other == EntryType::GNUSparse {
                "a sparse file".into()
            } else {
                format!("of type {:?}", char::from(other.as_byte()))
            };
            return Err(TarError::Unsupported { path: shown(), what });
        }
    };
    Ok(Member {
        path,
        kind,
        mode: mode.ok_or_else(|| malformed("a mode is no number"))? & 0o7777,
        uid: owner(&old.uid, header.uid(), extensions.uid)?,
        gid: owner(&old.gid, header.gid(), extensions.gid)?,
        capability: extensions.capability,
        other_xattrs: extensions.other_xattrs,
        time: extensions.time.or(header.mtime().ok()).unwrap_or(0),
    })
}

/// True for a number field that its writer left empty, which means 0.
fn is_blank(field: &[u8]) -> bool {
    field.iter().all(|byte| matches!(byte, 0 | b' '))
}

/// Makes a path relative and drops `.`, doubled and trailing slashes; `None` if it holds `..`.
pub(crate) fn normalise(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{EntryKind, Index};

    fn index(tar: &[u8], strip: &str) -> Result<Index, TarError> {
        Index::read(&mut &*tar, Path::new(strip)).map(|scanned| scanned.index)
    }

    #[test]
    fn gnu_long_names_and_links_are_whole() {
        let (name, target) = (format!("d/{}", "n".repeat(300)), "t".repeat(200));
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o100_644);
        builder.append_data(&mut header, &name, &b"abc"[..]).unwrap();
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "link", &target).unwrap();
        let index = index(&builder.into_inner().unwrap(), "").unwrap();
        let file = index.get(&name).unwrap();
        assert_eq!(
            (file.mode, &file.kind),
            (
                0o644,
                &EntryKind::File {
                    size: 3,
                    digest: blake3::hash(b"abc"),
                    link_group: None
                }
            )
        );
        assert_eq!(
            index.get("link").unwrap().kind,
            EntryKind::Symlink { target: target.into() }
        );
    }

    #[test]
    fn a_prefix_is_stripped_from_names_and_hard_links() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = Header::new_ustar();
        header.set_size(1);
        builder.append_data(&mut header, "pkg/db/a", &b"a"[..]).unwrap();
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Link);
        header.set_size(0);
        builder.append_link(&mut header, "pkg/db/b", "pkg/db/a").unwrap();
        let tar = builder.into_inner().unwrap();
        let index = index(&tar, "/pkg/db").unwrap();
        assert_eq!(
            index.iter().map(|(path, _)| path).collect::<Vec<_>>(),
            [Path::new("a"), Path::new("b")]
        );
        assert_eq!(index.get("a"), index.get("b"));
        assert!(matches!(
            Index::read(&mut tar.as_slice(), Path::new("pkg/other")),
            Err(TarError::Malformed { .. })
        ));
    }

    #[test]
    fn xattrs_other_than_the_capability_are_counted() {
        let mut builder = tar::Builder::new(Vec::new());
        let records = [
            ("SCHILY.xattr.user.x", &b"1"[..]),
            ("SCHILY.xattr.security.capability", &b"\x01\x0a"[..]),
        ];
        builder.append_pax_extensions(records).unwrap();
        let mut header = Header::new_ustar();
        header.set_size(0);
        builder.append_data(&mut header, "f", io::empty()).unwrap();
        let scanned = Index::read(&mut Cursor::new(builder.into_inner().unwrap()), Path::new("")).unwrap();
        assert_eq!(scanned.dropped_xattrs, 1);
        assert_eq!(
            scanned.index.get("f").unwrap().capability.as_deref(),
            Some(&b"\x01\x0a"[..])
        );
    }

    #[test]
    fn what_is_no_tree_is_an_error() {
        let with_path = |path: &[u8], kind: EntryType| {
            let mut header = Header::new_ustar();
            header.as_old_mut().name[..path.len()].copy_from_slice(path);
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_cksum();
            header.as_bytes().to_vec()
        };
        assert!(matches!(
            index(&with_path(b"a/../../b", EntryType::Regular), ""),
            Err(TarError::Malformed { .. })
        ));
        assert!(matches!(
            index(&with_path(b"s", EntryType::GNUSparse), ""),
            Err(TarError::Unsupported { .. })
        ));
        let mut damaged = with_path(b"f", EntryType::Regular);
        damaged[0] = b'g';
        assert!(matches!(index(&damaged, ""), Err(TarError::Malformed { .. })));
        assert!(matches!(index(&damaged[..100], ""), Err(TarError::Malformed { .. })));
        assert_eq!(index(&[], "").unwrap(), Index::default());
    }
}
