//! What a whole file system holds.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::entry::{Entry, EntryKind};
use crate::exclusions::Exclusions;
use crate::scan;
use crate::tar_read::TarError;
use crate::{DecodeError, codec};

/// All paths of a file system but its root, sorted; every entry's folder is an entry too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    entries: BTreeMap<PathBuf, Entry>,
}

/// An index and what reading it left out.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// What the archive holds.
    pub index: Index,
    /// How many extended attributes other than `security.capability` were dropped.
    pub dropped_xattrs: u64,
}

impl Index {
    /// Reads the tar of a tree, to the end of the stream.
    ///
    /// `strip` is a path that every member lies in or is, as in an archive of one folder; it becomes the root. Give an empty
    /// path for a tar of a whole file system.
    ///
    /// # Errors
    /// See [`TarError`].
    pub fn read(stream: &mut dyn Read, strip: &Path) -> Result<Scanned, TarError> {
        Self::read_with(stream, strip, |_, _, _| Ok(()))
    }

    /// Like [`read`](Self::read), and shows every regular file to `see`: its path, its length, its content, of which `see`
    /// may read as much as it likes. Further names of a hard-linked file have no content of their own in a tar and are not
    /// shown.
    ///
    /// # Errors
    /// See [`TarError`]; an error of `see` comes back as [`TarError::Io`].
    pub fn read_with(
        stream: &mut dyn Read,
        strip: &Path,
        mut see: impl FnMut(&Path, u64, &mut dyn Read) -> io::Result<()>,
    ) -> Result<Scanned, TarError> {
        let found = scan::scan(stream, strip, &mut |path, size, content| {
            see(path, size, content)?;
            io::copy(content, &mut io::sink())?;
            Ok(())
        })?;
        Ok(Scanned {
            index: found.index,
            dropped_xattrs: found.dropped_xattrs,
        })
    }

    /// The entry at `path` (relative, not resolved).
    pub fn get(&self, path: impl AsRef<Path>) -> Option<&Entry> {
        self.entries.get(path.as_ref())
    }

    /// True if `path` (relative, not resolved) is there.
    pub fn contains(&self, path: impl AsRef<Path>) -> bool {
        self.entries.contains_key(path.as_ref())
    }

    /// All entries in the order of paths.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_path(), entry))
    }

    /// The entries below the folder `path`, without itself. Their paths stay relative to the root.
    pub fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Path, &'a Entry)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = self.entries.range::<Path, _>((Excluded(path), Unbounded));
        after
            .map(|(below, entry)| (below.as_path(), entry))
            .take_while(move |(below, _)| below.starts_with(path))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The index of those entries that `keep` wants. Folders above a kept entry are kept. Hard-link groups are those among
    /// the kept names, so that what is left out cannot be seen in the result.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&Path, &Entry) -> bool) -> Self {
        let mut kept: Vec<(PathBuf, Entry)> = Vec::new();
        for (path, entry) in self.entries.iter().filter(|(path, entry)| keep(path, entry)) {
            // Paths are sorted, so a folder that is there already is the last kept path or holds it.
            let is_there = |above: &Path| kept.last().is_some_and(|(last, _)| last.starts_with(above));
            let folders = path
                .ancestors()
                .skip(1)
                .take_while(|above| !above.as_os_str().is_empty() && !is_there(above));
            let missing: Vec<&Path> = folders.collect();
            for above in missing.into_iter().rev() {
                kept.extend(
                    self.entries
                        .get(above)
                        .map(|folder| (above.to_path_buf(), folder.clone())),
                );
            }
            kept.push((path.clone(), entry.clone()));
        }
        let entries = kept.into_iter().collect();
        let names = groups_of(&entries, &mut BTreeMap::new());
        Self::from_parts(entries, &names)
    }

    /// The index without what `exclusions` leave out.
    #[must_use]
    pub fn without(&self, exclusions: &Exclusions) -> Self {
        self.only(|path, _| !exclusions.excludes(path))
    }

    /// BLAKE3 of the canonical encoding, which is that of [`encode`](Self::encode).
    pub fn digest(&self) -> blake3::Hash {
        blake3::hash(&self.encode())
    }

    /// The digest of the entries that `keep` wants, and nothing else of the tree.
    pub fn digest_where(&self, keep: impl Fn(&Path, &Entry) -> bool) -> blake3::Hash {
        self.only(keep).digest()
    }

    /// Writes the index as bytes: a format of its own, versioned, the same bytes for the same index.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&self.entries)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            entries: codec::decode(bytes)?,
        })
    }

    /// Where `path` really is: every folder on the way that is a symlink here is followed, the last component is not. What
    /// does not exist is taken as written, so the result says where a new file would land.
    ///
    /// Package images are laid over a root with this: a file `lib/x` over a root with `lib -> usr/lib` is `usr/lib/x`, and a
    /// real folder `lib` in its place would hide the symlink and leave a root in which nothing starts.
    ///
    /// A loop of symlinks ends after 40 steps, as in the kernel, with the path as far as it was resolved.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        let mut steps = 0;
        let mut todo: Vec<std::ffi::OsString> = parts(path);
        todo.reverse();
        let mut at = PathBuf::new();
        while let Some(part) = todo.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            at.push(&part);
            if todo.is_empty() || steps >= 40 {
                continue;
            }
            if let Some(Entry {
                kind: EntryKind::Symlink { target },
                ..
            }) = self.entries.get(&at)
            {
                steps += 1;
                let target = Path::new(target);
                if target.is_absolute() {
                    at = PathBuf::new();
                } else {
                    at.pop();
                }
                todo.extend(parts(target).into_iter().rev());
            }
        }
        at
    }

    pub(crate) fn entries(&self) -> &BTreeMap<PathBuf, Entry> {
        &self.entries
    }

    /// For changes that keep every entry's folder there; hard-link groups are the caller's business.
    pub(crate) fn entries_mut(&mut self) -> &mut BTreeMap<PathBuf, Entry> {
        &mut self.entries
    }

    pub(crate) fn into_entries(self) -> BTreeMap<PathBuf, Entry> {
        self.entries
    }

    /// Takes entries and, for names of one file, a number they share. Groups of fewer than two regular files are none.
    pub(crate) fn from_parts(mut entries: BTreeMap<PathBuf, Entry>, names: &BTreeMap<PathBuf, u64>) -> Self {
        let mut members: BTreeMap<u64, Vec<&PathBuf>> = BTreeMap::new();
        for (path, number) in names {
            if matches!(
                entries.get(path),
                Some(Entry {
                    kind: EntryKind::File { .. },
                    ..
                })
            ) {
                members.entry(*number).or_default().push(path);
            }
        }
        for entry in entries.values_mut() {
            if let EntryKind::File { link_group, .. } = &mut entry.kind {
                *link_group = None;
            }
        }
        for group in members.values().filter(|group| group.len() > 1) {
            for path in group {
                if let Some(Entry {
                    kind: EntryKind::File { link_group, .. },
                    ..
                }) = entries.get_mut(*path)
                {
                    *link_group = Some(group[0].clone());
                }
            }
        }
        Self { entries }
    }
}

fn parts(path: &Path) -> Vec<std::ffi::OsString> {
    let kept = path
        .components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    kept.map(|part| part.as_os_str().to_owned()).collect()
}

/// The number of each hard-linked name's file. `numbers` maps a group's first name to its number and grows.
pub(crate) fn groups_of(
    entries: &BTreeMap<PathBuf, Entry>,
    numbers: &mut BTreeMap<PathBuf, u64>,
) -> BTreeMap<PathBuf, u64> {
    let mut names = BTreeMap::new();
    for (path, entry) in entries {
        if let Some(group) = entry.link_group() {
            let next = numbers.len() as u64;
            let number = *numbers.entry(group.clone()).or_insert(next);
            names.insert(path.clone(), number);
        }
    }
    names
}
