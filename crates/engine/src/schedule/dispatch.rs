//! The dispatcher: owns the states of all nodes, settles them one by one and keeps the workers busy.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::lending::Tokens;
use super::pools::Pools;
use super::queue::{Queue, path_lengths};
use super::state::{Pending, State};
use super::waits::Waits;
use super::worker::{self, Job, Jobs, Message};
use super::{EngineError, Options, Summary};
use crate::driver::{Clock, Driver, Presence};
use crate::event::{Event, EventSink, NodeResult};
use crate::graph::{Graph, NodeId, NodeMap};
use crate::guard::{GuardStore, RecordedInput};
use crate::input::{InputSink, KeyHasher, Value, describe};
use crate::node::{Class, Need, NodeSpec};
use crate::reason::{Reason, changes};

/// How often the dispatcher looks whether it was asked to stop, while nothing else happens.
const STOP_POLL: Duration = Duration::from_millis(50);

pub(super) struct Dispatcher<'a, D: Driver> {
    pub(super) graph: &'a mut Graph<D::Action>,
    pub(super) driver: &'a D,
    pub(super) guards: &'a dyn GuardStore,
    clock: &'a dyn Clock,
    pub(super) events: &'a dyn EventSink,
    pub(super) options: &'a Options,
    pub(super) states: NodeMap<State>,
    pub(super) waits: Waits,
    path_ms: NodeMap<u64>,
    /// Nodes to be looked at: just demanded, or the last thing they waited for was just settled.
    agenda: Vec<NodeId>,
    queue: Queue,
    pub(super) tokens: Tokens,
    pub(super) pools: Pools<'a>,
    pub(super) running: usize,
    /// Whether nodes may join the graph, which may depend on any that is there.
    pub(super) grows: bool,
    wanted: u64,
    /// Why nothing new is started any more: a failure without `keep_going`, a stop, or a failure of the engine itself.
    pub(super) closing: Option<String>,
    pub(super) fatal: Option<EngineError>,
    pub(super) summary: Summary,
}

impl<'a, D: Driver> Dispatcher<'a, D> {
    pub(super) fn new(
        graph: &'a mut Graph<D::Action>,
        driver: &'a D,
        guards: &'a dyn GuardStore,
        clock: &'a dyn Clock,
        events: &'a dyn EventSink,
        options: &'a Options,
    ) -> Self {
        Self {
            graph,
            driver,
            guards,
            clock,
            events,
            options,
            states: NodeMap::default(),
            waits: Waits::default(),
            path_ms: NodeMap::default(),
            agenda: Vec::new(),
            queue: Queue::default(),
            tokens: Tokens::new(options),
            pools: Pools::new(&options.pools),
            running: 0,
            grows: false,
            wanted: 0,
            closing: None,
            fatal: None,
            summary: Summary::default(),
        }
    }

    pub(super) fn run(mut self) -> Result<Summary, EngineError> {
        let begun_ms = self.clock.now_ms();
        let nodes: Vec<NodeId> = self.graph.ids().collect();
        self.grows = nodes.iter().any(|&node| self.graph.spec(node).expands);
        self.admit(&nodes);
        let jobs = Jobs::default();
        let (messages, inbox) = channel();
        self.tokens.open(&messages);
        let (driver, clock, offers) = (self.driver, self.clock, self.tokens.offers());
        std::thread::scope(|scope| {
            let _closing = jobs.closing();
            for _ in 0..self.options.jobs.max(1) {
                let (jobs, offers, messages) = (&jobs, &offers, messages.clone());
                scope.spawn(move || worker::work(driver, clock, jobs, offers, &messages));
            }
            self.settle_all(&jobs, &inbox)
        })?;
        if let Some(fatal) = self.fatal {
            return Err(fatal);
        }
        self.report();
        self.events.event(&Event::BuildFinished {
            counts: self.summary.counts,
            not_reproducible: self.summary.not_reproducible.len() as u64,
            ms: self.clock.now_ms().saturating_sub(begun_ms),
            interrupted: self.summary.interrupted,
        });
        Ok(self.summary)
    }

    fn settle_all(&mut self, jobs: &Jobs<D::Action>, inbox: &Receiver<Message>) -> Result<(), EngineError> {
        loop {
            if !self.summary.interrupted && self.options.stop.load(Ordering::Acquire) {
                self.summary.interrupted = true;
                self.closing = Some("the run was stopped".to_owned());
            }
            while let Some(node) = self.agenda.pop() {
                self.look(node);
            }
            self.tokens.fetch(self.clock.now_ms());
            self.start_what_fits(jobs);
            if let Some(why) = self.closing.clone() {
                for node in self.queue.drain() {
                    self.skip(node, why.clone());
                }
            }
            if !self.agenda.is_empty() {
                continue;
            }
            let fits = |node| self.pools.fit(&self.graph.spec(node).pools);
            let waiting = self.queue.count(fits, self.options.jobs);
            self.tokens.settle(waiting);
            if self.running == 0 {
                return Ok(());
            }
            match inbox.recv_timeout(STOP_POLL) {
                Ok(Message::Event(event)) => self.events.event(&event),
                Ok(Message::Tokens) => {}
                Ok(Message::Finished(finished)) => self.finish(finished),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(EngineError::WorkerLost),
            }
        }
    }

    /// Takes new nodes into the run and demands those that are goals.
    pub(super) fn admit(&mut self, new: &[NodeId]) {
        self.states.grow(self.graph.len(), &State::Idle);
        self.waits.grow(self.graph.len());
        let graph = &*self.graph;
        self.path_ms = path_lengths(graph, |node| self.guards.duration_ms(&graph.spec(node).name));
        for &node in new {
            if self.driver.wants(self.graph.spec(node)) {
                self.demand(node, None);
            }
        }
        self.events.event(&Event::NodesWanted { total: self.wanted });
    }

    /// Wants a node, and everything that enters its key; `asker` found that it needs it.
    fn demand(&mut self, node: NodeId, asker: Option<NodeId>) {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if !matches!(self.states[node], State::Idle) {
                continue;
            }
            self.wanted += 1;
            if let Some(asker) = asker {
                self.waits.follows(node, asker);
            }
            let unsettled = self.unsettled(node, false);
            self.set(
                node,
                State::Keying {
                    waiting: unsettled.len(),
                },
            );
            stack.extend(unsettled);
        }
    }

    /// The dependencies of `node` that are not settled: those needed before it runs, or those that enter its key. A
    /// dependency that is needed in two ways of one sort is named twice.
    fn unsettled(&self, node: NodeId, before_run: bool) -> Vec<NodeId> {
        self.edges(node)
            .filter(|(need, to)| (**need == Need::BeforeRun) == before_run && !self.states[*to].is_settled())
            .map(|(_, to)| to)
            .collect()
    }

    /// Notes that `node` waited for its dependencies of one sort, which are settled.
    fn follow(&mut self, node: NodeId, before_run: bool) {
        let dependencies = &self.graph.spec(node).dependencies;
        for (dependency, &to) in dependencies.iter().zip(self.graph.dependencies(node)) {
            if (dependency.need == Need::BeforeRun) == before_run {
                self.waits.follows(node, to);
            }
        }
    }

    fn edges(&self, node: NodeId) -> impl Iterator<Item = (&Need, NodeId)> {
        let needs = self
            .graph
            .spec(node)
            .dependencies
            .iter()
            .map(|dependency| &dependency.need);
        needs.zip(self.graph.dependencies(node).iter().copied())
    }

    /// The only place where a state changes. Settling a node puts whoever waited for nothing else on the agenda.
    pub(super) fn set(&mut self, node: NodeId, state: State) {
        debug_assert!(!self.states[node].is_settled(), "a settled node stays as it is");
        let settled = state.is_settled();
        if state.waiting() == Some(0) {
            self.agenda.push(node);
        }
        self.states[node] = state;
        if !settled {
            return;
        }
        // A dependant appears once for every way in which it needs this node.
        let mut dependants = self.graph.dependants(node).to_vec();
        dependants.dedup();
        for dependant in dependants {
            let ways = self.graph.ways(dependant, node);
            let staged = ways.iter().filter(|way| way.need == Need::BeforeRun).count();
            let keyed = ways.len() - staged;
            let last = match &mut self.states[dependant] {
                State::Keying { waiting } if keyed > 0 => {
                    *waiting -= keyed;
                    *waiting == 0
                }
                State::Staging { waiting, .. } if staged > 0 => {
                    *waiting -= staged;
                    *waiting == 0
                }
                _ => false,
            };
            if last {
                self.agenda.push(dependant);
            }
        }
    }

    fn look(&mut self, node: NodeId) {
        match &self.states[node] {
            State::Keying { waiting: 0 } => self.compare_with_guards(node),
            State::Staging { waiting: 0, pending } => {
                let pending = Arc::clone(pending);
                self.make_ready(node, pending);
            }
            _ => {}
        }
    }

    /// Everything that enters the key is settled: is there a guard with it?
    fn compare_with_guards(&mut self, node: NodeId) {
        if let Some(why) = self.closing.clone() {
            return self.skip(node, why);
        }
        self.follow(node, false);
        let spec = Arc::clone(self.graph.spec(node));
        if let Some(key) = self.driver.known(&spec) {
            return match self.guards.find(&spec.name, &key) {
                Some(guard) => self.done(node, Arc::new(guard), NodeResult::Cached, None, 0, None),
                None => self.give_up(
                    node,
                    EngineError::Unknown {
                        node: spec.name.clone(),
                    },
                ),
            };
        }
        let (values, touched) = match self.dependency_values(node, &spec) {
            Ok(values) => values,
            Err(settled) => return self.set_and_tell(node, settled),
        };
        let mut hasher = KeyHasher::default();
        self.describe(&spec, values, &mut hasher);
        let key = hasher.finish();

        let (reason, compare, expected_ms) = match self.guards.find(&spec.name, &key) {
            Some(guard) => match self.driver.presence(&spec, &guard) {
                Presence::Present if self.driver.rebuilds(&spec) => {
                    let expected_ms = guard.duration_ms;
                    (Reason::Forced, Some(Arc::new(guard)), Some(expected_ms))
                }
                Presence::Present => {
                    // A look changes nothing.
                    if self.options.run.contains(&Class::Build)
                        && let Err(error) = self.guards.mark_current(&spec.name, &key)
                    {
                        return self.give_up(node, error.into());
                    }
                    let result = if touched {
                        NodeResult::Cutoff
                    } else {
                        NodeResult::Cached
                    };
                    return self.done(node, Arc::new(guard), result, None, 0, None);
                }
                Presence::Lost(what) => (Reason::OutputLost { what }, None, Some(guard.duration_ms)),
            },
            None => match self.guards.newest(&spec.name) {
                Some(newest) => {
                    let inputs = match self.inputs(node, &spec) {
                        Ok(inputs) => inputs,
                        Err(settled) => return self.set_and_tell(node, settled),
                    };
                    let changes = changes(&newest.inputs, &inputs);
                    (Reason::InputsChanged { changes }, None, Some(newest.duration_ms))
                }
                None => (Reason::NeverBuilt, None, None),
            },
        };
        if !self.options.run.contains(&spec.class) {
            return self.set(node, State::Would { reason, known: true });
        }
        let unsettled = self.unsettled(node, true);
        let pending = Arc::new(Pending {
            key,
            reason,
            expected_ms,
            compare,
        });
        self.set(
            node,
            State::Staging {
                waiting: unsettled.len(),
                pending,
            },
        );
        let grown = !unsettled.is_empty();
        for to in unsettled {
            self.demand(to, Some(node));
        }
        if grown {
            self.events.event(&Event::NodesWanted { total: self.wanted });
        }
    }

    fn describe(&self, spec: &NodeSpec<D::Action>, values: Vec<(String, Value)>, sink: &mut dyn InputSink) {
        let salt = &self.options.salt;
        describe(&spec.kind, spec.rule_version, salt, &spec.inputs, values, sink);
    }

    /// Every input that was hashed to the key of a node whose dependencies are settled. Made when it is wanted, since a settled
    /// dependency stays as it is: to keep it of every node that waits to run would take more memory than the graph.
    pub(super) fn inputs(&self, node: NodeId, spec: &NodeSpec<D::Action>) -> Result<Vec<RecordedInput>, State> {
        let (values, _) = self.dependency_values(node, spec)?;
        let mut inputs = Vec::with_capacity(spec.inputs.len() + values.len() + 2);
        self.describe(spec, values, &mut inputs);
        Ok(inputs)
    }

    /// The digests of the outputs that enter the key, and whether any of them was built in this run; or the state the node
    /// is settled with because one is not to be had.
    fn dependency_values(
        &self,
        node: NodeId,
        spec: &NodeSpec<D::Action>,
    ) -> Result<(Vec<(String, Value)>, bool), State> {
        let mut values = Vec::new();
        let mut touched = false;
        for (dependency, &to) in spec.dependencies.iter().zip(self.graph.dependencies(node)) {
            let Some(role) = dependency.need.role() else {
                continue;
            };
            let soft = matches!(dependency.need, Need::Soft(_));
            let value = match &self.states[to] {
                State::Done { guard, result, .. } => {
                    touched |= *result == NodeResult::Built;
                    debug_assert!(guard.is_some(), "of a node with dependants it is kept");
                    let mut outputs = guard.iter().flat_map(|guard| &guard.outputs);
                    let output = outputs.find(|output| output.role == role);
                    output.map_or(Value::Absent, |output| Value::Digest(output.digest))
                }
                State::Would { .. } => {
                    let reason = Reason::Waiting {
                        on: dependency.node.clone(),
                    };
                    return Err(State::Would { reason, known: false });
                }
                _ if soft => Value::Absent,
                _ => return Err(State::Skipped(format!("it needs {}", dependency.node))),
            };
            values.push((dependency.input_name(), value));
        }
        if spec
            .dependencies
            .iter()
            .any(|dependency| matches!(dependency.need, Need::Named(_)))
        {
            // Which nodes they are is not in the key, and so their order must not be.
            values.sort_by(|(name, _), (other, _)| name.cmp(other));
        }
        Ok((values, touched))
    }

    /// Everything that must be there before it runs is settled.
    fn make_ready(&mut self, node: NodeId, pending: Arc<Pending>) {
        if let Some(why) = self.closing.clone() {
            return self.skip(node, why);
        }
        self.follow(node, true);
        let mut settled = None;
        for (need, to) in self.edges(node).filter(|(need, _)| **need == Need::BeforeRun) {
            debug_assert_eq!(*need, Need::BeforeRun);
            settled = match &self.states[to] {
                State::Done { .. } => continue,
                // What it needs would have to be made first, which this run does not do.
                State::Would { .. } => Some(State::Would {
                    reason: pending.reason.clone(),
                    known: true,
                }),
                _ => Some(State::Skipped(format!("it needs {}", self.graph.spec(to).name))),
            };
            break;
        }
        if let Some(settled) = settled {
            return self.set_and_tell(node, settled);
        }
        self.set(node, State::Ready(pending));
        self.queue.push(node, self.path_ms[node]);
    }

    fn start_what_fits(&mut self, jobs: &Jobs<D::Action>) {
        while self.closing.is_none() && self.tokens.any() {
            let (graph, pools) = (&*self.graph, &self.pools);
            let share = self.tokens.share(self.queue.len());
            let Some(node) = self.queue.pop(|node| pools.fit(&graph.spec(node).pools)) else {
                return;
            };
            let State::Ready(pending) = self.states[node].clone() else {
                continue;
            };
            let spec = Arc::clone(self.graph.spec(node));
            let dependencies = self
                .graph
                .dependencies(node)
                .iter()
                .map(|&to| self.states[to].guard().map(Arc::clone))
                .collect();
            self.events.event(&Event::NodeStarted {
                name: spec.name.clone(),
                kind: spec.kind.clone(),
                reason: pending.reason.clone(),
                expected_ms: pending.expected_ms,
                after: self.waits.after(node).map(|after| self.graph.spec(after).name.clone()),
            });
            self.tokens.start();
            self.pools.start(&spec.pools);
            self.running += 1;
            let (reason, former) = (pending.reason.clone(), pending.compare.clone());
            self.set(node, State::Running(pending));
            jobs.push(Job {
                node,
                spec,
                dependencies,
                jobs: share,
                reason,
                former,
            });
        }
    }
}
