//! `farm patch list`: the user patches of a farm, what of today's plan they reach, and whether they still apply.

use std::collections::BTreeMap;

use farm_engine::{EventSink, Summary};
use farm_portage::user_patches::{PatchFile, PatchLog, applied};

use super::super::build::BuildOptions;
use super::super::recording::recorded;
use super::super::{FarmError, Setup};
use super::planned::{Planned, Planning, cpv_of};
use super::saved::{self, SavedPatch};
use super::words::PatchWords;
use super::work_tree::WorkTree;
use super::{load, shown};
use crate::rules::source;

/// Whether a user patch applies to a package of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// It does.
    Applies,
    /// It does not any more.
    Fails,
    /// The ebuild applies no user patches.
    Unused,
    /// Nobody knows: something went wrong before, which the log of the node tells.
    Unknown,
}

/// A user patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchLine {
    /// What it is for: `CATEGORY/NAME[-VERSION][:SLOT]`.
    pub atom: String,
    /// The file's name.
    pub file: String,
    /// The layer that has it.
    pub layer: String,
    /// The packages of the plan that it is applied to, with the outcome where it was checked; `None` if there is no plan.
    pub reaches: Option<Vec<(String, Option<Check>)>>,
    /// The layer whose patch of the same place takes this one's.
    pub replaced_by: Option<String>,
}

/// A work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeLine {
    /// Where it is, relative to the workspace.
    pub folder: String,
    /// Whether anything in it is not saved.
    pub unsaved: bool,
}

/// What there is.
#[derive(Debug, Clone)]
pub struct PatchList {
    /// The user patches, in the order of the layers.
    pub patches: Vec<PatchLine>,
    /// The work trees, by name.
    pub trees: Vec<TreeLine>,
    /// How planning, or checking, ended.
    pub summary: Summary,
}

/// Lists the user patches of the farm that `words` name, as `[FARM] [KEY=VALUE]`. With `check` the sources of all packages that they
/// reach are prepared, if that was not done since something changed.
///
/// # Errors
///
/// What keeps the run from starting or going on; failures of nodes are in the summary.
pub fn patch_list(
    setup: &Setup,
    words: &[String],
    check: bool,
    options: &BuildOptions,
    events: &dyn EventSink,
) -> Result<PatchList, FarmError> {
    let words = PatchWords::parse(setup, words)?;
    if let Some(word) = words.rest.first() {
        return Err(FarmError::input(format!("`{word}` is no farm here")).hint("`farm patch list` takes a farm"));
    }
    let loaded = load(setup, &words.workspace, &words.farm, &words.variables)?;
    let patches = match &loaded.farm.binfarm {
        Some(binfarm) => saved::of_farm(&loaded, binfarm),
        None => Vec::new(),
    };
    let mut list = PatchList {
        patches: patches.iter().map(line).collect(),
        trees: trees(&words)?,
        summary: Summary::default(),
    };
    if patches.is_empty() {
        return Ok(list);
    }
    recorded(setup, false, options.jobs(), events, |events| {
        let mut planned = match Planned::of(setup, &words, events)? {
            Planning::Made(planned) => planned,
            Planning::Failed(summary) => {
                list.summary = summary;
                return Ok(list);
            }
        };
        let reached = reached(&patches, &planned)?;
        let mut checks = BTreeMap::new();
        if check {
            (list.summary, checks) = checked(&mut planned, &reached, setup, options, events)?;
        }
        for (at, line) in list.patches.iter_mut().enumerate() {
            let packages = reached.iter().filter(|(_, patches)| patches.contains(&at));
            let told = packages.map(|(package, _)| {
                let outcome = checks.get(package);
                (package.clone(), outcome.map(|outcome| told(outcome, &line.file)))
            });
            line.reaches = Some(told.collect());
        }
        planned.session.close();
        Ok(list)
    })
}

fn line(patch: &SavedPatch) -> PatchLine {
    PatchLine {
        atom: patch.scope.to_string(),
        file: patch.file.clone(),
        layer: patch.layer.clone(),
        reaches: None,
        replaced_by: patch.replaced_by.clone(),
    }
}

fn trees(words: &PatchWords) -> Result<Vec<TreeLine>, FarmError> {
    let trees = WorkTree::all(&words.workspace, &words.farm)?;
    let line = |tree: WorkTree| {
        Ok(TreeLine {
            folder: shown(&words.workspace, &tree.folder),
            unsaved: tree.has_unsaved()?,
        })
    };
    trees.into_iter().map(line).collect()
}

/// The packages of the plan that patches are applied to, with the indices of these.
fn reached(patches: &[SavedPatch], planned: &Planned) -> Result<BTreeMap<String, Vec<usize>>, FarmError> {
    let folders: Vec<String> = patches.iter().map(|patch| patch.scope.to_string()).collect();
    let current: Vec<(usize, PatchFile<'_>)> = patches
        .iter()
        .zip(&folders)
        .enumerate()
        .filter(|(_, (patch, _))| patch.replaced_by.is_none())
        .map(|(at, (patch, folder))| {
            let file = PatchFile {
                folder,
                name: &patch.file,
                empty: patch.empty,
            };
            (at, file)
        })
        .collect();
    let files: Vec<PatchFile<'_>> = current.iter().map(|(_, file)| *file).collect();
    let mut reached = BTreeMap::new();
    for package in &planned.plan.packages {
        let applied = applied(&files, &cpv_of(package)?, &package.package.slot);
        let indices: Vec<usize> = current
            .iter()
            .filter(|(_, file)| applied.contains(file))
            .map(|(at, _)| *at)
            .collect();
        if !indices.is_empty() {
            reached.insert(package.name.clone(), indices);
        }
    }
    Ok(reached)
}

/// What preparing a source said of user patches.
enum Outcome {
    Prepared(Vec<String>),
    Failed(PatchLog),
}

fn told(outcome: &Outcome, file: &str) -> Check {
    let is = |name: &String| name == file;
    match outcome {
        Outcome::Prepared(applied) if applied.iter().any(is) => Check::Applies,
        Outcome::Prepared(_) => Check::Unused,
        Outcome::Failed(log) if log.applied.iter().any(is) => Check::Applies,
        Outcome::Failed(log) if log.failed.as_ref().is_some_and(is) => Check::Fails,
        Outcome::Failed(_) => Check::Unknown,
    }
}

/// Prepares the sources of these packages, one going wrong being no reason to stop.
fn checked(
    planned: &mut Planned,
    reached: &BTreeMap<String, Vec<usize>>,
    setup: &Setup,
    options: &BuildOptions,
    events: &super::super::recording::Recording<'_>,
) -> Result<(Summary, BTreeMap<String, Outcome>), FarmError> {
    let mut nodes = Vec::new();
    let mut names = Vec::new();
    for package in planned
        .plan
        .packages
        .iter()
        .filter(|package| reached.contains_key(&package.name))
    {
        let (spec, data) = planned.node(package)?;
        let node = source::node(spec, data);
        names.push((package.name.clone(), node.name.clone()));
        nodes.push(node);
    }
    let options = BuildOptions {
        keep_going: true,
        ..options.clone()
    };
    let summary = planned.run(nodes, setup, &options, events)?;
    let mut outcomes = BTreeMap::new();
    let context = &planned.session.context;
    for (package, node) in names {
        let outcome = match planned.guard(&summary, &node) {
            Some(guard) => Outcome::Prepared(source::patches(context, &guard)?),
            // Only of a step that was carried out just now does the log tell.
            None if summary.failures.iter().any(|(failed, _)| *failed == node) => {
                Outcome::Failed(source::patch_log(context, &node))
            }
            None => Outcome::Failed(PatchLog::default()),
        };
        outcomes.insert(package, outcome);
    }
    Ok((summary, outcomes))
}
