//! The job tokens of a package build, or of a task in an image: a FIFO inside its container, filled and emptied by a companion.
//!
//! Nothing of the host is in the container, not even a FIFO: tokens cross the border as words to a small program beside
//! emerge. No program of the build holds anything else of farm's, so that what a container was lent is back when it is gone.
//!
//! None of this is in a key, as the number of jobs is not: [`OFFER`] sets variables that the normal form takes out,
//! and leaves every program under its own name and path.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use farm_engine::{TokenLine, Wake};
use farm_executor::Companion;

/// Sourced by the shell that becomes emerge: makes the FIFO and tells programs of it.
pub(super) const OFFER: &str = include_str!("offer.sh");
/// Puts tokens into the FIFO and takes them back.
const HAND: &str = include_str!("hand.py");
/// Where the FIFO is: in memory, where everybody in the container may write, and nothing is taken out of.
const FIFO: &str = "/dev/shm/farm-jobs";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long after an answer the next question waits, unless there are tokens to put in.
const PAUSE: Duration = Duration::from_millis(50);

/// The line to the programs in one container.
#[derive(Default)]
pub(super) struct ContainerJobs {
    state: Mutex<State>,
    wake: Mutex<Option<Wake>>,
}

#[derive(Default)]
struct State {
    /// Lent and not put in yet.
    to_put: usize,
    /// Put in and not taken back.
    inside: usize,
    /// Of these, how many nobody held when the program last answered.
    unused: usize,
    wanted: usize,
    returned: usize,
    /// A question is under way.
    asked: bool,
    answered: Option<Instant>,
    /// The beginning of an answer.
    line: Vec<u8>,
    gone: bool,
}

impl State {
    /// Sets aside what is wanted back and still here.
    fn settle(&mut self) {
        let wanted = if self.gone { usize::MAX } else { self.wanted };
        let back = wanted.saturating_sub(self.returned).min(self.to_put);
        self.to_put -= back;
        self.returned += back;
    }

    fn missing(&self) -> usize {
        self.wanted.saturating_sub(self.returned)
    }

    /// The next question for the program.
    fn question(&mut self, now: Instant) -> Option<String> {
        if self.asked || self.gone {
            return None;
        }
        let question = if self.to_put > 0 {
            let count = std::mem::take(&mut self.to_put);
            self.inside += count;
            format!("+{count}\n")
        } else {
            let waits = self
                .answered
                .is_some_and(|answered| now.duration_since(answered) < PAUSE);
            if waits || self.inside == 0 {
                return None;
            }
            // Of none, it is only a look.
            format!("-{}\n", self.missing().min(self.inside))
        };
        self.asked = true;
        Some(question)
    }

    /// Reads answers.
    fn hear(&mut self, bytes: &[u8], now: Instant) {
        self.line.extend_from_slice(bytes);
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            let mut numbers = std::str::from_utf8(&line)
                .unwrap_or_default()
                .split_whitespace()
                .map(|number| number.parse().unwrap_or(0));
            // The programs of a build can make more of the FIFO than was put in; they are not believed.
            let back = numbers.next().unwrap_or(0).min(self.inside);
            self.inside -= back;
            self.returned += back;
            self.unused = numbers.next().unwrap_or(0).min(self.inside);
            self.asked = false;
            self.answered = Some(now);
        }
    }
}

impl ContainerJobs {
    /// Changes the state, and tells whoever waits for tokens when some came back.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (answer, news) = {
            let mut state = self.state();
            let before = state.returned;
            let answer = change(&mut state);
            state.settle();
            (answer, state.returned > before)
        };
        let wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wake) = wake.as_ref().filter(|_| news) {
            wake();
        }
        answer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenLine for ContainerJobs {
    fn open(&self, wake: Wake) {
        *self.wake.lock().unwrap_or_else(PoisonError::into_inner) = Some(wake);
    }

    fn lend(&self, count: usize) {
        self.change(|state| state.to_put += count);
    }

    fn want_back(&self, count: usize) {
        self.change(|state| state.wanted = count);
    }

    fn take_returned(&self) -> usize {
        let mut state = self.state();
        state.wanted = state.missing();
        std::mem::take(&mut state.returned)
    }

    fn unused(&self) -> usize {
        let state = self.state();
        state.to_put + state.unused
    }
}

impl Companion for ContainerJobs {
    fn argv(&self) -> Vec<String> {
        ["/usr/bin/env", "-i", PATH, "python3", "-IS", "-c", HAND, FIFO]
            .map(str::to_owned)
            .to_vec()
    }

    fn input(&self) -> Option<Vec<u8>> {
        self.change(|state| state.question(Instant::now()).map(String::into_bytes))
    }

    fn output(&self, bytes: &[u8]) {
        self.change(|state| state.hear(bytes, Instant::now()));
    }

    fn gone(&self) {
        // What it put in is out of reach until the container is gone.
        self.change(|state| state.gone = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(jobs: &ContainerJobs) -> Option<String> {
        jobs.input().map(|words| String::from_utf8_lossy(&words).into_owned())
    }

    #[test]
    fn nothing_is_started_before_there_is_a_token() {
        let jobs = ContainerJobs::default();
        assert_eq!(said(&jobs), None);
        jobs.lend(2);
        assert_eq!(jobs.unused(), 2);
        assert_eq!(said(&jobs).as_deref(), Some("+2\n"));
        // One question at a time.
        jobs.lend(1);
        assert_eq!(said(&jobs), None);
        jobs.output(b"0 ");
        jobs.output(b"1\n");
        assert_eq!(jobs.unused(), 1 + 1);
        assert_eq!(said(&jobs).as_deref(), Some("+1\n"));
    }

    #[test]
    fn what_was_not_put_in_yet_comes_back_at_once_and_the_rest_when_the_program_says_so() {
        let jobs = ContainerJobs::default();
        jobs.lend(1);
        assert_eq!(said(&jobs).as_deref(), Some("+1\n"));
        jobs.lend(2);
        jobs.want_back(3);
        assert_eq!((jobs.take_returned(), jobs.take_returned()), (2, 0));
        jobs.output(b"0 1\n");
        let mut state = jobs.state();
        let later = state.answered.unwrap() + PAUSE;
        assert_eq!(state.question(later).as_deref(), Some("-1\n"));
        drop(state);
        jobs.output(b"1 0\n");
        assert_eq!((jobs.take_returned(), jobs.unused()), (1, 0));
    }

    #[test]
    fn a_build_cannot_make_tokens() {
        let jobs = ContainerJobs::default();
        jobs.lend(1);
        said(&jobs);
        jobs.want_back(1);
        jobs.output(b"7 9\n");
        assert_eq!((jobs.take_returned(), jobs.unused()), (1, 0));
    }

    #[test]
    fn a_program_that_is_gone_is_lent_nothing() {
        let jobs = ContainerJobs::default();
        jobs.gone();
        jobs.lend(2);
        assert_eq!(jobs.take_returned(), 2);
        assert_eq!(said(&jobs), None);
    }
}
