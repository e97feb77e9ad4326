//! What never becomes part of a layer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Paths that belong to the machine or the moment and not to the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusions {
    trees: BTreeSet<PathBuf>,
    contents: BTreeSet<PathBuf>,
    mount_points: BTreeSet<PathBuf>,
}

/// Where executors mount a program of theirs: they make an empty file where there is none. Packages may bring a file of that name.
/// The init program of Docker and Podman is `/sbin/docker-init`, wherever `/sbin` leads.
const MOUNT_POINTS: &[&str] = &["sbin/docker-init", "usr/bin/docker-init", "usr/sbin/docker-init"];

/// Paths left out with everything below, and why.
const TREES: &[(&str, &str)] = &[
    (".dockerenv", "Docker makes it in every container"),
    ("etc/hostname", "bind-mounted by every executor"),
    ("etc/hosts", "bind-mounted by every executor"),
    ("etc/mtab", "Docker links it to /proc/mounts in every container"),
    ("etc/resolv.conf", "bind-mounted by every executor"),
    (
        "var/cache/ldconfig/aux-cache",
        "holds inode numbers and times of the machine",
    ),
    ("var/cache/edb/mtimedb", "Portage's record of times"),
    ("var/cache/edb/vdb_metadata.pickle", "Portage's cache, keyed by times"),
    ("var/log/emerge.log", "Portage's log, full of times"),
    ("var/log/emerge-fetch.log", "Portage's log, full of times"),
];

/// Folders that stay while what they hold is left out, and why.
const CONTENTS: &[(&str, &str)] = &[
    ("dev", "made by the executor for every run"),
    ("proc", "a mount of the kernel's"),
    ("sys", "a mount of the kernel's"),
    ("run", "state of running programs"),
    ("tmp", "scratch"),
    ("var/tmp", "scratch"),
];

impl Exclusions {
    /// Leaves nothing out.
    pub fn none() -> Self {
        Self::default()
    }

    /// What executors, the kernel and clocks put into a root besides what the step did: mount points, files every container
    /// gets of its own, scratch folders, and caches and logs that hold times or inode numbers.
    pub fn standard() -> Self {
        Self {
            trees: TREES.iter().map(|(path, _)| PathBuf::from(path)).collect(),
            contents: CONTENTS.iter().map(|(path, _)| PathBuf::from(path)).collect(),
            mount_points: MOUNT_POINTS.iter().map(PathBuf::from).collect(),
        }
    }

    /// Leaves out `path` and everything below. A leading `/` is ignored.
    #[must_use]
    pub fn with_tree(mut self, path: impl AsRef<Path>) -> Self {
        self.trees.insert(relative(path.as_ref()));
        self
    }

    /// Leaves out what lies below `path`. The folder itself counts by being there, not by its mode and owner, which executors
    /// give to their mount points as they like. A leading `/` is ignored.
    #[must_use]
    pub fn with_contents(mut self, path: impl AsRef<Path>) -> Self {
        self.contents.insert(relative(path.as_ref()));
        self
    }

    /// True if `path` (relative) is left out.
    pub fn excludes(&self, path: &Path) -> bool {
        let below = |folder: &PathBuf| path.starts_with(folder) && path != folder;
        self.trees.iter().any(|tree| path.starts_with(tree)) || self.contents.iter().any(below)
    }

    /// True if `path` (relative) is left out where it is an empty file that the tree below does not have.
    pub(crate) fn is_mount_point(&self, path: &Path) -> bool {
        self.mount_points.contains(path)
    }

    /// The folders that count only by being there.
    pub(crate) fn pinned(&self) -> impl Iterator<Item = &Path> {
        self.contents.iter().map(PathBuf::as_path)
    }
}

fn relative(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| matches!(part, std::path::Component::Normal(_)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_go_and_contents_go_from_their_folder() {
        let exclusions = Exclusions::standard()
            .with_tree("/etc/portage/")
            .with_contents("var/log");
        for gone in [
            "etc/hosts",
            "etc/portage",
            "etc/portage/make.conf",
            "proc/1",
            "var/log/x/y",
        ] {
            assert!(exclusions.excludes(Path::new(gone)), "{gone}");
        }
        for kept in ["etc", "etc/hosts2", "etc/portage2", "proc", "var/log", "x/etc/hosts"] {
            assert!(!exclusions.excludes(Path::new(kept)), "{kept}");
        }
    }
}
