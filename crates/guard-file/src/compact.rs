//! What a compaction keeps, and the file that it leaves.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use fs_err as fs;
use fs_err::File;

use crate::format::{Payload, RECORD_HEADER_LEN, guard_payload, header, parse, record};
use crate::index::{Index, Row};
use crate::scan::read_record;

/// Guards a node keeps whatever their age.
const KEEP_KEYS: usize = 5;
/// Guards used in this time are kept whatever their number: 30 days, in milliseconds.
pub const KEEP_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Files smaller than this, in bytes, are never worth the work.
const WORTHWHILE_BYTES: u64 = 1 << 20;

/// Whether most of the file would go.
pub(crate) fn is_worthwhile(index: &Index) -> bool {
    let len = index.stamp.len;
    len > WORTHWHILE_BYTES && len > index.live_bytes.saturating_mul(2)
}

/// Parts guards into those that are kept and those that are not: of every node the last five keys stay, and whatever was used in
/// the last 30 days. `rows` are sorted by node.
pub(crate) fn part(rows: &[Row], now_ms: u64) -> (Vec<Row>, Vec<Row>) {
    let mut kept = Vec::with_capacity(rows.len());
    let mut forgotten = Vec::new();
    for of_node in rows.chunk_by(|one, next| one.node == next.node) {
        let mut latest_first = of_node.to_vec();
        latest_first.sort_unstable_by_key(|row| std::cmp::Reverse(row.order));
        for (at, row) in latest_first.into_iter().enumerate() {
            if at < KEEP_KEYS || row.used_ms.saturating_add(KEEP_MS) >= now_ms {
                kept.push(row);
            } else {
                forgotten.push(row);
            }
        }
    }
    (kept, forgotten)
}

/// Replaces the file at `path`, which is open as `from`, by one that holds `kept` and nothing else, in one step. The guard used
/// last is at the end. Those whose records are damaged are left out and given back.
///
/// When it returns, the new file and its name are on the disk: what only the others spoke of may be removed.
pub(crate) fn rewrite(path: &Path, from: &File, mut kept: Vec<Row>) -> io::Result<Vec<Row>> {
    kept.sort_unstable_by_key(|row| row.order);
    let temporary = path.with_extension("new");
    let written = write(&temporary, from, &kept).and_then(|damaged| {
        fs::rename(&temporary, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(damaged)
    });
    if written.is_err() {
        // The next compaction writes over it.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(path: &Path, from: &File, kept: &[Row]) -> io::Result<Vec<Row>> {
    let mut file = BufWriter::with_capacity(1 << 18, File::create(path)?);
    file.write_all(&header())?;
    let mut damaged = Vec::new();
    for row in kept {
        match read_record(from, row.at, row.len)?.and_then(|whole| used_at(&whole, row.used_ms)) {
            Some(record) => file.write_all(&record)?,
            None => damaged.push(*row),
        }
    }
    file.flush()?;
    file.get_ref().sync_all()?;
    Ok(damaged)
}

/// The record of a guard with another time of its last use.
fn used_at(whole: &[u8], now_used_ms: u64) -> Option<Vec<u8>> {
    match parse(&whole[RECORD_HEADER_LEN..])? {
        Payload::Guard { used_ms, .. } if used_ms == now_used_ms => Some(whole.to_vec()),
        Payload::Guard {
            key,
            duration_ms,
            node,
            json,
            ..
        } => record(&guard_payload(&key, duration_ms, now_used_ms, node, json)),
        Payload::Used { .. } | Payload::Unknown => None,
    }
}
