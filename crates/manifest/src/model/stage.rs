//! Stages: `stages:`.

use camino::Utf8PathBuf;

use super::ImageFrom;
use crate::span::{Span, Spanned};

/// A root file system that is packed into an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The name.
    pub name: Spanned<String>,
    /// What it starts from.
    pub from: Spanned<ImageFrom>,
    /// The subjects whose packages, with their runtime closure, are in it.
    pub subjects: Vec<Spanned<String>>,
    /// The kernel that is put in. Not built yet: a stage that has one is not built either.
    pub kernel: Option<Spanned<String>>,
    /// Programs run in it, in this order; paths relative to the workspace.
    pub scripts: Vec<Spanned<Utf8PathBuf>>,
    /// Paths and globs of what is left out, relative to the root of the file system.
    pub remove: Vec<Spanned<String>>,
    /// The key that signs it, as people name it.
    pub sign: Option<Spanned<String>>,
    /// Where the value of this stage starts.
    pub span: Span,
}
