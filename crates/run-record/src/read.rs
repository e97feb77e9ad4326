//! Reading a record, whole or cut.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use fs_err as fs;
use serde::Deserialize;
use thiserror::Error;

use crate::format::{Ending, Entry, FORMAT, Header, RunResult};

/// Why a record is not read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A later farm wrote it.
    #[error("a newer farm wrote it, in format {format}; this one reads up to {FORMAT}")]
    Newer {
        /// Its format.
        format: u32,
    },
    /// Not even the first line is there.
    #[error("its first line is missing: the run was killed as it began, or this is no record")]
    NoHeader,
    /// It cannot be opened.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is left of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Who ran what, and when.
    pub header: Header,
    /// What happened, in this order; times never go back.
    pub entries: Vec<Entry>,
    /// How it ended; `None` when the end is missing.
    pub ending: Option<Ending>,
    /// Whether somebody was still writing when it was opened.
    pub running: bool,
}

/// What every format's first line has.
#[derive(Deserialize)]
struct AnyHeader {
    #[serde(rename = "farm-run")]
    format: u32,
}

impl Record {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. A record that is cut, or damaged somewhere, is read up to there.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = fs::File::open(path)?;
        // Only whoever writes it keeps it locked.
        let running = matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock));
        let record = Self::read(file)?;
        Ok(Self {
            running: running && record.ending.is_none(),
            ..record
        })
    }

    /// Reads the bytes of a record of a run that is over.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn read(bytes: impl Read) -> Result<Self, ReadError> {
        let mut lines = Lines(BufReader::new(zstd::Decoder::new(bytes)?));
        let first = lines.next().ok_or(ReadError::NoHeader)?;
        let AnyHeader { format } = serde_json::from_slice(&first).map_err(|_| ReadError::NoHeader)?;
        if format > FORMAT {
            return Err(ReadError::Newer { format });
        }
        let mut record = Self {
            header: serde_json::from_slice(&first).map_err(|_| ReadError::NoHeader)?,
            entries: Vec::new(),
            ending: None,
            running: false,
        };
        let mut now = 0;
        for line in lines {
            if let Ok(mut entry) = serde_json::from_slice::<Entry>(&line) {
                // Everybody who computes with times relies on it.
                entry.at = entry.at.max(now);
                now = entry.at;
                record.entries.push(entry);
            } else if let Ok(mut ending) = serde_json::from_slice::<Ending>(&line) {
                ending.at = ending.at.max(now);
                record.ending = Some(ending);
                break;
            } else if serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_err() {
                break;
            }
        }
        Ok(record)
    }

    /// How the run ended.
    #[must_use]
    pub fn result(&self) -> RunResult {
        match &self.ending {
            Some(ending) => ending.result,
            None if self.running => RunResult::Running,
            None => RunResult::Killed,
        }
    }

    /// How long the run took, as far as is known, in milliseconds.
    #[must_use]
    pub fn ms(&self) -> u64 {
        let last = self.entries.last().map_or(0, |entry| entry.at);
        self.ending.as_ref().map_or(last, |ending| ending.at)
    }
}

/// The whole lines before the first fault.
struct Lines<R>(R);

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).ok()?;
        (line.pop() == Some(b'\n')).then_some(line)
    }
}
