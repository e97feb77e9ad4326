//! What becomes of nodes: their outcomes are recorded, told, and reported at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::dispatch::Dispatcher;
use super::state::{Pending, State};
use super::worker::{Finished, Made};
use super::{EngineError, NodeReport, NodeState};
use crate::driver::{Difference, Driver, Failure};
use crate::event::{Event, NodeResult};
use crate::graph::NodeId;
use crate::guard::Guard;
use crate::reason::Reason;

/// What there is to say of a node's end beside how it ended.
enum Said<'a> {
    /// It is up to date; in what it differs from what is recorded, if that was looked at.
    Compared(Option<Vec<Difference>>),
    /// It failed.
    Failure(&'a Failure),
    /// It was skipped.
    Why(&'a str),
}

impl<D: Driver> Dispatcher<'_, D> {
    pub(super) fn finish(&mut self, finished: Finished) {
        let node = finished.node;
        self.running -= 1;
        self.waits.ends(node);
        self.tokens.end(node);
        self.pools.end(&self.graph.spec(node).pools);
        let State::Running(pending) = self.states[node].clone() else {
            return;
        };
        match finished.outcome {
            Ok(made) => self.record(node, &pending, made, finished.started_ms, finished.ms),
            Err(_) if self.summary.interrupted || self.options.stop.load(Ordering::Acquire) => {
                self.skip(node, "the run was stopped".to_owned());
            }
            Err(failure) => self.fail(node, failure, pending.reason.clone(), finished.ms),
        }
    }

    /// A node is finished when its guard is written, and before anybody is told.
    fn record(&mut self, node: NodeId, pending: &Pending, made: Made, started_ms: u64, ms: u64) {
        let spec = Arc::clone(self.graph.spec(node));
        let name = spec.name.clone();
        let reason = Some(pending.reason.clone());
        if let (Some(former), Some(differences)) = (&pending.compare, made.differences) {
            // What it was compared with is what is in use.
            if let Err(error) = self.guards.mark_current(&name, &pending.key) {
                return self.give_up(node, error.into());
            }
            if differences.is_empty() {
                self.summary.reproducible.push(name);
            } else {
                self.summary.not_reproducible.push((name, differences.clone()));
            }
            return self.done(
                node,
                Arc::clone(former),
                NodeResult::Built,
                reason,
                ms,
                Some(differences),
            );
        }
        if self.driver.rebuilds(&spec) {
            let message = format!("{name} was not compared with what it made before: {}", pending.reason);
            self.events.event(&Event::Note { message });
        }
        let guard = Guard {
            node: name,
            key: pending.key,
            inputs: Vec::new(),
            outputs: made.outputs,
            reason: pending.reason.clone(),
            started_ms,
            duration_ms: ms,
            version: self.options.version.clone(),
        };
        let recorded = match self.inputs(node, &spec) {
            Ok(inputs) => Guard {
                inputs,
                ..guard.clone()
            },
            Err(settled) => return self.set_and_tell(node, settled),
        };
        if let Err(error) = self.guards.record(recorded) {
            return self.give_up(node, error.into());
        }
        self.done(node, Arc::new(guard), NodeResult::Built, reason, ms, None);
    }

    /// A node is up to date, and was found to differ in this from what is recorded if it was compared; what it brings forth joins
    /// the graph.
    pub(super) fn done(
        &mut self,
        node: NodeId,
        guard: Arc<Guard>,
        result: NodeResult,
        reason: Option<Reason>,
        ms: u64,
        compared: Option<Vec<Difference>>,
    ) {
        let spec = Arc::clone(self.graph.spec(node));
        let mut new = Vec::new();
        if spec.expands {
            match self.driver.expand(&spec, &guard) {
                Ok(specs) => match self.graph.add(specs) {
                    Ok(ids) => {
                        new = ids;
                        self.states.grow(self.graph.len(), &State::Idle);
                        self.waits.grow(self.graph.len());
                        for &brought in &new {
                            self.waits.follows(brought, node);
                        }
                    }
                    Err(error) => return self.give_up(node, error.into()),
                },
                Err(failure) => {
                    let reason = reason.unwrap_or(Reason::Forced);
                    return self.fail(node, failure, reason, ms);
                }
            }
        }
        self.tell(node, result, ms, Said::Compared(compared));
        let is_asked_for = self.grows || !self.graph.dependants(node).is_empty();
        let guard = is_asked_for.then(|| without_inputs(guard));
        self.set(node, State::Done { result, guard, reason });
        if !new.is_empty() {
            self.admit(&new);
        }
    }

    pub(super) fn fail(&mut self, node: NodeId, failure: Failure, reason: Reason, ms: u64) {
        let name = self.graph.spec(node).name.clone();
        self.tell(node, NodeResult::Failed, ms, Said::Failure(&failure));
        if !self.options.keep_going && self.closing.is_none() {
            self.closing = Some(format!("{name} failed"));
        }
        self.summary.failures.push((name, failure.clone()));
        self.set(node, State::Failed(Arc::new(failure), reason));
    }

    pub(super) fn skip(&mut self, node: NodeId, why: String) {
        self.set_and_tell(node, State::Skipped(why));
    }

    pub(super) fn set_and_tell(&mut self, node: NodeId, state: State) {
        if let State::Skipped(why) = &state {
            self.tell(node, NodeResult::Skipped, 0, Said::Why(why));
        }
        self.set(node, state);
    }

    /// The engine itself cannot go on.
    pub(super) fn give_up(&mut self, node: NodeId, error: EngineError) {
        let why = error.to_string();
        self.fatal.get_or_insert(error);
        self.closing = Some(why.clone());
        self.skip(node, why);
    }

    fn tell(&mut self, node: NodeId, result: NodeResult, ms: u64, said: Said<'_>) {
        self.summary.counts.add(result);
        let spec = self.graph.spec(node);
        let (why, failure, compared) = match said {
            Said::Compared(compared) => (None, None, compared),
            Said::Failure(failure) => (Some(failure.message.as_str()), Some(failure), None),
            Said::Why(why) => (Some(why), None, None),
        };
        self.events.event(&Event::NodeFinished {
            name: spec.name.clone(),
            kind: spec.kind.clone(),
            result,
            ms,
            message: why.map(str::to_owned),
            failure: failure.map(|failure| failure.kind),
            hint: failure.and_then(|failure| failure.hint.clone()),
            log: failure.and_then(|failure| failure.log.clone()),
            reproducible: compared.as_ref().map(Vec::is_empty),
            differences: compared.unwrap_or_default(),
        });
    }

    pub(super) fn report(&mut self) {
        for node in self.graph.ids() {
            let spec = self.graph.spec(node);
            let (state, result, reason, message, log) = match &self.states[node] {
                State::Done { result, reason, .. } => (NodeState::Cached, Some(*result), reason.clone(), None, None),
                State::Failed(failure, reason) => (
                    NodeState::Run,
                    Some(NodeResult::Failed),
                    Some(reason.clone()),
                    Some(failure.message.clone()),
                    failure.log.clone(),
                ),
                State::Skipped(why) => (
                    NodeState::Unknown,
                    Some(NodeResult::Skipped),
                    None,
                    Some(why.clone()),
                    None,
                ),
                State::Would { reason, known } => {
                    let state = if *known { NodeState::Run } else { NodeState::Unknown };
                    (state, None, Some(reason.clone()), None, None)
                }
                _ => continue,
            };
            self.summary.nodes.push(NodeReport {
                name: spec.name.clone(),
                kind: spec.kind.clone(),
                state,
                result,
                reason,
                message,
                log,
            });
        }
    }
}

/// What is kept of a guard to the end of the run. A node's inputs are most of it, and nobody else asks for them.
fn without_inputs(guard: Arc<Guard>) -> Arc<Guard> {
    if guard.inputs.is_empty() {
        return guard;
    }
    let mut guard = Arc::unwrap_or_clone(guard);
    guard.inputs = Vec::new();
    Arc::new(guard)
}
