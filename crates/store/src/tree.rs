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
    hasher.witness().look(root);
    if !fs_err::metadata(root).is_ok_and(|found| found.is_dir()) {
        return Err(TreeError::NotAFolder(root.to_path_buf()));
    }
    let mut found: Vec<(String, PathBuf, bool)> = Vec::new();
    let mut folders = vec![(root.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        hasher.witness().look(&folder);
        for item in fs_err::read_dir(&folder)? {
            let item = item?;
            let name = item
                .file_name()
                .into_string()
                .map_err(|_| TreeError::NotUtf8(item.path()))?;
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
                done.push((
                    start + offset,
                    if *is_dir {
                        Ok(TreeEntryKind::Dir)
                    } else {
                        hash_one(path, hasher)
                    },
                ));
            }
        }
    };
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8)
        .min(found.len().div_ceil(BATCH));
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
        FileKind::File => TreeEntryKind::File {
            digest: hashed.digest,
            size: hashed.size,
            executable: hashed.executable,
        },
        FileKind::Symlink => {
            let target = fs_err::read_link(path)?;
            // The digest is of the moment before; the two must speak of the same target.
            if blake3::hash(target.as_os_str().as_bytes()) != hashed.digest {
                return Err(HashError::Unsettled(path.to_path_buf()).into());
            }
            let target = target
                .into_os_string()
                .into_string()
                .map_err(|_| TreeError::NotUtf8(path.to_path_buf()))?;
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
                TreeEntryKind::File {
                    digest,
                    size,
                    executable,
                } => {
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
        Self {
            digest: hasher.finalize(),
            entries,
        }
    }

    /// The entry at `path`, if there is one.
    pub fn get(&self, path: &str) -> Option<&TreeEntry> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.path.as_str().cmp(path))
            .ok()?;
        Some(&self.entries[at])
    }

    /// What lies below the folder `path`, with paths relative to it: the same as listing that folder by itself. Empty if
    /// there is no such folder.
    pub fn subtree(&self, path: &str) -> Self {
        let prefix = format!("{path}/");
        let start = self
            .entries
            .partition_point(|entry| entry.path.as_str() < prefix.as_str());
        let below = self.entries[start..].iter().map_while(|entry| {
            let path = entry.path.strip_prefix(&prefix)?;
            Some(TreeEntry {
                path: path.to_owned(),
                kind: entry.kind.clone(),
            })
        });
        Self::new(below.collect())
    }

    /// The listing of those entries that `keep` wants.
    pub fn only(&self, keep: impl Fn(&TreeEntry) -> bool) -> Self {
        Self::new(self.entries.iter().filter(|entry| keep(entry)).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn listing(root: &Path) -> TreeListing {
        hash_tree(root, &standard_filter, &FileHasher::in_memory()).unwrap()
    }

    fn sample() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "a/x",
            "a-b",
            "a/deep/y",
            ".git/config",
            "a/.keep",
            "a/x~",
            "a/.x.swp",
            "b",
        ] {
            let path = dir.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, file).unwrap();
        }
        fs_err::create_dir(dir.path().join("empty")).unwrap();
        fs_err::os::unix::fs::symlink("a/x", dir.path().join("link")).unwrap();
        dir
    }

    #[test]
    fn a_listing_is_sorted_and_leaves_out_what_editors_leave() {
        let dir = sample();
        let listing = listing(dir.path());
        let paths: Vec<&str> = listing.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["a", "a-b", "a/deep", "a/deep/y", "a/x", "b", "empty", "link"]);
        assert_eq!(
            listing.get("link").unwrap().kind,
            TreeEntryKind::Symlink { target: "a/x".into() }
        );
        assert_eq!(listing.get("empty").unwrap().kind, TreeEntryKind::Dir);
        assert!(listing.get("none").is_none());
    }

    #[test]
    fn a_subtree_is_what_its_folder_alone_would_give() {
        let dir = sample();
        let whole = listing(dir.path());
        assert_eq!(whole.subtree("a"), listing(&dir.path().join("a")));
        assert_eq!(whole.subtree("none").entries, []);
        assert_eq!(whole.only(|_| true), whole);
    }

    #[test]
    fn the_digest_sees_content_kind_name_and_executable_bit_only() {
        let dir = sample();
        let before = listing(dir.path()).digest;
        let file = dir.path().join("b");
        let mode = |mode| fs_err::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        filetime::set_file_mtime(&file, filetime::FileTime::from_unix_time(1, 0)).unwrap();
        mode(0o600);
        assert_eq!(listing(dir.path()).digest, before);
        mode(0o700);
        assert_ne!(listing(dir.path()).digest, before);
        mode(0o644);
        fs_err::rename(&file, dir.path().join("c")).unwrap();
        assert_ne!(listing(dir.path()).digest, before);
        fs_err::rename(dir.path().join("c"), &file).unwrap();
        assert_eq!(listing(dir.path()).digest, before);
        fs_err::remove_file(&file).unwrap();
        assert_ne!(listing(dir.path()).digest, before);
        fs_err::os::unix::fs::symlink("b", &file).unwrap();
        assert_ne!(
            listing(dir.path()).digest,
            before,
            "a symlink whose target is the file's content is no file"
        );
    }

    #[test]
    fn many_files_are_hashed_by_many_threads_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..500 {
            fs_err::write(dir.path().join(format!("f{number:03}")), number.to_string()).unwrap();
        }
        let listing = listing(dir.path());
        assert_eq!(listing.entries.len(), 500);
        for (number, entry) in listing.entries.iter().enumerate() {
            let TreeEntryKind::File { digest, .. } = entry.kind else {
                panic!("{entry:?}")
            };
            assert_eq!(
                (entry.path.as_str(), digest),
                (
                    format!("f{number:03}").as_str(),
                    blake3::hash(number.to_string().as_bytes())
                )
            );
        }
    }

    #[test]
    fn what_cannot_be_listed_is_an_error() {
        let dir = sample();
        let hash = |path: &Path| hash_tree(path, &standard_filter, &FileHasher::in_memory());
        assert!(matches!(hash(&dir.path().join("b")), Err(TreeError::NotAFolder(_))));
        let socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        assert!(matches!(hash(dir.path()), Err(TreeError::Hash(HashError::NotAFile(_)))));
        drop(socket);
    }

    #[test]
    fn the_digest_of_a_listing_is_fixed() {
        let file = |executable| TreeEntryKind::File {
            digest: blake3::hash(b"x"),
            size: 1,
            executable,
        };
        let entry = |path: &str, kind| TreeEntry {
            path: path.into(),
            kind,
        };
        let target = "t".into();
        let listing = TreeListing::new(vec![
            entry("d/x", file(true)),
            entry("d", TreeEntryKind::Dir),
            entry("f", file(false)),
            entry("l", TreeEntryKind::Symlink { target }),
        ]);
        assert_eq!(
            listing.digest.to_hex().as_str(),
            "2d80270f0b5d1ac7a242ce966ec3081bf3bf3071def67828fd2dfc101c436e5b"
        );
        assert_eq!(TreeListing::new(Vec::new()).digest, blake3::hash(b"farm tree 1"));
    }

    proptest! {
        #[test]
        fn the_filter_drops_editors_files_wherever_they_are(prefix in "([a-zé.]{1,3}/){0,2}", stem in "[a-zé]{1,4}") {
            prop_assert!(standard_filter(&format!("{prefix}{stem}")), "kept");
            for dropped in [format!("{prefix}{stem}~"), format!("{prefix}.{stem}.swp"), format!("{prefix}{stem}.swo"), format!("{prefix}.git")] {
                prop_assert!(!standard_filter(&dropped), "{}", dropped);
            }
        }
    }
}
