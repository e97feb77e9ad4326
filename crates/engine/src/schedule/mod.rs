//! Walks the graph from the goals, decides what must run, and runs it.
//!
//! One thread, the dispatcher, owns all state; worker threads run actions and send what came of them through a channel, so
//! that events are linear. The states of a node and what holds in each are in its `state` module.

mod dispatch;
mod ledger;
mod lending;
mod outcome;
mod pools;
mod queue;
mod state;
mod waits;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::driver::{Clock, Difference, Driver, Failure};
use crate::event::{Counts, EventSink, NodeResult};
use crate::graph::{Graph, GraphError};
use crate::guard::{GuardError, GuardStore};
use crate::node::Class;
use crate::reason::Reason;
use crate::tokens::TokenSource;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many jobs may run at once, over all actions together and what they start; at least 1.
    pub jobs: usize,
    /// Whose pool the tokens for these jobs are taken from, but for one; `None` is a pool of its own.
    pub tokens: Option<Arc<dyn TokenSource>>,
    /// How much there is of what actions take while they run ([`NodeSpec::pools`](crate::NodeSpec::pools)): bytes of memory, connections. What is not
    /// named here has no bound. An action that takes more than all of a pool runs when nobody else takes of it.
    pub pools: BTreeMap<String, u64>,
    /// Go on with whatever does not depend on a failure.
    pub keep_going: bool,
    /// Which classes of nodes are carried out; the others are only looked at. All classes: a build. Without
    /// [`Class::Build`]: a dry run, which does not mark guards as current either.
    pub run: BTreeSet<Class>,
    /// Part of every key: the way to disown a poisoned cache.
    pub salt: String,
    /// Set from outside to stop. Looked at some twenty times a second.
    pub stop: Arc<AtomicBool>,
    /// The version of the program that runs, written into guards.
    pub version: String,
}

impl Options {
    /// A build with `jobs` jobs.
    #[must_use]
    pub fn build(jobs: usize) -> Self {
        Self {
            jobs: jobs.max(1),
            tokens: None,
            pools: BTreeMap::new(),
            keep_going: false,
            run: [Class::Plan, Class::Prepare, Class::Build].into(),
            salt: String::new(),
            stop: Arc::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// A dry run that makes plans when `plan` says so.
    #[must_use]
    pub fn dry_run(plan: bool) -> Self {
        let run = if plan { [Class::Plan].into() } else { BTreeSet::new() };
        Self { run, ..Self::build(1) }
    }
}

/// What a dry run says of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Up to date.
    Cached,
    /// Its own inputs changed, or it was never built.
    Run,
    /// Hangs on the output of a node that will run.
    Unknown,
}

/// What became of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its full name.
    pub name: String,
    /// Its rule.
    pub kind: String,
    /// What a dry run says; after a build, `Cached` for whatever is up to date now.
    pub state: NodeState,
    /// How it ended; `None` when it was only looked at and would run.
    pub result: Option<NodeResult>,
    /// Why it ran or would run.
    pub reason: Option<Reason>,
    /// The failure's or the skipping's message.
    pub message: Option<String>,
    /// Where the log of a failure is.
    pub log: Option<String>,
}

/// What became of a run.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Every node that was wanted or needed, in the order of the graph.
    pub nodes: Vec<NodeReport>,
    /// How many ended in which way.
    pub counts: Counts,
    /// The failures, in the order they happened, with the node's name.
    pub failures: Vec<(String, Failure)>,
    /// Nodes that ran again (see [`Driver::rebuilds`]) and made the same.
    pub reproducible: Vec<String>,
    /// Nodes that ran again and made something else, with what differs. What was recorded of them stays.
    pub not_reproducible: Vec<(String, Vec<Difference>)>,
    /// Whether the run was stopped from outside.
    pub interrupted: bool,
}

/// A run that could not go on at all.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The nodes do not make a graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// What was built could not be recorded.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A node that was said to be known has no guard. A bug of the caller's.
    #[error("{node} was taken for up to date, and nothing is recorded of it")]
    Unknown {
        /// Its full name.
        node: String,
    },
    /// A worker ended without an answer. A bug.
    #[error("a worker thread was lost")]
    WorkerLost,
}

/// Brings the goals (see [`Driver::wants`]) and everything they need up to date, growing `graph` where nodes expand.
///
/// Returns when nothing runs any more. What `options` does not let run is only looked at, and the [`Summary`] says what would run.
/// When [`Options::stop`] is set, no further action starts, and the running ones are awaited: to end them early is up to the
/// driver.
///
/// # Errors
///
/// What keeps the run from going on as a whole; guards recorded before that stay. Failures of nodes are not errors but part of the
/// summary.
///
/// # Panics
///
/// Where `driver` (on this thread), `guards`, `clock` or `events` panic.
pub fn build<D: Driver>(
    graph: &mut Graph<D::Action>,
    driver: &D,
    guards: &dyn GuardStore,
    clock: &dyn Clock,
    events: &dyn EventSink,
    options: &Options,
) -> Result<Summary, EngineError> {
    dispatch::Dispatcher::new(graph, driver, guards, clock, events, options).run()
}
