//! The append-only record of what every node was made from and what it made.
//!
//! One file, checksummed records, one writer. It survives being killed at any byte: what was not written whole is dropped at
//! the next start, and said so ([`Opened::torn_bytes`]). What is damaged further in is left out and named
//! ([`Opened::damaged`]), and everything after it is kept. A file of a newer format is never written over
//! ([`OpenError::Newer`]), and no damage makes farm start over silently.
//!
//! Opening reads the file once, or only what was appended since its index was written beside it. Guards stay on the disk until
//! they are asked for.
//!
//! # Invariants
//!
//! * A record outlives the process when [`GuardStore::record`] returns. It outlives the machine's stop at once if its build took
//!   a second or more, else at the latest with the first record that is written a second later, or when the file is closed: a
//!   thousand short tasks must not wait for a thousand flushes, and what is lost is built again in a moment.
//! * Only the holder of the workspace's lock opens the file for writing; readers need no lock.
//! * Records are only ever appended, except by compaction, which replaces the file in one rename. It keeps of every node the last
//!   five keys, and whatever was used in the last 30 days.
//! * Nothing is believed that does not have its checksum, whenever it is read.
//!
//! [`GuardStore::record`]: farm_engine::GuardStore::record

mod compact;
mod file;
mod format;
mod index;
mod open;
mod scan;
mod stamp;
mod table;

pub use compact::KEEP_MS;
pub use file::{Entry, GuardFile, Opened, Retention};
pub use open::{Mode, OpenError};
pub use scan::Damage;
pub use stamp::{STAMP_LEN, Stamp};
