//! Where outputs are, in the words that guards keep.

use std::collections::BTreeMap;

use farm_engine::{Digest, Failure, FailureKind, Guard, Output};
use farm_executor::ImageId;
use farm_store::Blob;
use serde::{Deserialize, Serialize};

use crate::rules::stage::PlacedStage;

/// Where an output is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "kebab-case")]
pub enum Place {
    /// Nowhere: the digest is all there is.
    Nowhere,
    /// A blob of the store.
    Store {
        /// The blob.
        blob: Blob,
    },
    /// Several blobs of the store that belong together, by name.
    Blobs {
        /// The blobs.
        blobs: BTreeMap<String, Blob>,
    },
    /// An image of the executor.
    Image {
        /// Its id.
        id: ImageId,
        /// The name it was given, if any: without it, the image may be pruned by others.
        tag: Option<String>,
    },
    /// Nowhere, and only as long as the engine's machine has this processor.
    Processor {
        /// What compilers look at of it.
        processor: Digest,
        /// The root that was asked, and can be asked again.
        root: ImageId,
    },
    /// Files outside the store, with copies in it.
    Files {
        /// What there is, by path relative to `folder`.
        files: BTreeMap<String, KeptFile>,
        /// The folder, relative to the workspace.
        folder: String,
    },
    /// A folder somewhere that says by a file of its own what it holds.
    Published {
        /// The folder, relative to the workspace's state where it lies in it; or the address of a remote.
        to: String,
        /// The digest of the file that says what there is.
        index: Digest,
    },
    /// An archive with its checksum and its signature, in the workspace's state.
    Stage(PlacedStage),
    /// An image in a registry.
    Pushed {
        /// `NAME:TAG`.
        reference: String,
        /// The manifest's digest, `sha256:…`.
        digest: String,
    },
}

/// A file that a node left somewhere and keeps a copy of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum KeptFile {
    /// A regular file.
    File {
        /// Its content.
        blob: Blob,
        /// Whether it can be executed.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// Its target.
        target: String,
    },
}

impl Place {
    /// The blobs of the store that it needs.
    pub fn blobs(&self) -> Vec<&Blob> {
        match self {
            Self::Store { blob } => vec![blob],
            Self::Blobs { blobs } => blobs.values().collect(),
            Self::Files { files, .. } => files
                .values()
                .filter_map(|file| match file {
                    KeptFile::File { blob, .. } => Some(blob),
                    KeptFile::Link { .. } => None,
                })
                .collect(),
            Self::Nowhere
            | Self::Image { .. }
            | Self::Processor { .. }
            | Self::Published { .. }
            | Self::Stage(_)
            | Self::Pushed { .. } => Vec::new(),
        }
    }

    /// As guards keep it.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As guards kept it. `None` for a text no version of farm wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// An output with this place.
    #[must_use]
    pub fn output(&self, role: &str, digest: impl Into<Digest>) -> Output {
        Output {
            role: role.to_owned(),
            digest: digest.into(),
            place: self.to_text(),
        }
    }
}

/// The output of `guard` with this role.
///
/// # Errors
///
/// A bug of ours: rules and their dependants disagree.
pub fn output<'a>(guard: &'a Guard, role: &str) -> Result<&'a Output, Failure> {
    guard
        .outputs
        .iter()
        .find(|output| output.role == role)
        .ok_or_else(|| Failure::new(FailureKind::Bug, format!("{} has no output called {role}", guard.node)))
}

/// The blob of the output with this role.
pub fn blob(guard: &Guard, role: &str) -> Result<Blob, Failure> {
    match Place::parse(&output(guard, role)?.place) {
        Some(Place::Store { blob }) => Ok(blob),
        other => Err(misplaced(guard, role, other.as_ref())),
    }
}

/// The blobs of the output with this role.
pub fn blobs(guard: &Guard, role: &str) -> Result<BTreeMap<String, Blob>, Failure> {
    match Place::parse(&output(guard, role)?.place) {
        Some(Place::Blobs { blobs }) => Ok(blobs),
        other => Err(misplaced(guard, role, other.as_ref())),
    }
}

/// The image of the output with this role.
pub fn image(guard: &Guard, role: &str) -> Result<ImageId, Failure> {
    match Place::parse(&output(guard, role)?.place) {
        Some(Place::Image { id, .. }) => Ok(id),
        other => Err(misplaced(guard, role, other.as_ref())),
    }
}

fn misplaced(guard: &Guard, role: &str, place: Option<&Place>) -> Failure {
    Failure::new(
        FailureKind::Bug,
        format!("{} keeps {role} in an unexpected place: {place:?}", guard.node),
    )
}
