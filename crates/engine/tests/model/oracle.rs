//! What must become of every step, worked out in the plainest way: recursion, lists, and no thought of order or time.

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{Class, Digest, Input, Need, NodeResult, NodeSpec, Output, Value};

use crate::fakes::value_name;
use crate::world::{Fault, World, make};

/// What was built once: everything it was made from, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Output>,
}

/// What was ever built, by name, the one in use last.
pub(crate) type Memory = BTreeMap<String, Vec<Record>>;

/// Why a step must run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    NeverBuilt,
    InputsChanged,
    OutputLost,
    Forced,
    Waiting(String),
}

/// How a step ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Done(NodeResult, Record),
    Failed,
    Skipped,
    /// In a dry run: it would run; whether that is certain.
    Would(bool),
}

/// What must become of a step.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) end: End,
    pub(crate) why: Option<Why>,
    /// Whether it must run, and waits for what it needs for that.
    pub(crate) staged: bool,
    /// Whether its action runs.
    pub(crate) runs: bool,
    /// What is in use of it afterwards, if anything is.
    pub(crate) keeps: Option<Record>,
    /// Whether it made the same again, if it was compared.
    pub(crate) same: Option<bool>,
}

impl Verdict {
    fn end(end: End) -> Self {
        Self {
            end,
            why: None,
            staged: false,
            runs: false,
            keeps: None,
            same: None,
        }
    }
}

/// What is asked of a run.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) classes: BTreeSet<Class>,
    pub(crate) rebuild: BTreeMap<usize, bool>,
}

/// Works out a run that nothing stops.
pub(crate) struct Oracle<'a> {
    pub(crate) world: &'a World,
    pub(crate) memory: &'a Memory,
    pub(crate) request: &'a Request,
    pub(crate) verdicts: BTreeMap<usize, Verdict>,
    /// The steps that are in the graph, with what they were told of the step that brought them forth.
    pub(crate) present: BTreeMap<usize, Option<Digest>>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn ask(world: &'a World, memory: &'a Memory, request: &'a Request) -> Self {
        let mut oracle = Self {
            world,
            memory,
            request,
            verdicts: BTreeMap::new(),
            present: world.order.iter().map(|at| (*at, None)).collect(),
        };
        // What is brought forth may be a goal; nobody who was there before needs it.
        let mut known = 0;
        while known != oracle.present.len() {
            known = oracle.present.len();
            let present: Vec<usize> = oracle.present.keys().copied().collect();
            for at in present.into_iter().filter(|at| world.steps[*at].goal) {
                oracle.settle(at);
            }
        }
        oracle
    }

    fn settle(&mut self, at: usize) -> End {
        if let Some(verdict) = self.verdicts.get(&at) {
            return verdict.end.clone();
        }
        let mut verdict = self.decide(at);
        if let (Some(children), End::Done(_, record)) = (&self.world.steps[at].children, &verdict.end) {
            if self.world.faults.get(&at) == Some(&Fault::Expansion) {
                verdict.end = End::Failed;
            } else {
                for child in children {
                    let plan = self.world.plan_for(*child, &record.outputs);
                    self.present.insert(*child, plan);
                }
            }
        }
        let end = verdict.end.clone();
        self.verdicts.insert(at, verdict);
        end
    }

    fn decide(&mut self, at: usize) -> Verdict {
        let world = self.world;
        let step = &world.steps[at];
        let mut needs: Vec<(&str, &Need, usize)> = step
            .needs
            .iter()
            .map(|(to, need)| (world.steps[*to].name.as_str(), need, *to))
            .collect();
        needs.sort();
        needs.dedup();

        // Everything that enters the key is looked at, and the first that is not to be had, by name, decides.
        let mut values = Vec::new();
        let mut touched = false;
        let mut stopped = None;
        for (name, need, to) in &needs {
            let (Need::Output(role) | Need::Soft(role)) = need else {
                continue;
            };
            let value = match self.settle(*to) {
                End::Done(result, record) => {
                    touched |= result == NodeResult::Built;
                    let output = record.outputs.iter().find(|output| output.role == *role);
                    output.map_or(Value::Absent, |output| Value::Digest(output.digest))
                }
                End::Failed | End::Skipped if matches!(need, Need::Soft(_)) => Value::Absent,
                End::Failed | End::Skipped => {
                    stopped.get_or_insert(Verdict::end(End::Skipped));
                    continue;
                }
                End::Would(_) => {
                    stopped.get_or_insert(Verdict {
                        why: Some(Why::Waiting((*name).to_owned())),
                        ..Verdict::end(End::Would(false))
                    });
                    continue;
                }
            };
            values.push((value_name(name, role), value));
        }
        if let Some(stopped) = stopped {
            return stopped;
        }

        let spec = world.spec(at, self.present[&at]);
        let inputs = described(&spec, world.salt, &values);
        let built = self.memory.get(&step.name);
        let found = built.and_then(|built| built.iter().find(|record| record.inputs == inputs));
        let why = match found {
            None if built.is_none() => Why::NeverBuilt,
            None => Why::InputsChanged,
            Some(record) if record.outputs.iter().any(|output| world.lost.contains(&output.place)) => Why::OutputLost,
            Some(_) if self.request.rebuild.contains_key(&at) => Why::Forced,
            Some(record) => {
                let result = if touched {
                    NodeResult::Cutoff
                } else {
                    NodeResult::Cached
                };
                return Verdict {
                    // A look changes nothing, and does not say which key is in use.
                    keeps: self.request.classes.contains(&Class::Build).then(|| record.clone()),
                    ..Verdict::end(End::Done(result, record.clone()))
                };
            }
        };
        let found = found.filter(|_| why == Why::Forced).cloned();
        let verdict = |end| Verdict {
            why: Some(why),
            ..Verdict::end(end)
        };
        if !self.request.classes.contains(&step.class) {
            return verdict(End::Would(true));
        }

        // It must run. What it needs for that is made ready, all of it, and the first that is not decides.
        let before: Vec<usize> = needs
            .iter()
            .filter(|(_, need, _)| **need == Need::BeforeRun)
            .map(|(_, _, to)| *to)
            .collect();
        let ends: Vec<End> = before.into_iter().map(|to| self.settle(to)).collect();
        match ends.into_iter().find(|end| !matches!(end, End::Done(..))) {
            None => {}
            Some(End::Would(_)) => {
                return Verdict {
                    staged: true,
                    ..verdict(End::Would(true))
                };
            }
            Some(_) => {
                return Verdict {
                    staged: true,
                    why: None,
                    ..Verdict::end(End::Skipped)
                };
            }
        }
        if matches!(world.faults.get(&at), Some(Fault::Always | Fault::Once | Fault::Panic)) {
            return Verdict {
                staged: true,
                runs: true,
                ..verdict(End::Failed)
            };
        }
        let mut known: Vec<(String, Value)> = spec.inputs.into_iter().map(|input| (input.name, input.value)).collect();
        known.extend(values);
        let made = Record {
            inputs,
            outputs: make(&step.name, step.roles, step.script, &known),
        };
        let compared = found.is_some();
        let kept = found.unwrap_or(made);
        Verdict {
            staged: true,
            runs: true,
            // What was compared stays as it is recorded, in its place among what was built.
            keeps: Some(kept.clone()),
            same: compared.then(|| self.request.rebuild.get(&at) == Some(&false)),
            ..verdict(End::Done(NodeResult::Built, kept))
        }
    }
}

/// Everything that decides what a step makes, as it is to be recorded.
fn described(spec: &NodeSpec<usize>, salt: &str, values: &[(String, Value)]) -> Vec<Input> {
    let mut inputs = vec![Input::text("rule", format!("step {}", spec.rule_version))];
    if !salt.is_empty() {
        inputs.push(Input::text("salt", salt));
    }
    let mut own = spec.inputs.clone();
    own.sort();
    inputs.extend(own);
    inputs.extend(values.iter().map(|(name, value)| Input {
        name: name.clone(),
        value: value.clone(),
    }));
    inputs
}
