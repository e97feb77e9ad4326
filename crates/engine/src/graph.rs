//! The graph: nodes by dense ids, edges both ways, grown while a build runs.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use thiserror::Error;

use crate::{Dependency, NodeSpec};

/// A node of one [`Graph`], by its place in the order in which nodes were added. Only that graph can say what it means; another one
/// may panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A vector that only its own ids can index.
#[derive(Debug, Clone)]
pub(crate) struct NodeMap<T>(Vec<T>);

impl<T> Default for NodeMap<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> NodeMap<T> {
    pub(crate) fn grow(&mut self, len: usize, value: &T) {
        self.0.resize(len, value.clone());
    }
}

impl<T> Index<NodeId> for NodeMap<T> {
    type Output = T;
    fn index(&self, id: NodeId) -> &T {
        &self.0[id.index()]
    }
}

impl<T> IndexMut<NodeId> for NodeMap<T> {
    fn index_mut(&mut self, id: NodeId) -> &mut T {
        &mut self.0[id.index()]
    }
}

/// A graph that cannot be built. The input's fault where nodes come from a manifest, a bug of the caller otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GraphError {
    /// Two different nodes of one name.
    #[error("two different nodes are called {name}")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A dependency that is not there.
    #[error("{node} needs {dependency}, which does not exist")]
    Unknown {
        /// Who needs it.
        node: String,
        /// What is not there.
        dependency: String,
    },
    /// Nodes that wait for each other.
    #[error("these nodes wait for each other: {}", .cycle.join(" -> "))]
    Cycle {
        /// The cycle, its first node again at the end.
        cycle: Vec<String>,
    },
}

/// Nodes and the edges between them. Edges never form a cycle.
#[derive(Debug)]
pub struct Graph<A> {
    specs: Vec<Arc<NodeSpec<A>>>,
    names: BTreeMap<String, NodeId>,
    dependencies: Vec<Vec<NodeId>>,
    dependants: Vec<Vec<NodeId>>,
}

impl<A> Default for Graph<A> {
    fn default() -> Self {
        Self {
            specs: Vec::new(),
            names: BTreeMap::new(),
            dependencies: Vec::new(),
            dependants: Vec::new(),
        }
    }
}

impl<A: PartialEq> Graph<A> {
    /// An empty graph.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds nodes that may depend on each other and on nodes already there. A node that is already there with the very
    /// same spec is passed over. Returns the ids of the new ones.
    ///
    /// Sorts the inputs and dependencies of each; of a dependency that is there twice, one stays.
    ///
    /// # Errors
    ///
    /// Another node has the name of one, one depends on what is not there, or new ones wait for each other. The graph is unchanged
    /// after an error.
    pub fn add(&mut self, specs: Vec<NodeSpec<A>>) -> Result<Vec<NodeId>, GraphError> {
        let first = self.specs.len();
        let result = self.add_unchecked(specs).and_then(|()| self.check_cycle(first));
        if let Err(error) = result {
            self.truncate(first);
            return Err(error);
        }
        Ok((first..self.specs.len()).map(id).collect())
    }

    fn add_unchecked(&mut self, specs: Vec<NodeSpec<A>>) -> Result<(), GraphError> {
        let first = self.specs.len();
        for mut spec in specs {
            spec.inputs.sort();
            spec.dependencies.sort();
            spec.dependencies.dedup();
            if let Some(&there) = self.names.get(&spec.name) {
                if *self.specs[there.index()] == spec {
                    continue;
                }
                return Err(GraphError::Duplicate { name: spec.name });
            }
            self.names.insert(spec.name.clone(), id(self.specs.len()));
            self.specs.push(Arc::new(spec));
            self.dependencies.push(Vec::new());
            self.dependants.push(Vec::new());
        }
        for at in first..self.specs.len() {
            for dependency in &self.specs[at].dependencies {
                let Some(&to) = self.names.get(&dependency.node) else {
                    return Err(GraphError::Unknown {
                        node: self.specs[at].name.clone(),
                        dependency: dependency.node.clone(),
                    });
                };
                self.dependencies[at].push(to);
                self.dependants[to.index()].push(id(at));
            }
        }
        Ok(())
    }

    fn truncate(&mut self, len: usize) {
        for spec in &self.specs[len..] {
            self.names.remove(&spec.name);
        }
        self.specs.truncate(len);
        self.dependencies.truncate(len);
        self.dependants.truncate(len);
        for list in &mut self.dependants {
            list.retain(|dependant| dependant.index() < len);
        }
    }

    /// Edges of new nodes only lead to new or old nodes, and old nodes never gain dependencies: a cycle can only lie among
    /// the new ones.
    fn check_cycle(&self, first: usize) -> Result<(), GraphError> {
        let mut waiting: Vec<usize> = (first..self.specs.len())
            .map(|at| self.dependencies[at].iter().filter(|to| to.index() >= first).count())
            .collect();
        let mut free: Vec<usize> = (first..self.specs.len())
            .filter(|&at| waiting[at - first] == 0)
            .collect();
        let mut seen = 0;
        while let Some(at) = free.pop() {
            seen += 1;
            for dependant in &self.dependants[at] {
                let count = &mut waiting[dependant.index() - first];
                *count -= 1;
                if *count == 0 {
                    free.push(dependant.index());
                }
            }
        }
        if seen == self.specs.len() - first {
            return Ok(());
        }
        // Every node still waiting has a dependency that is waiting, too: walking along those must come round.
        let blocked = |at: usize| at >= first && waiting[at - first] > 0;
        let mut path: Vec<usize> = Vec::new();
        let mut position: BTreeMap<usize, usize> = BTreeMap::new();
        let mut at = (first..self.specs.len()).find(|&at| blocked(at)).unwrap_or(first);
        while !position.contains_key(&at) {
            position.insert(at, path.len());
            path.push(at);
            let next = self.dependencies[at]
                .iter()
                .map(|to| to.index())
                .find(|&to| blocked(to));
            at = next.unwrap_or(at);
        }
        let mut cycle: Vec<String> = path[position[&at]..]
            .iter()
            .map(|&at| self.specs[at].name.clone())
            .collect();
        cycle.push(self.specs[at].name.clone());
        Err(GraphError::Cycle { cycle })
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.specs.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// All nodes, in the order they were added.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<A> {
        (0..self.specs.len()).map(id)
    }

    /// The node of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    /// What the caller said of a node, with inputs and dependencies sorted. Panics if `node` is of a larger graph, as do
    /// [`dependencies`](Self::dependencies) and [`dependants`](Self::dependants).
    #[must_use]
    pub fn spec(&self, node: NodeId) -> &Arc<NodeSpec<A>> {
        &self.specs[node.index()]
    }

    /// The nodes it needs, one for each of its spec's dependencies, in that order: one that it needs in two ways is there twice.
    #[must_use]
    pub fn dependencies(&self, node: NodeId) -> &[NodeId] {
        &self.dependencies[node.index()]
    }

    /// The ways in which `node` needs `other`, none if it does not. Found by bisection: a node may need a million others, and is
    /// asked about by each of them.
    #[must_use]
    pub fn ways(&self, node: NodeId, other: NodeId) -> &[Dependency] {
        let (dependencies, name) = (&self.spec(node).dependencies, &self.spec(other).name);
        let first = dependencies.partition_point(|dependency| dependency.node < *name);
        let after = dependencies[first..].partition_point(|dependency| dependency.node == *name);
        &dependencies[first..first + after]
    }

    /// The nodes that need it, in the order of the graph, once for each way in which they do.
    #[must_use]
    pub fn dependants(&self, node: NodeId) -> &[NodeId] {
        &self.dependants[node.index()]
    }
}

fn id(index: usize) -> NodeId {
    // Four thousand million nodes do not fit in memory.
    NodeId(u32::try_from(index).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;

    fn node(name: &str, needs: &[&str]) -> NodeSpec<()> {
        NodeSpec {
            name: name.to_owned(),
            kind: "test".to_owned(),
            rule_version: 1,
            class: Class::Build,
            inputs: Vec::new(),
            dependencies: needs.iter().map(|need| Dependency::output(*need, "out")).collect(),
            expands: false,
            pools: BTreeMap::new(),
            action: (),
        }
    }

    #[test]
    fn a_cycle_is_printed_and_leaves_the_graph_as_it_was() {
        let mut graph = Graph::new();
        graph.add(vec![node("base", &[])]).unwrap();
        let error = graph
            .add(vec![node("a", &["b", "base"]), node("b", &["c"]), node("c", &["a"])])
            .unwrap_err();
        assert_eq!(error.to_string(), "these nodes wait for each other: a -> b -> c -> a");
        assert_eq!(graph.len(), 1);
        assert!(graph.dependants(graph.find("base").unwrap()).is_empty());
    }

    #[test]
    fn the_same_node_twice_is_one_and_another_of_its_name_is_refused() {
        let mut graph = Graph::new();
        graph.add(vec![node("a", &[])]).unwrap();
        assert!(graph.add(vec![node("a", &[])]).unwrap().is_empty());
        assert!(matches!(
            graph.add(vec![node("b", &[]), node("a", &["b"])]),
            Err(GraphError::Duplicate { .. })
        ));
        assert!(matches!(
            graph.add(vec![node("c", &["d"])]),
            Err(GraphError::Unknown { .. })
        ));
        assert_eq!(graph.len(), 1);
    }

    #[test]
    fn the_ways_to_one_node_are_those_and_no_others() {
        let mut graph = Graph::new();
        let mut last = node("last", &["a", "ab", "b"]);
        last.dependencies.push(Dependency::before_run("ab"));
        graph
            .add(vec![
                node("a", &[]),
                node("ab", &[]),
                node("b", &[]),
                node("c", &[]),
                last,
            ])
            .unwrap();
        let id = |name| graph.find(name).unwrap();
        let ways = |name| graph.ways(id("last"), id(name));
        let both = [Dependency::output("ab", "out"), Dependency::before_run("ab")];
        assert_eq!(ways("ab"), both);
        assert_eq!(ways("a"), [Dependency::output("a", "out")]);
        assert_eq!(ways("b").len(), 1);
        assert!(ways("c").is_empty());
    }

    #[test]
    fn a_chain_of_a_million_is_as_good_as_any_other_graph() {
        let mut graph = Graph::new();
        let mut specs = vec![node("0", &[])];
        specs.extend((1..1_000_000).map(|i| node(&i.to_string(), &[&(i - 1).to_string()])));
        assert_eq!(graph.add(specs).unwrap().len(), 1_000_000);
    }
}
