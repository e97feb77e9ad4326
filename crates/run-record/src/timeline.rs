//! When which node ran, and on which track.

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{Difference, Event, FailureKind, NodeResult, Reason};
use serde::Serialize;

use crate::format::Entry;

/// A node's action, from its start to its end. Its JSON form is a contract: fields may be added, none removed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeRun {
    /// The node's full name.
    pub name: String,
    /// Its rule.
    pub kind: String,
    /// The lowest number that no node had which ran at the same time.
    pub slot: usize,
    /// When it started, in milliseconds since the run began.
    #[serde(rename = "start_ms")]
    pub start: u64,
    /// When it ended, its guard written; where that is not known, the last moment that is.
    #[serde(rename = "end_ms")]
    pub end: u64,
    /// Why it ran.
    pub reason: Reason,
    /// How long it took the time before, in milliseconds.
    pub expected_ms: Option<u64>,
    /// Of the nodes it waited for, the one that ended last.
    pub after: Option<String>,
    /// What became of it; `None` when the record ends before it did.
    #[serde(flatten)]
    pub outcome: Option<Outcome>,
}

/// What became of a node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// How it ended.
    pub result: NodeResult,
    /// How long its action took, in milliseconds.
    pub ms: u64,
    /// What went wrong, or why it was skipped.
    pub message: Option<String>,
    /// Whose fault it is.
    pub failure: Option<FailureKind>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The log of a failure.
    pub log: Option<String>,
    /// Whether it made the same again, if that was looked at.
    pub reproducible: Option<bool>,
    /// In what it differs from what is recorded.
    pub differences: Vec<Difference>,
}

impl NodeRun {
    /// How long it was under way, in milliseconds.
    #[must_use]
    pub fn ms(&self) -> u64 {
        self.end - self.start
    }
}

impl Outcome {
    /// The name of a node that ended and what became of it; `None` for any other event.
    #[must_use]
    pub fn of(event: &Event) -> Option<(&str, Self)> {
        let Event::NodeFinished {
            name,
            result,
            ms,
            message,
            failure,
            hint,
            log,
            reproducible,
            differences,
            ..
        } = event
        else {
            return None;
        };
        let outcome = Self {
            result: *result,
            ms: *ms,
            message: message.clone(),
            failure: *failure,
            hint: hint.clone(),
            log: log.clone(),
            reproducible: *reproducible,
            differences: differences.clone(),
        };
        Some((name, outcome))
    }

    /// Whether it makes a run fail.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.result == NodeResult::Failed || self.reproducible == Some(false)
    }
}

/// The nodes that ran, in the order in which they started. `entries` are in the order in which they happened.
#[must_use]
pub fn timeline(entries: &[Entry]) -> Vec<NodeRun> {
    let mut runs: Vec<NodeRun> = Vec::new();
    let mut under_way: BTreeMap<&str, usize> = BTreeMap::new();
    let mut free: BTreeSet<usize> = BTreeSet::new();
    let mut slots = 0;
    for entry in entries {
        if let Event::NodeStarted {
            name,
            kind,
            reason,
            expected_ms,
            after,
        } = &entry.event
        {
            let slot = free.pop_first().unwrap_or_else(|| {
                slots += 1;
                slots - 1
            });
            under_way.insert(name, runs.len());
            runs.push(NodeRun {
                name: name.clone(),
                kind: kind.clone(),
                slot,
                start: entry.at,
                end: entry.at,
                reason: reason.clone(),
                expected_ms: *expected_ms,
                after: after.clone(),
                outcome: None,
            });
        }
        if let Some((name, outcome)) = Outcome::of(&entry.event)
            && let Some(at) = under_way.remove(name)
        {
            runs[at].end = entry.at;
            runs[at].outcome = Some(outcome);
            free.insert(runs[at].slot);
        }
    }
    let last = entries.last().map_or(0, |entry| entry.at);
    for at in under_way.into_values() {
        runs[at].end = last;
    }
    runs
}
