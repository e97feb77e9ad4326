//! What a record's lines are.
//!
//! A record is a file of JSON lines in one zstd frame; `zstdcat` prints it. Format 1:
//!
//! ```text
//! {"farm-run":1,"farm":"0.1.0","words":["build","-j4"],"started_ms":1763683200000,"jobs":4}
//! {"at":12,"event":"node-started","name":"hep:task/a", …}
//! {"at":910,"event":"node-finished","name":"hep:task/a", …}
//! {"at":911,"event":"build-finished","built":1,"cached":7, …}
//! {"at":912,"event":"run-ended","result":"done"}
//! ```
//!
//! The first line is the [`Header`], the last the [`Ending`], which a killed run does not have. Between them is the engine's
//! stream of events as it serialises them, each with the milliseconds since the run began. Left out is what would be most of it
//! and tell least: nodes that were up to date (the end counts them), how many nodes are wanted, and what nodes say while they
//! run (their logs have it). So the record of a run with nothing to do is its header and its end.
//!
//! Fields and events may be added to a format, none removed; a reader passes over events that it does not know.

use farm_engine::{Event, NodeResult};
use serde::{Deserialize, Serialize};

/// The format that is written. A number is added when an earlier reader would misunderstand.
pub const FORMAT: u32 = 1;

/// The first line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The record's format.
    #[serde(rename = "farm-run")]
    pub format: u32,
    /// The version of farm that ran.
    pub farm: String,
    /// The command line after the program's name.
    pub words: Vec<String>,
    /// When the run began, in milliseconds since 1970.
    pub started_ms: u64,
    /// How many jobs could run at once.
    pub jobs: usize,
}

/// A line between the first and the last: something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds since the run began.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// The last line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// When, in milliseconds since the run began.
    pub at: u64,
    /// Always `run-ended`.
    pub(crate) event: RunEnded,
    /// How the run ended.
    pub result: RunResult,
    /// What stopped the command, beside failures of nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Says that a line is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RunEnded {
    #[serde(rename = "run-ended")]
    RunEnded,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// Everything wanted is up to date.
    Done,
    /// A node failed or was not reproducible, or the command could not go on.
    Failed,
    /// It was asked to stop.
    Interrupted,
    /// Its record has no end. Never written.
    Killed,
    /// Its record has no end yet. Never written.
    Running,
}

impl RunResult {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Killed => "killed",
            Self::Running => "running",
        }
    }
}

impl Ending {
    pub(crate) fn new(at: u64, result: RunResult, error: Option<String>) -> Self {
        Self {
            at,
            event: RunEnded::RunEnded,
            result,
            error,
        }
    }
}

/// Whether an event is kept.
pub(crate) fn keeps(event: &Event) -> bool {
    !matches!(
        event,
        Event::NodesWanted { .. }
            | Event::NodeProgress { .. }
            | Event::NodeFinished {
                result: NodeResult::Cached,
                ..
            }
    )
}
