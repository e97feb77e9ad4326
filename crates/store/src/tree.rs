//! Folders of the workspace as sorted listings with one digest.
//!
//! What counts is what a fresh clone would also have: paths, kinds, contents, link targets and executable bits. Times,
//! owners and the rest of the mode do not.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::file_hasher::{FileHasher, FileKind, HashError};

/// What a path of a tree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeEntryKind {
    /// A folder. It is listed of its own because an empty one counts.
    Dir,
    /// A regular file.
    File {
        /// BLAKE3 of the content.
        digest: blake3::Hash,
        /// Length in bytes.
        size: u64,
        /// Whether anybody may execute it.
        executable: bool,
    },
    /// A symbolic link, never followed.
    Symlink {
        /// The text of its target.
        target: String,
    },
}

/// One path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Relative to the tree's root, `/` between components, no `.` and no `..`.
    pub path: String,
    /// What is there.
    pub kind: TreeEntryKind,
}

/// A tree, sorted by the bytes of the paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeListing {
    /// The digest of all entries, see [`TreeListing::new`].
    pub digest: blake3::Hash,
    /// The entries; the root itself is not among them.
    pub entries: Vec<TreeEntry>,
}

/// Why a tree could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The root is not there or is no folder (input).
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A name or link target that is not UTF-8 (input): it could not be shown or recorded.
    #[error("{} is not named, or does not point, in UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// A file could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The file system refused (environment).
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Leaves out what editors and version control put into folders: `.git`, `.keep`, `*.sw?` and `*~`. Takes a relative path;
/// true means that it counts.
pub fn standard_filter(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let swap = name.len() > 4 && name.is_char_boundary(name.len() - 4) && {
        let tail = &name[name.len() - 4..];
        tail.starts_with(".sw") && tail.ends_with(|last: char| last.is_ascii_alphabetic())
    };
    !(name == ".git" || name == ".keep" || name.ends_with('~') || swap)
}

/// Lists and hashes everything below `root` that `filter` keeps (a folder it drops is not entered). Files are read by several
/// threads; the result does not depend on how many.
///
/// # Errors
/// See [`TreeError`].
pub fn hash_tree(root: &Path, filter: &dyn Fn(&str) -> bool, hasher: &FileHasher) -> Result<TreeListing, TreeError> {
    if !fs_err::metadata(root).is_ok_and(|found| found.is_dir()) {
        return Err(TreeError::NotAFolder(root.to_path_buf()));
    }
    let mut found: Vec<(String, PathBuf, bool)> = Vec::new();
    let mut folders = vec![(root.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for item in fs_err::read_dir(&folder)? {
            let item = item?;
            let name = item.file_name().into_string().map_err(|_| TreeError::NotUtf8(item.path()))?;
            let path = format!("{prefix}{name}");
            if !filter(&path) {
                continue;
            }
            let is_dir = item.file_type()?.is_dir();
            if is_dir {
                folders.push((item.path(), format!("{path}/")));
            }
            found.push((path, item.path(), is_dir));
        }
    }
    found.sort();
    let kinds = hash_all(&found, hasher);
    let mut entries = Vec::with_capacity(found.len());
    for ((path, _, _), kind) in found.into_iter().zip(kinds) {
        entries.push(TreeEntry { path, kind: kind? });
    }
    Ok(TreeListing::new(entries))
}

fn hash_all(found: &[(String, PathBuf, bool)], hasher: &FileHasher) -> Vec<Result<TreeEntryKind, TreeError>> {
    const BATCH: usize = 64;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let start = next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(rest) = found.get(start..) else { return done };
            for (offset, (_, path, is_dir)) in rest.iter().take(BATCH).enumerate() {
                done.push((start + offset, if *is_dir { Ok(TreeEntryKind::Dir) } else { hash_one(path, hasher) }));
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8).min(found.len().div_ceil(BATCH));
    let mut all = if threads <= 1 {
        work()
    } else {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let join = |worker: thread::ScopedJoinHandle<'_, _>| match worker.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            workers.into_iter().flat_map(join).collect()
        })
    };
    all.sort_unstable_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, kind)| kind).collect()
}

fn hash_one(path: &Path, hasher: &FileHasher) -> Result<TreeEntryKind, TreeError> {
    let hashed = hasher.hash(path)?;
    Ok(match hashed.kind {
        FileKind::File => TreeEntryKind::File { digest: hashed.digest, size: hashed.size, executable: hashed.executable },
        FileKind::Symlink => {
            let target = fs_err::read_link(path)?;
            // The digest is of the moment before; the two must speak of the same target.
            if blake3::hash(target.as_os_str().as_bytes()) != hashed.digest {
                return Err(HashError::Unsettled(path.to_path_buf()).into());
            }
            let target = target.into_os_string().into_string().map_err(|_| TreeError::NotUtf8(path.to_path_buf()))?;
            TreeEntryKind::Symlink { target }
        }
    })
}

impl TreeListing {
    /// Sorts `entries` and computes their digest.
    ///
    /// The encoding: the text `farm tree 1`, then for each entry the length-prefixed path, a tag byte (0 folder, 1 file,
    /// 2 executable file, 3 symlink), and for files the size and the 32 bytes of the digest, for symlinks the
    /// length-prefixed target. Numbers and lengths are 64-bit little-endian.
    pub fn new(mut entries: Vec<TreeEntry>) -> Self {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"farm tree 1");
        let text = |hasher: &mut blake3::Hasher, text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        for entry in &entries {
            text(&mut hasher, &entry.path);
            match &entry.kind {
                TreeEntryKind::Dir => {
                    hasher.update(&[0]);
                }
                TreeEntryKind::File { digest, size, executable } => {
                    hasher.update(&[if *executable { 2 } else { 1 }]);
                    hasher.update(&size.to_le_bytes());
                    hasher.update(digest.as_bytes());
                }
                TreeEntryKind::Symlink { target } => {
                    hasher.update(&[3]);
                    text(&mut hasher, target);
                }
            }
        }
        Self { digest: hasher.finalize(), entries }
    }

    /// The entry at `path`, if there is one.
    pub fn get(&self, path: &str) -> Option<&TreeEntry> {
        let at = self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?;
        Some(&self.entries[at])
    }

    /// What lies below the folder `path`, with paths relative to it: the same as listing that folder by itself. Empty if
    /// there is no such folder.
    pub fn subtree(&self, path: &str) -> Self {
        let prefix = format!("{path}/");
        let start = self.entries.partition_point(|entry| entry.path.as_str() < prefix.as_str());
        let below = self.entries[start..].iter().map_while(|entry| {
            let path = entry.path.strip_prefix(&prefix)?;
            Some(TreeEntry { path: path.to_owned(), kind: entry.kind.clone() })
        });
        Self::new(below.collect())
    }

    /// The listing of those entries that `keep` wants.
    pub fn only(&self, keep: impl Fn(&TreeEntry) -> bool) -> Self {
        Self::new(self.entries.iter().filter(|entry| keep(entry)).cloned().collect())
    }
}
