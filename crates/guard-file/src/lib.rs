//! The append-only record of what every node was made from and what it made.
//!
//! One file, checksummed records, one writer. It survives being killed at any byte: what was not written whole is dropped at
//! the next start, and said so ([`Opened::dropped_bytes`]). A file of a newer format is never written over
//! ([`OpenError::Newer`]), and no damage makes farm start over silently.
//!
//! # Invariants
//!
//! * A record is durable when [`GuardStore::record`] returns.
//! * Only the holder of the workspace's lock opens the file for writing; readers need no lock.
//! * Records are only ever appended, except by compaction, which replaces the file in one rename.
//!
//! [`GuardStore::record`]: farm_engine::GuardStore::record

mod compact;
mod file;
mod format;
mod index;

pub use file::{GuardFile, Mode, OpenError, Opened};
