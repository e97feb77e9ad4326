//! What the engine is given: a driver, a guard store, a clock and a sink, which write down what it does with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use farm_engine::{
    Clock, Difference, Driver, Event, EventSink, Failure, FailureKind, Guard, GuardError, GuardStore, Key,
    MemoryGuards, Need, NodeSpec, Output, Presence, Reason, Run, Value,
};

use crate::lending::{Busy, Line};
use crate::world::{Fault, World, make, output};

/// What was seen, in the order it happened.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Event(Event),
    /// A guard became durable.
    Recorded {
        node: String,
        ms: u64,
    },
    /// A worker began an action.
    Began {
        node: String,
    },
    /// The run was stopped by an action.
    Stopped {
        node: String,
    },
    /// Something that must never happen.
    Wrong(String),
}

#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Vec<Entry>>);

impl Journal {
    pub(crate) fn add(&self, entry: Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    pub(crate) fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl EventSink for Journal {
    fn event(&self, event: &Event) {
        self.add(Entry::Event(event.clone()));
    }
}

/// Stands still but for what actions take.
#[derive(Debug, Default)]
pub(crate) struct FakeClock(AtomicU64);

impl Clock for FakeClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// The engine's own store, watched.
#[derive(Debug)]
pub(crate) struct Guards<'a> {
    pub(crate) inner: &'a MemoryGuards,
    pub(crate) journal: &'a Journal,
    /// How many guards can still be recorded before the disk is full.
    pub(crate) room: Mutex<usize>,
}

impl GuardStore for Guards<'_> {
    fn find(&self, node: &str, key: &Key) -> Option<Guard> {
        self.inner.find(node, key)
    }

    fn newest(&self, node: &str) -> Option<Guard> {
        self.inner.newest(node)
    }

    fn record(&self, guard: Guard) -> Result<(), GuardError> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        *room = room
            .checked_sub(1)
            .ok_or_else(|| GuardError("the disk is full".to_owned()))?;
        let (node, ms) = (guard.node.clone(), guard.duration_ms);
        self.inner.record(guard)?;
        self.journal.add(Entry::Recorded { node, ms });
        Ok(())
    }

    fn mark_current(&self, node: &str, key: &Key) -> Result<(), GuardError> {
        self.inner.mark_current(node, key)
    }
}

/// Carries out the steps of a world.
pub(crate) struct Fake<'a> {
    pub(crate) world: &'a World,
    pub(crate) journal: &'a Journal,
    pub(crate) guards: &'a MemoryGuards,
    pub(crate) clock: &'a FakeClock,
    /// Steps that run again although they are up to date, and whether they then make something else.
    pub(crate) rebuild: BTreeMap<usize, bool>,
    /// The places that are lost now.
    pub(crate) lost: Mutex<BTreeSet<String>>,
    /// Actions until somebody stops the run.
    pub(crate) until_stop: Mutex<Option<usize>>,
    pub(crate) stop: Arc<AtomicBool>,
    /// Whether actions can be lent tokens.
    pub(crate) lends: bool,
    pub(crate) busy: Busy,
}

impl Fake<'_> {
    /// The values of the dependencies' outputs, as an action sees them.
    fn dependency_values(&self, node: &NodeSpec<usize>, run: &Run<'_>) -> Vec<(String, Value)> {
        if run.dependencies.len() != node.dependencies.len() {
            self.wrong(node, "is not told of every dependency");
        }
        let mut values = Vec::new();
        for (dependency, guard) in node.dependencies.iter().zip(&run.dependencies) {
            let role = dependency.need.role();
            let soft = matches!(dependency.need, Need::Soft(_));
            let Some(guard) = guard else {
                if !soft {
                    self.wrong(node, "runs although something it needs is not there");
                }
                values.extend(role.map(|role| (value_name(&dependency.node, role), Value::Absent)));
                continue;
            };
            let recorded = self.guards.find(&guard.node, &guard.key).map(|recorded| Guard {
                inputs: Vec::new(),
                ..recorded
            });
            if guard.node != dependency.node || recorded.as_ref() != Some(&**guard) {
                self.wrong(node, "runs before the guard of something it needs is recorded");
            }
            if let Some(role) = role {
                let found = guard.outputs.iter().find(|output| output.role == *role);
                let value = found.map_or(Value::Absent, |output| Value::Digest(output.digest));
                values.push((value_name(&dependency.node, role), value));
            }
        }
        values
    }

    fn wrong(&self, node: &NodeSpec<usize>, what: &str) {
        self.journal.add(Entry::Wrong(format!("{} {what}", node.name)));
    }
}

/// The name under which the output `role` of a dependency is an input.
pub(crate) fn value_name(node: &str, role: &str) -> String {
    format!("{}:{role}", node.rsplit(':').next().unwrap_or(node))
}

impl Driver for Fake<'_> {
    type Action = usize;

    fn run(&self, node: &NodeSpec<usize>, run: &Run<'_>) -> Result<Vec<Output>, Failure> {
        let at = node.action;
        self.journal.add(Entry::Began {
            node: node.name.clone(),
        });
        let _busy = self.busy.one();
        if self.lends && at.is_multiple_of(2) {
            let line = Arc::new(Line::default());
            (run.tokens)(line.clone());
            // Nobody waits for tokens here, so that the dispatcher is woken at once.
            (run.events)(Event::NodeProgress {
                name: node.name.clone(),
                message: "it can use tokens".to_owned(),
            });
            line.use_some(&self.busy, at % 5, at.is_multiple_of(4));
        }
        if at.is_multiple_of(3) {
            (run.events)(Event::NodeProgress {
                name: node.name.clone(),
                message: "half way".to_owned(),
            });
            std::thread::yield_now();
        }
        if let Some(left) = &mut *self.until_stop.lock().unwrap_or_else(PoisonError::into_inner) {
            if *left == 0 {
                self.stop.store(true, Ordering::Release);
                self.journal.add(Entry::Stopped {
                    node: node.name.clone(),
                });
            }
            *left = left.saturating_sub(1);
        }
        let values = self.dependency_values(node, run);
        let step = &self.world.steps[at];
        self.clock.0.fetch_add(step.ms, Ordering::AcqRel);
        match self.world.faults.get(&at) {
            Some(Fault::Always | Fault::Once) => return Err(Failure::new(FailureKind::Step, "it broke")),
            // Without the hook that would print it.
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("it broke")),
            Some(Fault::Expansion) | None => {}
        }
        let mut inputs: Vec<(String, Value)> = node
            .inputs
            .iter()
            .map(|input| (input.name.clone(), input.value.clone()))
            .collect();
        inputs.extend(values);
        let mut outputs = make(&node.name, step.roles, step.script, &inputs);
        if run.reason == Reason::Forced && self.rebuild.get(&at) == Some(&true) {
            outputs[0] = output(&node.name, 0, u64::MAX);
        }
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        for output in &outputs {
            lost.remove(&output.place);
        }
        Ok(outputs)
    }

    fn presence(&self, _: &NodeSpec<usize>, guard: &Guard) -> Presence {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        match guard.outputs.iter().find(|output| lost.contains(&output.place)) {
            Some(output) => Presence::Lost(output.place.clone()),
            None => Presence::Present,
        }
    }

    fn rebuilds(&self, node: &NodeSpec<usize>) -> bool {
        self.rebuild.contains_key(&node.action)
    }

    fn differences(&self, node: &NodeSpec<usize>, former: &Guard, now: &[Output]) -> Vec<Difference> {
        if former.outputs == now {
            self.wrong(node, "is compared although it made the same");
        }
        vec![Difference::new("first", "content")]
    }

    fn expand(&self, node: &NodeSpec<usize>, guard: &Guard) -> Result<Vec<NodeSpec<usize>>, Failure> {
        if self.world.faults.get(&node.action) == Some(&Fault::Expansion) {
            return Err(Failure::new(
                FailureKind::Input,
                "it cannot be said what it brings forth",
            ));
        }
        let Some(children) = &self.world.steps[node.action].children else {
            self.wrong(node, "is asked for what it never brings forth");
            return Ok(Vec::new());
        };
        let spec = |child: &usize| self.world.spec(*child, self.world.plan_for(*child, &guard.outputs));
        Ok(children.iter().map(spec).collect())
    }

    fn wants(&self, node: &NodeSpec<usize>) -> bool {
        self.world.steps[node.action].goal
    }
}
