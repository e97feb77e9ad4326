//! Reading the file from one end to the other, past whatever is damaged, in memory that does not grow with the file.

use std::io;

use fs_err::File;
use fs_err::os::unix::fs::FileExt as _;

use crate::format::{MAX_HEAD, Payload, RECORD_HEADER_LEN, may_begin, parse, payload_len, payload_of};

/// So much is read at once, in bytes; a longer record is read whole.
const WINDOW: usize = 1 << 18;

/// A stretch of the file that is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins, in bytes from the beginning of the file.
    pub at: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// The node whose record was there, if that can still be read.
    pub node: Option<String>,
}

/// What a scan found besides the records.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// Stretches with a whole record after them.
    pub(crate) damaged: Vec<Damage>,
    /// Where the last whole record begins, if there is one, and its header.
    pub(crate) last: Option<(u64, [u8; RECORD_HEADER_LEN])>,
    /// Where the last whole record ends. What follows is no record.
    pub(crate) end: u64,
}

/// Reads the records from `from` on, up to `len`, and hands each to `visit`: where it begins, how long its payload is, and the
/// payload. After damage it goes on with the next whole record.
pub(crate) fn scan(file: &File, from: u64, len: u64, visit: &mut dyn FnMut(u64, &[u8])) -> io::Result<Scanned> {
    let mut window = Window::new(file, len);
    let mut scanned = Scanned {
        end: from,
        ..Scanned::default()
    };
    let mut at = from;
    while at < len {
        if let Some(record) = window.record(at)? {
            let mut header = [0; RECORD_HEADER_LEN];
            header.copy_from_slice(&record[..RECORD_HEADER_LEN]);
            visit(at, &record[RECORD_HEADER_LEN..]);
            scanned.last = Some((at, header));
            at += record.len() as u64;
            scanned.end = at;
        } else {
            let Some(next) = next_record(&mut window, at + 1)? else {
                break;
            };
            scanned.damaged.push(Damage {
                at,
                bytes: next - at,
                node: window.lost_node(at, next)?,
            });
            at = next;
        }
    }
    Ok(scanned)
}

/// The record that begins at `at`, if a whole and undamaged one does.
pub(crate) fn read_record(file: &File, at: u64, payload_len: u32) -> io::Result<Option<Vec<u8>>> {
    let mut record = vec![0; RECORD_HEADER_LEN + payload_len as usize];
    match file.read_exact_at(&mut record, at) {
        Ok(()) => Ok(payload_of(&record).is_some().then_some(record)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The first place from `at` on where a whole record begins.
fn next_record(window: &mut Window<'_>, mut at: u64) -> io::Result<Option<u64>> {
    while let Some(bytes) = window.bytes(at, RECORD_HEADER_LEN + 1)? {
        if may_begin(bytes) && window.record(at)?.is_some() {
            return Ok(Some(at));
        }
        at += 1;
    }
    Ok(None)
}

/// A part of the file in memory.
struct Window<'a> {
    file: &'a File,
    len: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(file: &'a File, len: u64) -> Self {
        Self {
            file,
            len,
            start: 0,
            buffer: Vec::new(),
        }
    }

    /// The `count` bytes at `at`; `None` if the file has fewer.
    fn bytes(&mut self, at: u64, count: usize) -> io::Result<Option<&[u8]>> {
        if at.checked_add(count as u64).is_none_or(|end| end > self.len) {
            return Ok(None);
        }
        let end = at + count as u64;
        if at < self.start || end > self.start + self.buffer.len() as u64 {
            let left = self.len - at;
            let size = count.max(WINDOW.min(usize::try_from(left).unwrap_or(WINDOW)));
            self.buffer.resize(size, 0);
            self.start = at;
            if let Err(error) = self.file.read_exact_at(&mut self.buffer, at) {
                self.buffer.clear();
                // It has become shorter since: nothing here is a record.
                let ended = error.kind() == io::ErrorKind::UnexpectedEof;
                return if ended { Ok(None) } else { Err(error) };
            }
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        Ok(self.buffer.get(from..from + count))
    }

    /// The whole record at `at`, if there is an undamaged one.
    fn record(&mut self, at: u64) -> io::Result<Option<&[u8]>> {
        let Some(len) = self.bytes(at, RECORD_HEADER_LEN)?.and_then(payload_len) else {
            return Ok(None);
        };
        let record = self.bytes(at, RECORD_HEADER_LEN + len)?;
        Ok(record.filter(|record| payload_of(record).is_some()))
    }

    /// The node that a damaged record between two places is of, if it can be read twice: before the JSON, and at its beginning.
    fn lost_node(&mut self, from: u64, to: u64) -> io::Result<Option<String>> {
        let begin = from + RECORD_HEADER_LEN as u64;
        let len = usize::try_from(to.saturating_sub(begin))
            .unwrap_or(usize::MAX)
            .min(2 * MAX_HEAD);
        let payload = self.bytes(begin, len)?.and_then(parse);
        let Some(Payload::Guard { node, json, .. }) = payload else {
            return Ok(None);
        };
        let again = format!("{{\"node\":{},", serde_json::to_string(node)?);
        Ok(json.starts_with(again.as_bytes()).then(|| node.to_owned()))
    }
}
