//! Writing a record while a run is under way.
//!
//! Lines are made where events happen and written by a thread of their own: a slow disk delays nobody. It looks for them a few
//! times a second, so that of a killed run nearly everything is there, and is not woken for each: a short task has three.
//! Nothing is flushed to the disk: a record is not worth the wait.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use farm_engine::{Clock as _, Event, EventSink, SystemClock};
use fs_err as fs;
use serde::Serialize;
use thiserror::Error;
use zstd::Encoder;

use crate::folder;
use crate::format::{Ending, Entry, FORMAT, Header, RunResult, keeps};

/// How long lines may wait to be written.
const WRITE_AFTER: Duration = Duration::from_millis(250);
/// So many bytes do not wait.
const MANY: usize = 1 << 20;
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

/// The way to the thread that writes. Dropped before the end, it says that nothing more comes.
#[derive(Debug)]
struct Writer {
    lines: Arc<Lines>,
    /// What became of it, once.
    outcome: Receiver<io::Result<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.lines.end(End::Cut);
    }
}

/// Lines that wait to be written.
#[derive(Debug, Default)]
struct Lines {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    end: Option<End>,
}

/// Why no more lines come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The run is over.
    Done {
        /// Nothing ran.
        idle: bool,
    },
    /// Whoever made them is gone.
    Cut,
}

impl Lines {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Every change is complete before anything can panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines that come after the end are dropped: a writer that gave up had a reason, which it tells.
    fn push(&self, lines: &[u8]) {
        let mut waiting = self.waiting();
        if waiting.end.is_some() {
            return;
        }
        waiting.lines.extend_from_slice(lines);
        if waiting.lines.len() >= MANY {
            self.wake.notify_one();
        }
    }

    /// The first end counts.
    fn end(&self, end: End) {
        self.waiting().end.get_or_insert(end);
        self.wake.notify_one();
    }

    /// What came in the meantime: waits until it is time to write, many lines are there, or no more come.
    fn take(&self) -> (Vec<u8>, Option<End>) {
        let calm = |waiting: &mut Waiting| waiting.end.is_none() && waiting.lines.len() < MANY;
        let waited = self.wake.wait_timeout_while(self.waiting(), WRITE_AFTER, calm);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut waiting.lines), waiting.end)
    }
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
        let lines = Arc::new(Lines::default());
        let (tell, outcome) = channel();
        let (folder, header, inbox) = (folder.to_owned(), self.header.clone(), Arc::clone(&lines));
        let write = move || {
            let outcome = write(&folder, &header, &inbox);
            inbox.end(End::Cut);
            // Nobody may be waiting any more.
            let _ = tell.send(outcome);
        };
        let mut state = self.state();
        lines.push(&std::mem::take(&mut state.early));
        // Without a thread, the outcome is that there is none.
        if std::thread::Builder::new()
            .name("run-record".to_owned())
            .spawn(write)
            .is_err()
        {
            lines.end(End::Cut);
        }
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
        writer.lines.push(&line(&ending));
        writer.lines.end(End::Done { idle });
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
            Some(writer) => writer.lines.push(&line),
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
fn write(folder: &Path, header: &Header, lines: &Lines) -> io::Result<()> {
    let mut file = RecordFile::create(folder, header, false)?;
    match pump(&mut file.encoder, lines) {
        Ok(End::Done { idle: true }) => {
            // If not, it is counted among those in which something ran.
            let _ = fs::rename(&file.path, folder::path(&file.folder, file.number, true));
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(error) => {
            file.remove();
            Err(error)
        }
    }
}

/// Writes lines in time, and says how they ended.
fn pump<W: Write>(encoder: &mut Encoder<'_, W>, lines: &Lines) -> io::Result<End> {
    encoder.flush()?;
    loop {
        let (new, end) = lines.take();
        encoder.write_all(&new)?;
        match end {
            Some(End::Done { idle }) => {
                encoder.do_finish()?;
                return Ok(End::Done { idle });
            }
            Some(End::Cut) => {
                encoder.flush()?;
                return Ok(End::Cut);
            }
            None if new.is_empty() => {}
            None => encoder.flush()?,
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
            let lines = Lines::default();
            for at in 0..50_000_u64 {
                // Numbers that do not compress well make for many writes.
                let number = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                lines.push(format!("{{\"at\":{number}}}\n").as_bytes());
            }
            lines.end(End::Done { idle: false });
            let mut encoder = Encoder::new(Filling(writes), LEVEL).unwrap();
            pump(&mut encoder, &lines).is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
        };
        let failed = (0..).take_while(|writes| fails(*writes)).count();
        assert!(failed > 3, "{failed}");
    }
}
