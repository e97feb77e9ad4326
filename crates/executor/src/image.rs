//! Images as executors keep them.

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::{CancelToken, ExecutorError};

/// The id of an image: `sha256:` and 64 hexadecimal digits, the digest of its configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageId(pub String);

impl std::fmt::Display for ImageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an engine says about one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// The image's id.
    pub id: ImageId,
    /// The diff ids (`sha256:…` of the uncompressed layer tars), lowest first.
    pub layers: Vec<String>,
    /// `KEY=VALUE` lines of the configuration.
    pub env: Vec<String>,
    /// The entrypoint, empty when there is none.
    pub entrypoint: Vec<String>,
    /// The default command, empty when there is none.
    pub cmd: Vec<String>,
    /// The user, empty for root.
    pub user: String,
    /// The working directory, empty for `/`.
    pub workdir: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `NAME@sha256:…` for every registry it was pulled from or pushed to.
    pub repo_digests: Vec<String>,
    /// `NAME:TAG` names.
    pub tags: Vec<String>,
    /// OCI architecture, `amd64`.
    pub architecture: String,
    /// OCI operating system, `linux`.
    pub os: String,
}

/// Credentials for one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushAuth {
    /// User name.
    pub username: String,
    /// Password or token.
    pub password: String,
}

/// What a push made visible to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedImage {
    /// `NAME:TAG` as pushed.
    pub reference: String,
    /// The manifest's digest, `sha256:…`, by which the image can be pulled for ever.
    pub digest: String,
}

/// Receives one line about a transfer that takes long.
pub trait Progress {
    /// `line` is a complete sentence fragment without a line break.
    fn progress(&mut self, line: &str);
}

/// The images of an executor.
pub trait ImageStore {
    /// Asks the registry behind `reference` which manifest digest (`sha256:…`) the name has today, without pulling it. A
    /// reference that no registry serves but that the engine holds locally answers with its image id instead.
    fn resolve(&self, reference: &str) -> Result<String, ExecutorError>;

    /// The tags that the registry behind `reference` has of the same name, in no order that means anything.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::Registry`] when the registry cannot be asked, or does not tell.
    fn tags(&self, reference: &str) -> Result<Vec<String>, ExecutorError>;

    /// Makes `reference` (`NAME@sha256:…`, or a local image id) available and returns what it is. Nothing is transferred
    /// when the engine has it.
    fn pull(
        &self,
        reference: &str,
        progress: &mut dyn Progress,
        cancel: &CancelToken,
    ) -> Result<ImageInfo, ExecutorError>;

    /// What the engine knows of an image given by id, tag or digest; `None` when it has no such image.
    fn inspect(&self, image: &str) -> Result<Option<ImageInfo>, ExecutorError>;

    /// The ids of all images that carry the label `label` with this value (any value for `None`).
    fn list_labelled(&self, label: &str, value: Option<&str>) -> Result<Vec<ImageId>, ExecutorError>;

    /// Loads a docker-archive. Layers the engine already has may be missing from it. Returns whether the engine took it:
    /// `false` means that a left-out layer is unknown to it and the caller must send a complete archive.
    fn load(&self, archive: &mut (dyn Read + Send)) -> Result<bool, ExecutorError>;

    /// Gives an image a further name.
    fn tag(&self, image: &ImageId, reference: &str) -> Result<(), ExecutorError>;

    /// Pushes a tagged image and returns the digest the registry gave it.
    fn push(
        &self,
        reference: &str,
        progress: &mut dyn Progress,
        cancel: &CancelToken,
    ) -> Result<PushedImage, ExecutorError>;

    /// Removes an image by id or name (all its tags); an image that is not there is not an error.
    fn remove_image(&self, image: &str) -> Result<(), ExecutorError>;

    /// Streams an image as a docker-archive with all its layers, as `docker save` gives it. Unlike [`read_path`](Self::read_path) this is what
    /// the image holds, and not what a container of it would show.
    fn save(
        &self,
        image: &ImageId,
        sink: &mut dyn FnMut(&mut dyn Read) -> std::io::Result<()>,
    ) -> Result<(), ExecutorError>;

    /// Streams a path of an image's file system as a tar: `/` is the whole root. Nothing of the image is run.
    ///
    /// Entry names are relative to the parent of `path` (as `docker cp` gives them), for `/` relative to the root.
    fn read_path(
        &self,
        image: &ImageId,
        path: &str,
        sink: &mut dyn FnMut(&mut dyn Read) -> std::io::Result<()>,
    ) -> Result<(), ExecutorError>;
}
