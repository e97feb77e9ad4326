//! `why`: why a node will run, why it will not, or why it ran last.

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::walk::{Edges, Way, Ways};
use farm_engine::{
    Change, EventSink, Graph, Guard, NodeId, NodeReport, NodeResult, NodeState, Reason, Today, is_keyed,
};
use serde::{Deserialize, Serialize};

use super::look::{Built, Look, fate};
use super::{FarmError, Setup, Words};
use crate::action::Action;
use crate::names::{Goal, Wanted, local};

/// Ways are told only if no more nodes than this are asked for at once: those of all nodes of a chain are as long as its square.
const WAYS_TOLD: usize = 100;

/// Why a node will run, will not, or ran last. The JSON form is a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyAnswer {
    /// `FARM:TARGET`.
    pub node: String,
    /// `cached`, `run` or `unknown`.
    pub state: NodeState,
    /// `pending` if this speaks of the next run, `last` if the node is up to date and this says why it ran last.
    pub when: When,
    /// In words.
    pub reason: String,
    /// Which inputs differ.
    pub changes: Vec<Change>,
    /// It cannot run, because something it needs failed when this was looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// For what hangs on others: the shortest way from the node to one that runs, or failed, for a reason of its own. Both are in
    /// it. Left out where more than a hundred nodes are asked for at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<Step>,
    /// For what is up to date: the build that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<Built>,
    /// For what is up to date: its inputs are those of an earlier build again, after others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
    /// For what is up to date: what was built again below it since, and came out the same where that counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub same: Vec<Same>,
    /// Why a build of the whole farm does not look at it; `None` if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
}

/// Which run a [`WhyAnswer`] speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// The next one.
    Pending,
    /// The last one.
    Last,
}

/// A node on the way from a node to what it hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `FARM:TARGET`.
    pub node: String,
    /// What it waits for, or why it runs.
    pub why: String,
}

/// Inputs that are back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// How many other keys the node was built with since.
    pub others: u64,
    /// When the last of those builds began, in milliseconds since 1970.
    pub last_ms: u64,
}

/// A node that was built again without effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Same {
    /// `FARM:TARGET`.
    pub node: String,
    /// The output that came out the same.
    pub output: String,
    /// When that build began, in milliseconds since 1970.
    pub began_ms: u64,
    /// Why it was built then.
    pub reason: String,
    /// Who uses the output and therefore did not run: the node in question, or one below it.
    pub user: String,
}

/// Why a build of the whole farm does not look at a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apart {
    /// It only has to be there when this node runs.
    Before(String),
    /// No goal needs it; this target is it.
    Target(String),
}

/// Why the nodes of the targets will run, will not, or ran last.
///
/// What becomes of a package only its plan knows: where that is out of date, it is made, as a dry run does.
///
/// # Errors
///
/// The user's: no such node, or one of which nothing can be known yet. The environment's.
pub fn why(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<Vec<WhyAnswer>, FarmError> {
    let look = Look::at_asked(setup, words, events)?;
    let asked = look.asked();
    let answers = Answers::new(&look, &asked);
    let reports = asked.iter().filter_map(|&node| Some((node, look.report_of(node)?)));
    Ok(reports.map(|(node, report)| answers.answer(node, report)).collect())
}

/// What all answers of one look have in common.
struct Answers<'a> {
    look: &'a Look,
    todays: BTreeMap<NodeId, Today>,
    /// To the nearest node that runs for a reason of its own.
    to_leaf: Ways,
    /// To the nearest node with something in `same`.
    to_same: Ways,
    /// By user, what was built again and came out the same for it.
    same: BTreeMap<NodeId, Vec<Same>>,
    standing: Standing,
    tells_ways: bool,
}

impl<'a> Answers<'a> {
    fn new(look: &'a Look, asked: &[NodeId]) -> Self {
        let graph = &look.session.graph;
        let edges = Edges::of(graph, is_keyed);
        let todays = look.todays(asked);
        let same = same(graph, &todays);
        let users: Vec<NodeId> = same.keys().copied().collect();
        Self {
            look,
            to_leaf: edges.ways_to(&look.leaves()),
            to_same: edges.ways_to(&users),
            standing: Standing::of(look, &edges),
            tells_ways: asked.len() <= WAYS_TOLD,
            todays,
            same,
        }
    }

    fn answer(&self, node: NodeId, report: &NodeReport) -> WhyAnswer {
        let mut answer = WhyAnswer {
            node: report.name.clone(),
            state: report.state,
            when: When::Pending,
            reason: String::new(),
            changes: Vec::new(),
            skipped: report.result == Some(NodeResult::Skipped),
            path: Vec::new(),
            built: None,
            back: None,
            same: Vec::new(),
            apart: self.standing.apart(&self.look.session.graph, node),
        };
        let waits = matches!(report.reason, Some(Reason::Waiting { .. })) && report.state != NodeState::Cached;
        if waits || answer.skipped {
            self.hangs(&mut answer, node, report);
        } else if report.state == NodeState::Cached {
            self.is_current(&mut answer, node);
        } else {
            match &report.reason {
                Some(reason) if report.result.is_none() => answer.reason = reason.to_string(),
                _ => answer.reason = format!("just now it {}", fate(report)),
            }
            answer.changes = changes_of(report).to_vec();
        }
        answer
    }

    /// It waits for another node, or is skipped for its sake.
    fn hangs(&self, answer: &mut WhyAnswer, node: NodeId, report: &NodeReport) {
        let graph = &self.look.session.graph;
        let Some(leaf) = self.to_leaf.path(node).last().filter(|leaf| *leaf != node) else {
            answer.reason = fate(report);
            return;
        };
        let Some(found) = self.look.report_of(leaf) else {
            return;
        };
        answer.reason = format!("hangs on the output of {}, which {}", found.name, fate(found));
        let whose = local(&found.name);
        let changes = changes_of(found).iter().map(|change| Change {
            input: format!("{whose}: {}", change.input),
            ..change.clone()
        });
        answer.changes = changes.collect();
        if self.tells_ways {
            let path: Vec<NodeId> = self.to_leaf.path(node).collect();
            let waits = path.windows(2).map(|step| Step {
                node: graph.spec(step[0]).name.clone(),
                why: format!(
                    "waits for `{}` of {}",
                    role(graph, step[0], step[1]),
                    graph.spec(step[1]).name
                ),
            });
            let last = Step {
                node: found.name.clone(),
                why: fate(found),
            };
            answer.path = waits.chain([last]).collect();
        }
    }

    /// It is up to date.
    fn is_current(&self, answer: &mut WhyAnswer, node: NodeId) {
        answer.when = When::Last;
        let history = self.look.session.guards.history(&answer.node);
        let guard = self.todays.get(&node).and_then(Today::guard);
        let Some(guard) = guard.or_else(|| history.last().map(|(guard, _)| guard)) else {
            return;
        };
        answer.reason = guard.reason.to_string();
        answer.changes = guard.reason.changes().to_vec();
        let used_ms = history
            .iter()
            .find(|(other, _)| other.key == guard.key)
            .map(|(_, used_ms)| *used_ms);
        answer.built = Some(Built::of(guard, used_ms.unwrap_or(guard.started_ms)));
        answer.back = back(guard, history.iter().map(|(other, _)| other));
        if let Some(user) = self.to_same.path(node).last() {
            answer.same = self.same.get(&user).cloned().unwrap_or_default();
        }
    }
}

/// The inputs that changed.
fn changes_of(report: &NodeReport) -> &[Change] {
    report.reason.as_ref().map(Reason::changes).unwrap_or_default()
}

/// The output by which a node first needs another.
fn role(graph: &Graph<Action>, node: NodeId, other: NodeId) -> String {
    let needs = graph.spec(node).dependencies.iter().zip(graph.dependencies(node));
    let roles = needs
        .filter(|(_, to)| **to == other)
        .filter_map(|(dependency, _)| dependency.need.role());
    roles.min().unwrap_or_default().to_owned()
}

/// Whether a node was built with other keys after `guard`.
fn back<'g>(guard: &Guard, history: impl Iterator<Item = &'g Guard>) -> Option<Back> {
    let later: Vec<u64> = history
        .filter(|other| other.key != guard.key && other.started_ms > guard.started_ms)
        .map(|other| other.started_ms)
        .collect();
    let last_ms = *later.iter().max()?;
    Some(Back {
        others: later.len() as u64,
        last_ms,
    })
}

/// What was built after those that use it, whose keys nevertheless stayed: it came out the same. By user.
fn same(graph: &Graph<Action>, todays: &BTreeMap<NodeId, Today>) -> BTreeMap<NodeId, Vec<Same>> {
    let guard = |node: NodeId| todays.get(&node).and_then(Today::guard);
    let mut found: BTreeMap<NodeId, Vec<Same>> = BTreeMap::new();
    for (&user, used_by) in todays.iter().filter_map(|(user, today)| Some((user, today.guard()?))) {
        let mut seen = BTreeSet::new();
        for &node in graph.dependencies(user) {
            let Some(made) = guard(node).filter(|made| made.started_ms > used_by.started_ms) else {
                continue;
            };
            let output = role(graph, user, node);
            if output.is_empty() || !seen.insert(node) {
                continue;
            }
            found.entry(user).or_default().push(Same {
                node: made.node.clone(),
                output,
                began_ms: made.started_ms,
                reason: made.reason.to_string(),
                user: used_by.node.clone(),
            });
        }
    }
    found
}

/// What a build of whole farms looks at.
struct Standing {
    /// Goals, and what enters the keys of what is looked at.
    looked_at: BTreeSet<NodeId>,
    /// All that goals can need, also before they run.
    needed: BTreeSet<NodeId>,
}

impl Standing {
    fn of(look: &Look, keyed: &Edges) -> Self {
        let (session, graph) = (&look.session, &look.session.graph);
        let everything = Wanted::new([Goal::Everything]);
        let goals: Vec<NodeId> = graph
            .ids()
            .filter(|node| {
                let spec = graph.spec(*node);
                everything.wants(local(&spec.name), &spec.kind, &session.subjects_of(&spec.name))
            })
            .collect();
        Self::among(graph, keyed, &goals)
    }

    fn among<A: PartialEq>(graph: &Graph<A>, keyed: &Edges, goals: &[NodeId]) -> Self {
        let with_goals = |reached: Vec<NodeId>| reached.into_iter().chain(goals.iter().copied()).collect();
        Self {
            looked_at: with_goals(keyed.reach(goals, Way::Dependencies, None)),
            needed: with_goals(Edges::of(graph, |_| true).reach(goals, Way::Dependencies, None)),
        }
    }

    /// Why a build of the whole farm does not look at `node`, if it does not.
    fn apart<A: PartialEq>(&self, graph: &Graph<A>, node: NodeId) -> Option<Apart> {
        if self.looked_at.contains(&node) {
            return None;
        }
        let user = graph.dependants(node).iter().find(|user| self.needed.contains(user));
        Some(match user {
            Some(user) => Apart::Before(graph.spec(*user).name.clone()),
            None => Apart::Target(graph.spec(node).name.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use farm_engine::{Class, Dependency, Input, Key, NodeSpec};

    use super::*;

    fn node(name: &str, dependencies: Vec<Dependency>) -> NodeSpec<()> {
        NodeSpec {
            name: name.to_owned(),
            kind: "test".to_owned(),
            rule_version: 1,
            class: Class::Build,
            inputs: vec![Input::text("a", "1")],
            dependencies,
            expands: false,
            pools: BTreeMap::new(),
            action: (),
        }
    }

    #[test]
    fn what_a_whole_build_does_not_look_at() {
        let mut graph = Graph::new();
        let nodes = vec![
            node(
                "goal",
                vec![Dependency::output("plan", "out"), Dependency::before_run("fetch")],
            ),
            node("plan", vec![]),
            node("fetch", vec![Dependency::before_run("mirror")]),
            node("mirror", vec![]),
            node("env", vec![Dependency::output("plan", "out")]),
        ];
        graph.add(nodes).unwrap();
        let goals = [graph.find("goal").unwrap()];
        let standing = Standing::among(&graph, &Edges::of(&graph, is_keyed), &goals);
        let apart = |name: &str| standing.apart(&graph, graph.find(name).unwrap());
        assert_eq!(apart("goal"), None);
        assert_eq!(apart("plan"), None);
        assert_eq!(apart("fetch"), Some(Apart::Before("goal".to_owned())));
        assert_eq!(apart("mirror"), Some(Apart::Before("fetch".to_owned())));
        assert_eq!(apart("env"), Some(Apart::Target("env".to_owned())));
    }

    fn guard(key: u8, started_ms: u64) -> Guard {
        Guard {
            node: "f:a".to_owned(),
            key: Key(farm_engine::Digest::of(&[key])),
            inputs: Vec::new(),
            outputs: Vec::new(),
            reason: Reason::NeverBuilt,
            started_ms,
            duration_ms: 1,
            version: String::new(),
        }
    }

    #[test]
    fn inputs_are_back_only_after_others() {
        let history = [guard(1, 10), guard(2, 20), guard(3, 30)];
        assert_eq!(back(&guard(3, 30), history.iter()), None);
        let expected = Back { others: 2, last_ms: 30 };
        assert_eq!(back(&guard(1, 10), history.iter()), Some(expected));
    }
}
