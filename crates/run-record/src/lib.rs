//! The record of every run: its events on the disk, and what can be told from them afterwards.
//!
//! [`Recorder`] is one more reader of the engine's one stream of events, and [`Record`] reads what it wrote. From the events
//! follow, as pure functions, when which node ran ([`timeline`]), which nodes decided how long the run took
//! ([`critical_path`]), and a file for Perfetto ([`trace`]).
//!
//! # Invariants
//!
//! * Nothing that happens to a record changes what becomes of a run. It is told at the end, once.
//! * Of a record that was cut anywhere, whatever was written before is read. Nobody takes it for whole.
//! * A later farm reads what an earlier one wrote. A record of a later farm is said to be one, and is in nobody's way.

mod critical;
mod folder;
mod format;
mod overview;
mod read;
mod timeline;
mod trace;
mod write;

pub use critical::{Step, critical_path};
pub use folder::{Found, KEPT, KEPT_DAYS, KEPT_IDLE, list};
pub use format::{Ending, Entry, FORMAT, Header, RunResult};
pub use overview::Overview;
pub use read::{ReadError, Record};
pub use timeline::{NodeRun, Outcome, timeline};
pub use trace::trace;
pub use write::{RecordError, Recorder};
