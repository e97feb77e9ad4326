//! The record of one node built with one key.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Digest, Input, Key, Reason};

/// An input as it was recorded.
pub type RecordedInput = Input;

/// One thing a node made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The name dependants use for it: `interface`, `payload`, `image`.
    pub role: String,
    /// Digest of its normalised content: what enters the keys of dependants.
    pub digest: Digest,
    /// Where it is, in the driver's own words. Never part of a key.
    pub place: String,
}

/// What a node was made from and what it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The node's full name.
    pub node: String,
    /// The key it was built with.
    pub key: Key,
    /// Every input that was hashed to the key, in that order: see [`crate::input::describe`].
    pub inputs: Vec<RecordedInput>,
    /// What it made, as the driver said.
    pub outputs: Vec<Output>,
    /// Why it ran then.
    pub reason: Reason,
    /// When it was started, in milliseconds since 1970.
    pub started_ms: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The version of the program that wrote it.
    pub version: String,
}

/// A guard could not be kept; says why, as a sentence fragment. The environment's fault: a full disk, a folder that is read-only.
#[derive(Debug, Error)]
#[error("cannot record what was built: {0}")]
pub struct GuardError(pub String);

/// Keeps guards, looked up by node and key.
///
/// A store may forget: what it does not find is built again. It never makes up or mixes guards.
pub trait GuardStore: Send + Sync {
    /// The guard of this node with this key; `None` if there is none, or none that can be read.
    fn find(&self, node: &str, key: &Key) -> Option<Guard>;

    /// The guard of this node that was last recorded or found current. What a node is compared with to say why it runs.
    fn newest(&self, node: &str) -> Option<Guard>;

    /// Whether the newest guard of this node has this key.
    fn is_newest(&self, node: &str, key: &Key) -> bool {
        self.newest(node).is_some_and(|guard| guard.key == *key)
    }

    /// How long the newest guard's build took, in milliseconds. Asked of every node of the graph when a run begins and whenever
    /// the graph grows: a store that can tell without reading the whole guard should.
    fn duration_ms(&self, node: &str) -> Option<u64> {
        self.newest(node).map(|guard| guard.duration_ms)
    }

    /// Records a guard, which is the newest of its node from now on and takes the place of one with the same key. It outlives the
    /// process when this returns.
    ///
    /// # Errors
    ///
    /// It was not recorded. The run ends with it: what is built and not recorded would be built for nothing.
    fn record(&self, guard: Guard) -> Result<(), GuardError>;

    /// Notes that the guard with this key is the one in use, so that it becomes the newest. Cheap when it already is. Nothing
    /// happens if there is none.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record).
    fn mark_current(&self, node: &str, key: &Key) -> Result<(), GuardError>;
}

/// Guards in memory, for tests and for embedding the engine without state. It keeps all that it was given, and never fails.
#[derive(Debug, Default)]
pub struct MemoryGuards(Mutex<BTreeMap<String, Vec<Guard>>>);

impl MemoryGuards {
    fn locked<T>(&self, action: impl FnOnce(&mut BTreeMap<String, Vec<Guard>>) -> T) -> T {
        // A panic while the lock is held leaves the map whole: every change is one call.
        action(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl GuardStore for MemoryGuards {
    fn find(&self, node: &str, key: &Key) -> Option<Guard> {
        self.locked(|map| map.get(node)?.iter().find(|guard| guard.key == *key).cloned())
    }

    fn newest(&self, node: &str) -> Option<Guard> {
        self.locked(|map| map.get(node)?.last().cloned())
    }

    fn is_newest(&self, node: &str, key: &Key) -> bool {
        self.locked(|map| map.get(node)?.last().map(|guard| guard.key)) == Some(*key)
    }

    fn duration_ms(&self, node: &str) -> Option<u64> {
        self.locked(|map| map.get(node)?.last().map(|guard| guard.duration_ms))
    }

    fn record(&self, guard: Guard) -> Result<(), GuardError> {
        self.locked(|map| {
            let guards = map.entry(guard.node.clone()).or_default();
            guards.retain(|other| other.key != guard.key);
            guards.push(guard);
        });
        Ok(())
    }

    fn mark_current(&self, node: &str, key: &Key) -> Result<(), GuardError> {
        self.locked(|map| {
            if let Some(guards) = map.get_mut(node)
                && let Some(at) = guards.iter().position(|guard| guard.key == *key)
            {
                guards[at..].rotate_left(1);
            }
        });
        Ok(())
    }
}
