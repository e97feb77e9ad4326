//! The workspace's files, with somebody who is told of every path before it is looked at.

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

/// Where files are read. All reading of the workspace takes its paths from here, so that whoever watches knows everything that a
/// manifest came from, also what was missing.
#[derive(Clone, Copy)]
pub(crate) struct Disk<'a> {
    workspace: &'a Utf8Path,
    watch: &'a dyn Fn(&Utf8Path),
    /// Texts in place of those of files, by their path in the workspace.
    texts: Option<&'a BTreeMap<Utf8PathBuf, String>>,
}

impl<'a> Disk<'a> {
    pub(crate) fn new(workspace: &'a Utf8Path, watch: &'a dyn Fn(&Utf8Path)) -> Self {
        Self {
            workspace,
            watch,
            texts: None,
        }
    }

    /// The same as if these files had these texts.
    pub(crate) fn with_texts(self, texts: &'a BTreeMap<Utf8PathBuf, String>) -> Self {
        Self {
            texts: Some(texts),
            ..self
        }
    }

    /// Reads a file.
    pub(crate) fn read(&self, path: impl AsRef<Utf8Path>) -> io::Result<Vec<u8>> {
        let text = self.texts.and_then(|texts| texts.get(path.as_ref()));
        text.map_or_else(|| fs_err::read(self.at(path)), |text| Ok(text.clone().into_bytes()))
    }

    /// The full path of what is about to be looked at: a file, a link, or a folder whose names are read.
    pub(crate) fn at(&self, path: impl AsRef<Utf8Path>) -> Utf8PathBuf {
        let path = self.workspace.join(path);
        (self.watch)(&path);
        path
    }
}
