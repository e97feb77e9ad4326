//! The workspace's files, with somebody who is told of every path before it is looked at.

use camino::{Utf8Path, Utf8PathBuf};

/// Where files are read. All reading of the workspace takes its paths from here, so that whoever watches knows everything that a
/// manifest came from, also what was missing.
#[derive(Clone, Copy)]
pub(crate) struct Disk<'a> {
    workspace: &'a Utf8Path,
    watch: &'a dyn Fn(&Utf8Path),
}

impl<'a> Disk<'a> {
    pub(crate) fn new(workspace: &'a Utf8Path, watch: &'a dyn Fn(&Utf8Path)) -> Self {
        Self { workspace, watch }
    }

    /// The full path of what is about to be looked at: a file, a link, or a folder whose names are read.
    pub(crate) fn at(&self, path: impl AsRef<Utf8Path>) -> Utf8PathBuf {
        let path = self.workspace.join(path);
        (self.watch)(&path);
        path
    }
}
