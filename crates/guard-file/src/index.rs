//! Which guard stands where in the file.
//!
//! A row has no name and no key, only eight bytes of a digest of each, so that a hundred thousand guards need five megabytes.
//! Whoever takes a guard at a row's place looks whether it is the one meant.

use std::collections::BTreeMap;

use farm_engine::Key;

use crate::format::{HEADER_LEN, Payload, RECORD_HEADER_LEN, parse};
use crate::stamp::Stamp;

/// Rows that changed are kept apart until there are so many.
const FOLD_AT: usize = 1 << 15;

/// One guard of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// See [`node_tag`].
    pub(crate) node: u64,
    /// See [`key_tag`].
    pub(crate) key: u64,
    /// Where its record begins.
    pub(crate) at: u64,
    pub(crate) used_ms: u64,
    /// How long the payload is.
    pub(crate) len: u32,
    /// How long the build took; no longer than seven weeks, which is enough to say what to start first.
    pub(crate) duration_ms: u32,
    /// The higher, the later it was used.
    pub(crate) order: u32,
}

impl Row {
    fn record_len(&self) -> u64 {
        u64::from(self.len) + RECORD_HEADER_LEN as u64
    }
}

/// What stands for a node's name.
pub(crate) fn node_tag(node: &str) -> u64 {
    first_eight(blake3::hash(node.as_bytes()).as_bytes())
}

/// What stands for a key.
pub(crate) fn key_tag(key: &Key) -> u64 {
    first_eight(key.0.as_bytes())
}

fn first_eight(bytes: &[u8; 32]) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(eight)
}

/// All guards of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// Sorted by node and key, one each.
    pub(crate) rows: Vec<Row>,
    /// What takes the place of those, and is not among them yet.
    pub(crate) recent: BTreeMap<(u64, u64), Row>,
    /// The order of the next row.
    pub(crate) orders: u32,
    /// Bytes of the records that a compaction would copy if it forgot nothing.
    pub(crate) live_bytes: u64,
    /// The state of the file that this is the index of.
    pub(crate) stamp: Stamp,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            recent: BTreeMap::new(),
            orders: 0,
            live_bytes: 0,
            stamp: Stamp {
                len: HEADER_LEN as u64,
                last: 0,
                header: [0; RECORD_HEADER_LEN],
            },
        }
    }
}

impl Index {
    /// Takes in the payload of the record that begins at `at`.
    pub(crate) fn add(&mut self, at: u64, payload: &[u8]) {
        match parse(payload) {
            Some(Payload::Guard {
                key,
                duration_ms,
                used_ms,
                node,
                ..
            }) => {
                let row = Row {
                    node: node_tag(node),
                    key: key_tag(&key),
                    at,
                    used_ms,
                    len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
                    duration_ms: u32::try_from(duration_ms).unwrap_or(u32::MAX),
                    order: self.next_order(),
                };
                if let Some(former) = self.find(row.node, row.key) {
                    self.live_bytes -= former.record_len();
                }
                self.live_bytes += row.record_len();
                self.put(row);
            }
            Some(Payload::Used { key, used_ms, node }) => {
                if let Some(row) = self.find(node_tag(node), key_tag(&key)) {
                    let order = self.next_order();
                    self.put(Row { used_ms, order, ..row });
                }
            }
            Some(Payload::Unknown) | None => {}
        }
    }

    fn next_order(&mut self) -> u32 {
        let order = self.orders;
        self.orders = self.orders.saturating_add(1);
        order
    }

    fn put(&mut self, row: Row) {
        self.recent.insert((row.node, row.key), row);
        if self.recent.len() >= FOLD_AT {
            self.fold();
        }
    }

    /// Brings all rows into one sorted list.
    pub(crate) fn fold(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        let recent = std::mem::take(&mut self.recent);
        let mut rows = Vec::with_capacity(self.rows.len() + recent.len());
        let mut former = self.rows.iter().peekable();
        for (place, row) in recent {
            while let Some(other) = former.next_if(|other| (other.node, other.key) < place) {
                rows.push(*other);
            }
            former.next_if(|other| (other.node, other.key) == place);
            rows.push(row);
        }
        rows.extend(former);
        self.rows = rows;
    }

    /// The guard of a node with a key.
    pub(crate) fn find(&self, node: u64, key: u64) -> Option<Row> {
        if let Some(row) = self.recent.get(&(node, key)) {
            return Some(*row);
        }
        let at = self
            .rows
            .binary_search_by(|row| (row.node, row.key).cmp(&(node, key)))
            .ok()?;
        Some(self.rows[at])
    }

    /// The guards of a node, the one used last first.
    pub(crate) fn of_node(&self, node: u64) -> Vec<Row> {
        let from = self.rows.partition_point(|row| row.node < node);
        let mut found: Vec<Row> = self.rows[from..]
            .iter()
            .take_while(|row| row.node == node)
            .filter(|row| !self.recent.contains_key(&(row.node, row.key)))
            .chain(self.recent.range((node, 0)..=(node, u64::MAX)).map(|(_, row)| row))
            .copied()
            .collect();
        found.sort_unstable_by_key(|row| std::cmp::Reverse(row.order));
        found
    }
}
