//! `farm patch prep`: a package's source as a git work tree.

use farm_engine::{EventSink, Summary};

use super::super::build::BuildOptions;
use super::super::recording::recorded;
use super::super::{FarmError, Setup};
use super::planned::{Planned, Planning};
use super::shown;
use super::words::PatchWords;
use super::work_tree::WorkTree;
use crate::rules::source;

/// A work tree that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The farm.
    pub farm: String,
    /// The package, `CATEGORY/PF`.
    pub package: String,
    /// Where it is, relative to the workspace.
    pub folder: String,
    /// The user patches that are in it already, in their order.
    pub patches: Vec<String>,
    /// How many entries of the source are not in it: version control of its own, devices, sockets.
    pub left_out: usize,
}

/// Prepares the source of the package that `words` name, as `[FARM] ATOM [KEY=VALUE]`, patched by what applies to it already, and
/// makes a git work tree of it.
///
/// # Errors
///
/// The user's: no such package; or a work tree of it with changes is there. What keeps the run from starting or going on. Failures
/// of nodes are in the summary, and there is no work tree then.
pub fn patch_prep(
    setup: &Setup,
    words: &[String],
    options: &BuildOptions,
    events: &dyn EventSink,
) -> Result<(Summary, Option<Prepared>), FarmError> {
    let words = PatchWords::parse(setup, words)?;
    let word = words.package()?.to_owned();
    recorded(setup, false, options.jobs(), events, |events| {
        let mut planned = match Planned::of(setup, &words, events)? {
            Planning::Made(planned) => planned,
            Planning::Failed(summary) => return Ok((summary, None)),
        };
        let workspace = &words.workspace;
        let (package, cpv) = planned.package(&word)?;
        let name = package.name.clone();
        let tree = WorkTree::of(workspace, &words.farm, &name, cpv, &package.package.slot);
        refuse_losing(&tree, &words, &name)?;
        let (spec, data) = planned.node(package)?;
        let node = source::node(spec, data);
        let node_name = node.name.clone();
        let summary = planned.run(vec![node], setup, options, events)?;
        let Some(guard) = planned.guard(&summary, &node_name) else {
            return Ok((summary, None));
        };
        let context = &planned.session.context;
        let blob = source::tree(&guard)?;
        let packed = context.store.open_blob(&blob);
        let packed = packed.map_err(|error| context.unreadable(&blob, &error))?;
        let left_out = tree.make(workspace, &mut zstd::Decoder::new(packed)?)?;
        let prepared = Prepared {
            farm: words.farm.clone(),
            package: name,
            folder: shown(workspace, &tree.folder),
            patches: source::patches(context, &guard)?,
            left_out,
        };
        planned.session.close();
        Ok((summary, Some(prepared)))
    })
}

/// Nobody's changes are lost.
fn refuse_losing(tree: &WorkTree, words: &PatchWords, name: &str) -> Result<(), FarmError> {
    if !tree.folder.exists() {
        return Ok(());
    }
    let folder = shown(&words.workspace, &tree.folder);
    let known = WorkTree::all(&words.workspace, &words.farm)?;
    if !known.iter().any(|known| known.folder == tree.folder) {
        let message = format!("{folder} is there and is no work tree that farm made");
        return Err(FarmError::input(message).hint("move it away"));
    }
    if !tree.has_unsaved()? {
        return Ok(());
    }
    let farm = &words.farm;
    Err(
        FarmError::input(format!("{folder} is there already, with changes in it")).hint(format!(
            "go on with `farm patch try {farm} {name}` and `farm patch save {farm} {name}`; or throw it away with \
             `farm patch drop --force {farm} {name}`"
        )),
    )
}
