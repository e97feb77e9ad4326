//! The stanza of one package.

use std::collections::BTreeSet;

use crate::depstring::{DepString, DepStringError, Kind};
use crate::gpkg::{ErrorKind, Metadata, folded};

use super::{FileDigests, Stanza};

/// What an index says about the file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFile<'a> {
    /// Relative to the folder of the index.
    pub path: &'a str,
    /// Modification time in seconds since the epoch. Clients give their download this time.
    pub mtime: u64,
    /// Size and digests of its bytes.
    pub digests: &'a FileDigests,
}

/// Why a package cannot be put into an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A metadata value that names the package is missing.
    #[error("the package has no `{0}` in its metadata")]
    Missing(&'static str),
    /// A dependency string of the package does not parse.
    #[error("{key}: {error}")]
    DepString {
        /// The metadata key.
        key: &'static str,
        /// What is wrong with its value.
        error: DepStringError,
    },
}

impl EntryError {
    /// Tells whose fault this is: always the package's.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

/// The metadata that an entry shows, by internal name: those that `emaint binhost --fix` writes, so neither DESCRIPTION
/// nor REPO_REVISIONS.
const KEYS: &[&str] = &[
    "BDEPEND",
    "BUILD_ID",
    "BUILD_TIME",
    "CHOST",
    "DEFINED_PHASES",
    "DEPEND",
    "EAPI",
    "IDEPEND",
    "IUSE",
    "KEYWORDS",
    "LICENSE",
    "PDEPEND",
    "PROPERTIES",
    "PROVIDES",
    "RDEPEND",
    "repository",
    "REQUIRES",
    "RESTRICT",
    "SLOT",
    "USE",
    "USER_PATCHES",
];

/// The values whose USE conditionals are decided, and what their leaves are.
const EVALUATED: &[(&str, Kind)] = &[
    ("BDEPEND", Kind::Atoms),
    ("DEPEND", Kind::Atoms),
    ("IDEPEND", Kind::Atoms),
    ("LICENSE", Kind::Words),
    ("PDEPEND", Kind::Atoms),
    ("PROPERTIES", Kind::Words),
    ("RDEPEND", Kind::Atoms),
    ("RESTRICT", Kind::Words),
];

/// Makes the stanza of a package from its metadata and its file.
///
/// Values are folded, the dependency strings decided by the package's own USE.
pub fn entry_for(metadata: &Metadata, file: &EntryFile<'_>) -> Result<Stanza, EntryError> {
    let name = |key: &'static str| {
        Some(folded(metadata, key))
            .filter(|value| !value.is_empty())
            .ok_or(EntryError::Missing(key))
    };
    let mut stanza = Stanza::new();
    stanza.insert("CPV".to_owned(), format!("{}/{}", name("CATEGORY")?, name("PF")?));
    for key in KEYS {
        stanza.insert((*key).to_owned(), folded(metadata, key));
    }
    if stanza["EAPI"].is_empty() {
        stanza.insert("EAPI".to_owned(), "0".to_owned());
    }
    let enabled: BTreeSet<String> = stanza["USE"].split(' ').map(str::to_owned).collect();
    for (key, kind) in EVALUATED {
        let parsed = DepString::parse(&stanza[*key], *kind).map_err(|error| EntryError::DepString { key, error })?;
        stanza.insert(
            (*key).to_owned(),
            parsed.reduce(|flag| enabled.contains(flag)).to_string(),
        );
    }
    stanza.insert("MD5".to_owned(), file.digests.md5.clone());
    stanza.insert("PATH".to_owned(), file.path.to_owned());
    stanza.insert("SHA1".to_owned(), file.digests.sha1.clone());
    stanza.insert("SIZE".to_owned(), file.digests.size.to_string());
    stanza.insert("_mtime_".to_owned(), file.mtime.to_string());
    Ok(stanza)
}
