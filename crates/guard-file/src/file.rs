//! The open file.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use farm_engine::{Clock, Guard, GuardError, GuardStore, Key, SystemClock};
use fs_err as fs;
use fs_err::File;
use thiserror::Error;

use crate::compact;
use crate::format::{
    HEADER_LEN, MAGIC, RECORD_HEADER_LEN, VERSION, guard_payload, header, parse, record, used_payload,
};
use crate::index::Index;
use crate::stamp::Stamp;

/// A guard found current is noted again after this time, so that gc knows: one day, in milliseconds.
const USED_AGAIN_MS: u64 = 24 * 60 * 60 * 1000;

/// Records reach the disk at the latest so long after they were written: what a machine that stops may lose, in milliseconds.
/// A build that took as long reaches it at once.
const SYNC_AFTER_MS: u64 = 1000;

/// How the file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is written; needs no lock.
    Read,
    /// A torn tail is cut off, and guards are recorded. The caller holds the workspace's lock.
    Write,
}

/// A guard file that cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// It cannot be read or written. Environment.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It was written by a newer farm. Environment.
    #[error("{path} was written by a newer farm (format {found}, this one knows {VERSION})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It does not begin as a guard file does. Environment: somebody else's file, or a damaged disk.
    #[error("{path} is not a guard file")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// An open guard file, and what was wrong with it.
#[derive(Debug)]
pub struct Opened {
    /// The guards.
    pub guards: GuardFile,
    /// Bytes at its end that were no whole record: a farm was killed while writing, or the disk lost something.
    pub dropped_bytes: usize,
}

/// Guards in a file.
pub struct GuardFile {
    path: PathBuf,
    inner: Mutex<Inner>,
    clock: Box<dyn Clock + Send>,
    before_flush: Box<BeforeFlush>,
}

/// Makes durable what guards speak of.
type BeforeFlush = dyn Fn() -> std::io::Result<()> + Send + Sync;

struct Inner {
    /// Everything in the file, and what was appended since.
    bytes: Vec<u8>,
    index: Index,
    /// `None` when opened for reading.
    file: Option<File>,
    /// When the first record was written that may not have reached the disk.
    unsynced_since_ms: Option<u64>,
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
    pub fn open(path: &Path, mode: Mode) -> Result<Opened, OpenError> {
        Self::open_with_clock(path, mode, Box::new(SystemClock))
    }

    /// As [`Self::open`], with a clock of the caller's.
    pub fn open_with_clock(path: &Path, mode: Mode, clock: Box<dyn Clock + Send>) -> Result<Opened, OpenError> {
        let mut bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let fresh = check_header(path, &bytes)?;
        let torn_header = bytes.len();
        let (index, dropped_bytes) = if fresh {
            bytes = header().to_vec();
            (Index::default(), torn_header)
        } else {
            let (index, end) = Index::read(&bytes);
            let dropped = bytes.len() - end;
            bytes.truncate(end);
            (index, dropped)
        };
        let mut inner = Inner {
            bytes,
            index,
            file: None,
            unsynced_since_ms: None,
        };
        if mode == Mode::Write {
            if compact::is_worthwhile(&inner.index, inner.bytes.len()) {
                inner.bytes = compact::compacted(&inner.index, &inner.bytes, clock.now_ms());
                inner.index = Index::read(&inner.bytes).0;
                replace(path, &inner.bytes)?;
            }
            inner.file = Some(open_for_appending(path, &inner.bytes, fresh)?);
        }
        let guards = Self {
            path: path.to_owned(),
            inner: Mutex::new(inner),
            clock,
            before_flush: Box::new(|| Ok(())),
        };
        Ok(Opened { guards, dropped_bytes })
    }

    /// Has `action` called before records are flushed to the disk, so that none gets there before what it speaks of.
    #[must_use]
    pub fn flushing_first(mut self, action: impl Fn() -> std::io::Result<()> + Send + Sync + 'static) -> Self {
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
        let record = record(payload);
        let end = inner.bytes.len();
        let since = *inner.unsynced_since_ms.get_or_insert(now_ms);
        let sync = worth_ms >= SYNC_AFTER_MS || now_ms.saturating_sub(since) >= SYNC_AFTER_MS;
        let Some(file) = inner.file.as_mut() else {
            return Err(GuardError(format!("{} is open for reading only", self.path.display())));
        };
        let written = file
            .seek(SeekFrom::Start(end as u64))
            .and_then(|_| file.write_all(&record))
            .and_then(|()| {
                if sync {
                    (self.before_flush)()?;
                    file.sync_data()?;
                }
                Ok(())
            });
        if let Err(error) = written {
            // Half a record must not stay in front of a later whole one. If this fails too, the next start cuts it off,
            // because the next record is written from the same place.
            let _ = file.set_len(end as u64);
            return Err(GuardError(error.to_string()));
        }
        if sync {
            inner.unsynced_since_ms = None;
        }
        inner.index.last = end;
        inner.bytes.extend(&record);
        let end = inner.bytes.len();
        if let Some(parts) = parse(payload) {
            inner.index.add(&parts, end);
        }
        Ok(())
    }

    /// What the file is at this moment.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let inner = self.inner();
        let last = inner.index.last;
        let mut header = [0; RECORD_HEADER_LEN];
        if last > 0 {
            header.copy_from_slice(&inner.bytes[last..last + RECORD_HEADER_LEN]);
        }
        Stamp {
            len: inner.bytes.len() as u64,
            last: last as u64,
            header,
        }
    }

    /// Every guard that is kept, for `farm debug` and clean-up: node by node, the one used last at the end.
    #[must_use]
    pub fn all(&self) -> Vec<Guard> {
        let inner = self.inner();
        inner
            .index
            .iter()
            .flat_map(|(_, entries)| entries)
            .filter_map(|entry| serde_json::from_slice(&inner.bytes[entry.json.clone()]).ok())
            .collect()
    }
}

impl GuardFile {
    /// Every guard of a node that is kept with the time in milliseconds since 1970 when it was last found in use, which is noted once
    /// a day; the one used last at the end.
    #[must_use]
    pub fn history(&self, node: &str) -> Vec<(Guard, u64)> {
        let inner = self.inner();
        let kept = inner.index.of(node).iter();
        kept.filter_map(|entry| {
            let guard = serde_json::from_slice(&inner.bytes[entry.json.clone()]).ok()?;
            Some((guard, entry.used_ms))
        })
        .collect()
    }
}

impl Drop for GuardFile {
    fn drop(&mut self) {
        let mut inner = self.inner();
        if inner.unsynced_since_ms.take().is_some()
            && let Some(file) = &inner.file
            && (self.before_flush)().is_ok()
        {
            // Nobody is left to be told, and a machine that stops now costs some short builds.
            let _ = file.sync_data();
        }
    }
}

impl GuardStore for GuardFile {
    fn find(&self, node: &str, key: &Key) -> Option<Guard> {
        let inner = self.inner();
        let entry = inner.index.find(node, key)?;
        serde_json::from_slice(&inner.bytes[entry.json.clone()]).ok()
    }

    fn newest(&self, node: &str) -> Option<Guard> {
        let inner = self.inner();
        let entry = inner.index.newest(node)?;
        serde_json::from_slice(&inner.bytes[entry.json.clone()]).ok()
    }

    fn duration_ms(&self, node: &str) -> Option<u64> {
        self.inner().index.newest(node).map(|entry| entry.duration_ms)
    }

    fn record(&self, guard: Guard) -> Result<(), GuardError> {
        let json = serde_json::to_vec(&guard).map_err(|error| GuardError(error.to_string()))?;
        let now = self.clock.now_ms();
        let payload = guard_payload(&guard.key, guard.duration_ms, now, &guard.node, &json);
        self.append(&payload, now, guard.duration_ms)
    }

    fn mark_current(&self, node: &str, key: &Key) -> Result<(), GuardError> {
        let now = self.clock.now_ms();
        {
            let inner = self.inner();
            let current = inner
                .index
                .newest(node)
                .is_some_and(|entry| entry.key == *key && entry.used_ms.saturating_add(USED_AGAIN_MS) > now);
            // A reader cannot note anything, which only means that gc knows less.
            if current || inner.file.is_none() {
                return Ok(());
            }
        }
        self.append(&used_payload(key, now, node), now, 0)
    }
}

/// Whether the file is new (or so torn that not even its header is whole), or an error when it is not ours to write.
fn check_header(path: &Path, bytes: &[u8]) -> Result<bool, OpenError> {
    if bytes.len() < HEADER_LEN {
        return if header().starts_with(bytes) {
            Ok(true)
        } else {
            Err(OpenError::Foreign { path: path.to_owned() })
        };
    }
    if &bytes[..MAGIC.len()] != MAGIC {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let mut version = [0; 4];
    version.copy_from_slice(&bytes[MAGIC.len()..HEADER_LEN]);
    let found = u32::from_le_bytes(version);
    if found > VERSION {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
        });
    }
    Ok(false)
}

fn open_for_appending(path: &Path, bytes: &[u8], fresh: bool) -> std::io::Result<File> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(path)?;
    if fresh {
        file.write_all(bytes)?;
    }
    file.set_len(bytes.len() as u64)?;
    file.sync_data()?;
    Ok(file)
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
