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
//! Unknown payload tags are kept by readers as they are and ignored: a later version may add some.

use farm_engine::{Digest, Key};

pub(crate) const MAGIC: &[u8; 12] = b"farm guards\n";
pub(crate) const VERSION: u32 = 1;
pub(crate) const HEADER_LEN: usize = 16;
pub(crate) const RECORD_HEADER_LEN: usize = 12;

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

/// A whole record around a payload.
pub(crate) fn record(payload: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(payload.len() + RECORD_HEADER_LEN);
    // A guard of four gigabytes is no guard: node inputs are names and digests.
    record.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    record.extend(checksum(payload));
    record.extend(payload);
    record
}

pub(crate) fn guard_payload(key: &Key, duration_ms: u64, used_ms: u64, node: &str, json: &[u8]) -> Vec<u8> {
    let mut payload = vec![b'G'];
    payload.extend(key.0.as_bytes());
    payload.extend(duration_ms.to_le_bytes());
    payload.extend(used_ms.to_le_bytes());
    push_node(&mut payload, node);
    payload.extend(json);
    payload
}

pub(crate) fn used_payload(key: &Key, used_ms: u64, node: &str) -> Vec<u8> {
    let mut payload = vec![b'U'];
    payload.extend(key.0.as_bytes());
    payload.extend(used_ms.to_le_bytes());
    push_node(&mut payload, node);
    payload
}

fn push_node(payload: &mut Vec<u8>, node: &str) {
    // Names of nodes come from names of packages and files, which are far shorter.
    let len = u16::try_from(node.len()).unwrap_or(u16::MAX);
    payload.extend(len.to_le_bytes());
    payload.extend(&node.as_bytes()[..usize::from(len)]);
}

fn checksum(payload: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&blake3::hash(payload).as_bytes()[..8]);
    sum
}

/// The payload of the record that begins at `at`, and where the next one begins; `None` when no whole, undamaged record
/// begins there.
pub(crate) fn read_record(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let header = bytes.get(at..at + RECORD_HEADER_LEN)?;
    let len = u32::from_le_bytes(header[..4].try_into().ok()?) as usize;
    let begin = at + RECORD_HEADER_LEN;
    let payload = bytes.get(begin..begin.checked_add(len)?)?;
    (checksum(payload) == header[4..12]).then_some((payload, begin + len))
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
