//! `farm patch try`: whether a package can be built with what was changed.

use farm_engine::{EventSink, Summary};

use super::super::build::BuildOptions;
use super::super::recording::recorded;
use super::super::{FarmError, Setup};
use super::planned::{Planned, Planning};
use super::shown;
use super::words::PatchWords;
use super::work_tree::WorkTree;
use crate::rules::{container, source};

/// A difference with which a package can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The farm.
    pub farm: String,
    /// The package, `CATEGORY/PF`.
    pub package: String,
    /// The user patches that were applied, in their order; the last one is the difference.
    pub patches: Vec<String>,
    /// The log of the build, relative to the workspace.
    pub log: String,
    /// New files that are not in the difference, because the source's `.gitignore` leaves them out.
    pub ignored: Vec<String>,
}

/// Builds the package that `words` name, as `[FARM] ATOM [KEY=VALUE]`, in its own build root with what was changed in its work tree
/// as one more user patch. What is built is thrown away.
///
/// # Errors
///
/// The user's: no work tree, nothing changed, or a plan that has another version. What keeps the run from starting or going on.
/// Failures of nodes are in the summary.
pub fn patch_try(
    setup: &Setup,
    words: &[String],
    options: &BuildOptions,
    events: &dyn EventSink,
) -> Result<(Summary, Option<Tried>), FarmError> {
    let words = PatchWords::parse(setup, words)?;
    let tree = WorkTree::find(&words.workspace, &words.farm, words.package()?)?;
    let difference = tree.difference()?;
    let ignored = difference.ignored.clone();
    let text = difference.patch(&tree)?;
    recorded(setup, false, options.jobs(), events, |events| {
        let mut planned = match Planned::of(setup, &words, events)? {
            Planning::Made(planned) => planned,
            Planning::Failed(summary) => return Ok((summary, None)),
        };
        let package = planned.plan.packages.iter().find(|package| package.name == tree.name);
        let package = package.ok_or_else(|| gone(&tree, &words))?;
        let (spec, data) = planned.node(package)?;
        let node = source::trial(spec, data, text)?;
        let node_name = node.name.clone();
        let summary = planned.run(vec![node], setup, options, events)?;
        let Some(guard) = planned.guard(&summary, &node_name) else {
            return Ok((summary, None));
        };
        let context = &planned.session.context;
        let tried = Tried {
            farm: words.farm.clone(),
            package: tree.name.clone(),
            patches: source::patches(context, &guard)?,
            log: shown(&words.workspace, &container::log_path(context, &node_name)),
            ignored,
        };
        planned.session.close();
        Ok((summary, Some(tried)))
    })
}

fn gone(tree: &WorkTree, words: &PatchWords) -> FarmError {
    let (farm, name) = (&words.farm, &tree.name);
    FarmError::input(format!("today's plan of {farm} has no {name}")).hint(format!(
        "`farm patch prep {farm} {}` makes a work tree of the version that it has; bring the changes over with git",
        tree.cpv.cp()
    ))
}
