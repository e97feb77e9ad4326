//! Keeping a run: its events go to whoever asked for them, and into its record in `.farm/runs`.
//!
//! Whatever becomes of the record, the command ends as it would without. What went wrong is said once, at the end.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use farm_engine::{Event, EventSink};
use farm_run_record::Recorder;

use super::{FarmError, Setup};

/// Where the records are, in the workspace's state.
pub(super) const FOLDER: &str = "runs";

/// A command under way, perhaps recorded.
pub(super) struct Recording<'a> {
    events: &'a dyn EventSink,
    /// `None` for what only looks.
    recorder: Option<Recorder>,
    /// Where a run goes that is over before it began, as it has nothing to do.
    settled: OnceLock<PathBuf>,
}

impl Recording<'_> {
    /// The engine is about to run in the workspace with this state.
    pub(super) fn begin(&self, state: &Path) {
        if let Some(recorder) = &self.recorder {
            recorder.begin(&state.join(FOLDER));
        }
    }

    /// It need not run: there is nothing to do.
    pub(super) fn settled(&self, state: &Path) {
        // Nobody finds that out twice.
        let _ = self.settled.set(state.join(FOLDER));
    }
}

impl EventSink for Recording<'_> {
    fn event(&self, event: &Event) {
        self.events.event(event);
        if let Some(recorder) = &self.recorder {
            recorder.event(event);
        }
    }
}

/// Carries out a command and keeps its events, unless it `looks` only. It must say when the engine [begins](Recording::begin),
/// or that it [need not](Recording::settled); what does neither leaves no record.
pub(super) fn recorded<T>(
    setup: &Setup,
    looks: bool,
    jobs: usize,
    events: &dyn EventSink,
    command: impl FnOnce(&Recording<'_>) -> Result<T, FarmError>,
) -> Result<T, FarmError> {
    let recording = Recording {
        events,
        recorder: (!looks).then(|| Recorder::new(setup.arguments.clone(), jobs)),
        settled: OnceLock::new(),
    };
    let outcome = command(&recording);
    if let Some(recorder) = recording.recorder {
        let error = outcome.as_ref().err();
        // What fails after somebody asked to stop is but a consequence.
        let stopped = error.is_some() && setup.cancel.is_cancelled();
        let written = match recording.settled.get() {
            Some(folder) => recorder.end_idle(folder),
            None => recorder.end(stopped, error.map(ToString::to_string)),
        };
        if let Err(why) = written {
            let message = format!("this run is not recorded: {why}");
            events.event(&Event::Note { message });
        }
    }
    outcome
}
