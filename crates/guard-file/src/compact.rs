//! What a compaction keeps.

use crate::format::{guard_payload, header, record};
use crate::index::{Entry, Index};

/// Guards a node keeps whatever their age.
const KEEP_KEYS: usize = 5;
/// Guards used in this time are kept whatever their number: 30 days, in milliseconds.
const KEEP_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Files smaller than this are never worth the work.
const WORTHWHILE_BYTES: usize = 1 << 20;

/// Whether most of the file would go.
pub(crate) fn is_worthwhile(index: &Index, file_len: usize) -> bool {
    file_len > WORTHWHILE_BYTES && index.dead > index.live
}

/// The file with only the guards that are kept: of every node the last five keys, and whatever was used in the last 30
/// days. Sorted by node, the guard used last at the end, as the index has them.
pub(crate) fn compacted(index: &Index, bytes: &[u8], now_ms: u64) -> Vec<u8> {
    let mut file = header().to_vec();
    for (node, entries) in index.iter() {
        let old = entries.len().saturating_sub(KEEP_KEYS);
        let kept = entries
            .iter()
            .enumerate()
            .filter(|(at, entry)| *at >= old || entry.used_ms.saturating_add(KEEP_MS) >= now_ms);
        for (
            _,
            Entry {
                key,
                duration_ms,
                used_ms,
                json,
            },
        ) in kept
        {
            let payload = guard_payload(key, *duration_ms, *used_ms, node, &bytes[json.clone()]);
            file.extend(record(&payload));
        }
    }
    file
}
