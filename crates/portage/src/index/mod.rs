//! The `Packages` index of a binhost.
//!
//! The model keeps Portage's *internal* key names (`_mtime_`, `repository`, `DESCRIPTION`); the file has others for
//! three of them. Rendering gives the bytes that `emaint binhost --fix` would write.

mod entry;
mod file_digests;
mod header;
mod text;

pub use entry::{EntryError, EntryFile, entry_for};
pub use file_digests::FileDigests;
pub use header::{HeaderSettings, header};
pub use text::{ParseError, gzip};

use std::collections::BTreeMap;

/// A stanza of a `Packages` file: internal key to value.
pub type Stanza = BTreeMap<String, String>;

/// A `Packages` file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// The first stanza, TIMESTAMP, PACKAGES and VERSION included.
    pub header: Stanza,
    /// One stanza a package instance, complete: with the keys that the file leaves out.
    pub packages: Vec<Stanza>,
}

/// Internal names and the names that the file has for them.
const TRANSLATED: &[(&str, &str)] = &[("DESCRIPTION", "DESC"), ("_mtime_", "MTIME"), ("repository", "REPO")];

/// Keys that a package takes from the header when it has none itself.
const INHERITED: &[&str] = &["CHOST", "repository"];

/// Values that a package has when the file does not say otherwise.
const DEFAULTS: &[(&str, &str)] = &[
    ("BDEPEND", ""),
    ("BUILD_ID", ""),
    ("BUILD_TIME", ""),
    ("DEFINED_PHASES", ""),
    ("DEPEND", ""),
    ("EAPI", "0"),
    ("IDEPEND", ""),
    ("IUSE", ""),
    ("KEYWORDS", ""),
    ("LICENSE", ""),
    ("PATH", ""),
    ("PDEPEND", ""),
    ("PROPERTIES", ""),
    ("PROVIDES", ""),
    ("RDEPEND", ""),
    ("REQUIRES", ""),
    ("RESTRICT", ""),
    ("SLOT", "0"),
    ("USE", ""),
];
