//! Today's keys, told after a run that looked at the nodes: what a look decided by, so that it can be shown.

use std::collections::BTreeMap;

use crate::graph::{Graph, NodeId, NodeMap};
use crate::guard::{Guard, GuardStore};
use crate::input::{Input, KeyHasher, Value, describe};
use crate::node::{Dependency, Need, NodeSpec};
use crate::schedule::{NodeReport, NodeState};
use crate::walk::{Edges, is_keyed};
use crate::{Key, NodeResult};

/// What is known of a node's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Today {
    /// Everything that enters it.
    Known {
        /// The key.
        key: Key,
        /// What it was made from, in the order in which it was hashed.
        inputs: Vec<Input>,
        /// What was recorded with this key.
        guard: Option<Box<Guard>>,
    },
    /// It hangs on outputs that nobody knows yet.
    Hanging {
        /// The name of each input in the order in which it will be hashed, and its value where it is known.
        inputs: Vec<(String, Option<Value>)>,
        /// The dependencies whose outputs are not known, each once.
        on: Vec<NodeId>,
    },
}

impl Today {
    /// What was recorded with today's key.
    #[must_use]
    pub fn guard(&self) -> Option<&Guard> {
        match self {
            Self::Known { guard, .. } => guard.as_deref(),
            Self::Hanging { .. } => None,
        }
    }
}

/// What is known today of the keys of `nodes`, and of everything whose outputs enter them.
///
/// `reports` say what a run found, `salt` is what it ran with ([`crate::Options::salt`]), and `guards` hold what it saw.
pub fn todays<A: PartialEq>(
    graph: &Graph<A>,
    reports: &[NodeReport],
    guards: &dyn GuardStore,
    salt: &str,
    nodes: &[NodeId],
) -> BTreeMap<NodeId, Today> {
    let mut found: NodeMap<Option<&NodeReport>> = NodeMap::default();
    found.grow(graph.len(), &None);
    for report in reports {
        if let Some(node) = graph.find(&report.name) {
            found[node] = Some(report);
        }
    }
    let mut todays = BTreeMap::new();
    for node in Edges::of(graph, is_keyed).bottom_up(nodes) {
        let spec = graph.spec(node);
        let value = |dependency: &Dependency, to: NodeId| value(dependency, found[to], todays.get(&to));
        let keyed = spec.dependencies.iter().zip(graph.dependencies(node));
        let dependencies: Vec<(String, NodeId, Option<Value>)> = keyed
            .filter(|(dependency, _)| is_keyed(&dependency.need))
            .map(|(dependency, &to)| (dependency.input_name(), to, value(dependency, to)))
            .collect();
        let today = today(spec, salt, dependencies, guards);
        todays.insert(node, today);
    }
    todays
}

fn today<A>(
    spec: &NodeSpec<A>,
    salt: &str,
    dependencies: Vec<(String, NodeId, Option<Value>)>,
    guards: &dyn GuardStore,
) -> Today {
    let mut on: Vec<NodeId> = dependencies
        .iter()
        .filter(|(.., value)| value.is_none())
        .map(|(_, to, _)| *to)
        .collect();
    on.dedup();
    let known = dependencies
        .iter()
        .map(|(name, _, value)| (name.clone(), value.clone().unwrap_or(Value::Absent)));
    let mut sink = (KeyHasher::default(), Vec::new());
    describe(&spec.kind, spec.rule_version, salt, &spec.inputs, known, &mut sink);
    let (key, inputs) = (sink.0.finish(), sink.1);
    if on.is_empty() {
        let guard = guards.find(&spec.name, &key).map(Box::new);
        return Today::Known { key, inputs, guard };
    }
    // Dependencies come last.
    let first = inputs.len() - dependencies.len();
    let own = inputs
        .into_iter()
        .take(first)
        .map(|input| (input.name, Some(input.value)));
    let others = dependencies.into_iter().map(|(name, _, value)| (name, value));
    Today::Hanging {
        inputs: own.chain(others).collect(),
        on,
    }
}

/// What a dependency gives to a key; `None` where nobody knows yet.
fn value(dependency: &Dependency, report: Option<&NodeReport>, today: Option<&Today>) -> Option<Value> {
    let role = dependency.need.role()?;
    let report = report?;
    if report.state == NodeState::Cached {
        let guard = today?.guard()?;
        let output = guard.outputs.iter().find(|output| output.role == role);
        return Some(output.map_or(Value::Absent, |output| Value::Digest(output.digest)));
    }
    let is_lost = matches!(report.result, Some(NodeResult::Failed | NodeResult::Skipped));
    (is_lost && matches!(dependency.need, Need::Soft(_))).then_some(Value::Absent)
}
