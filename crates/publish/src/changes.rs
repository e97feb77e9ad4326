//! What a publication does to the instances.

use std::collections::BTreeSet;

use crate::record::{Instance, Record};
use crate::{Published, Refused};

/// What happens to the instances.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) released: bool,
    /// Client files of the release in force were gone or damaged, and are whole again.
    pub(crate) mended: bool,
    pub(crate) added: Vec<String>,
    pub(crate) restored: Vec<String>,
    pub(crate) kept: usize,
    pub(crate) held: Vec<String>,
    pub(crate) dropped: Vec<String>,
}

impl Changes {
    pub(crate) fn note_dropped(&mut self, base: Option<&Record>, instances: &[Instance]) {
        let listed: BTreeSet<&str> = instances.iter().map(|instance| instance.path.as_str()).collect();
        let former = base.into_iter().flat_map(|base| &base.packages);
        self.dropped = former
            .filter(|instance| !listed.contains(instance.path.as_str()))
            .map(Instance::name)
            .collect();
    }

    pub(crate) fn published(mut self, index: blake3::Hash, refused: Vec<Refused>) -> Published {
        self.added.sort_unstable();
        self.restored.sort_unstable();
        self.held.sort_unstable();
        self.dropped.sort_unstable();
        Published {
            changed: self.released || self.mended || !self.restored.is_empty(),
            index,
            added: self.added,
            restored: self.restored,
            kept: self.kept,
            held: self.held,
            dropped: self.dropped,
            refused,
        }
    }
}
