//! `debug query`: what a node needs, and what needs it. (What a file affects is in `affected`.)

use std::collections::BTreeSet;

use farm_engine::walk::{Edges, Way};
use farm_engine::{EventSink, NodeId};

use super::look::Look;
use super::{FarmError, Setup, Words};
use crate::workspace::Workspace;

/// Everything that the nodes the words name need within `depth` steps, directly or through others, by name and sorted. A node that
/// was named is among it only if another one needs it.
///
/// # Errors
///
/// The user's: no such node, or one of which nothing can be known yet. The environment's.
pub fn deps(
    setup: &Setup,
    words: &Words,
    depth: Option<usize>,
    events: &dyn EventSink,
) -> Result<Vec<String>, FarmError> {
    reach(setup, words, Way::Dependencies, depth, events)
}

/// Everything that needs the nodes the words name; otherwise as [`deps`].
///
/// # Errors
///
/// As of [`deps`].
pub fn rdeps(
    setup: &Setup,
    words: &Words,
    depth: Option<usize>,
    events: &dyn EventSink,
) -> Result<Vec<String>, FarmError> {
    reach(setup, words, Way::Dependants, depth, events)
}

fn reach(
    setup: &Setup,
    words: &Words,
    way: Way,
    depth: Option<usize>,
    events: &dyn EventSink,
) -> Result<Vec<String>, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let wanted = words.resolve(&workspace)?;
    // The graph is that of whole farms, whatever was named of them.
    let whole = Words {
        targets: wanted.keys().chain(&words.targets).cloned().collect(),
        variables: words.variables.clone(),
    };
    let mut look = Look::at_everything(setup, &whole, events)?;
    look.session.wanted = wanted;
    let starts = look.asked();
    if starts.is_empty() {
        return Err(look.nothing_known());
    }
    let edges = Edges::of(&look.session.graph, |_| true);
    Ok(names(&look, edges.reach(&starts, way, depth)))
}

/// The names of nodes, sorted.
pub(super) fn names(look: &Look, nodes: impl IntoIterator<Item = NodeId>) -> Vec<String> {
    let names = nodes.into_iter().map(|node| look.session.graph.spec(node).name.clone());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}
