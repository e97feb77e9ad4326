//! `quickpkg`: all packages that a base has, packed again out of its files and its records, as Portage's program of this name does it.
//!
//! One node for the whole base, because the base is read as a whole; but each package has a payload of its own, in normal form: where a new
//! base has the same package, its payload is the same, and nobody who has it notices. It is all packages, and not those that are published:
//! which of them a generation builds anew changes every day, and the base does not.

mod guarded;
mod owned;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use farm_engine::{Class, Dependency, Digest, Event, Failure, FailureKind, Guard, Input, NodeSpec, Output, Run};
use farm_executor::Progress as _;
use farm_hosted::FARM_DPKG;
use farm_image::{SavedTree, restamped_python};
use farm_portage::gpkg::{ErrorKind, ImageEntry, Metadata};
use farm_portage::index::FileDigests;
use farm_portage::normal::{NormalError, NormalOptions, NormalReport, lacking_metadata, normalise_installed};
use farm_portage::vdb::Installed;
use farm_store::Blob;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use self::guarded::Guarded;
use self::owned::{Owned, Root, names, owned};
use super::base::Tell;
use super::saved;
use crate::action::Action;
use crate::context::{Context, io_failure};
use crate::place::{self, Place};

/// The output of a node of this rule.
pub const ROLE: &str = "packages";

/// The blob of that output that says what is in it. The others have the names of packages, and each of those has a slash.
const LIST: &str = "list";

/// Where Portage records what is installed.
const RECORDS: &str = "var/db/pkg";

/// The name of the node that packs the packages of a farm's base.
#[must_use]
pub fn node_name(farm: &str) -> String {
    format!("{farm}:quickpkg")
}

/// The node that packs the packages of `base`.
#[must_use]
pub fn node(farm: &str, base: &str, epoch: u64) -> NodeSpec<Action> {
    NodeSpec {
        name: node_name(farm),
        kind: "quickpkg".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs: vec![Input::text("epoch", epoch.to_string())],
        dependencies: vec![Dependency::output(base, "image")],
        expands: false,
        pools: BTreeMap::new(),
        action: Action::Quickpkg { base: base.to_owned() },
    }
}

/// What of a base was packed. Its digest is the output's.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct List {
    /// Payloads, by `CATEGORY/PF`.
    packed: BTreeMap<String, Digest>,
    /// Packages that could not be packed, and why.
    left_out: BTreeMap<String, String>,
}

/// The packages of a base, as nodes that publish them read them.
#[derive(Debug)]
pub(super) struct BasePackages {
    list: List,
    blobs: BTreeMap<String, Blob>,
}

impl BasePackages {
    /// Reads what a node of this rule made.
    pub(super) fn read(context: &Context, guard: &Guard) -> Result<Self, Failure> {
        let blobs = place::blobs(guard, ROLE)?;
        let list = list(context, &blobs)?;
        Ok(Self { list, blobs })
    }

    /// The payload of a package and the file that has it; else why it was not packed.
    pub(super) fn get(&self, cpv: &str) -> Result<(Digest, Blob), &str> {
        match (self.list.packed.get(cpv), self.blobs.get(cpv)) {
            (Some(payload), Some(blob)) => Ok((*payload, *blob)),
            _ => Err(self
                .list
                .left_out
                .get(cpv)
                .map_or("the base does not have it", String::as_str)),
        }
    }
}

/// The payloads of all packages in an output of this rule, by `CATEGORY/PF`.
pub(super) fn payloads(context: &Context, blobs: &BTreeMap<String, Blob>) -> Result<BTreeMap<String, Digest>, Failure> {
    Ok(list(context, blobs)?.packed)
}

fn list(context: &Context, blobs: &BTreeMap<String, Blob>) -> Result<List, Failure> {
    let bug = |what: &str| Failure::new(FailureKind::Bug, format!("the packages of a base: {what}"));
    let list = blobs.get(LIST).ok_or_else(|| bug("there is no list of them"))?;
    serde_json::from_slice(&context.read(list)?).map_err(|error| bug(&error.to_string()))
}

/// Packs.
pub fn run(context: &Context, run: &Run<'_>, spec: &NodeSpec<Action>, base: &str) -> Result<Vec<Output>, Failure> {
    let guard = run
        .dependency(spec, base)
        .ok_or_else(|| Failure::new(FailureKind::Bug, format!("no {base}")))?;
    let image = place::image(guard, "image")?;
    let mut tell = Tell { run, name: &spec.name };
    tell.progress("reading the base");
    context.with_scratch(|scratch| {
        let tree = saved::tree(context, &image, scratch, "pack the packages of a base")?;
        let base = Base::of(&tree).map_err(|error| io_failure("read a base", &error))?;
        let (mut list, mut blobs) = (List::default(), BTreeMap::new());
        for ((category, pf), files) in records(&tree) {
            if context.cancel.is_cancelled() {
                return Err(Failure::new(FailureKind::Environment, "cancelled"));
            }
            if files.contains_key(FARM_DPKG) {
                continue;
            }
            let cpv = format!("{category}/{pf}");
            tell.progress(&format!("packing {cpv}"));
            let target = scratch.join("packed.gpkg.tar");
            let record = read_record(&tree, &files).map_err(|error| io_failure("read a base", &error))?;
            match base.pack((category, pf), &record, &target, context.epoch)? {
                Ok(packed) => {
                    for sentence in packed.sentences {
                        let message = format!("{cpv} of the base {sentence}");
                        (run.events)(Event::Note { message });
                    }
                    let blob = context
                        .store
                        .put_file(&target)
                        .map_err(|error| io_failure("keep a package", &error))?;
                    blobs.insert(cpv.clone(), blob);
                    list.packed.insert(cpv, packed.report.payload.into());
                }
                Err(reason) => {
                    list.left_out.insert(cpv, reason);
                }
            }
        }
        let json = serde_json::to_vec(&list).map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?;
        let blob = context.keep(&json)?;
        blobs.insert(LIST.to_owned(), blob);
        Ok(vec![Place::Blobs { blobs }.output(ROLE, blob.digest)])
    })
}

/// The files of a record, by name, with their paths in the root.
type RecordFiles = BTreeMap<String, PathBuf>;

/// The records of all packages of a root, by the names of their folders, category and PF. What Portage was about to merge or to
/// remove when it was stopped (`-MERGING-…`) is none.
fn records(tree: &SavedTree) -> BTreeMap<(&str, &str), RecordFiles> {
    let mut records: BTreeMap<(&str, &str), RecordFiles> = BTreeMap::new();
    for (path, entry) in tree.index().below(Path::new(RECORDS)) {
        let Ok(below) = path.strip_prefix(RECORDS) else {
            continue;
        };
        let parts = below.components().map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        });
        let Some(parts) = parts.collect::<Option<Vec<&str>>>() else {
            continue;
        };
        if let [category, pf, file] = parts[..]
            && !pf.starts_with('-')
            && matches!(entry.kind, farm_image::EntryKind::File { .. })
        {
            let files = records.entry((category, pf)).or_default();
            files.insert(file.to_owned(), path.to_path_buf());
        }
    }
    records
}

fn read_record(tree: &SavedTree, files: &RecordFiles) -> io::Result<Metadata> {
    let read = |(name, path): (&String, &PathBuf)| {
        let mut bytes = Vec::new();
        tree.content(path)?.read_to_end(&mut bytes)?;
        Ok((name.clone(), bytes))
    };
    files.iter().map(read).collect()
}

/// What of a base all its packages need.
struct Base<'a> {
    tree: &'a SavedTree,
    guarded: Guarded,
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

/// A package that was packed.
struct Packed {
    report: NormalReport,
    /// What is to be said of it, without its name.
    sentences: Vec<String>,
}

impl<'a> Base<'a> {
    fn of(tree: &'a SavedTree) -> io::Result<Self> {
        let text = |path: &str| {
            let path = tree.index().resolve(Path::new(path));
            let mut bytes = Vec::new();
            if tree.index().contains(&path) {
                tree.content(&path)?.read_to_end(&mut bytes)?;
            }
            Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Self {
            tree,
            guarded: Guarded::new(&text("etc/profile.env")?),
            users: names(&text("etc/passwd")?),
            groups: names(&text("etc/group")?),
        })
    }

    /// Packs a package into `target`; says why where it cannot be one.
    fn pack(
        &self,
        (category, pf): (&str, &str),
        record: &Metadata,
        target: &Path,
        epoch: u64,
    ) -> Result<Result<Packed, String>, Failure> {
        if let Some(name) = lacking_metadata(pf, record) {
            let reason = format!("its record in the base has no {name}, without which nobody could install it");
            return Ok(Err(reason));
        }
        let installed = match Installed::parse(category, pf, record) {
            Ok(installed) => installed,
            Err(error) => return Ok(Err(format!("its record in the base cannot be read: {error}"))),
        };
        let Owned {
            entries,
            content,
            findings,
        } = self
            .owned(&installed)
            .map_err(|error| io_failure("read a package of the base", &error))?;
        let open = |entry: &ImageEntry| self.open(entry, &content, epoch);
        let mut file = io::BufWriter::new(
            fs::File::create(target).map_err(|error| io_failure("pack a package of the base", &error))?,
        );
        let options = NormalOptions::new(epoch);
        let report = match normalise_installed((category, pf), record, &entries, open, &mut file, &options) {
            Ok(report) => report,
            Err(error) if is_of_package(&error) => return Ok(Err(format!("it cannot be packed: {error}"))),
            Err(error) => return Err(io_failure("pack a package of the base", &error)),
        };
        file.into_inner()
            .map_err(|error| io_failure("pack a package of the base", &error.into_error()))?;
        let lost = report
            .warnings
            .iter()
            .map(|warning| format!("is packed, but {warning}"));
        let sentences = findings.sentences().into_iter().chain(lost).collect();
        Ok(Ok(Packed { report, sentences }))
    }

    fn owned(&self, installed: &Installed) -> io::Result<Owned> {
        let root = Root {
            index: self.tree.index(),
            guarded: &self.guarded,
            names: [&self.users, &self.groups],
            md5: &|path| Ok(FileDigests::of(self.tree.content(path)?)?.md5),
        };
        owned(&root, &installed.contents)
    }

    /// The content of a file. What Python compiled says of which time its source is, and a package's sources have the epoch.
    fn open(&self, entry: &ImageEntry, content: &BTreeMap<String, PathBuf>, epoch: u64) -> io::Result<Box<dyn Read>> {
        let at = content
            .get(&entry.path)
            .ok_or_else(|| io::Error::other(format!("/{} has no content", entry.path)))?;
        let content = self.tree.content(at)?;
        if at.extension().is_some_and(|extension| extension == "pyc") {
            return Ok(Box::new(restamped_python(content, epoch)?));
        }
        Ok(Box::new(content))
    }
}

/// Whether a package cannot be packed because of what it is.
fn is_of_package(error: &NormalError) -> bool {
    match error.kind() {
        ErrorKind::Input => true,
        ErrorKind::Environment => false,
    }
}
