//! One event a line, for programs.

use std::sync::{Mutex, PoisonError};

use farm_engine::{Event, EventSink};

use crate::output::Results;

/// Writes events to standard output as JSON lines.
pub(crate) struct JsonLines<'a>(Mutex<&'a mut Results>);

impl<'a> JsonLines<'a> {
    /// Writes to `results`.
    pub(crate) fn new(results: &'a mut Results) -> Self {
        Self(Mutex::new(results))
    }
}

impl EventSink for JsonLines<'_> {
    fn event(&self, event: &Event) {
        // An event is plain data that always has a rendering; one that had none would be no reason to fail a build.
        if let Ok(line) = serde_json::to_string(event) {
            let mut results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            results.line(&line);
            // Whoever reads along wants to see an event when it happens.
            results.flush();
        }
    }
}
