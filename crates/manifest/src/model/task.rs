//! Tasks: `tasks:`.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::Target;
use crate::span::{Span, Spanned};

/// Anything else that is to be done, as a Makefile would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The name.
    pub name: Spanned<String>,
    /// The folder of the manifest that declares it, relative to the workspace. `inputs` and `outputs` are relative to it, and a
    /// task on the host runs in it.
    pub folder: Utf8PathBuf,
    /// Where it runs.
    pub place: Spanned<Place>,
    /// What must be done before. A bare name is a task's if there is one of that name.
    pub needs: Vec<Spanned<Target>>,
    /// Paths or globs that it reads.
    pub inputs: Vec<Spanned<String>>,
    /// What is run.
    pub run: Spanned<Run>,
    /// Paths or globs that it makes. A trailing `/` says that it is a folder.
    pub outputs: Vec<Spanned<String>>,
    /// Its environment besides PATH, HOME, TMPDIR and LC_ALL.
    pub env: BTreeMap<String, Spanned<String>>,
    /// Where the value of this task starts.
    pub span: Span,
}

/// Where a task runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On the host, in [`Task::folder`].
    Host,
    /// In the base.
    Base,
    /// In the binfarm.
    Binfarm,
    /// In the build environment of the subjects.
    Env,
    /// In an image of this farm.
    Image(String),
}

/// What a task runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// A line (or lines) for `/bin/sh -e -c`.
    Shell(String),
    /// A program and its arguments; never empty.
    Arguments(Vec<String>),
}
