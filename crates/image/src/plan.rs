//! Decides which members a layer has: the pure part of the difference of two trees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::entry::{Entry, EntryKind};
use crate::exclusions::Exclusions;
use crate::index::Index;

/// The members of a layer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LayerPlan {
    /// Entries of the upper tree: those that differ, the other names of hard-linked ones, and the folders above all members.
    pub(crate) entries: BTreeSet<PathBuf>,
    /// Paths of the lower tree that are gone.
    pub(crate) whiteouts: BTreeSet<PathBuf>,
    /// Folders below which nothing of the lower tree shows.
    pub(crate) opaque: BTreeSet<PathBuf>,
}

/// The upper tree as far as it counts: without what is excluded, and with mount points as the lower tree has them.
pub(crate) fn counted(lower: &Index, upper: &Index, exclusions: &Exclusions) -> Index {
    let made_for_mount = |path: &Path, entry: &Entry| {
        exclusions.is_mount_point(path)
            && matches!(entry.kind, EntryKind::File { size: 0, .. })
            && lower.get(path).is_none()
    };
    let counts = |path: &Path, entry: &Entry| !exclusions.excludes(path) && !made_for_mount(path, entry);
    let mut entries = upper.only(counts).into_entries();
    for path in exclusions.pinned() {
        if let (Some(entry), Some(below)) = (entries.get_mut(path), lower.get(path))
            && entry.is_dir()
            && below.is_dir()
        {
            entry.clone_from(below);
        }
    }
    let names = crate::index::groups_of(&entries, &mut BTreeMap::new());
    Index::from_parts(entries, &names)
}

/// Compares `lower`, of which `visible` is what is not excluded, with `upper`, which [`counted`] made.
pub(crate) fn plan(lower: &Index, visible: &Index, upper: &Index) -> LayerPlan {
    let mut plan = LayerPlan::default();
    let mut groups = BTreeSet::new();
    for (path, entry) in upper.iter() {
        if visible.get(path) != Some(entry) {
            plan.entries.insert(path.to_path_buf());
            groups.extend(entry.link_group());
        }
        if entry.is_dir() && is_replaced(lower, visible, upper, path) {
            plan.opaque.insert(path.to_path_buf());
            plan.entries.insert(path.to_path_buf());
        }
    }
    // A layer is unpacked into a folder of its own, where a hard link finds only names of the same layer.
    for (path, entry) in upper.iter() {
        if entry.link_group().is_some_and(|group| groups.contains(group)) {
            plan.entries.insert(path.to_path_buf());
        }
    }
    for (path, _) in visible.iter() {
        let parent = path.parent().unwrap_or(Path::new(""));
        let in_folder = parent.as_os_str().is_empty() || upper.get(parent).is_some_and(Entry::is_dir);
        if !upper.contains(path) && in_folder && !plan.opaque.contains(parent) {
            plan.whiteouts.insert(path.to_path_buf());
        }
    }
    let above = |path: &PathBuf| {
        path.ancestors()
            .skip(1)
            .filter(|above| !above.as_os_str().is_empty())
            .map(PathBuf::from)
            .collect::<Vec<_>>()
    };
    let parents: Vec<PathBuf> = plan.entries.iter().chain(&plan.whiteouts).flat_map(above).collect();
    plan.entries.extend(parents);
    plan
}

/// True if the folder at `path` of the upper tree shares nothing with what the lower tree has there: that was no folder, or a
/// folder none of whose names is left. A folder that holds excluded paths below is never replaced, since hiding them would
/// be a change.
fn is_replaced(lower: &Index, visible: &Index, upper: &Index, path: &Path) -> bool {
    match lower.get(path) {
        None => false,
        Some(entry) if !entry.is_dir() => visible.contains(path),
        Some(_) => {
            let mut some = false;
            for (below, _) in lower.below(path) {
                if !visible.contains(below) || (below.parent() == Some(path) && upper.contains(below)) {
                    return false;
                }
                some = true;
            }
            some
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EntryKind;

    fn tree(paths: &[(&str, &str)]) -> Index {
        let mut names = BTreeMap::new();
        let entries = paths.iter().map(|(path, what)| {
            let file = |text: &str| EntryKind::File {
                size: text.len() as u64,
                digest: blake3::hash(text.as_bytes()),
                link_group: None,
            };
            let kind = match what.split_once('#') {
                Some((text, number)) => {
                    names.insert(PathBuf::from(path), number.parse().unwrap());
                    file(text)
                }
                None if what.is_empty() => EntryKind::Dir,
                None => file(what),
            };
            (PathBuf::from(path), Entry::new(kind, 0o755))
        });
        let entries = entries.collect();
        Index::from_parts(entries, &names)
    }

    fn planned(lower: &Index, upper: &Index, exclusions: &Exclusions) -> (Vec<String>, Vec<String>, Vec<String>) {
        let upper = counted(lower, upper, exclusions);
        let plan = plan(lower, &lower.without(exclusions), &upper);
        let text = |paths: BTreeSet<PathBuf>| paths.into_iter().map(|path| path.display().to_string()).collect();
        (text(plan.entries), text(plan.whiteouts), text(plan.opaque))
    }

    #[test]
    fn a_new_name_of_an_old_file_brings_all_names() {
        let lower = tree(&[("d", ""), ("d/a", "x"), ("d/b", "y")]);
        let upper = tree(&[("d", ""), ("d/a", "x#1"), ("d/b", "y"), ("d/c", "x#1")]);
        assert_eq!(planned(&lower, &upper, &Exclusions::none()).0, ["d", "d/a", "d/c"]);
    }

    #[test]
    fn a_name_less_is_only_a_whiteout_if_the_first_stays() {
        let lower = tree(&[("a", "x#1"), ("b", "x#1"), ("c", "x#1")]);
        let upper = tree(&[("a", "x#1"), ("b", "x#1")]);
        assert_eq!(
            planned(&lower, &upper, &Exclusions::none()),
            (vec![], vec!["c".into()], vec![])
        );
    }

    #[test]
    fn a_folder_with_nothing_of_the_old_is_opaque_unless_that_would_hide_what_is_excluded() {
        let lower = tree(&[("d", ""), ("d/a", "x"), ("d/cache", ""), ("d/cache/f", "y")]);
        let upper = tree(&[("d", ""), ("d/new", "z")]);
        let (entries, whiteouts, opaque) = planned(&lower, &upper, &Exclusions::none());
        assert_eq!(
            (entries, whiteouts.len(), opaque),
            (vec!["d".into(), "d/new".into()], 0, vec!["d".into()])
        );
        let (_, whiteouts, opaque) = planned(&lower, &upper, &Exclusions::none().with_tree("d/cache"));
        assert_eq!((whiteouts, opaque.len()), (vec!["d/a".into()], 0));
    }

    #[test]
    fn mount_points_count_by_being_there_only() {
        let exclusions = Exclusions::none().with_contents("proc");
        let mut upper = tree(&[("proc", ""), ("proc/1", "x")]);
        upper.entries_mut().get_mut(Path::new("proc")).unwrap().mode = 0o555;
        assert_eq!(
            planned(&tree(&[("proc", "")]), &upper, &exclusions),
            (vec![], vec![], vec![])
        );
        assert_eq!(planned(&tree(&[]), &upper, &exclusions).0, ["proc"]);
    }

    #[test]
    fn a_file_that_an_executor_made_to_mount_its_init_program_on_does_not_count() {
        let exclusions = Exclusions::standard();
        let init = |content: &'static str| tree(&[("sbin", ""), ("sbin/docker-init", content)]);
        let (nothing, empty) = (tree(&[("sbin", "")]), {
            let mut empty = init("x");
            let entry = empty.entries_mut().get_mut(Path::new("sbin/docker-init")).unwrap();
            entry.kind = EntryKind::File {
                size: 0,
                digest: blake3::hash(b""),
                link_group: None,
            };
            empty
        });
        assert_eq!(planned(&nothing, &empty, &exclusions).0, Vec::<String>::new());
        assert_eq!(
            planned(&nothing, &init("x"), &exclusions).0,
            ["sbin", "sbin/docker-init"]
        );
        // Of a tree that has the file the empty one is not that of the executor, which mounts on what is there.
        assert_eq!(planned(&init("x"), &empty, &exclusions).0, ["sbin", "sbin/docker-init"]);
        assert_eq!(planned(&init("x"), &nothing, &exclusions).2, ["sbin"]);
    }
}
