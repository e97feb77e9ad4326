//! What is known of a run so far: events folded into one state, without a clock of its own.

use std::time::Duration;

use farm_engine::{Counts, Event};

/// A node whose action is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    /// Its full name.
    pub(super) name: String,
    /// What it does now.
    pub(super) message: Option<String>,
    /// When it was started, counted from the start of the display.
    pub(super) since: Duration,
    /// How long it took last time.
    pub(super) expected: Option<Duration>,
}

/// A run so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Board {
    /// How many nodes are wanted, as far as is known.
    pub(super) total: u64,
    /// How many ended in which way.
    pub(super) counts: Counts,
    /// What is under way, oldest first.
    pub(super) running: Vec<Running>,
}

impl Board {
    /// Takes in what happened at `now`.
    pub(super) fn apply(&mut self, event: &Event, now: Duration) {
        match event {
            Event::NodesWanted { total } => self.total = *total,
            Event::NodeStarted { name, expected_ms, .. } => self.running.push(Running {
                name: name.clone(),
                message: None,
                since: now,
                expected: expected_ms.map(Duration::from_millis),
            }),
            Event::NodeProgress { name, message } => {
                if let Some(running) = self.running.iter_mut().find(|running| running.name == *name) {
                    running.message = Some(message.clone());
                }
            }
            Event::NodeFinished { name, result, .. } => {
                self.running.retain(|running| running.name != *name);
                self.counts.add(*result);
            }
            Event::Note { .. } => {}
            Event::BuildFinished { .. } => self.running.clear(),
        }
    }

    /// How many nodes are settled.
    pub(super) fn done(&self) -> u64 {
        let Counts {
            built,
            cached,
            cutoff,
            failed,
            skipped,
        } = self.counts;
        built + cached + cutoff + failed + skipped
    }
}
