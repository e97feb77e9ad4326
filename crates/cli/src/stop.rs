//! Ctrl-C and SIGTERM: the first asks to stop, the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use farm_executor::CancelToken;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::domain::OuterJobs;
use crate::error::CliError;
use crate::exit::{Signal, Status};
use crate::progress::Display;

const NONE: u8 = 0;
const INTERRUPT: u8 = 1;
const TERMINATE: u8 = 2;

/// Which signal came first, if any.
#[derive(Debug, Clone)]
pub(crate) struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Watches for signals from now on, until the process ends: `token` fires at the first. At the second, what was taken from
    /// the job server of whoever started the program is given back.
    ///
    /// # Errors
    ///
    /// The environment's: no handler can be set.
    pub(crate) fn install(
        display: Arc<Display>,
        token: CancelToken,
        outer_jobs: Arc<OuterJobs>,
    ) -> Result<Self, CliError> {
        let mut signals = Signals::new([SIGINT, SIGTERM])
            .map_err(|error| CliError::environment(format!("cannot watch for signals: {error}")))?;
        let stop = Self(Arc::new(AtomicU8::new(NONE)));
        let first = stop.clone();
        std::thread::spawn(move || {
            for number in signals.forever() {
                let (signal, mark) = if number == SIGINT {
                    (Signal::Interrupt, INTERRUPT)
                } else {
                    (Signal::Terminate, TERMINATE)
                };
                if first
                    .0
                    .compare_exchange(NONE, mark, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok()
                {
                    token.cancel();
                    display.say(&["stopping; once more to give up at once".to_owned()]);
                } else {
                    display.close();
                    outer_jobs.leave();
                    give_up(signal);
                }
            }
        });
        Ok(stop)
    }

    /// The signal that asked to stop.
    pub(crate) fn signal(&self) -> Option<Signal> {
        match self.0.load(Ordering::Acquire) {
            INTERRUPT => Some(Signal::Interrupt),
            TERMINATE => Some(Signal::Terminate),
            _ => None,
        }
    }
}

#[expect(
    clippy::exit,
    reason = "whoever asks twice wants the process gone, whatever its threads wait for"
)]
fn give_up(signal: Signal) -> ! {
    std::process::exit(Status::Stopped(signal).code().into())
}
