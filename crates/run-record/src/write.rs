//! Writing a record while a run is under way.
//!
//! Lines are made where events happen and written by a thread of their own: a slow disk delays nobody. What was written is
//! flushed to the file a few times a second, so that of a killed run nearly everything is there. It is not flushed to the disk:
//! a record is not worth the wait.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use farm_engine::{Clock as _, Event, EventSink, SystemClock};
use fs_err as fs;
use serde::Serialize;
use thiserror::Error;
use zstd::Encoder;

use crate::folder;
use crate::format::{Ending, Entry, FORMAT, Header, RunResult, keeps};

/// How long written lines may wait to be readable.
const FLUSH_AFTER: Duration = Duration::from_millis(250);
/// How long the end of a run waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);
/// Events compress well at any level.
const LEVEL: i32 = 1;

/// Why a run was not recorded.
#[derive(Debug, Error)]
pub enum RecordError {
    /// It could not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The disk did not take it in time. What it takes later may stay, without an end.
    #[error("the disk is too slow")]
    Slow,
}

/// Records a run: from [`begin`](Self::begin) on in a file, before that in memory, as nobody knows yet whether it comes to run
/// anything. A run whose recorder is dropped without [`end`](Self::end) is one that was killed.
#[derive(Debug)]
pub struct Recorder {
    begun: Instant,
    header: Header,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Lines from before it was known where to.
    early: Vec<u8>,
    writer: Option<Writer>,
    /// Whether any action started.
    ran: bool,
    failed: bool,
    interrupted: bool,
}

/// The way to the thread that writes.
#[derive(Debug)]
struct Writer {
    lines: Sender<Message>,
    /// What became of it, once.
    outcome: Receiver<io::Result<()>>,
}

enum Message {
    Lines(Vec<u8>),
    /// Nothing more comes. The name says whether nothing ran.
    End {
        idle: bool,
    },
}

impl Recorder {
    /// The run begins now, by a command with these words; `jobs` may run at once.
    #[must_use]
    pub fn new(words: Vec<String>, jobs: usize) -> Self {
        Self {
            begun: Instant::now(),
            header: Header {
                format: FORMAT,
                farm: env!("CARGO_PKG_VERSION").to_owned(),
                words,
                started_ms: SystemClock.now_ms(),
                jobs,
            },
            state: Mutex::default(),
        }
    }

    /// Writes from here on, and what happened so far, into a new file in `folder`, and removes records that are too old.
    /// Whether that can be done is said at the end.
    pub fn begin(&self, folder: &Path) {
        let (lines, inbox) = channel();
        let (tell, outcome) = channel();
        let (folder, header) = (folder.to_owned(), self.header.clone());
        let write = move || {
            // Nobody may be waiting any more.
            let _ = tell.send(write(&folder, &header, &inbox));
        };
        let mut state = self.state();
        let started = std::thread::Builder::new().name("run-record".to_owned()).spawn(write);
        if started.is_ok() {
            let _ = lines.send(Message::Lines(std::mem::take(&mut state.early)));
        }
        // Without a thread, the outcome is that there is none.
        state.writer = Some(Writer { lines, outcome });
    }

    /// Ends the record. `stopped` says whether the run was asked to stop, `error` what kept the command from going on.
    /// A recorder that never began writes nothing.
    ///
    /// # Errors
    ///
    /// There is no record of this run. One that was begun is removed, as it would look like that of a killed run.
    pub fn end(self, stopped: bool, error: Option<String>) -> Result<(), RecordError> {
        let (ending, idle) = self.ending(stopped, error);
        let Some(writer) = self.state().writer.take() else {
            return Ok(());
        };
        let _ = writer.lines.send(Message::Lines(line(&ending)));
        let _ = writer.lines.send(Message::End { idle });
        match writer.outcome.recv_timeout(PATIENCE) {
            Ok(outcome) => Ok(outcome?),
            Err(RecvTimeoutError::Timeout) => Err(RecordError::Slow),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("it cannot be written beside the run").into()),
        }
    }

    /// Records a run that is over and found nothing to do, at once: it takes no time that anybody would notice.
    ///
    /// # Errors
    ///
    /// There is no record of this run.
    pub fn end_idle(self, folder: &Path) -> Result<(), RecordError> {
        let (ending, idle) = self.ending(false, None);
        let mut file = RecordFile::create(folder, &self.header, idle)?;
        let mut lines = std::mem::take(&mut self.state().early);
        lines.extend(line(&ending));
        let written = file.encoder.write_all(&lines);
        written.and_then(|()| file.encoder.do_finish()).map_err(|error| {
            file.remove();
            error.into()
        })
    }

    fn ending(&self, stopped: bool, error: Option<String>) -> (Ending, bool) {
        let state = self.state();
        let result = if stopped || state.interrupted {
            RunResult::Interrupted
        } else if state.failed || error.is_some() {
            RunResult::Failed
        } else {
            RunResult::Done
        };
        let idle = !state.ran && result == RunResult::Done;
        (Ending::new(self.elapsed_ms(), result, error), idle)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Recorder {
    fn event(&self, event: &Event) {
        if !keeps(event) {
            return;
        }
        // Under the lock, so that times in the file never go back.
        let mut state = self.state();
        match event {
            Event::NodeStarted { .. } => state.ran = true,
            Event::BuildFinished {
                counts,
                not_reproducible,
                interrupted,
                ..
            } => {
                state.failed |= counts.failed > 0 || *not_reproducible > 0;
                state.interrupted |= interrupted;
            }
            _ => {}
        }
        let line = line(&Entry {
            at: self.elapsed_ms(),
            event: event.clone(),
        });
        match &state.writer {
            // A writer that is gone had a reason, which it tells at the end.
            Some(writer) => drop(writer.lines.send(Message::Lines(line))),
            None => state.early.extend(line),
        }
    }
}

/// A value on a line of its own; nothing for one that has no rendering, which plain data always has.
fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// A record under way. While its file is open it is locked, by which others see that the run is not over.
struct RecordFile {
    encoder: Encoder<'static, fs::File>,
    folder: PathBuf,
    number: u64,
    path: PathBuf,
}

impl RecordFile {
    fn create(folder: &Path, header: &Header, idle: bool) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let found = folder::list(folder)?;
        folder::prune(&found);
        let (file, number) = folder::create(folder, &found, idle)?;
        // Where files cannot be locked, a run under way looks like one that was killed.
        let _ = file.try_lock();
        let path = folder::path(folder, number, idle);
        let encoder = Encoder::new(file, LEVEL).and_then(|mut encoder| {
            encoder.include_checksum(true)?;
            encoder.write_all(&line(header))?;
            Ok(encoder)
        });
        match encoder {
            Ok(encoder) => Ok(Self {
                encoder,
                folder: folder.to_owned(),
                number,
                path,
            }),
            Err(error) => {
                let _ = fs::remove_file(path);
                Err(error)
            }
        }
    }

    /// A part of a record is none.
    fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes what comes in until the end, or until nobody is there to say more.
fn write(folder: &Path, header: &Header, inbox: &Receiver<Message>) -> io::Result<()> {
    let mut file = RecordFile::create(folder, header, false)?;
    match pump(&mut file.encoder, inbox) {
        Ok(Some(idle)) => {
            if idle {
                // If not, it is counted among those in which something ran.
                let _ = fs::rename(&file.path, folder::path(&file.folder, file.number, true));
            }
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => {
            file.remove();
            Err(error)
        }
    }
}

/// Writes lines and flushes them in time. Gives whether nothing ran, if somebody said that this was the end.
fn pump<W: Write>(encoder: &mut Encoder<'_, W>, inbox: &Receiver<Message>) -> io::Result<Option<bool>> {
    encoder.flush()?;
    // When the oldest line that is not flushed was written.
    let mut waits: Option<Instant> = None;
    loop {
        let next = match waits {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(since) => inbox.recv_timeout(FLUSH_AFTER.saturating_sub(since.elapsed())),
        };
        match next {
            Ok(Message::Lines(lines)) => {
                encoder.write_all(&lines)?;
                waits.get_or_insert_with(Instant::now);
            }
            Ok(Message::End { idle }) => {
                encoder.do_finish()?;
                return Ok(Some(idle));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                encoder.flush()?;
                return Ok(None);
            }
        }
        if waits.is_some_and(|since| since.elapsed() >= FLUSH_AFTER) {
            encoder.flush()?;
            waits = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many writes.
    struct Filling(usize);

    impl Write for Filling {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_is_full_at_any_write_is_an_error() {
        let fails = |writes| {
            let (lines, inbox) = channel();
            for at in 0..50_000 {
                lines
                    .send(Message::Lines(format!("{{\"at\":{at}}}\n").into_bytes()))
                    .unwrap();
            }
            lines.send(Message::End { idle: false }).unwrap();
            let mut encoder = Encoder::new(Filling(writes), LEVEL).unwrap();
            pump(&mut encoder, &inbox).is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
        };
        let failed = (0..).take_while(|writes| fails(*writes)).count();
        assert!(failed > 3, "{failed}");
    }
}
