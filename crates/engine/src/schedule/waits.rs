//! Which of the nodes that ran decided when another one could start.

use crate::graph::{NodeId, NodeMap};

/// An action that ended, as the `number`th of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ended {
    number: u32,
    node: NodeId,
}

/// For every node the action that ended last of those it had to wait for, directly or through nodes that did not run. Following
/// this from the node that ended last gives the chain that decided how long the run took.
#[derive(Debug, Default)]
pub(super) struct Waits {
    ended: u32,
    last: NodeMap<Option<Ended>>,
}

impl Waits {
    /// Makes room for nodes of a graph that grew to `len`.
    pub(super) fn grow(&mut self, len: usize) {
        self.last.grow(len, &None);
    }

    /// `node` could not be looked at, or not be known, before `other` was settled.
    pub(super) fn follows(&mut self, node: NodeId, other: NodeId) {
        // Most runs find most nodes up to date before anything ends.
        if self.ended > 0 {
            self.last[node] = self.last[node].max(self.last[other]);
        }
    }

    /// The action of `node` ended. From here on [`after`](Self::after) speaks of those that follow it.
    pub(super) fn ends(&mut self, node: NodeId) {
        self.ended += 1;
        self.last[node] = Some(Ended {
            number: self.ended,
            node,
        });
    }

    /// The last one that `node`, whose action has not ended, had to wait for.
    pub(super) fn after(&self, node: NodeId) -> Option<NodeId> {
        self.last[node].map(|ended| ended.node)
    }
}
