//! What is written to standard error while a run is under way.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use farm_engine::{Event, EventSink};

use super::board::Board;
use super::frame::{Size, render};
use super::lines::{Wanted, lines};
use super::tail::last_lines;
use crate::paint::Paint;

/// At most ten pictures a second; also, a run that is over before the first shows none.
const REDRAW: Duration = Duration::from_millis(100);

/// A terminal whose size nobody knows.
const UNKNOWN_SIZE: Size = Size { columns: 80, rows: 24 };

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A picture, drawn again in place; failures and notes stay above it.
    Live,
    /// A line for every start and end.
    Plain,
    /// Failures and notes only: somebody else reads the events.
    Quiet,
}

/// Shows a run on standard error. Lines of others (a signal's, a connection's) go through [`Display::say`], so that they do
/// not end up in the middle of a picture.
pub(crate) struct Display {
    shared: Arc<Shared>,
    painter: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    screen: Mutex<Screen>,
    /// Woken when the display is closed.
    closed: Condvar,
}

struct Screen {
    out: Box<dyn Write + Send>,
    /// What is to be written next, in one piece: a picture that is erased and drawn in several would flicker.
    pending: String,
    mode: Mode,
    explain: bool,
    paint: Paint,
    begun: Instant,
    board: Board,
    /// How many lines of the last picture are on the terminal.
    drawn: usize,
    is_closed: bool,
}

impl Display {
    /// Shows a run on standard error.
    pub(crate) fn stderr(mode: Mode, explain: bool, paint: Paint) -> Self {
        Self::new(Box::new(std::io::stderr()), mode, explain, paint)
    }

    fn new(out: Box<dyn Write + Send>, mode: Mode, explain: bool, paint: Paint) -> Self {
        let screen = Screen {
            out,
            pending: String::new(),
            mode,
            explain,
            paint,
            begun: Instant::now(),
            board: Board::default(),
            drawn: 0,
            is_closed: false,
        };
        let shared = Arc::new(Shared {
            screen: Mutex::new(screen),
            closed: Condvar::new(),
        });
        let painter = (mode == Mode::Live).then(|| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.draw_until_closed())
        });
        Self {
            shared,
            painter: Mutex::new(painter),
        }
    }

    /// Writes lines that stay.
    pub(crate) fn say(&self, lines: &[String]) {
        self.shared.locked(|screen| screen.say(lines));
    }

    /// Erases the picture; nothing is drawn any more.
    pub(crate) fn close(&self) {
        self.shared.locked(|screen| {
            screen.erase();
            screen.flush();
            screen.is_closed = true;
        });
        self.shared.closed.notify_all();
        let painter = self.painter.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(painter) = painter {
            // The painter cannot have failed in a way that matters now.
            let _ = painter.join();
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.close();
    }
}

impl EventSink for Display {
    fn event(&self, event: &Event) {
        self.shared.locked(|screen| screen.event(event));
    }
}

impl Shared {
    fn locked<T>(&self, action: impl FnOnce(&mut Screen) -> T) -> T {
        // A panic while the lock was held can at worst have left half a picture.
        action(&mut self.screen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn draw_until_closed(&self) {
        let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            screen = self
                .closed
                .wait_timeout_while(screen, REDRAW, |screen| !screen.is_closed)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if screen.is_closed {
                return;
            }
            let size = terminal_size();
            screen.redraw(size);
        }
    }
}

impl Screen {
    fn event(&mut self, event: &Event) {
        let now = self.begun.elapsed();
        self.board.apply(event, now);
        let wanted = Wanted {
            everything: self.mode == Mode::Plain,
            explain: self.explain && self.mode != Mode::Quiet,
        };
        let lines = lines(event, wanted, self.paint, |log| last_lines(Path::new(log)));
        if !lines.is_empty() {
            self.say(&lines);
        }
    }

    fn say(&mut self, lines: &[String]) {
        self.erase();
        self.write_lines(lines);
        self.flush();
    }

    fn redraw(&mut self, size: Size) {
        self.erase();
        let lines = render(&self.board, size, self.begun.elapsed(), self.paint);
        self.write_lines(&lines);
        self.drawn = lines.len();
        self.flush();
    }

    fn write_lines(&mut self, lines: &[String]) {
        for line in lines {
            self.pending.push_str(line);
            self.pending.push('\n');
        }
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            // Up to the picture's first line, to its first column, and clear from there to the end of the screen.
            self.pending.push_str(&format!("\x1b[{}A\r\x1b[J", self.drawn));
            self.drawn = 0;
        }
    }

    fn flush(&mut self) {
        // A display that cannot write goes on in silence: no build fails because nobody looks.
        let _ = self.out.write_all(self.pending.as_bytes());
        let _ = self.out.flush();
        self.pending.clear();
    }
}

fn terminal_size() -> Size {
    rustix::termios::tcgetwinsize(rustix::stdio::stderr()).map_or(UNKNOWN_SIZE, |size| {
        if size.ws_col == 0 || size.ws_row == 0 {
            return UNKNOWN_SIZE;
        }
        Size {
            columns: size.ws_col.into(),
            // The cursor stands on the line below the picture.
            rows: usize::from(size.ws_row).saturating_sub(1).max(1),
        }
    })
}

#[cfg(test)]
mod tests {
    use farm_engine::{NodeResult, Reason};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Written {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn started() -> Event {
        Event::NodeStarted {
            name: "x:task/a".to_owned(),
            kind: "task".to_owned(),
            reason: Reason::NeverBuilt,
            expected_ms: None,
            after: None,
        }
    }

    fn failed() -> Event {
        Event::NodeFinished {
            name: "x:task/a".to_owned(),
            kind: "task".to_owned(),
            result: NodeResult::Failed,
            ms: 100,
            message: Some("exit status 1".to_owned()),
            failure: None,
            hint: None,
            log: None,
            reproducible: None,
            differences: Vec::new(),
        }
    }

    #[test]
    fn a_failure_stays_above_the_picture_and_the_end_erases_it() {
        let written = Written::default();
        let display = Display::new(Box::new(written.clone()), Mode::Quiet, false, Paint::default());
        let size = Size { columns: 80, rows: 24 };
        display.event(&started());
        display.shared.locked(|screen| screen.redraw(size));
        assert_eq!(written.text().matches("\x1b[").count(), 0, "nothing to erase yet");
        display.event(&failed());
        display.shared.locked(|screen| screen.redraw(size));
        display.close();
        let text = written.text();
        let erased = text
            .replace("\x1b[2A\r\x1b[J", "<2 lines erased>")
            .replace("\x1b[1A\r\x1b[J", "<1 line erased>");
        insta::with_settings!({filters => vec![(r"\d\.\d s\n", "TIME\n")]}, {
            insta::assert_snapshot!(erased, @r"
            0 of 0 done, 1 running, TIME
              x:task/a  TIME
            <2 lines erased>failed x:task/a after 0.1 s: exit status 1
            1 of 1 done, 1 failed, TIME
            <1 line erased>
            ");
        });
    }

    #[test]
    fn the_painter_stops_when_the_display_is_closed() {
        let written = Written::default();
        let display = Display::new(Box::new(written.clone()), Mode::Live, false, Paint::default());
        display.close();
        let before = written.text();
        display.close();
        drop(display);
        assert_eq!(written.text(), before);
    }

    #[test]
    fn nobody_looking_is_no_failure() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
        }
        let display = Display::new(Box::new(Gone), Mode::Plain, false, Paint::default());
        display.event(&started());
        display.event(&failed());
        display.say(&["x".to_owned()]);
    }
}
