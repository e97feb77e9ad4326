//! Who reads a file of the workspace, by what the manifest declares.
//!
//! Everything goes by declarations (a folder, a glob, a path), and not by the files that happen to be there: what was removed, or is
//! to come, is read as well. Where a declaration does not say what a file decides, the answer is coarse rather than wrong:
//!
//! | file | who reads it |
//! |---|---|
//! | manifests, `farms/settings.yaml`, the lock file | the whole farm |
//! | layers, set files | every plan, and all that plans bring forth; user patches only the packages they are for |
//! | the stage3 archive of the base | `base`, and all that plans bring forth; its signature and the keys only `base` |
//! | scripts of a stage | the image that it is packed from |
//! | literal files and scripts of the root | `root`, and all that plans bring forth |
//! | folders of repositories | an ebuild's folder its packages, an eclass those that inherit it; `profiles`, `metadata`, `licenses` and `sets` all packages |
//! | folders of `live:` | the packages that they are named for |
//! | inputs and outputs of tasks | the task |
//! | the folder packages are published to | `publish-pkgs` |
//! | files of `secrets:` | nobody: what is built does not depend on them |

use std::collections::BTreeSet;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use farm_manifest::Loaded;
use farm_manifest::model::{Base, Binfarm, Packages, RepoSource};

use crate::lower::{TaskFiles, generations, local_folder};
use crate::names::{BOOTSTRAP, TOOLS_SUBJECT};

/// What reads a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// The farm as a whole: anything in it may change.
    Farm,
    /// These nodes, by their local names, and all that plans bring forth.
    Plans(Vec<String>),
    /// This node.
    Node(String),
    /// The packages of this `CATEGORY/NAME`.
    Packages(String),
    /// The packages that inherit the eclass of this name.
    Inheriting(String),
}

/// The declarations of one farm.
pub struct Readers<'a> {
    /// Files, relative to the workspace if they lie there, else absolute.
    files: Vec<(Utf8PathBuf, Reader)>,
    /// Folders likewise, each with what it is.
    folders: Vec<(Utf8PathBuf, Folder)>,
    tasks: TaskFiles<'a>,
    plans: Vec<String>,
}

/// The plans that are made for the root of a binfarm, and for breaking circles.
fn of_root(binfarm: &Binfarm) -> impl Iterator<Item = &'static str> {
    let bootstrap = (!binfarm.bootstrap.is_empty()).then_some(BOOTSTRAP);
    bootstrap.into_iter().chain(generations(binfarm))
}

/// What a folder is.
enum Folder {
    /// All files in it have the same reader.
    Of(Reader),
    /// A configuration layer.
    Layer,
    /// A repository of this name.
    Repository(String),
}

impl<'a> Readers<'a> {
    /// Knows what this farm of the workspace at `root` declares.
    #[must_use]
    pub fn of(loaded: &'a Loaded, root: &Utf8Path) -> Self {
        let farm = &loaded.farm;
        let lock = Utf8Path::new("farms").join(&farm.name.value).join("farm.lock");
        let tools = farm.binfarm.iter().filter(|binfarm| !binfarm.packages.is_empty());
        let subjects = farm.subjects.iter().map(|subject| subject.name.value.as_str());
        let subjects = subjects.chain(tools.map(|_| TOOLS_SUBJECT));
        let mut readers = Self {
            files: vec![(lock, Reader::Farm), ("farms/settings.yaml".into(), Reader::Farm)],
            folders: Vec::new(),
            tasks: TaskFiles::of(&farm.tasks),
            plans: subjects
                .chain(farm.binfarm.iter().flat_map(of_root).map(|name| -> &'a str { name }))
                .map(|subject| format!("plan/{subject}"))
                .collect(),
        };
        readers.declare_packages(loaded);
        if let Some(publish) = &farm.publish.pkgs
            && let Some(folder) = local_folder(&publish.to.value, "".as_ref())
            && let Ok(folder) = Utf8PathBuf::from_path_buf(folder)
        {
            let reader = Reader::Node("publish-pkgs".to_owned());
            readers.folders.push((folder, Folder::Of(reader)));
        }
        for (path, _) in &mut readers.files {
            *path = below(path, root);
        }
        for (path, _) in &mut readers.folders {
            *path = below(path, root);
        }
        // Whatever else was read as text is a manifest.
        let named = loaded.sources.files().iter().filter(|source| source.is_file());
        let manifests: Vec<_> = named
            .filter(|source| readers.declared(&source.path, false).is_empty())
            .map(|source| (source.path.clone(), Reader::Farm))
            .collect();
        readers.files.extend(manifests);
        readers
    }

    fn declare_packages(&mut self, loaded: &Loaded) {
        let farm = &loaded.farm;
        let plans = Reader::Plans(self.plans.clone());
        let layer = |name: &String| (Utf8Path::new("profiles").join(name), Folder::Layer);
        self.folders.extend(loaded.layers.keys().map(layer));
        let of_subjects = farm.subjects.iter().map(|subject| &subject.packages);
        let Some(binfarm) = &farm.binfarm else { return };
        let of_binfarm = [&binfarm.toolchain, &binfarm.bootstrap, &binfarm.packages];
        let set_file = |packages: &Packages| Some((packages.set_file.as_ref()?.path.value.clone(), plans.clone()));
        self.files
            .extend(of_binfarm.into_iter().chain(of_subjects).filter_map(set_file));
        let root = Reader::Plans(vec!["root".to_owned()]);
        self.files.extend(
            binfarm
                .scripts
                .iter()
                .map(|script| (script.value.clone(), root.clone())),
        );
        self.folders.extend(
            binfarm
                .root
                .iter()
                .map(|path| (path.value.clone(), Folder::Of(root.clone()))),
        );
        if let Base::Stage3(stage3) = &binfarm.base {
            // Signature and keys decide whether there is a base, and not what it is.
            let base = Reader::Node("base".to_owned());
            self.files.push((stage3.keyring.value.clone(), base.clone()));
            let plans = Reader::Plans(vec!["base".to_owned()]);
            for (address, reader) in [(stage3.signature(), base), (stage3.archive.value.clone(), plans)] {
                let path = address.strip_prefix("file://").unwrap_or(&address);
                if !path.contains("://") {
                    self.files.push((path.into(), reader));
                }
            }
        }
        for stage in farm.buildable_stages() {
            let root = Reader::Node(format!("stage-root/{}", stage.name.value));
            self.files
                .extend(stage.scripts.iter().map(|script| (script.value.clone(), root.clone())));
        }
        let checkouts = farm.live.iter();
        self.folders.extend(checkouts.map(|entry| {
            let reader = Reader::Packages(entry.package.value.clone());
            (entry.path.value.clone(), Folder::Of(reader))
        }));
        for repo in &binfarm.repos {
            let name = repo.name.value.clone();
            match &repo.source {
                RepoSource::Path(path) => self.folders.push((path.value.clone(), Folder::Repository(name))),
                RepoSource::Archive { url, .. } if !url.value.contains("://") => {
                    let reader = Reader::Plans(vec![format!("repo/{name}")]);
                    self.files.push((url.value.clone().into(), reader));
                }
                _ => {}
            }
        }
    }

    /// Who reads the file, or anything in the folder, at `path`: relative to the workspace if it lies there, else absolute.
    /// `is_folder` says that it is one today.
    #[must_use]
    pub fn readers(&self, path: &Utf8Path, is_folder: bool) -> BTreeSet<Reader> {
        let mut found = self.declared(path, is_folder);
        let tasks = if is_folder {
            self.tasks.tasks_below(path.as_str())
        } else {
            self.tasks.tasks(path.as_str())
        };
        found.extend(tasks.into_iter().map(|task| Reader::Node(format!("task/{task}"))));
        found
    }

    fn declared(&self, path: &Utf8Path, is_folder: bool) -> BTreeSet<Reader> {
        // A folder stands for all that lies in it: git names a submodule so.
        let files = self.files.iter().filter(|(file, _)| file.starts_with(path));
        let mut found: BTreeSet<Reader> = files.map(|(_, reader)| reader.clone()).collect();
        for (folder, what) in &self.folders {
            if let Ok(inside) = path.strip_prefix(folder) {
                self.inside(what, inside.as_str(), is_folder, &mut found);
            } else if folder.starts_with(path) {
                self.inside(what, "", true, &mut found);
            }
        }
        found
    }

    /// Who reads the file at `inside` of a folder; all of it if that is empty.
    fn inside(&self, folder: &Folder, inside: &str, is_folder: bool, found: &mut BTreeSet<Reader>) {
        match folder {
            Folder::Of(reader) => {
                found.insert(reader.clone());
            }
            Folder::Layer => match patched(inside) {
                Some(package) => {
                    found.extend(self.plans.iter().cloned().map(Reader::Node));
                    // The image that holds the configuration holds the patch, too.
                    found.insert(Reader::Node("env".to_owned()));
                    found.insert(Reader::Packages(package));
                }
                None => {
                    found.insert(Reader::Plans(self.plans.clone()));
                }
            },
            Folder::Repository(name) => {
                let node = format!("repo/{name}");
                let parts: Vec<&str> = inside.split('/').collect();
                match parts.as_slice() {
                    ["" | "profiles" | "metadata" | "licenses" | "sets" | "sets.conf", ..] => {
                        found.insert(Reader::Plans(vec![node]));
                        return;
                    }
                    // All eclasses, or a category.
                    [_] if is_folder => {
                        found.insert(Reader::Plans(vec![node]));
                        return;
                    }
                    ["eclass", file] => {
                        let eclass = file.strip_suffix(".eclass").unwrap_or(file);
                        found.insert(Reader::Inheriting(eclass.to_owned()));
                    }
                    [category, package, ..] => {
                        found.insert(Reader::Packages(format!("{category}/{package}")));
                    }
                    // Portage reads nothing else at the top.
                    _ => {}
                }
                found.insert(Reader::Node(node));
            }
        }
    }
}

/// `CATEGORY/NAME`, possibly with a version and a slot, of a user patch in a layer.
fn patched(inside: &str) -> Option<String> {
    let mut parts = inside.strip_prefix("patches/")?.split('/');
    let (category, package) = (parts.next()?, parts.next()?);
    parts.next()?;
    Some(format!("{category}/{package}"))
}

/// Whether what stands in the place of a package's name in a path (`zlib`, `zlib-1.3`, `zlib-1.3-r1:0`) can mean the package.
#[must_use]
pub fn can_mean(written: &str, category_and_name: &str) -> bool {
    let after = written.strip_prefix(category_and_name);
    after.is_some_and(|after| after.is_empty() || after.starts_with(['-', ':']))
}

/// A declared path without `.` and `..`, and relative to `root` if it lies there.
fn below(path: &Utf8Path, root: &Utf8Path) -> Utf8PathBuf {
    let mut tidy = Utf8PathBuf::new();
    for part in root.join(path).components() {
        match part {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy.strip_prefix(root).map(Utf8Path::to_owned).unwrap_or(tidy)
}
