//! What must be in a root for one package to be built there, and for a set of packages to run.
//!
//! A build root holds the direct build-time dependencies of a package and what these need at run time. Runtime dependencies may form circles, so
//! that a package would wait for itself. Such an edge is left out, and recorded as left out. The rule: an edge is left out if it leads
//! to a package that reaches the one being built and comes after it in Portage's merge order. The remaining waits cannot form a
//! circle: within a strongly connected component every wait goes back in the merge order, and between components they follow the components'
//! own order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::graph::{Graph, builds, runs};
use crate::{Edge, NodeRef, Plan};

/// What is in the root in which one package is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildRoot {
    /// Indices into [`Plan::packages`] of what is installed before the build, in merge order.
    pub packages: Vec<usize>,
    /// Indices into [`Plan::installed`] of the packages of the root that the build may use, sorted: `@system`, dependencies found there, and the
    /// runtime closure of both; without those that `packages` replace.
    pub installed: Vec<usize>,
    /// What the dependencies ask for and the root does not hold, sorted.
    pub left_out: Vec<LeftOut>,
}

/// A package of the plan that is not in a build root although a dependency asks for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// The package, `category/PF`.
    pub cpv: String,
    /// Who asks for it, `category/PF`.
    pub wanted_by: String,
    /// Why it is not there.
    pub reason: LeftOutReason,
}

/// Why a package is left out of a build root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOutReason {
    /// It is the package that is being built: a dependency needs it at run time, as a library needs its plugin.
    BeingBuilt,
    /// It can only be built after the package that is being built. Nothing stands in for it.
    ComesLater,
    /// One of the above, but the binfarm root holds a package that fulfils the dependency, which is used: its `category/PF`.
    InRoot(String),
    /// One of the above, but there is an instance that is built first to break such circles (`bootstrap:`), which is used: its `category/PF`.
    Bootstrap(String),
}

impl std::fmt::Display for LeftOutReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BeingBuilt => write!(formatter, "this very package"),
            Self::ComesLater => write!(formatter, "built after this package"),
            Self::InRoot(cpv) => write!(formatter, "built with or after this package; {cpv} of the root is used"),
            Self::Bootstrap(cpv) => write!(formatter, "built with or after this package; {cpv} built first is used"),
        }
    }
}

/// A plan that cannot be built package by package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClosureError {
    /// A package needs itself to be built. The user's to mend: flags or `bootstrap:`.
    #[error("{} cannot be built before itself: {}", .0.first().map_or("a package", |edge| edge.parent.as_str()), chain(.0))]
    BuildCycle(Vec<CycleEdge>),
}

/// One step of a build-time circle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CycleEdge {
    /// Who needs, `category/PF`.
    pub parent: String,
    /// What it needs, `category/PF`.
    pub child: String,
    /// Whether it is needed to build; else at run time.
    pub build: bool,
    /// The atoms that say so.
    pub atoms: Vec<String>,
}

fn chain(edges: &[CycleEdge]) -> String {
    let mut text = edges.first().map(|edge| edge.parent.clone()).unwrap_or_default();
    for edge in edges {
        text.push_str(if edge.build { " is built with " } else { " needs " });
        text.push_str(&edge.child);
        text.push_str(", which");
    }
    text.trim_end_matches(", which").to_owned()
}

/// The build root of every package of a plan, by its index.
///
/// # Errors
/// [`ClosureError::BuildCycle`] if a package would have to be there to be built and nothing in the binfarm root stands in for it. Portage refuses
/// such plans itself as a rule (see [`Refusal::cycle`](crate::Refusal::cycle)).
pub fn closures(plan: &Plan) -> Result<Vec<BuildRoot>, ClosureError> {
    let graph = Graph::new(plan);
    let installed = installed_by_cpv(plan);
    (0..plan.packages.len())
        .map(|index| build_root(plan, &graph, &installed, index))
        .collect()
}

fn installed_by_cpv(plan: &Plan) -> BTreeMap<&str, usize> {
    plan.installed
        .iter()
        .enumerate()
        .map(|(index, package)| (package.cpv.as_str(), index))
        .collect()
}

fn build_root(
    plan: &Plan,
    graph: &Graph<'_>,
    installed: &BTreeMap<&str, usize>,
    index: usize,
) -> Result<BuildRoot, ClosureError> {
    let this = NodeRef::Package(index);
    let mut reached = BTreeSet::new();
    let mut left_out = BTreeSet::new();
    let mut queue = VecDeque::new();
    let mut take = |edge: &Edge, queue: &mut VecDeque<NodeRef>, direct: bool| {
        let mut child = edge.child;
        if let NodeRef::Package(later) = child
            && later >= index
            && graph.connected(this, child)
        {
            let package = &plan.packages[later];
            let stand_in = edge
                .satisfied
                .or_else(|| package.replaces.as_deref().and_then(|cpv| installed.get(cpv).copied()));
            if stand_in.is_none() && direct {
                return Err(cycle(plan, graph, edge));
            }
            left_out.insert(LeftOut {
                cpv: package.cpv.clone(),
                wanted_by: plan.cpv(edge.parent).to_owned(),
                reason: match stand_in {
                    Some(stand_in) => LeftOutReason::InRoot(plan.installed[stand_in].cpv.clone()),
                    None if later == index => LeftOutReason::BeingBuilt,
                    None => LeftOutReason::ComesLater,
                },
            });
            let Some(stand_in) = stand_in else { return Ok(()) };
            child = NodeRef::Installed(stand_in);
        }
        if reached.insert(child) {
            queue.push_back(child);
        }
        Ok(())
    };
    for edge in graph.edges(this).iter().filter(|edge| builds(edge)) {
        take(edge, &mut queue, true)?;
    }
    while let Some(node) = queue.pop_front() {
        for edge in graph.edges(node).iter().filter(|edge| runs(edge)) {
            take(edge, &mut queue, false)?;
        }
    }
    reached.extend(plan.implicit.iter().map(|&index| NodeRef::Installed(index)));
    Ok(split(plan, &reached, left_out))
}

/// For each package of a plan the indices of those that it needs at run time, directly or through packages of the binfarm root.
pub(crate) fn runtime_needs(plan: &Plan) -> Vec<BTreeSet<usize>> {
    let graph = Graph::new(plan);
    let needs = (0..plan.packages.len()).map(|index| {
        let (mut found, mut passed) = (BTreeSet::new(), BTreeSet::new());
        let mut queue = vec![NodeRef::Package(index)];
        while let Some(node) = queue.pop() {
            for edge in graph.edges(node).iter().filter(|edge| runs(edge)) {
                match edge.child {
                    NodeRef::Package(child) => drop(found.insert(child)),
                    NodeRef::Installed(child) if passed.insert(child) => queue.push(edge.child),
                    NodeRef::Installed(_) => {}
                }
            }
        }
        found.remove(&index);
        found
    });
    needs.collect()
}

fn split(plan: &Plan, reached: &BTreeSet<NodeRef>, left_out: BTreeSet<LeftOut>) -> BuildRoot {
    let mut root = BuildRoot {
        left_out: left_out.into_iter().collect(),
        ..BuildRoot::default()
    };
    for &node in reached {
        match node {
            NodeRef::Package(index) => root.packages.push(index),
            NodeRef::Installed(index) => root.installed.push(index),
        }
    }
    let replaced: BTreeSet<&str> = root
        .packages
        .iter()
        .filter_map(|&index| plan.packages[index].replaces.as_deref())
        .collect();
    root.installed
        .retain(|&index| !replaced.contains(plan.installed[index].cpv.as_str()));
    root
}

fn cycle(plan: &Plan, graph: &Graph<'_>, first: &Edge) -> ClosureError {
    let mut edges = vec![first];
    edges.extend(graph.path(first.child, first.parent));
    ClosureError::BuildCycle(
        edges
            .into_iter()
            .map(|edge| CycleEdge {
                parent: plan.cpv(edge.parent).to_owned(),
                child: plan.cpv(edge.child).to_owned(),
                build: matches!(edge.parent, NodeRef::Package(_)) && builds(edge),
                atoms: edge.atoms.clone(),
            })
            .collect(),
    )
}

/// The given nodes and all they need at run time (RDEPEND, IDEPEND, PDEPEND): what an image of them holds.
///
/// `packages` is in merge order; `installed` are the packages of the binfarm root that are needed (without `@system`, which an image made from
/// the base has anyway); nothing is left out.
#[must_use]
pub fn runtime_closure(plan: &Plan, members: impl IntoIterator<Item = NodeRef>) -> BuildRoot {
    let graph = Graph::new(plan);
    let mut reached: BTreeSet<NodeRef> = members.into_iter().collect();
    let mut queue: VecDeque<NodeRef> = reached.iter().copied().collect();
    while let Some(node) = queue.pop_front() {
        for edge in graph.edges(node).iter().filter(|edge| runs(edge)) {
            if reached.insert(edge.child) {
                queue.push_back(edge.child);
            }
        }
    }
    split(plan, &reached, BTreeSet::new())
}
