//! The states of a node during a run, and what holds in each.

use std::sync::Arc;

use crate::event::NodeResult;
use crate::guard::Guard;
use crate::reason::Reason;
use crate::{Failure, Key};

/// Where a node stands. Only [`super::dispatch::Dispatcher::set`] changes it, and only forward in this order.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Nobody wants it yet. Nothing was looked at.
    Idle,
    /// Wanted; `waiting` of the dependencies that enter its key are not settled.
    Keying {
        /// How many.
        waiting: usize,
    },
    /// It must run: its key is known and no usable guard has it. `waiting` of the dependencies that must be there before it
    /// runs are not settled.
    Staging {
        /// How many.
        waiting: usize,
        /// What it will be recorded with.
        pending: Arc<Pending>,
    },
    /// Everything is there; it waits for a free job.
    Ready(Arc<Pending>),
    /// Its action runs.
    Running(Arc<Pending>),
    /// Settled: up to date, with the guard that says so.
    Done {
        /// Built, cached or cut off.
        result: NodeResult,
        /// The guard with today's key, without its inputs: who depends on the node looks at what it made. `None` where nobody does.
        guard: Option<Arc<Guard>>,
        /// Why it ran, if it did.
        reason: Option<Reason>,
    },
    /// Settled: its action failed.
    Failed(Arc<Failure>, Reason),
    /// Settled: not started, and why.
    Skipped(String),
    /// Settled, in a dry run: it would run, for this reason; `known` says whether its key is.
    Would {
        /// Why.
        reason: Reason,
        /// Whether its own inputs say so, as opposed to a dependency whose output nobody knows yet.
        known: bool,
    },
}

/// A node that must run.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) key: Key,
    pub(super) reason: Reason,
    /// How long it took last time.
    pub(super) expected_ms: Option<u64>,
    /// The guard to compare with, when it runs although it is up to date.
    pub(super) compare: Option<Arc<Guard>>,
}

impl State {
    /// Whether nothing more will happen to it in this run.
    pub(super) fn is_settled(&self) -> bool {
        matches!(
            self,
            Self::Done { .. } | Self::Failed(..) | Self::Skipped(_) | Self::Would { .. }
        )
    }

    /// How many dependencies it waits for, if it waits.
    pub(super) fn waiting(&self) -> Option<usize> {
        match self {
            Self::Keying { waiting } | Self::Staging { waiting, .. } => Some(*waiting),
            _ => None,
        }
    }

    /// The guard it is up to date with, if somebody depends on the node.
    pub(super) fn guard(&self) -> Option<&Arc<Guard>> {
        match self {
            Self::Done { guard, .. } => guard.as_ref(),
            _ => None,
        }
    }
}
