//! What a root looks like with a layer on top.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::entry::{Entry, EntryKind};
use crate::index::{Index, groups_of};
use crate::layer::{OPAQUE, WHITEOUT};
use crate::scan::scan;
use crate::tar_read::TarError;

/// Reads the layer tar `layer` and returns `lower` with it on top.
///
/// Whiteouts and opaque folders remove, folders that meet folders give them their mode and owner, everything else replaces.
/// Paths are resolved against `lower`: what a layer has below `lib` over a root with `lib -> usr/lib` lands in `usr/lib`, and a
/// folder `lib` there leaves the symlink alone unless the layer marks it opaque, as [`diff`](crate::diff) does when a folder
/// really took a symlink's place.
///
/// # Errors
/// See [`TarError`].
pub fn apply(lower: &Index, layer: &mut dyn Read) -> Result<Index, TarError> {
    let found = scan(layer, Path::new(""), &mut |_, _, content| {
        io::copy(content, &mut io::sink()).map(drop)
    })?;
    let mut marks = Marks::default();
    let mut added: BTreeMap<PathBuf, Entry> = BTreeMap::new();
    for (path, entry) in found.index.iter() {
        if !marks.take(path) {
            added.insert(path.to_path_buf(), entry.clone());
        }
    }
    // Numbers of the layer's hard-link groups follow those of the lower tree: groups never mix.
    let mut numbers = BTreeMap::new();
    let lower_names = groups_of(lower.entries(), &mut numbers);
    let first_free = numbers.len() as u64;
    let added_names = groups_of(&added, &mut BTreeMap::new());

    let mut root = Root {
        index: lower.clone(),
        names: lower_names,
    };
    for folder in &marks.opaque {
        let at = root.index.resolve(folder);
        match root.index.get(&at) {
            Some(entry) if entry.is_dir() => root.remove_below(&at),
            Some(_) => root.remove(&at),
            None => {}
        }
    }
    for gone in &marks.whiteouts {
        let at = root.index.resolve(gone);
        root.remove(&at);
    }
    for (path, entry) in added {
        let number = added_names.get(&path).map(|number| first_free + number);
        root.put(&path, entry, number);
    }
    Ok(Index::from_parts(root.index.into_entries(), &root.names))
}

/// The removals of a layer.
#[derive(Default)]
pub(crate) struct Marks {
    pub(crate) whiteouts: BTreeSet<PathBuf>,
    pub(crate) opaque: BTreeSet<PathBuf>,
}

impl Marks {
    /// Takes `path` if it is a mark and says so.
    pub(crate) fn take(&mut self, path: &Path) -> bool {
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            return false;
        };
        if name == OPAQUE {
            self.opaque.insert(parent.to_path_buf());
            return true;
        }
        match name.as_bytes().strip_prefix(WHITEOUT.as_bytes()) {
            // `.wh..wh.*` are AUFS's own files: neither content nor removal.
            Some(rest) if rest.starts_with(WHITEOUT.as_bytes()) => true,
            Some(rest) => {
                self.whiteouts.insert(parent.join(OsStr::from_bytes(rest)));
                true
            }
            None => false,
        }
    }
}

struct Root {
    index: Index,
    names: BTreeMap<PathBuf, u64>,
}

impl Root {
    fn remove_below(&mut self, folder: &Path) {
        let below: Vec<PathBuf> = self.index.below(folder).map(|(path, _)| path.to_path_buf()).collect();
        for path in below {
            self.forget(&path);
        }
    }

    fn remove(&mut self, path: &Path) {
        self.remove_below(path);
        self.forget(path);
    }

    fn forget(&mut self, path: &Path) {
        self.index.entries_mut().remove(path);
        self.names.remove(path);
    }

    /// Puts an entry where its path leads. Its folder has been put before: an index holds the folder of every entry, and paths
    /// are sorted.
    fn put(&mut self, path: &Path, entry: Entry, number: Option<u64>) {
        let at = self.index.resolve(path);
        if entry.is_dir() {
            if self.leads_to_folder(&at) {
                return;
            }
        } else if self.index.get(&at).is_some_and(Entry::is_dir) {
            self.remove_below(&at);
        }
        self.forget(&at);
        self.names.extend(number.map(|number| (at.clone(), number)));
        self.index.entries_mut().insert(at, entry);
    }

    /// True for a symlink that ends at a folder.
    fn leads_to_folder(&self, at: &Path) -> bool {
        if !matches!(
            self.index.get(at),
            Some(Entry {
                kind: EntryKind::Symlink { .. },
                ..
            })
        ) {
            return false;
        }
        // A component after the link makes `resolve` follow it.
        let inside = self.index.resolve(&at.join("x"));
        let folder = inside.parent().unwrap_or(Path::new(""));
        folder.as_os_str().is_empty() || self.index.get(folder).is_some_and(Entry::is_dir)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Parents, TreeNode, tree_tar};

    fn tar(nodes: Vec<(&str, TreeNode<'_>)>) -> Vec<u8> {
        let nodes: BTreeMap<PathBuf, TreeNode<'_>> =
            nodes.into_iter().map(|(path, node)| (path.into(), node)).collect();
        let mut out = Vec::new();
        tree_tar(nodes, Parents::Include, 0, &mut out).unwrap();
        out
    }

    fn root() -> Index {
        let tar = tar(vec![
            ("usr/lib/old", TreeNode::file(0o644, "old")),
            ("lib", TreeNode::symlink("usr/lib")),
            ("lib64", TreeNode::symlink("/lib")),
            ("loop", TreeNode::symlink("loop")),
            ("up", TreeNode::symlink("usr/lib/../../lib")),
            ("var/tmp", TreeNode::dir(0o1777)),
            ("dangling", TreeNode::symlink("nowhere")),
        ]);
        Index::read(&mut tar.as_slice(), Path::new("")).unwrap().index
    }

    fn paths(index: &Index) -> Vec<&str> {
        index.iter().map(|(path, _)| path.to_str().unwrap()).collect()
    }

    #[test]
    fn paths_follow_the_symlinks_of_the_root() {
        let root = root();
        for (path, real) in [
            ("lib/x", "usr/lib/x"),
            ("lib64/x/y", "usr/lib/x/y"),
            ("up/x", "usr/lib/x"),
            ("lib", "lib"),
            ("none/x", "none/x"),
            ("usr/lib/../../var/tmp", "var/tmp"),
        ] {
            assert_eq!(root.resolve(Path::new(path)), Path::new(real), "{path}");
        }
        // Only that it ends.
        root.resolve(Path::new("loop/x/y"));
    }

    #[test]
    fn a_package_with_a_real_lib_lands_where_the_symlink_leads() {
        let layer = tar(vec![
            ("lib/new", TreeNode::file(0o755, "new")),
            ("lib64/x/y", TreeNode::file(0o644, "")),
        ]);
        let applied = apply(&root(), &mut layer.as_slice()).unwrap();
        assert_eq!(
            paths(&applied),
            [
                "dangling",
                "lib",
                "lib64",
                "loop",
                "up",
                "usr",
                "usr/lib",
                "usr/lib/new",
                "usr/lib/old",
                "usr/lib/x",
                "usr/lib/x/y",
                "var",
                "var/tmp"
            ]
        );
        assert!(matches!(applied.get("lib").unwrap().kind, EntryKind::Symlink { .. }));
    }

    #[test]
    fn an_opaque_folder_takes_the_place_of_a_symlink() {
        let layer = tar(vec![
            ("lib/.wh..wh..opq", TreeNode::file(0, "")),
            ("lib/new", TreeNode::file(0o755, "new")),
        ]);
        let applied = apply(&root(), &mut layer.as_slice()).unwrap();
        assert!(
            applied.get("lib").unwrap().is_dir() && applied.contains("lib/new") && !applied.contains("usr/lib/new")
        );
    }

    #[test]
    fn whiteouts_are_resolved_and_aufs_files_ignored() {
        let layer = tar(vec![
            ("lib/.wh.old", TreeNode::file(0, "")),
            (".wh..wh.plnk", TreeNode::file(0, "")),
        ]);
        let applied = apply(&root(), &mut layer.as_slice()).unwrap();
        assert_eq!(
            paths(&applied),
            [
                "dangling", "lib", "lib64", "loop", "up", "usr", "usr/lib", "var", "var/tmp"
            ]
        );
    }

    #[test]
    fn a_folder_takes_the_place_of_what_leads_to_none() {
        for path in ["usr/lib/old/x", "loop/x/y", "dangling/x"] {
            let layer = tar(vec![(path, TreeNode::file(0o644, ""))]);
            assert!(apply(&root(), &mut layer.as_slice()).unwrap().contains(path), "{path}");
        }
    }
}
