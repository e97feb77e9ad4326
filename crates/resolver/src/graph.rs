//! A plan's edges, indexed for walking.

use std::collections::{BTreeSet, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::{DependencyKind, Edge, NodeRef, Plan};

/// The edges of a plan by parent, and the groups of packages that reach each other.
pub(crate) struct Graph<'plan> {
    plan: &'plan Plan,
    children: Vec<Vec<&'plan Edge>>,
    component: Vec<usize>,
}

impl<'plan> Graph<'plan> {
    pub(crate) fn new(plan: &'plan Plan) -> Self {
        let count = plan.packages.len() + plan.installed.len();
        let mut children = vec![Vec::new(); count];
        let mut links = DiGraph::<(), ()>::with_capacity(count, plan.edges.len());
        for _ in 0..count {
            links.add_node(());
        }
        let mut graph = Self {
            plan,
            children: Vec::new(),
            component: vec![0; count],
        };
        for edge in &plan.edges {
            // What an installed package was built with matters to nobody any more.
            if matches!(edge.parent, NodeRef::Installed(_)) && !runs(edge) {
                continue;
            }
            let (parent, child) = (graph.place(edge.parent), graph.place(edge.child));
            children[parent].push(edge);
            links.add_edge(NodeIndex::new(parent), NodeIndex::new(child), ());
        }
        for list in &mut children {
            list.sort_unstable();
        }
        // Kosaraju's algorithm walks iteratively here; petgraph's Tarjan recurses and would need a stack as deep as the longest chain.
        for (number, group) in kosaraju_scc(&links).into_iter().enumerate() {
            for node in group {
                graph.component[node.index()] = number;
            }
        }
        graph.children = children;
        graph
    }

    /// The edges from a node, in a fixed order.
    pub(crate) fn edges(&self, node: NodeRef) -> &[&'plan Edge] {
        &self.children[self.place(node)]
    }

    /// Whether two nodes reach each other.
    pub(crate) fn connected(&self, one: NodeRef, other: NodeRef) -> bool {
        self.component[self.place(one)] == self.component[self.place(other)]
    }

    /// The shortest way from one node to another, both included; empty if there is none.
    pub(crate) fn path(&self, from: NodeRef, to: NodeRef) -> Vec<&'plan Edge> {
        let mut came_by: Vec<Option<&Edge>> = vec![None; self.children.len()];
        let mut seen = BTreeSet::from([from]);
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let mut way = Vec::new();
                let mut here = to;
                while here != from {
                    let Some(edge) = came_by[self.place(here)] else { break };
                    way.push(edge);
                    here = edge.parent;
                }
                way.reverse();
                return way;
            }
            for edge in self.edges(node) {
                if seen.insert(edge.child) {
                    came_by[self.place(edge.child)] = Some(edge);
                    queue.push_back(edge.child);
                }
            }
        }
        Vec::new()
    }

    fn place(&self, node: NodeRef) -> usize {
        match node {
            NodeRef::Package(index) => index,
            NodeRef::Installed(index) => self.plan.packages.len() + index,
        }
    }
}

/// Whether the child must be there for the parent to be built. IDEPEND counts: the parent's pkg_* phases use it.
pub(crate) fn builds(edge: &Edge) -> bool {
    edge.kinds
        .iter()
        .any(|kind| matches!(kind, DependencyKind::Build | DependencyKind::Install))
}

/// Whether the child must be there for the parent to be used.
pub(crate) fn runs(edge: &Edge) -> bool {
    edge.kinds.iter().any(|kind| {
        matches!(
            kind,
            DependencyKind::Install | DependencyKind::Runtime | DependencyKind::Post
        )
    })
}
