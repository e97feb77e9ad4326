//! Entries of the database of installed packages (`/var/db/pkg/CATEGORY/PF`).

mod contents;
mod installed;

pub use contents::{ContentsEntry, ContentsError, parse_contents};
pub use installed::{Installed, InstalledError};
