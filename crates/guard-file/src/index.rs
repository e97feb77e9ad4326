//! Which guard stands where in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use farm_engine::Key;

use crate::format::{HEADER_LEN, Payload, parse, read_record};

/// One guard of a node.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) duration_ms: u64,
    pub(crate) used_ms: u64,
    /// Its JSON in the file.
    pub(crate) json: Range<usize>,
}

/// For every node its guards, one a key, the one used last at the end.
#[derive(Debug, Default)]
pub(crate) struct Index {
    nodes: BTreeMap<Box<str>, Vec<Entry>>,
    /// Records that a compaction would leave out.
    pub(crate) dead: usize,
    pub(crate) live: usize,
    /// Where the last record begins; 0 when there is none.
    pub(crate) last: usize,
}

impl Index {
    /// Reads all records and says where the last whole one ends.
    pub(crate) fn read(bytes: &[u8]) -> (Self, usize) {
        let mut index = Self::default();
        let mut at = HEADER_LEN;
        while let Some((payload, next)) = read_record(bytes, at) {
            if let Some(payload_parts) = parse(payload) {
                index.add(&payload_parts, next);
            }
            index.last = at;
            at = next;
        }
        (index, at)
    }

    /// Takes in a payload whose record ends at `end` in the file.
    pub(crate) fn add(&mut self, payload: &Payload<'_>, end: usize) {
        match payload {
            Payload::Guard {
                key,
                duration_ms,
                used_ms,
                node,
                json,
            } => {
                let entries = self.nodes.entry((*node).into()).or_default();
                let before = entries.len();
                entries.retain(|entry| entry.key != *key);
                self.dead += before - entries.len();
                self.live += 1 - (before - entries.len());
                entries.push(Entry {
                    key: *key,
                    duration_ms: *duration_ms,
                    used_ms: *used_ms,
                    json: end - json.len()..end,
                });
            }
            Payload::Used { key, used_ms, node } => {
                self.dead += 1;
                if let Some(entries) = self.nodes.get_mut(*node)
                    && let Some(at) = entries.iter().position(|entry| entry.key == *key)
                {
                    let mut entry = entries.remove(at);
                    entry.used_ms = *used_ms;
                    entries.push(entry);
                }
            }
            Payload::Unknown => {}
        }
    }

    pub(crate) fn find(&self, node: &str, key: &Key) -> Option<&Entry> {
        self.nodes.get(node)?.iter().find(|entry| entry.key == *key)
    }

    pub(crate) fn newest(&self, node: &str) -> Option<&Entry> {
        self.nodes.get(node)?.last()
    }

    /// The guards of one node.
    pub(crate) fn of(&self, node: &str) -> &[Entry] {
        self.nodes.get(node).map_or(&[], Vec::as_slice)
    }

    /// All nodes and their guards.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[Entry])> {
        self.nodes.iter().map(|(node, entries)| (&**node, &**entries))
    }
}
