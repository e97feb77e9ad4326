//! Questions about a graph as a whole: what can be reached, in which order, and by which shortest way.
//!
//! Every walk is a loop with a list of its own, so that the depth of a graph is bounded by memory, not by the stack. All of them
//! look at each node and each edge once.

use std::collections::VecDeque;

use crate::graph::{Graph, NodeId, NodeMap};
use crate::node::Need;

/// Along which edges a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From a node to what it needs.
    Dependencies,
    /// From a node to what needs it.
    Dependants,
}

/// Whether an edge enters the key of the node that has it, as opposed to one that only says what must be there before.
#[must_use]
pub fn is_keyed(need: &Need) -> bool {
    need.role().is_some()
}

/// The edges that a walk may take, both ways.
///
/// Edges are chosen once, by what is needed; a graph's own lists do not say by which edge a dependant came to be one. Nodes are
/// those of the graph as it was then: its methods panic when given one that was added later.
#[derive(Debug)]
pub struct Edges {
    down: NodeMap<Vec<NodeId>>,
    up: NodeMap<Vec<NodeId>>,
    nodes: Vec<NodeId>,
}

impl Edges {
    /// The edges of `graph` of which `follows` says so. Two edges between the same nodes are one.
    pub fn of<A: PartialEq>(graph: &Graph<A>, follows: impl Fn(&Need) -> bool) -> Self {
        let mut edges = Self {
            down: empty(graph.len(), &Vec::new()),
            up: empty(graph.len(), &Vec::new()),
            nodes: graph.ids().collect(),
        };
        for node in graph.ids() {
            let needs = graph.spec(node).dependencies.iter().map(|dependency| &dependency.need);
            let chosen = needs.zip(graph.dependencies(node)).filter(|(need, _)| follows(need));
            let mut to: Vec<NodeId> = chosen.map(|(_, to)| *to).collect();
            to.sort_unstable();
            to.dedup();
            for &to in &to {
                edges.up[to].push(node);
            }
            edges.down[node] = to;
        }
        edges
    }

    fn from(&self, node: NodeId, way: Way) -> &[NodeId] {
        match way {
            Way::Dependencies => &self.down[node],
            Way::Dependants => &self.up[node],
        }
    }

    /// The nodes that at least one and at most `depth` steps lead to from `starts`, in the order of the graph. A start is among
    /// them only if another start leads to it.
    #[must_use]
    pub fn reach(&self, starts: &[NodeId], way: Way, depth: Option<usize>) -> Vec<NodeId> {
        let depth = depth.unwrap_or(usize::MAX);
        let mut is_reached = empty(self.nodes.len(), &false);
        let mut is_left = empty(self.nodes.len(), &false);
        let mut queue: VecDeque<(NodeId, usize)> = VecDeque::new();
        for &start in starts {
            if !std::mem::replace(&mut is_left[start], true) {
                queue.push_back((start, 0));
            }
        }
        while let Some((node, steps)) = queue.pop_front() {
            if steps == depth {
                continue;
            }
            for &next in self.from(node, way) {
                is_reached[next] = true;
                if !std::mem::replace(&mut is_left[next], true) {
                    queue.push_back((next, steps + 1));
                }
            }
        }
        self.nodes.iter().copied().filter(|&node| is_reached[node]).collect()
    }

    /// `starts` and everything they need, each node after all that it needs.
    #[must_use]
    pub fn bottom_up(&self, starts: &[NodeId]) -> Vec<NodeId> {
        let mut order = Vec::new();
        let mut is_entered = empty(self.nodes.len(), &false);
        // A node and how many of its dependencies were looked at.
        let mut stack: Vec<(NodeId, usize)> = Vec::new();
        for &start in starts {
            if std::mem::replace(&mut is_entered[start], true) {
                continue;
            }
            stack.push((start, 0));
            while let Some((node, looked_at)) = stack.last_mut() {
                let node = *node;
                if let Some(&next) = self.down[node].get(*looked_at) {
                    *looked_at += 1;
                    if !std::mem::replace(&mut is_entered[next], true) {
                        stack.push((next, 0));
                    }
                } else {
                    order.push(node);
                    stack.pop();
                }
            }
        }
        order
    }

    /// The shortest ways from every node down to the nearest of `goals`. Of ways that are equally short it takes the one that the
    /// order of the graph has first.
    #[must_use]
    pub fn ways_to(&self, goals: &[NodeId]) -> Ways {
        let mut next = empty(self.nodes.len(), &None);
        let mut queue: VecDeque<NodeId> = VecDeque::new();
        let mut goals = goals.to_vec();
        goals.sort_unstable();
        for goal in goals {
            if next[goal].is_none() {
                next[goal] = Some(goal);
                queue.push_back(goal);
            }
        }
        while let Some(node) = queue.pop_front() {
            for &dependant in &self.up[node] {
                if next[dependant].is_none() {
                    next[dependant] = Some(node);
                    queue.push_back(dependant);
                }
            }
        }
        Ways { next }
    }
}

/// From every node the next step to the nearest goal. See [`Edges::ways_to`].
#[derive(Debug)]
pub struct Ways {
    /// The goal itself for a goal, `None` where no way leads to one.
    next: NodeMap<Option<NodeId>>,
}

impl Ways {
    /// The nodes on the way from `node` to its goal, both included; nothing if there is no way.
    pub fn path(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let mut at = self.next[node].map(|_| node);
        std::iter::from_fn(move || {
            let node = at?;
            at = self.next[node].filter(|next| *next != node);
            Some(node)
        })
    }
}

fn empty<T: Clone>(len: usize, value: &T) -> NodeMap<T> {
    let mut map = NodeMap::default();
    map.grow(len, value);
    map
}
