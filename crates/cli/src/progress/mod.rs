//! What people and programs see of a run: readers of the engine's one stream of events, none of which can fail a build.

mod board;
mod display;
mod frame;
mod json;
mod lines;
mod tail;

pub(crate) use display::{Display, Mode};
pub(crate) use json::JsonLines;
pub(crate) use lines::change_words;

use farm_engine::{Event, EventSink};

/// Gives every event to two readers in turn.
pub(crate) struct Both<'a>(pub(crate) &'a dyn EventSink, pub(crate) &'a dyn EventSink);

impl EventSink for Both<'_> {
    fn event(&self, event: &Event) {
        self.0.event(event);
        self.1.event(event);
    }
}
