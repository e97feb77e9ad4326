//! Entries of the database of installed packages (`/var/db/pkg/CATEGORY/PF`).

mod contents;
mod installed;
mod record;

pub use contents::{ContentsEntry, ContentsError, parse_contents};
pub use installed::{Installed, InstalledError};
pub use record::{Merged, merged_record};
