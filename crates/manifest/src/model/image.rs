//! Images: `images:`.

use std::collections::BTreeMap;

use crate::span::{Span, Spanned};

/// An image put together from a base and packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The name.
    pub name: Spanned<String>,
    /// What it starts from.
    pub from: Spanned<ImageFrom>,
    /// The subjects whose packages, with their runtime closure, are in it.
    pub subjects: Vec<Spanned<String>>,
    /// What is left out.
    pub strip: Vec<Spanned<Strip>>,
    /// The OCI entrypoint.
    pub entrypoint: Vec<Spanned<String>>,
    /// The OCI command.
    pub cmd: Vec<Spanned<String>>,
    /// Environment variables of the OCI configuration.
    pub env: BTreeMap<String, Spanned<String>>,
    /// The user of the OCI configuration.
    pub user: Option<Spanned<String>>,
    /// The working directory of the OCI configuration.
    pub workdir: Option<Spanned<String>>,
    /// The labels of the OCI configuration.
    pub labels: BTreeMap<String, Spanned<String>>,
    /// Where the value of this image starts.
    pub span: Span,
}

/// What an image starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageFrom {
    /// The farm's base.
    Base,
    /// The binfarm root.
    Binfarm,
    /// Another image of this farm.
    Image(String),
    /// An image of a registry, `NAME:TAG` or `NAME@sha256:DIGEST`; the lock file pins the former.
    Reference(String),
}

/// What is left out of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strip {
    /// The ebuild repositories under `/var/db/repos`.
    Repos,
    /// Documentation: `/usr/share/{doc,gtk-doc,info,man}`.
    Docs,
}
