//! The two digests of a package: what dependants can see of it, and all of it.

use crate::digest::FieldHasher;
use crate::environment::{Environment, EnvironmentError};
use crate::environment_rules;
use crate::gpkg::{EntryKind, ImageEntry, Metadata, folded};

use super::metadata::ENVIRONMENT;

/// The metadata that a dependant's build can see or that decides how Portage resolves against the installed package.
///
/// CATEGORY and PF are among them because `has_version` and the folder of the package database show them.
pub const INTERFACE_METADATA: &[&str] = &[
    "CATEGORY", "PF", "SLOT", "USE", "IUSE", "EAPI", "DEPEND", "BDEPEND", "RDEPEND", "PDEPEND", "IDEPEND", "PROVIDES",
    "REQUIRES",
];

/// The phases that run when a package is merged into a build root, by their names in DEFINED_PHASES.
const MERGE_PHASES: &[&str] = &["postinst", "preinst", "setup"];

/// Sums up the entries of an image, without times, in the order they are given.
pub(super) struct ImageDigest(FieldHasher);

impl ImageDigest {
    pub(super) fn new() -> Self {
        Self(FieldHasher::new("farm-portage 2026-11 package image v1"))
    }

    /// Adds an entry; `content` is the digest of a file's bytes.
    pub(super) fn add(&mut self, entry: &ImageEntry, content: Option<blake3::Hash>) {
        let (kind, target) = match &entry.kind {
            EntryKind::File => (0, ""),
            EntryKind::Directory => (1, ""),
            EntryKind::Symlink { target } => (2, target.as_str()),
            EntryKind::HardLink { target } => (3, target.as_str()),
        };
        self.0
            .text(&entry.path)
            .number(kind)
            .text(target)
            .number(entry.mode.into())
            .number(entry.uid)
            .number(entry.gid)
            .text(&entry.uname)
            .text(&entry.gname)
            .bytes(content.as_ref().map_or(&[], |hash| hash.as_bytes()));
    }

    pub(super) fn finish(&self) -> blake3::Hash {
        self.0.finish()
    }
}

/// What a dependant's build can see.
pub(super) fn interface(image: blake3::Hash, metadata: &Metadata) -> Result<blake3::Hash, EnvironmentError> {
    let mut hasher = FieldHasher::new("farm-portage 2026-11 package interface v1");
    hasher.bytes(image.as_bytes());
    for key in INTERFACE_METADATA {
        hasher.text(key).text(&folded_set(key, metadata));
    }
    let phases = folded(metadata, "DEFINED_PHASES");
    let runs_code = phases.split(' ').any(|phase| MERGE_PHASES.contains(&phase));
    match metadata.get(ENVIRONMENT).filter(|_| runs_code) {
        Some(compressed) => {
            let mut environment = Environment::parse_bz2(compressed)?;
            environment_rules::reduce_to_interface(&mut environment);
            hasher.number(1).bytes(&environment.to_bytes());
        }
        None => {
            hasher.number(0);
        }
    }
    Ok(hasher.finish())
}

/// Everything of the normal form, uncompressed. `metadata` must be in normal form.
pub(super) fn payload(
    image: blake3::Hash,
    metadata: &Metadata,
    prefix: &str,
    epoch: u64,
) -> Result<blake3::Hash, EnvironmentError> {
    let mut hasher = FieldHasher::new("farm-portage 2026-11 package payload v1");
    hasher
        .bytes(image.as_bytes())
        .text(prefix)
        .number(epoch)
        .number(metadata.len() as u64);
    for (key, value) in metadata {
        hasher.text(key);
        if key == ENVIRONMENT {
            hasher.bytes(&Environment::parse_bz2(value)?.to_bytes());
        } else {
            hasher.bytes(value);
        }
    }
    Ok(hasher.finish())
}

/// Folds white space, and sorts where the value is a set of words, so that only a difference that means something
/// counts.
fn folded_set(key: &str, metadata: &Metadata) -> String {
    let value = folded(metadata, key);
    if !matches!(key, "USE" | "IUSE") {
        return value;
    }
    let mut words: Vec<&str> = value.split(' ').collect();
    words.sort_unstable();
    words.dedup();
    words.join(" ")
}
