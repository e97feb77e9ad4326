//! The bytes of the file.
//!
//! ```text
//! file    = magic version record*
//! magic   = "farm guards\n"                  12 bytes
//! version = u32, little endian               4 bytes, today 1
//! record  = length u32 LE, checksum 8 bytes, payload of `length` bytes
//! payload = 'G' key(32) duration_ms(u64 LE) used_ms(u64 LE) node_length(u16 LE) node  JSON of the guard
//!         | 'U' key(32) used_ms(u64 LE) node_length(u16 LE) node
//! ```
//!
//! The checksum is the first 8 bytes of the payload's BLAKE3 digest. A `U` record says that the guard of that node and key
//! was found current at that time. What a lookup needs stands before the JSON, so that opening a file parses none of it.
//! Unknown payload tags are kept by readers as they are and ignored: a later version may add some, each a capital letter.
//!
//! # After damage
//!
//! The next record is searched byte by byte, which works even if a length was damaged. No text in a guard is ever taken for a
//! record: lengths are below [`MAX_PAYLOAD`], so the highest byte of one is below 0x20, and neither JSON nor the name of a node
//! holds such a byte ([`is_nameable`]). What is left of a payload is the key and some numbers, where a record could begin only if
//! eight bytes of a digest agree by chance.

use farm_engine::{Digest, Key};

pub(crate) const MAGIC: &[u8; 12] = b"farm guards\n";
pub(crate) const VERSION: u32 = 1;
pub(crate) const HEADER_LEN: usize = 16;
pub(crate) const RECORD_HEADER_LEN: usize = 12;
/// Payloads are shorter, in bytes: every length has a byte that no text has.
pub(crate) const MAX_PAYLOAD: usize = 0x2000_0000;
/// No payload of this version is shorter: tag, key, time, length of a name.
const MIN_PAYLOAD: usize = 1 + 32 + 8 + 2;
/// Everything of a payload before its JSON fits in so many bytes.
pub(crate) const MAX_HEAD: usize = 1 + 32 + 8 + 8 + 2 + u16::MAX as usize;

/// The parts of a payload that a lookup needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Payload<'a> {
    Guard {
        key: Key,
        duration_ms: u64,
        used_ms: u64,
        node: &'a str,
        json: &'a [u8],
    },
    Used {
        key: Key,
        used_ms: u64,
        node: &'a str,
    },
    Unknown,
}

pub(crate) fn header() -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..12].copy_from_slice(MAGIC);
    header[12..].copy_from_slice(&VERSION.to_le_bytes());
    header
}

/// Whether a node of this name can be recorded.
pub(crate) fn is_nameable(node: &str) -> bool {
    u16::try_from(node.len()).is_ok() && node.bytes().all(|byte| byte >= 0x20)
}

/// A whole record around a payload; `None` when it is too long to be one.
pub(crate) fn record(payload: &[u8]) -> Option<Vec<u8>> {
    let len = u32::try_from(payload.len())
        .ok()
        .filter(|_| payload.len() < MAX_PAYLOAD)?;
    let mut record = Vec::with_capacity(payload.len() + RECORD_HEADER_LEN);
    record.extend(len.to_le_bytes());
    record.extend(checksum(payload));
    record.extend(payload);
    Some(record)
}

/// The caller has made sure that `node` [`is_nameable`].
pub(crate) fn guard_payload(key: &Key, duration_ms: u64, used_ms: u64, node: &str, json: &[u8]) -> Vec<u8> {
    let mut payload = vec![b'G'];
    payload.extend(key.0.as_bytes());
    payload.extend(duration_ms.to_le_bytes());
    payload.extend(used_ms.to_le_bytes());
    push_node(&mut payload, node);
    payload.extend(json);
    payload
}

/// The caller has made sure that `node` [`is_nameable`].
pub(crate) fn used_payload(key: &Key, used_ms: u64, node: &str) -> Vec<u8> {
    let mut payload = vec![b'U'];
    payload.extend(key.0.as_bytes());
    payload.extend(used_ms.to_le_bytes());
    push_node(&mut payload, node);
    payload
}

fn push_node(payload: &mut Vec<u8>, node: &str) {
    let len = u16::try_from(node.len()).unwrap_or(u16::MAX);
    payload.extend(len.to_le_bytes());
    payload.extend(&node.as_bytes()[..usize::from(len)]);
}

fn checksum(payload: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&blake3::hash(payload).as_bytes()[..8]);
    sum
}

/// The length of the payload that the record with this header has, if a record can have it.
pub(crate) fn payload_len(header: &[u8]) -> Option<usize> {
    let len = u32::from_le_bytes(header.get(..4)?.try_into().ok()?) as usize;
    (len < MAX_PAYLOAD).then_some(len)
}

/// Whether a record of a form that this version writes or a later one may add can begin with these bytes, a header and one more.
/// Says so of few bytes that are none; the checksum tells those.
pub(crate) fn may_begin(bytes: &[u8]) -> bool {
    payload_len(bytes).is_some_and(|len| len >= MIN_PAYLOAD)
        && bytes.get(RECORD_HEADER_LEN).is_some_and(u8::is_ascii_uppercase)
}

/// The payload of a whole record, if it is undamaged.
pub(crate) fn payload_of(record: &[u8]) -> Option<&[u8]> {
    let payload = record.get(RECORD_HEADER_LEN..)?;
    (payload_len(record)? == payload.len() && checksum(payload) == record[4..RECORD_HEADER_LEN]).then_some(payload)
}

/// Takes a payload apart; `None` when it is not of a form this version writes.
pub(crate) fn parse(payload: &[u8]) -> Option<Payload<'_>> {
    let mut rest = Reader(payload);
    match rest.take(1)? {
        b"G" => {
            let key = rest.key()?;
            let duration_ms = rest.number()?;
            let used_ms = rest.number()?;
            let node = rest.node()?;
            Some(Payload::Guard {
                key,
                duration_ms,
                used_ms,
                node,
                json: rest.0,
            })
        }
        b"U" => {
            let key = rest.key()?;
            let used_ms = rest.number()?;
            Some(Payload::Used {
                key,
                used_ms,
                node: rest.node()?,
            })
        }
        _ => Some(Payload::Unknown),
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn key(&mut self) -> Option<Key> {
        Some(Key(Digest::from_bytes(self.take(32)?.try_into().ok()?)))
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn node(&mut self) -> Option<&'a str> {
        let len = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
        std::str::from_utf8(self.take(usize::from(len))?).ok()
    }
}
