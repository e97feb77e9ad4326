//! From a tar stream to an index.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::entry::{Entry, EntryKind};
use crate::index::Index;
use crate::tar_read::{Member, MemberKind, TarError, normalise, read_members};

/// What a stream held.
pub(crate) struct Found {
    pub(crate) index: Index,
    /// For every name of a hard-linked file, the name under which the stream held its content.
    pub(crate) content_at: BTreeMap<PathBuf, PathBuf>,
    pub(crate) dropped_xattrs: u64,
    /// The times of what the stream itself had, and not of folders that must be there for the sake of others.
    pub(crate) times: BTreeMap<PathBuf, u64>,
}

/// Takes BLAKE3 and length of what is read through it.
struct HashingReader<'a> {
    content: &'a mut dyn Read,
    hasher: blake3::Hasher,
    size: u64,
}

impl Read for HashingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}

/// Consumes the content of a regular file, to its end.
pub(crate) type Consume<'a> = dyn FnMut(&Path, u64, &mut dyn Read) -> io::Result<()> + 'a;

/// Reads a whole stream.
pub(crate) fn scan(stream: &mut dyn Read, strip: &Path, consume: &mut Consume<'_>) -> Result<Found, TarError> {
    let strip = normalise(strip).unwrap_or_default();
    let mut scanner = Scanner::default();
    read_members(stream, &mut |member: Member, content: &mut dyn Read| {
        let path = match member.path.strip_prefix(&strip) {
            Ok(path) => path.to_path_buf(),
            Err(_) => {
                return Err(malformed(
                    &member.path,
                    &format!("it does not lie in `{}`", strip.display()),
                ));
            }
        };
        scanner.dropped_xattrs += member.other_xattrs;
        // The root is no entry: its mode and owner are the business of whoever unpacks.
        if path.as_os_str().is_empty() && matches!(member.kind, MemberKind::Dir) {
            return Ok(());
        }
        let mut digested = None;
        if let MemberKind::File { size } = member.kind {
            let mut reader = HashingReader {
                content,
                hasher: blake3::Hasher::new(),
                size: 0,
            };
            consume(&path, size, &mut reader)?;
            digested = Some((reader.hasher.finalize(), reader.size));
        }
        scanner.add(path, member, &strip, digested)
    })?;
    let Scanner {
        entries,
        names,
        content_at,
        dropped_xattrs,
        times,
        ..
    } = scanner;
    Ok(Found {
        index: Index::from_parts(entries, &names),
        content_at,
        dropped_xattrs,
        times,
    })
}

#[derive(Default)]
struct Scanner {
    entries: BTreeMap<PathBuf, Entry>,
    names: BTreeMap<PathBuf, u64>,
    content_at: BTreeMap<PathBuf, PathBuf>,
    next_number: u64,
    dropped_xattrs: u64,
    times: BTreeMap<PathBuf, u64>,
}

impl Scanner {
    fn add(
        &mut self,
        path: PathBuf,
        member: Member,
        strip: &Path,
        digested: Option<(blake3::Hash, u64)>,
    ) -> Result<(), TarError> {
        let entry = match member.kind {
            MemberKind::HardLink { ref target } => return self.link(path, target, strip),
            MemberKind::File { .. } => {
                let (digest, size) = digested.ok_or_else(|| malformed(&path, "its content was not read"))?;
                EntryKind::File {
                    size,
                    digest,
                    link_group: None,
                }
            }
            MemberKind::Dir => EntryKind::Dir,
            MemberKind::Symlink { target } => EntryKind::Symlink { target },
            MemberKind::Fifo => EntryKind::Fifo,
            MemberKind::CharDevice { major, minor } => EntryKind::CharDevice { major, minor },
            MemberKind::BlockDevice { major, minor } => EntryKind::BlockDevice { major, minor },
        };
        // The mode of a symlink means nothing, and tools write different ones.
        let mode = if matches!(entry, EntryKind::Symlink { .. }) {
            0o777
        } else {
            member.mode
        };
        let entry = Entry {
            kind: entry,
            mode,
            uid: member.uid,
            gid: member.gid,
            capability: member.capability,
        };
        self.content_at.insert(path.clone(), path.clone());
        self.times.insert(path.clone(), member.time);
        self.place(path, entry)
    }

    fn link(&mut self, path: PathBuf, target: &Path, strip: &Path) -> Result<(), TarError> {
        let target = target.strip_prefix(strip).unwrap_or(target).to_path_buf();
        let Some(entry) = self.entries.get(&target).filter(|entry| !entry.is_dir()).cloned() else {
            return Err(malformed(
                &path,
                &format!("its hard link leads to `{}`, which is not there", target.display()),
            ));
        };
        if path == target {
            return Ok(());
        }
        let content = self.content_at.get(&target).cloned().unwrap_or_else(|| target.clone());
        self.place(path.clone(), entry)?;
        self.content_at.insert(path.clone(), content);
        let time = self.times.get(&target).copied().unwrap_or(0);
        self.times.insert(path.clone(), time);
        let number = *self.names.entry(target).or_insert_with(|| {
            self.next_number += 1;
            self.next_number
        });
        self.names.insert(path, number);
        Ok(())
    }

    /// Puts an entry in its place as unpacking would: what was there goes, unless folder meets folder.
    fn place(&mut self, path: PathBuf, entry: Entry) -> Result<(), TarError> {
        for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            match self.entries.get(above) {
                Some(folder) if folder.is_dir() => break,
                Some(_) => return Err(malformed(&path, &format!("`{}` is not a folder", above.display()))),
                None => {
                    self.entries
                        .insert(above.to_path_buf(), Entry::new(EntryKind::Dir, 0o755));
                }
            }
        }
        if !entry.is_dir() && self.entries.get(&path).is_some_and(Entry::is_dir) {
            let Self { entries, names, .. } = self;
            entries.retain(|below, _| !below.starts_with(&path));
            names.retain(|below, _| !below.starts_with(&path));
        }
        self.names.remove(&path);
        self.entries.insert(path, entry);
        Ok(())
    }
}

fn malformed(path: &Path, reason: &str) -> TarError {
    TarError::Malformed {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}
