//! `debug query affected`: the nodes that a change of files can concern.
//!
//! A file's readers are found by what manifests declare (`readers`). From them the change goes on along the edges that enter keys,
//! because what a node waits for without keying it cannot change it. What a plan brings forth hangs on it by no edge: where Portage
//! may choose anew, whatever is not up to date under the plan of today counts, and where nobody can tell what a file decides of a
//! plan, everything it brings forth does.
//!
//! No file is missed, because of a net under the declarations: a look tells its witness of every path before it reads it, and a file
//! it read that nobody is known to read concerns the whole farm. Files behind symlinks are found by the paths through which they were
//! read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use farm_engine::walk::{Edges, Way};
use farm_engine::{EventSink, FailureKind, NodeId, is_keyed};
use farm_store::Witness;
use fs_err as fs;

use super::look::{Look, is_current};
use super::query::names;
use super::session::Access;
use super::{FarmError, Setup, Words};
use crate::action::Action;
use crate::lower::UNPINNED_HINT;
use crate::readers::{Reader, Readers, can_mean};
use crate::rules::package::PackageData;
use crate::workspace::{STATE, Workspace};

/// So many files are named in a note before the others are only counted.
const NAMED: usize = 5;

/// What a change of files can concern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Affected {
    /// Names of nodes, sorted.
    pub nodes: Vec<String>,
    /// What there is to say of it: who nobody reads, and where the answer is coarse. Sentences.
    pub notes: Vec<String>,
}

/// The nodes, of all farms of the workspace, that a change of `files` can concern. A file that is not there, or not any more, is as
/// good as any other. Paths are relative to the current folder, the workspace, or the top of the git repository around it: whichever
/// has a reader.
///
/// # Errors
///
/// The user's: a manifest that cannot be read, or names in it that nobody pinned. The environment's.
pub fn affected(setup: &Setup, files: &[PathBuf], events: &dyn EventSink) -> Result<Affected, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let files = Files::of(files, &workspace, &setup.current_dir);
    let mut found = Affected::default();
    let mut read = BTreeSet::new();
    for farm in workspace.farms()? {
        let words = Words {
            targets: vec![farm.clone()],
            variables: Vec::new(),
        };
        let mut look = Look::at(setup, &words, Access::Read, events)?;
        look.add_stand_ins(&farm)?;
        let mut concern = Concern::of(&look, &farm, &files)?;
        if concern.hangs_on_plan {
            // Only the plan can tell: it is made if that can be done here.
            drop(look);
            let mut look = match Look::at(setup, &words, Access::DryRun, &()) {
                Err(error) if error.kind == FailureKind::Environment => Look::at(setup, &words, Access::Read, &())?,
                look => look?,
            };
            look.add_stand_ins(&farm)?;
            concern = Concern::of(&look, &farm, &files)?;
        }
        read.extend(concern.read);
        found.nodes.extend(concern.nodes);
        found.notes.extend(concern.notes);
    }
    found.nodes.sort();
    let unread: Vec<&str> = files.named().filter(|name| !read.contains(*name)).collect();
    if !unread.is_empty() {
        found.notes.push(format!("nobody reads {}", list(&unread)));
    }
    Ok(found)
}

/// The files in question: what each was called, and every path below the workspace (or absolute) that it can be.
struct Files(Vec<(String, BTreeSet<Utf8PathBuf>)>);

impl Files {
    fn of(files: &[PathBuf], workspace: &Workspace, current: &Path) -> Self {
        let root = workspace.root.as_std_path();
        let top = root.ancestors().find(|folder| folder.join(".git").exists());
        let current = fs::canonicalize(current).unwrap_or_else(|_| current.to_owned());
        let bases: BTreeSet<&Path> = [Some(current.as_path()), Some(root), top]
            .into_iter()
            .flatten()
            .collect();
        let paths = |file: &PathBuf| {
            let given = bases.iter().map(|base| base.join(file));
            let both = given.flat_map(|path| [real(&path), plain(&path)]);
            // Names in no known encoding lie at most in folders that are read as a whole.
            both.map(|path| below(&path, root).to_string_lossy().into_owned().into())
                .collect()
        };
        Self(
            files
                .iter()
                .map(|file| (file.to_string_lossy().into_owned(), paths(file)))
                .collect(),
        )
    }

    fn named(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

/// Through no symlink above the last component.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|parent| fs::canonicalize(parent).ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => plain(path),
    }
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

fn below<'p>(path: &'p Path, root: &Path) -> &'p Path {
    path.strip_prefix(root).unwrap_or(path)
}

/// What a change concerns in one farm.
#[derive(Default)]
struct Concern {
    nodes: Vec<String>,
    notes: Vec<String>,
    /// The files that somebody reads, as they were called.
    read: BTreeSet<String>,
    /// Whether what is concerned hangs on a plan that is not known.
    hangs_on_plan: bool,
}

impl Concern {
    fn of(look: &Look, farm: &str, files: &Files) -> Result<Self, FarmError> {
        let Some(loaded) = look.session.farms.get(farm) else {
            return Err(FarmError::bug("a farm that was not loaded"));
        };
        let root = look.session.workspace.root.as_std_path();
        let readers = Readers::of(loaded, &look.session.workspace.root);
        let seen = Seen::of(look.session.context.hasher.witness(), root);
        let mut concern = Self::default();
        let mut found: BTreeMap<Reader, Vec<&str>> = BTreeMap::new();
        for (name, paths) in &files.0 {
            let of_file = who_reads(&readers, &seen, paths);
            if !of_file.is_empty() {
                concern.read.insert(name.clone());
            }
            for reader in of_file {
                found.entry(reader).or_default().push(name);
            }
        }
        if !found.is_empty() {
            concern.find_nodes(look, farm, loaded.farm.binfarm.is_some(), &found)?;
        }
        Ok(concern)
    }

    fn find_nodes(
        &mut self,
        look: &Look,
        farm: &str,
        has_plan: bool,
        found: &BTreeMap<Reader, Vec<&str>>,
    ) -> Result<(), FarmError> {
        let graph = &look.session.graph;
        let plan = graph.find(&format!("{farm}:plan"));
        if let Some(root) = look.root_to_come(farm) {
            let message =
                format!("nobody can say what is affected in {farm}: it is planned in a root that is not made yet");
            return Err(FarmError::input(message).hint(format!("`farm build {root}` makes it")));
        }
        if has_plan && plan.is_none() {
            let message = format!("nobody can say what is affected in {farm}: its names are not pinned");
            return Err(FarmError::input(message).hint(UNPINNED_HINT));
        }
        let is_planned = look.is_planned(farm);
        let mut starts = BTreeSet::new();
        let mut is_coarse = false;
        for (reader, files) in found {
            match reader {
                Reader::Farm => {
                    is_coarse = true;
                    starts.extend(graph.ids());
                    let what = list(files);
                    self.notes
                        .push(format!("{what} is read for all of {farm}: anything in it may change"));
                }
                Reader::Plans(nodes) => {
                    is_coarse = true;
                    starts.extend(nodes.iter().filter_map(|node| graph.find(&format!("{farm}:{node}"))));
                    starts.extend(plan);
                    let what = list(files);
                    self.notes.push(format!(
                        "{what} is read when {farm} is planned: anything that its plan brings forth may change"
                    ));
                }
                Reader::Node(node) => starts.extend(graph.find(&format!("{farm}:{node}"))),
                Reader::Packages(package) => starts.extend(packages(look, |data| {
                    let name = format!("{}/{}", data.package.category, data.package.name);
                    can_mean(package, &name)
                })),
                Reader::Inheriting(eclass) => {
                    starts.extend(packages(look, |data| data.package.eclasses.contains_key(eclass)));
                }
            }
        }
        let edges = Edges::of(graph, is_keyed);
        let mut nodes = with_dependants(&edges, starts);
        if plan.is_some_and(|plan| nodes.contains(&plan)) {
            let is_pending = |node: NodeId| look.report_of(node).is_some_and(|report| !is_current(report));
            let brought_forth = graph.ids().skip(look.lowered);
            nodes.extend(brought_forth.filter(|node| is_coarse || !is_planned || is_pending(*node)));
            nodes = with_dependants(&edges, nodes);
            if !is_planned {
                self.hangs_on_plan = true;
                self.notes.push(format!(
                    "the plan of {farm} is not known here: not all packages are listed"
                ));
            } else if !is_coarse {
                self.notes.push(format!(
                    "{farm} is planned anew: beside what is listed, only what Portage then chooses otherwise changes"
                ));
            }
        }
        self.nodes = names(look, nodes);
        Ok(())
    }
}

/// Who reads a file that can be any of these paths.
fn who_reads(readers: &Readers<'_>, seen: &Seen, paths: &BTreeSet<Utf8PathBuf>) -> BTreeSet<Reader> {
    let mut found = BTreeSet::new();
    let all = paths
        .iter()
        .flat_map(|path| seen.aliases(path).into_iter().chain([path.clone()]));
    for path in all.filter(|path| !path.starts_with(STATE)) {
        let is_folder = seen.root.join(&path).is_dir();
        let declared = readers.readers(&path, is_folder);
        // The net: it was read, and nobody knows what for.
        if declared.is_empty() && !is_folder && seen.paths.contains(&path) {
            found.insert(Reader::Farm);
        }
        found.extend(declared);
    }
    found
}

fn with_dependants(edges: &Edges, nodes: BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let starts: Vec<NodeId> = nodes.iter().copied().collect();
    nodes
        .into_iter()
        .chain(edges.reach(&starts, Way::Dependants, None))
        .collect()
}

/// The nodes of the packages of which `wanted` says so, with those of their sources.
fn packages(look: &Look, wanted: impl Fn(&PackageData) -> bool) -> BTreeSet<NodeId> {
    let graph = &look.session.graph;
    let mut found = BTreeSet::new();
    for node in graph.ids() {
        if let Action::Package(data) = &graph.spec(node).action
            && wanted(data)
        {
            found.insert(node);
            found.extend(data.distfiles.iter().filter_map(|(source, _)| graph.find(source)));
        }
    }
    found
}

/// What a look saw of the file system.
struct Seen {
    /// Relative to the workspace, or absolute.
    paths: BTreeSet<Utf8PathBuf>,
    /// By where a folder or file really is, the path through which it was read.
    aliases: BTreeMap<PathBuf, Vec<PathBuf>>,
    root: PathBuf,
}

impl Seen {
    fn of(witness: &Witness, root: &Path) -> Self {
        let mut seen = Self {
            paths: BTreeSet::new(),
            aliases: BTreeMap::new(),
            root: root.to_owned(),
        };
        let mut folders = BTreeSet::new();
        for (path, is_link) in witness.paths() {
            if path.starts_with(root.join(STATE)) {
                continue;
            }
            if is_link {
                folders.insert(path.clone());
            }
            folders.extend(path.parent().map(Path::to_owned));
            seen.paths
                .insert(below(&path, root).to_string_lossy().into_owned().into());
        }
        for folder in folders {
            // What is gone has no other path.
            if let Ok(real) = fs::canonicalize(&folder)
                && real != folder
            {
                seen.aliases.entry(real).or_default().push(folder);
            }
        }
        seen
    }

    /// The paths through which the file at `path` can have been read beside that.
    fn aliases(&self, path: &Utf8Path) -> Vec<Utf8PathBuf> {
        if self.aliases.is_empty() {
            return Vec::new();
        }
        let full = real(&self.root.join(path));
        let mut found = Vec::new();
        for part in full.ancestors() {
            for alias in self.aliases.get(part).into_iter().flatten() {
                let rest = full.strip_prefix(part).unwrap_or("".as_ref());
                let alias = if rest.as_os_str().is_empty() {
                    alias.clone()
                } else {
                    alias.join(rest)
                };
                found.push(below(&alias, &self.root).to_string_lossy().into_owned().into());
            }
        }
        found
    }
}

/// `a, b and 3 more`.
fn list(names: &[&str]) -> String {
    let shown = names.len().min(NAMED);
    let first = names[..shown].join(", ");
    match names.len() - shown {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_not_declared_concerns_the_whole_farm() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("farms/a/sub")).unwrap();
        fs::write(root.join("farms/a/farm.yaml"), "farm: a\n").unwrap();
        let loaded = farm_manifest::load(
            Utf8Path::from_path(&root).unwrap(),
            "a",
            &farm_manifest::Overrides::default(),
        );
        let loaded = loaded.unwrap();
        let witness = Witness::default();
        for path in ["farms/a/odd", "farms/a/sub", ".farm/store/x"] {
            witness.look(&root.join(path));
        }
        let readers = Readers::of(&loaded, Utf8Path::from_path(&root).unwrap());
        let seen = Seen::of(&witness, &root);
        let found = |path: &str| who_reads(&readers, &seen, &[path.into()].into());
        assert_eq!(found("farms/a/odd"), [Reader::Farm].into());
        // Of a folder only the names were looked at; state is nobody's input.
        for path in ["farms/a/sub", "farms/a/even", ".farm/store/x"] {
            assert_eq!(found(path), [].into(), "{path}");
        }
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list(&["a", "b"]), "a, b");
        assert_eq!(list(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e and 2 more");
    }
}
