//! The index as a file beside the guard file, so that a run need not read all guards to find a few.
//!
//! ```text
//! "farm guard index", u32 version, stamp of the guard file (28 bytes), u64 bytes of live records, u32 next order,
//! u64 count, count × row sorted by node and key, 32 bytes BLAKE3 of all before
//! row: u64 node, u64 key, u64 at, u64 used_ms, u32 length, u32 duration_ms, u32 order
//! ```
//!
//! All numbers are little-endian. It is derived: it counts only if it is whole and the guard file still holds the last record it
//! knows where it was; what was appended since is read from there. Records are only appended, so nothing before can differ.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::index::{Index, Row};
use crate::stamp::{STAMP_LEN, Stamp};

const MAGIC: &[u8; 16] = b"farm guard index";
const VERSION: u32 = 1;
const ROW_LEN: usize = 44;
const SUM_LEN: usize = 32;

/// The guard file must have grown by so many bytes since the last index for a new one to be worth writing: reading so much takes
/// a few milliseconds.
const WORTHWHILE_BYTES: u64 = 2 << 20;

/// Where the index of the guard file at `path` is.
pub(crate) fn path_of(path: &Path) -> PathBuf {
    path.with_extension("index")
}

/// Whether a new index should be written when the last one ends at `covered` bytes (0: there is none).
pub(crate) fn is_worthwhile(index: &Index, covered: u64) -> bool {
    index.stamp.len.saturating_sub(covered) > WORTHWHILE_BYTES
}

/// The index of the guard file at `path` as it once was, if there is one that can be believed. A file that is smaller than any
/// worth an index is not asked for one.
pub(crate) fn read(path: &Path, len: u64) -> Option<Index> {
    if len <= WORTHWHILE_BYTES {
        return None;
    }
    let index = decode(&fs::read(path_of(path)).ok()?)?;
    (index.stamp.len <= len && index.stamp.is_part_of(path).ok()?).then_some(index)
}

/// Writes the index, replacing another in one step.
pub(crate) fn write(path: &Path, index: &Index) -> io::Result<()> {
    let target = path_of(path);
    let temporary = path.with_extension("index.new");
    // Not flushed: an index of which half is on the disk is not believed.
    let written = fs::write(&temporary, encode(index)).and_then(|()| fs::rename(&temporary, target));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// The index must be folded.
fn encode(index: &Index) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(index.rows.len() * ROW_LEN + 128);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&index.stamp.to_bytes());
    bytes.extend_from_slice(&index.live_bytes.to_le_bytes());
    bytes.extend_from_slice(&index.orders.to_le_bytes());
    bytes.extend_from_slice(&(index.rows.len() as u64).to_le_bytes());
    for row in &index.rows {
        for number in [row.node, row.key, row.at, row.used_ms] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [row.len, row.duration_ms, row.order] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    let sum = blake3::hash(&bytes);
    bytes.extend_from_slice(sum.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Index> {
    let (body, sum) = bytes.split_last_chunk::<SUM_LEN>()?;
    let mut rest = body.strip_prefix(MAGIC)?;
    if u32::from_le_bytes(take(&mut rest)?) != VERSION || blake3::hash(body).as_bytes() != sum {
        return None;
    }
    let stamp = Stamp::from_bytes(&take::<STAMP_LEN>(&mut rest)?);
    let live_bytes = u64::from_le_bytes(take(&mut rest)?);
    let orders = u32::from_le_bytes(take(&mut rest)?);
    let count = u64::from_le_bytes(take(&mut rest)?);
    let (rows, left) = rest.as_chunks::<ROW_LEN>();
    if !left.is_empty() || rows.len() as u64 != count {
        return None;
    }
    Some(Index {
        rows: rows.iter().filter_map(decode_row).collect(),
        orders,
        live_bytes,
        stamp,
        ..Index::default()
    })
}

fn decode_row(bytes: &[u8; ROW_LEN]) -> Option<Row> {
    let mut rest = bytes.as_slice();
    Some(Row {
        node: u64::from_le_bytes(take(&mut rest)?),
        key: u64::from_le_bytes(take(&mut rest)?),
        at: u64::from_le_bytes(take(&mut rest)?),
        used_ms: u64::from_le_bytes(take(&mut rest)?),
        len: u32::from_le_bytes(take(&mut rest)?),
        duration_ms: u32::from_le_bytes(take(&mut rest)?),
        order: u32::from_le_bytes(take(&mut rest)?),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}
