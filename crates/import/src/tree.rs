//! A folder as a map, and one that is being made.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Its content.
        bytes: Vec<u8>,
        /// Its permissions, the lower twelve bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        target: String,
    },
}

impl Entry {
    /// A file that nobody executes.
    pub fn text(text: impl Into<String>) -> Self {
        Self::File {
            bytes: text.into().into_bytes(),
            mode: 0o644,
        }
    }

    /// Its content, if it is a file of text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::File { bytes, .. } => std::str::from_utf8(bytes).ok(),
            Self::Link { .. } => None,
        }
    }
}

/// The files and links of a folder by their path in it, sorted.
pub type Files = BTreeMap<Utf8PathBuf, Entry>;

/// A folder that is read, and which of its files somebody looked after: what nobody did is told of in the end.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    files: &'a Files,
    done: BTreeSet<&'a Utf8Path>,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(files: &'a Files) -> Self {
        Self {
            files,
            done: BTreeSet::new(),
        }
    }

    /// Takes one entry.
    pub(crate) fn take(&mut self, path: &str) -> Option<&'a Entry> {
        let (path, entry) = self.files.get_key_value(Utf8Path::new(path))?;
        self.done.insert(path);
        Some(entry)
    }

    /// Takes the text of one file. A link is followed within the tree.
    pub(crate) fn take_text(&mut self, path: &str) -> Option<&'a str> {
        self.take(path)?;
        self.text(Utf8Path::new(path))
    }

    /// The text of a file, or of the one that a link points to.
    pub(crate) fn text(&self, path: &Utf8Path) -> Option<&'a str> {
        match self.files.get(path)? {
            Entry::Link { target } => self.files.get(&resolve(path, target)?)?.as_text(),
            file @ Entry::File { .. } => file.as_text(),
        }
    }

    /// Takes everything below a folder that nobody took yet: the path from the root of the tree, the path from that folder, the entry.
    pub(crate) fn take_below(&mut self, folder: &str) -> Vec<(&'a Utf8Path, &'a Utf8Path, &'a Entry)> {
        let mut found = Vec::new();
        for (path, entry) in self.files {
            if let Ok(inside) = path.strip_prefix(folder)
                && !inside.as_str().is_empty()
                && self.done.insert(path)
            {
                found.push((path.as_path(), inside, entry));
            }
        }
        found
    }

    /// The names right below a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> BTreeSet<&'a str> {
        let below = self.files.keys().filter_map(|path| path.strip_prefix(folder).ok());
        below
            .filter_map(|inside| inside.components().next())
            .map(|name| name.as_str())
            .collect()
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.contains_key(Utf8Path::new(path))
    }

    /// What nobody took.
    pub(crate) fn left(&self) -> Vec<&'a Utf8Path> {
        let paths = self.files.keys().map(Utf8PathBuf::as_path);
        paths.filter(|path| !self.done.contains(path)).collect()
    }
}

/// Where a link in a tree leads within it.
fn resolve(link: &Utf8Path, target: &str) -> Option<Utf8PathBuf> {
    let mut found = link.parent()?.to_owned();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if !found.pop() {
                    return None;
                }
            }
            name => found.push(name),
        }
    }
    (!target.starts_with('/')).then_some(found)
}
