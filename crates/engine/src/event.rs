//! Everything that happens, as one stream. Displays, JSON lines and records are readers of it, and none can fail a build.

use serde::{Deserialize, Serialize};

use crate::{Difference, FailureKind, Reason};

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeResult {
    /// Its action ran and its outputs were recorded.
    Built,
    /// A guard with today's key was there, and so were the outputs.
    Cached,
    /// As cached, although something it depends on was built in this run: the output looked the same.
    Cutoff,
    /// Its action ran and failed.
    Failed,
    /// It was not started: something it needs failed, or the run was stopped.
    Skipped,
}

/// How many nodes ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// See [`NodeResult::Built`].
    pub built: u64,
    /// See [`NodeResult::Cached`].
    pub cached: u64,
    /// See [`NodeResult::Cutoff`].
    pub cutoff: u64,
    /// See [`NodeResult::Failed`].
    pub failed: u64,
    /// See [`NodeResult::Skipped`].
    pub skipped: u64,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, result: NodeResult) {
        match result {
            NodeResult::Built => self.built += 1,
            NodeResult::Cached => self.cached += 1,
            NodeResult::Cutoff => self.cutoff += 1,
            NodeResult::Failed => self.failed += 1,
            NodeResult::Skipped => self.skipped += 1,
        }
    }
}

/// Something that happened. Fields may be added, none removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The graph grew; `total` nodes are wanted now.
    NodesWanted {
        /// How many nodes this run looks at, as far as is known.
        total: u64,
    },
    /// A node's action starts.
    NodeStarted {
        /// The node's full name.
        name: String,
        /// Its rule.
        kind: String,
        /// Why it runs.
        reason: Reason,
        /// How long it took last time, in milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        expected_ms: Option<u64>,
        /// Of the nodes that ran in this run and that it had to wait for, directly or through nodes that did not run, the one
        /// that ended last. `None` when it had to wait for none.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// A running node says what it does now.
    NodeProgress {
        /// The node's full name.
        name: String,
        /// A sentence fragment.
        message: String,
    },
    /// A node is finished; its guard, if there is one, is written.
    NodeFinished {
        /// The node's full name.
        name: String,
        /// Its rule.
        kind: String,
        /// How it ended.
        result: NodeResult,
        /// How long its action took, in milliseconds; 0 when it did not run.
        ms: u64,
        /// What went wrong, or why it was skipped.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// Whose fault it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<FailureKind>,
        /// What to do about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// The log of a failed node, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        log: Option<String>,
        /// Whether it made the same again; `None` when it was not compared with what is recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reproducible: Option<bool>,
        /// In what it differs from what is recorded.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        differences: Vec<Difference>,
    },
    /// Something people should know that is no failure.
    Note {
        /// A sentence.
        message: String,
    },
    /// The run is over.
    BuildFinished {
        /// How many nodes ended in which way.
        #[serde(flatten)]
        counts: Counts,
        /// How many nodes ran again and made something else.
        #[serde(default, rename = "not-reproducible")]
        not_reproducible: u64,
        /// How long the run took, in milliseconds.
        ms: u64,
        /// Whether it was stopped from outside.
        interrupted: bool,
    },
}

impl Event {
    /// A node that is up to date and did not run.
    #[must_use]
    pub fn cached(name: &str, kind: &str) -> Self {
        Self::NodeFinished {
            name: name.to_owned(),
            kind: kind.to_owned(),
            result: NodeResult::Cached,
            ms: 0,
            message: None,
            failure: None,
            hint: None,
            log: None,
            reproducible: None,
            differences: Vec::new(),
        }
    }
}

/// Reads the stream of events. It is called on the thread of the run, one event after the other, and the run waits for it.
pub trait EventSink: Send + Sync {
    /// One event, in the order things happened. Cannot fail: a reader that has trouble keeps it to itself.
    fn event(&self, event: &Event);
}

/// Reads nothing.
impl EventSink for () {
    fn event(&self, _: &Event) {}
}
