//! A run in one line.

use farm_engine::{Counts, Event};
use serde::Serialize;

use crate::format::RunResult;
use crate::read::Record;

/// What there is to say of a run as a whole. Its JSON form is a contract: fields may be added, none removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// The run's number.
    pub run: u64,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// How it ended.
    pub result: RunResult,
    /// How many nodes ended in which way; of a run without an end, as far as is known, and without those that were up to date.
    pub counts: Counts,
    /// How many nodes began to run.
    pub ran: u64,
    /// The command line after the program's name.
    pub words: Vec<String>,
    /// How many jobs could run at once.
    pub jobs: usize,
    /// The version of farm that ran.
    pub farm: String,
    /// What stopped the command, beside failures of nodes.
    pub error: Option<String>,
}

impl Overview {
    /// The run with this number.
    #[must_use]
    pub fn of(run: u64, record: &Record) -> Self {
        let (mut seen, mut told, mut ran) = (Counts::default(), None, 0);
        for entry in &record.entries {
            match &entry.event {
                Event::NodeStarted { .. } => ran += 1,
                Event::NodeFinished { result, .. } => seen.add(*result),
                Event::BuildFinished { counts, .. } => told = Some(*counts),
                _ => {}
            }
        }
        Self {
            run,
            started_ms: record.header.started_ms,
            ms: record.ms(),
            result: record.result(),
            counts: told.unwrap_or(seen),
            ran,
            words: record.header.words.clone(),
            jobs: record.header.jobs,
            farm: record.header.farm.clone(),
            error: record.ending.as_ref().and_then(|ending| ending.error.clone()),
        }
    }

    /// Whether there is more to say of it than that nothing was to do.
    #[must_use]
    pub fn did_something(&self) -> bool {
        self.ran > 0 || self.counts.failed > 0
    }
}
