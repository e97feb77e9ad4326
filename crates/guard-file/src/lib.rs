//! The append-only record of what every node was made from and what it made.
//!
//! One file, checksummed records, one writer. It survives being killed at any byte: what was not written whole is dropped at
//! the next start, and said so ([`Opened::dropped_bytes`]). A file of a newer format is never written over
//! ([`OpenError::Newer`]), and no damage makes farm start over silently.
//!
//! # Invariants
//!
//! * A record outlives the process when [`GuardStore::record`] returns. It outlives the machine's stop at once if its build took
//!   a second or more, else at the latest with the first record that is written a second later, or when the file is closed: a
//!   thousand short tasks must not wait for a thousand flushes, and what is lost is built again in a moment.
//! * Only the holder of the workspace's lock opens the file for writing; readers need no lock.
//! * Records are only ever appended, except by compaction, which replaces the file in one rename.
//!
//! [`GuardStore::record`]: farm_engine::GuardStore::record

mod compact;
mod file;
mod format;
mod index;
mod stamp;

pub use file::{GuardFile, Mode, OpenError, Opened};
pub use stamp::{STAMP_LEN, Stamp};
