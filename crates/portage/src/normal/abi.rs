//! The ABI of an image, as its entries pass by.

use std::collections::BTreeMap;

use crate::abi::{Fact, Finding, PackageAbi, looks_alike};
use crate::gpkg::{EntryKind, ImageEntry};

/// Collects what counts of an image.
#[derive(Default)]
pub(super) struct ImageAbi {
    facts: BTreeMap<String, Fact>,
    /// Of every file, what was found in it and the digest of its bytes: a hard link may come, and has no bytes of its own.
    files: BTreeMap<String, (Option<Finding>, blake3::Hash)>,
}

impl ImageAbi {
    /// Adds a regular file: what a look at it came to, if one was wanted, and the digest of its bytes.
    pub(super) fn add_file(&mut self, path: &str, finding: Option<Finding>, content: blake3::Hash) {
        self.files.insert(path.to_owned(), (finding, content));
        let fact = Fact::of_file(path, finding, content);
        self.facts.extend(fact.map(|fact| (path.to_owned(), fact)));
    }

    /// Adds what has no bytes of its own.
    pub(super) fn add_other(&mut self, entry: &ImageEntry) {
        match &entry.kind {
            EntryKind::File | EntryKind::Directory => {}
            EntryKind::Symlink { target } => {
                let fact = Fact::of_link(&entry.path, target);
                self.facts.extend(fact.map(|fact| (entry.path.clone(), fact)));
            }
            EntryKind::HardLink { target } => {
                if let Some(&(finding, content)) = self.files.get(target) {
                    // What was looked for under the other name may not be what this one stands for.
                    let is_same = looks_alike(target, &entry.path);
                    self.add_file(&entry.path, finding.filter(|_| is_same), content);
                }
            }
        }
    }

    pub(super) fn finish(&self) -> PackageAbi {
        PackageAbi::of(self.facts.iter().map(|(path, fact)| (path.as_str(), *fact)))
    }
}
