//! The open file.

use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use farm_engine::{Clock, Guard, GuardError, GuardStore, Key, SystemClock};
use fs_err as fs;
use fs_err::File;

use crate::compact;
use crate::format::{
    HEADER_LEN, Payload, RECORD_HEADER_LEN, guard_payload, header, is_nameable, parse, record, used_payload,
};
use crate::index::{Index, Row, key_tag, node_tag};
use crate::open::{Begin, Mode, OpenError, check_header, open_file};
use crate::scan::{Damage, read_record, scan};
use crate::stamp::Stamp;
use crate::table;

/// A guard found current is noted again after this time, so that gc knows: one day, in milliseconds.
const USED_AGAIN_MS: u64 = 24 * 60 * 60 * 1000;

/// Records reach the disk at the latest so long after they were written: what a machine that stops may lose, in milliseconds.
/// A build that took as long reaches it at once.
const SYNC_AFTER_MS: u64 = 1000;

/// An open guard file, and what was wrong with it.
#[derive(Debug)]
pub struct Opened {
    /// The guards.
    pub guards: GuardFile,
    /// Bytes at its end that were no whole record: a farm was killed while writing, or the disk lost something.
    pub torn_bytes: u64,
    /// What was found damaged before that. Everything else is there.
    pub damaged: Vec<Damage>,
}

/// What a compaction would keep, and what it would not ([`GuardFile::retention`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Of every node the last five keys, and whatever was used in the last 30 days.
    pub kept: Vec<Entry>,
    /// The others.
    pub forgotten: Vec<Entry>,
}

/// Stands for one guard of the file that gave it, until that is compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry(Row);

impl Entry {
    /// How long its record is, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::from(self.0.len) + RECORD_HEADER_LEN as u64
    }
}

/// Guards in a file.
pub struct GuardFile {
    path: PathBuf,
    inner: Mutex<Inner>,
    clock: Box<dyn Clock + Send>,
    before_flush: Box<BeforeFlush>,
}

/// Makes durable what guards speak of.
type BeforeFlush = dyn Fn() -> io::Result<()> + Send + Sync;

struct Inner {
    index: Index,
    /// `None` when opened for reading a file that is not there.
    file: Option<Arc<File>>,
    mode: Mode,
    /// When the first record was written that may not have reached the disk.
    unsynced_since_ms: Option<u64>,
    /// Where the index beside the file ends.
    tabled: u64,
    /// Records that were whole when their place was noted, and are not any more.
    unreadable: Vec<Damage>,
    /// Somebody else has written, too: the index does not know everything.
    others: bool,
}

impl std::fmt::Debug for GuardFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl GuardFile {
    /// Opens the file at `path`; a file that is not there is an empty one.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]. The file is then as it was.
    pub fn open(path: &Path, mode: Mode) -> Result<Opened, OpenError> {
        Self::open_with_clock(path, mode, Box::new(SystemClock))
    }

    /// As [`Self::open`], with a clock of the caller's.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_with_clock(path: &Path, mode: Mode, clock: Box<dyn Clock + Send>) -> Result<Opened, OpenError> {
        let mut inner = Inner {
            index: Index::default(),
            file: open_file(path, mode)?.map(Arc::new),
            mode,
            unsynced_since_ms: None,
            tabled: 0,
            unreadable: Vec::new(),
            others: false,
        };
        let mut torn_bytes = 0;
        let mut damaged = Vec::new();
        if let Some(file) = inner.file.clone() {
            let len = file.metadata()?.len();
            match check_header(path, &file, len)? {
                Begin::Whole => {}
                Begin::Torn => torn_bytes = len,
                Begin::Damaged => damaged.push(Damage {
                    at: 0,
                    bytes: HEADER_LEN as u64,
                    node: None,
                }),
            }
            if len >= HEADER_LEN as u64 {
                damaged.extend(inner.read(path, &file, len)?);
                torn_bytes = len - inner.index.stamp.len;
            }
            if mode == Mode::Write {
                inner.mend(path, &file, len, !damaged.is_empty(), clock.now_ms())?;
            }
        }
        let guards = Self {
            path: path.to_owned(),
            inner: Mutex::new(inner),
            clock,
            before_flush: Box::new(|| Ok(())),
        };
        Ok(Opened {
            guards,
            torn_bytes,
            damaged,
        })
    }

    /// Has `action` called before the record of a build that took a second is flushed to the disk, so that it does not get there
    /// before what it speaks of. Of shorter builds that is not worth waiting for: what a stopped machine took is found missing
    /// or damaged when it is looked for, and made again.
    #[must_use]
    pub fn flushing_first(mut self, action: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.before_flush = Box::new(action);
        self
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change of `Inner` is complete before anything can panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a record; from then on it outlives this process. `now_ms` is the time, `worth_ms` how long it took to make what it
    /// speaks of.
    fn append(&self, payload: &[u8], now_ms: u64, worth_ms: u64) -> Result<(), GuardError> {
        let mut inner = self.inner();
        let since = *inner.unsynced_since_ms.get_or_insert(now_ms);
        let sync = worth_ms >= SYNC_AFTER_MS || now_ms.saturating_sub(since) >= SYNC_AFTER_MS;
        let Some(file) = inner.file.clone().filter(|_| inner.mode == Mode::Write) else {
            return Err(GuardError(format!("{} is open for reading only", self.path.display())));
        };
        let Some(record) = record(payload) else {
            return Err(GuardError(format!("a record of {} bytes is too long", payload.len())));
        };
        let failed = |error: io::Error| GuardError(error.to_string());
        let before = file.metadata().map_err(failed)?;
        if before.nlink() == 0 {
            let path = self.path.display();
            let message = format!("{path} was replaced while this run was under way: was its lock removed?");
            return Err(GuardError(message));
        }
        inner.others |= before.len() != inner.index.stamp.len;
        let end = file
            .as_ref()
            .write_all(&record)
            .and_then(|()| file.as_ref().stream_position());
        let written = end.and_then(|end| {
            if worth_ms >= SYNC_AFTER_MS {
                (self.before_flush)()?;
            }
            if sync {
                file.sync_data()?;
            }
            Ok(end)
        });
        let end = match written {
            Ok(end) => end,
            Err(error) => {
                // Half a record in front of a later whole one would be found damaged. If this fails too, so it will be. Where others
                // write, it may be theirs that would be cut off.
                if !inner.others {
                    let _ = file.set_len(before.len());
                }
                return Err(failed(error));
            }
        };
        if sync {
            inner.unsynced_since_ms = None;
        }
        let at = end.saturating_sub(record.len() as u64);
        inner.others |= at != before.len();
        inner.index.add(at, payload);
        inner.index.stamp.last = at;
        inner.index.stamp.header.copy_from_slice(&record[..RECORD_HEADER_LEN]);
        inner.index.stamp.len = end;
        Ok(())
    }

    /// What the file is at this moment.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.inner().index.stamp
    }

    /// Every guard that is kept, for `farm debug` and clean-up: node by node, the one used last at the end.
    #[must_use]
    pub fn all(&self) -> Vec<Guard> {
        let mut rows = self.folded();
        rows.sort_unstable_by_key(|row| row.order);
        let mut guards: Vec<Guard> = rows.iter().filter_map(|row| self.read(row)).collect();
        guards.sort_by(|one, other| one.node.cmp(&other.node));
        guards
    }

    /// Records that were damaged while the file was open, or since its index was made. They count as not there.
    #[must_use]
    pub fn unreadable(&self) -> Vec<Damage> {
        self.inner().unreadable.clone()
    }

    /// What [`compact`](Self::compact) would keep at this moment, and what not.
    #[must_use]
    pub fn retention(&self) -> Retention {
        let (kept, forgotten) = compact::part(&self.folded(), self.clock.now_ms());
        let entries = |rows: Vec<Row>| rows.into_iter().map(Entry).collect();
        Retention {
            kept: entries(kept),
            forgotten: entries(forgotten),
        }
    }

    /// The guard that an entry stands for; `None` if its record is damaged.
    #[must_use]
    pub fn guard(&self, entry: &Entry) -> Option<Guard> {
        self.read(&entry.0)
    }

    /// Replaces the file by one that holds these guards and no others, in one step. When it returns, that is on the disk. What
    /// the guards speak of is flushed before.
    ///
    /// # Errors
    ///
    /// The disk's; the file is then as it was.
    pub fn compact(&self, kept: &[Entry]) -> io::Result<()> {
        let mut inner = self.inner();
        let Some(file) = inner.file.clone().filter(|_| inner.mode == Mode::Write) else {
            return Err(io::Error::other(format!(
                "{} is open for reading only",
                self.path.display()
            )));
        };
        (self.before_flush)()?;
        let damaged = inner.replace(&self.path, &file, kept.iter().map(|entry| entry.0).collect())?;
        inner.unreadable.extend(damaged);
        inner.unsynced_since_ms = None;
        Ok(())
    }

    fn folded(&self) -> Vec<Row> {
        let mut inner = self.inner();
        inner.index.fold();
        inner.index.rows.clone()
    }

    fn read(&self, row: &Row) -> Option<Guard> {
        self.read_if(row, None, |_, _| true)
    }

    /// The guard of a row, if it is of the node and key that are meant. `node` is said to be damaged if it cannot be read.
    fn read_if(&self, row: &Row, node: Option<&str>, is_meant: impl Fn(&str, &Key) -> bool) -> Option<Guard> {
        let file = self.inner().file.clone()?;
        // A disk that gives an error and one that gives other bytes are the same to whoever wants a guard.
        let Some(record) = read_record(&file, row.at, row.len).ok().flatten() else {
            let damage = Damage {
                node: node.map(str::to_owned),
                ..damage_of(row)
            };
            let unreadable = &mut self.inner().unreadable;
            if !unreadable.iter().any(|other| other.at == damage.at) {
                unreadable.push(damage);
            }
            return None;
        };
        match parse(&record[RECORD_HEADER_LEN..])? {
            Payload::Guard { key, node, json, .. } if is_meant(node, &key) => serde_json::from_slice(json).ok(),
            _ => None,
        }
    }
}

impl Inner {
    /// Reads the index beside the file as far as it goes, and the file from there on. Gives what is damaged.
    fn read(&mut self, path: &Path, file: &File, len: u64) -> io::Result<Vec<Damage>> {
        if let Some(index) = table::read(path, len) {
            self.tabled = index.stamp.len;
            self.index = index;
        }
        let index = &mut self.index;
        let from = index.stamp.len;
        let scanned = scan(file, from, len, &mut |at, payload| index.add(at, payload))?;
        self.index.stamp.len = scanned.end;
        if let Some((last, header)) = scanned.last {
            self.index.stamp.last = last;
            self.index.stamp.header = header;
        }
        self.index.fold();
        Ok(scanned.damaged)
    }

    /// Brings a file that was just read into the form in which records can be appended.
    fn mend(&mut self, path: &Path, file: &Arc<File>, len: u64, damaged: bool, now_ms: u64) -> io::Result<()> {
        if damaged {
            let rows = self.index.rows.clone();
            self.replace(path, file, rows)?;
        } else if compact::is_worthwhile(&self.index) {
            let (kept, _) = compact::part(&self.index.rows, now_ms);
            self.replace(path, file, kept)?;
        } else if len < HEADER_LEN as u64 {
            file.set_len(0)?;
            file.as_ref().write_all(&header())?;
            file.sync_data()?;
        } else if len > self.index.stamp.len {
            file.set_len(self.index.stamp.len)?;
            file.sync_data()?;
        }
        Ok(())
    }

    /// Replaces the file by one with these guards, and reads that. Gives those that are damaged and therefore not in it.
    fn replace(&mut self, path: &Path, file: &File, kept: Vec<Row>) -> io::Result<Vec<Damage>> {
        let damaged = compact::rewrite(path, file, kept)?;
        // Whatever fails from here on, nothing must be written to the old file.
        self.file = None;
        self.index = Index::default();
        self.tabled = 0;
        let file = open_file(path, self.mode)?.map(Arc::new);
        if let Some(file) = &file {
            let len = file.metadata()?.len();
            self.read(path, file, len)?;
        }
        self.file = file;
        Ok(damaged.iter().map(damage_of).collect())
    }

    /// Writes the index beside the file if the next run would miss it.
    fn write_table(&mut self, path: &Path) {
        if !self.unreadable.is_empty() {
            // Without an index the next run reads everything, and takes out what is damaged.
            let _ = fs::remove_file(table::path_of(path));
        } else if !self.others && table::is_worthwhile(&self.index, self.tabled) {
            self.index.fold();
            // What cannot be written is read from the guard file.
            let _ = table::write(path, &self.index);
        }
    }
}

fn damage_of(row: &Row) -> Damage {
    Damage {
        at: row.at,
        bytes: u64::from(row.len) + RECORD_HEADER_LEN as u64,
        node: None,
    }
}

impl GuardFile {
    /// Every guard of a node that is kept with the time in milliseconds since 1970 when it was last found in use, which is noted once
    /// a day; the one used last at the end.
    #[must_use]
    pub fn history(&self, node: &str) -> Vec<(Guard, u64)> {
        let rows = self.inner().index.of_node(node_tag(node));
        let guard = |row: &Row| {
            let guard = self.read_if(row, Some(node), |found, _| found == node)?;
            Some((guard, row.used_ms))
        };
        rows.iter().rev().filter_map(guard).collect()
    }
}

impl Drop for GuardFile {
    fn drop(&mut self) {
        let mut inner = self.inner();
        if inner.mode == Mode::Read {
            return;
        }
        if inner.unsynced_since_ms.take().is_some()
            && let Some(file) = &inner.file
        {
            // Nobody is left to be told, and a machine that stops now costs some short builds.
            let _ = file.sync_data();
        }
        inner.write_table(&self.path);
    }
}

impl GuardStore for GuardFile {
    fn find(&self, node: &str, key: &Key) -> Option<Guard> {
        let row = self.inner().index.find(node_tag(node), key_tag(key))?;
        self.read_if(&row, Some(node), |found, with| found == node && with == key)
    }

    fn newest(&self, node: &str) -> Option<Guard> {
        let rows = self.inner().index.of_node(node_tag(node));
        rows.iter()
            .find_map(|row| self.read_if(row, Some(node), |found, _| found == node))
    }

    fn is_newest(&self, node: &str, key: &Key) -> bool {
        let rows = self.inner().index.of_node(node_tag(node));
        rows.first().is_some_and(|row| row.key == key_tag(key))
    }

    fn duration_ms(&self, node: &str) -> Option<u64> {
        let rows = self.inner().index.of_node(node_tag(node));
        rows.first().map(|row| u64::from(row.duration_ms))
    }

    fn record(&self, guard: Guard) -> Result<(), GuardError> {
        if !is_nameable(&guard.node) {
            let message = format!("the name of {:?} is too long, or has a control character", guard.node);
            return Err(GuardError(message));
        }
        let json = serde_json::to_vec(&guard).map_err(|error| GuardError(error.to_string()))?;
        let now = self.clock.now_ms();
        let payload = guard_payload(&guard.key, guard.duration_ms, now, &guard.node, &json);
        self.append(&payload, now, guard.duration_ms)
    }

    fn mark_current(&self, node: &str, key: &Key) -> Result<(), GuardError> {
        let now = self.clock.now_ms();
        {
            let inner = self.inner();
            let rows = inner.index.of_node(node_tag(node));
            let current = rows
                .first()
                .is_some_and(|row| row.key == key_tag(key) && row.used_ms.saturating_add(USED_AGAIN_MS) > now);
            // A reader cannot note anything, which only means that gc knows less.
            if current || inner.mode == Mode::Read || !is_nameable(node) {
                return Ok(());
            }
        }
        self.append(&used_payload(key, now, node), now, 0)
    }
}

#[cfg(test)]
#[path = "damage_tests.rs"]
mod damage_tests;
#[cfg(test)]
#[path = "table_tests.rs"]
mod table_tests;
#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
