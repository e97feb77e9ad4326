//! The world that is built: steps that change between runs, what their actions make, and what is broken.

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{Class, Dependency, Digest, Input, Need, NodeSpec, Output, Value};

use crate::random::mix;

/// The pool that actions take of.
pub(crate) const MEMORY: &str = "memory";

/// The sets of steps in the checks are the bits of one word.
pub(crate) const MOST_STEPS: usize = 64;

/// A step; its index in [`World::steps`] is its name's number and stays the same when other steps go.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// Whether it is there today.
    pub(crate) alive: bool,
    pub(crate) goal: bool,
    pub(crate) class: Class,
    pub(crate) version: u32,
    pub(crate) inputs: Vec<usize>,
    /// Which of the inputs each output hangs on; an input of its own, so that a changed script is a changed key.
    pub(crate) script: u64,
    pub(crate) roles: usize,
    /// What it needs, always steps with a lower index.
    pub(crate) needs: Vec<(usize, Need)>,
    /// The steps it brings forth, for a step that expands; always with a higher index.
    pub(crate) children: Option<Vec<usize>>,
    /// What its action takes of the only pool.
    pub(crate) memory: u64,
    /// How long its action takes.
    pub(crate) ms: u64,
}

/// How an action is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails until somebody mends it.
    Always,
    /// It fails the first time.
    Once,
    /// It panics until somebody mends it.
    Panic,
    /// It works, and what it brings forth cannot be said.
    Expansion,
}

/// Everything there is today.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) steps: Vec<Step>,
    pub(crate) salt: &'static str,
    pub(crate) faults: BTreeMap<usize, Fault>,
    /// Places whose content vanished.
    pub(crate) lost: BTreeSet<String>,
    /// The steps of the graph before anything is brought forth, in the order they are added.
    pub(crate) order: Vec<usize>,
}

impl World {
    /// The steps there are, by index.
    pub(crate) fn alive(&self) -> Vec<usize> {
        (0..self.steps.len()).filter(|&at| self.steps[at].alive).collect()
    }

    /// The expanding steps that bring `step` forth; none for a step of the graph's beginning.
    pub(crate) fn parents(&self, step: usize) -> Vec<usize> {
        let brings = |at: &usize| {
            let children = self.steps[*at].children.as_deref();
            self.steps[*at].alive && children.is_some_and(|children| children.contains(&step))
        };
        (0..self.steps.len()).filter(brings).collect()
    }

    /// Whether `needed` is certain to be in the graph when `step` joins it.
    pub(crate) fn sees(&self, step: usize, needed: usize) -> bool {
        let makers = self.parents(needed);
        makers.is_empty() || makers.iter().any(|maker| self.always_before(step, *maker))
    }

    /// Whether `maker` has brought forth its children by the time `step` joins the graph, whoever brings `step` forth.
    fn always_before(&self, step: usize, maker: usize) -> bool {
        let parents = self.parents(step);
        let before = |parent: &usize| *parent == maker || self.always_before(*parent, maker);
        !parents.is_empty() && parents.iter().all(before)
    }

    /// The step as the engine is told. `plan` is what the step that brought it forth made.
    pub(crate) fn spec(&self, at: usize, plan: Option<Digest>) -> NodeSpec<usize> {
        let step = &self.steps[at];
        let mut inputs = vec![Input::text("script", step.script.to_string())];
        for (number, value) in step.inputs.iter().enumerate() {
            let name = format!("in/{number}");
            inputs.push(match value {
                0 => Input::absent(name),
                1 => Input::digest(name, Digest::of(b"1")),
                _ => Input::text(name, value.to_string()),
            });
        }
        inputs.extend(plan.map(|plan| Input::digest("plan", plan)));
        let dependency = |(to, need): &(usize, Need)| Dependency {
            node: self.steps[*to].name.clone(),
            need: need.clone(),
        };
        NodeSpec {
            name: step.name.clone(),
            kind: "step".to_owned(),
            rule_version: step.version,
            class: step.class,
            inputs,
            dependencies: step.needs.iter().map(dependency).collect(),
            expands: step.children.is_some(),
            pools: [(MEMORY.to_owned(), step.memory)].into(),
            action: at,
        }
    }

    /// What the children of `parent` are told of it: nothing if another step brings them forth as well, as both must then
    /// bring forth the same.
    pub(crate) fn plan_for(&self, child: usize, outputs: &[Output]) -> Option<Digest> {
        (self.parents(child).len() == 1).then(|| outputs[0].digest)
    }
}

/// What an action makes: a function of what is recorded of it, and of nothing else. Each output leaves out some inputs, as
/// the script says, so that builds are cut off at some of its dependants.
pub(crate) fn make(name: &str, roles: usize, script: u64, inputs: &[(String, Value)]) -> Vec<Output> {
    let mut sorted = inputs.to_vec();
    sorted.sort();
    sorted.dedup();
    (0..roles)
        .map(|role| {
            let mut hash = text_hash(role as u64, name);
            for (input, value) in &sorted {
                let chance = mix(text_hash(script, input) ^ role as u64) % 4;
                if chance >= script % 4 {
                    hash = value_hash(text_hash(hash, input), value);
                }
            }
            output(name, role, hash)
        })
        .collect()
}

/// An output with the content `hash`.
pub(crate) fn output(name: &str, role: usize, hash: u64) -> Output {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&hash.to_le_bytes());
    Output {
        role: role_name(role),
        digest: Digest::from_bytes(bytes),
        place: format!("{name}/{role}/{hash:x}"),
    }
}

pub(crate) fn role_name(role: usize) -> String {
    format!("out{role}")
}

fn text_hash(seed: u64, text: &str) -> u64 {
    text.bytes().fold(mix(seed), |hash, byte| mix(hash ^ u64::from(byte)))
}

fn value_hash(seed: u64, value: &Value) -> u64 {
    match value {
        Value::Text(text) => text_hash(seed ^ 1, text),
        Value::Digest(digest) => digest.as_bytes().iter().fold(mix(seed ^ 2), |hash, byte| {
            hash.rotate_left(8) ^ u64::from(*byte).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }),
        Value::Absent => mix(seed ^ 3),
    }
}
