//! Which of the ready nodes starts next.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::graph::{Graph, NodeId, NodeMap};

/// Assumed for a node that was never built, in milliseconds: long enough that chains of unknown length count.
const UNKNOWN_MS: u64 = 1_000;

/// Ready nodes, the one with the longest remaining path first, ties in the order of the graph.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ready: BTreeSet<(Reverse<u64>, NodeId)>,
}

impl Queue {
    pub(super) fn push(&mut self, node: NodeId, path_ms: u64) {
        self.ready.insert((Reverse(path_ms), node));
    }

    /// Takes the first node that `fits` says yes to: a node that does not fit never keeps a smaller one waiting.
    pub(super) fn pop(&mut self, mut fits: impl FnMut(NodeId) -> bool) -> Option<NodeId> {
        let found = self.ready.iter().find(|(_, node)| fits(*node)).copied()?;
        self.ready.remove(&found);
        Some(found.1)
    }

    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    /// How many nodes `fits` says yes to; `most` is as many as there need be.
    pub(super) fn count(&self, mut fits: impl FnMut(NodeId) -> bool, most: usize) -> usize {
        self.ready.iter().filter(|(_, node)| fits(*node)).take(most).count()
    }

    pub(super) fn drain(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.ready)
            .into_iter()
            .map(|(_, node)| node)
            .collect()
    }
}

/// The longest remaining path from each node to a goal, its own time included, in milliseconds.
pub(super) fn path_lengths<A: PartialEq>(
    graph: &Graph<A>,
    duration_ms: impl Fn(NodeId) -> Option<u64>,
) -> NodeMap<u64> {
    let mut length = NodeMap::default();
    length.grow(graph.len(), &0);
    let mut waiting: NodeMap<usize> = NodeMap::default();
    waiting.grow(graph.len(), &0);
    let mut free = Vec::new();
    for node in graph.ids() {
        waiting[node] = graph.dependants(node).len();
        if waiting[node] == 0 {
            free.push(node);
        }
    }
    while let Some(node) = free.pop() {
        // Until here `length` holds the longest path of any dependant.
        length[node] += duration_ms(node).unwrap_or(UNKNOWN_MS);
        for &dependency in graph.dependencies(node) {
            length[dependency] = length[dependency].max(length[node]);
            waiting[dependency] -= 1;
            if waiting[dependency] == 0 {
                free.push(dependency);
            }
        }
    }
    length
}
