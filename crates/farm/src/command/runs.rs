//! What was recorded of runs: `debug history`, `debug trace`, `log last` and its like.

use farm_run_record::{Found, Overview, ReadError, Record, list};
use serde::Serialize;

use super::recording::FOLDER;
use super::{FarmError, Setup};
use crate::workspace::Workspace;

/// Which run is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichRun {
    /// The one with this number.
    Number(u64),
    /// The last one.
    Last,
    /// The last one in which anything ran.
    LastThatRan,
}

/// A run of the workspace's history. The JSON form is a contract: fields may be added, none removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum HistoryLine {
    /// What there is to say of it.
    Run(Overview),
    /// Its record cannot be read.
    Unreadable {
        /// The run's number.
        run: u64,
        /// Why.
        unreadable: String,
    },
}

/// A run and what was recorded of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRun {
    /// Its number.
    pub run: u64,
    /// Its record.
    pub record: Record,
}

/// The runs that are recorded, the last one first.
///
/// # Errors
///
/// The user's: no workspace. The environment's: the records cannot be listed.
pub fn history(setup: &Setup) -> Result<Vec<HistoryLine>, FarmError> {
    let line = |found: &Found| match Record::open(&found.path) {
        Ok(record) => HistoryLine::Run(Overview::of(found.number, &record)),
        Err(error) => HistoryLine::Unreadable {
            run: found.number,
            unreadable: error.to_string(),
        },
    };
    Ok(records(setup)?.iter().rev().map(line).collect())
}

/// The record of one run.
///
/// # Errors
///
/// The user's: there is no such run. The environment's: its record cannot be read.
pub fn recorded_run(setup: &Setup, which: WhichRun) -> Result<RecordedRun, FarmError> {
    let records = records(setup)?;
    let found = match which {
        WhichRun::Number(number) => {
            let found = records.iter().find(|found| found.number == number);
            found.ok_or_else(|| {
                FarmError::input(format!("no run {number} is recorded"))
                    .hint("`farm debug history` lists those that are")
            })?
        }
        WhichRun::Last => records.last().ok_or_else(nothing_recorded)?,
        WhichRun::LastThatRan => return last_that_ran(&records),
    };
    open(found)
}

/// Records that cannot be read are passed over: they are in nobody's way.
fn last_that_ran(records: &[Found]) -> Result<RecordedRun, FarmError> {
    if records.is_empty() {
        return Err(nothing_recorded());
    }
    let ran = |run: &RecordedRun| Overview::of(run.run, &run.record).did_something();
    let candidates = records.iter().rev().filter(|found| !found.idle);
    candidates
        .filter_map(|found| open(found).ok())
        .find(ran)
        .ok_or_else(|| {
            FarmError::input("in none of the runs that are recorded did anything run")
                .hint("`farm debug history` lists them")
        })
}

fn nothing_recorded() -> FarmError {
    FarmError::input("no run is recorded here").hint("`farm build` records what it does")
}

fn records(setup: &Setup) -> Result<Vec<Found>, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    Ok(list(&workspace.state().join(FOLDER))?)
}

fn open(found: &Found) -> Result<RecordedRun, FarmError> {
    match Record::open(&found.path) {
        Ok(record) => Ok(RecordedRun {
            run: found.number,
            record,
        }),
        Err(error) => {
            let failed = FarmError::environment(format!("the record of run {} cannot be read: {error}", found.number));
            Err(match error {
                ReadError::Newer { .. } => failed.hint("use that newer farm"),
                ReadError::NoHeader | ReadError::Io(_) => failed,
            })
        }
    }
}
