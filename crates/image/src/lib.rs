//! Trees to reproducible tars, layers and docker archives.
//!
//! An [`Index`] says what a whole file system holds without holding the contents. [`diff`] compares one with a tar stream of
//! a later state and writes the canonical difference as an OCI layer; [`full_layer`] does the same against nothing;
//! [`apply`] says what a root looks like with a layer on top, and [`SavedTree`] what an image's layers are together; [`ImageConfig`] and [`docker_archive`] make an image of layers.
//!
//! The same trees give the same bytes, whoever recorded them and in whatever order: entries are sorted, times are the epoch
//! given, owners are numbers, and of the extended attributes only `security.capability` is kept.
//!
//! Paths are relative to the root of the file system, without a leading `/`. They compare component by component, so a folder
//! comes before what it holds and what it holds comes before its neighbours. The root itself is no entry: whoever unpacks
//! makes it.

mod apply;
mod archive;
mod codec;
mod entry;
mod exclusions;
mod index;
mod layer;
mod oci;
mod plan;
mod pyc;
mod saved;
mod scan;
mod sha256;
mod tar_read;
mod tar_write;
mod tree_tar;

pub use apply::apply;
pub use archive::{ArchiveError, ArchiveLayer, docker_archive};
pub use codec::DecodeError;
pub use entry::{Entry, EntryKind};
pub use exclusions::Exclusions;
pub use index::{Index, Scanned};
pub use layer::{Diff, LayerError, LayerInfo, LayerOptions, diff, full_layer};
pub use oci::ImageConfig;
pub use pyc::restamped as restamped_python;
pub use saved::{Decompress, SavedError, SavedTree};
pub use sha256::{ParseSha256Error, Sha256, Sha256Writer};
pub use tar_read::TarError;
pub use tree_tar::{FileSource, Parents, TreeNode, TreeTarError, tree_tar};

#[cfg(test)]
mod proptests;
