//! `debug`: for those who look inside.

use farm_engine::Guard;
use farm_guard_file::{GuardFile, Mode};

use super::{FarmError, Setup, Words};
use crate::names::{farm, local, wants_by_name};
use crate::workspace::Workspace;

/// The guards of the nodes that the words name, as the guard file has them: node by node, the one used last first. Neither
/// manifests nor plans are read, so that what nobody builds any more can be looked at, too.
///
/// # Errors
///
/// The user's: no node, or one that was never built here. The environment's: the guard file cannot be read.
pub fn guards(setup: &Setup, words: &Words) -> Result<Vec<Guard>, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let wanted = words.resolve(&workspace)?;
    let file = GuardFile::open(&workspace.state().join("guards"), Mode::Read)?.guards;
    let mut found: Vec<Guard> = file
        .all()
        .into_iter()
        .filter(|guard| {
            wanted
                .get(farm(&guard.node))
                .is_some_and(|wanted| wants_by_name(wanted, local(&guard.node)))
        })
        .collect();
    if found.is_empty() {
        return Err(FarmError::input("there is no guard of that: it was never built here")
            .hint("`farm targets` lists what there is; plans and sources are called plan/SUBJECT and fetch/FILE"));
    }
    // The file has the one used last at the end.
    found.reverse();
    found.sort_by(|a, b| a.node.cmp(&b.node));
    Ok(found)
}
