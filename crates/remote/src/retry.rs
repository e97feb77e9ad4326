//! What is tried again, how often, and after what time.

use std::time::Duration;

use crate::RemoteError;

/// How often something is tried before it has failed.
const ATTEMPTS: u32 = 6;

/// The time before the second attempt; each further time is twice as long.
const FIRST: Duration = Duration::from_secs(1);

/// The longest time that a server may ask for with `Retry-After`.
const LONGEST: Duration = Duration::from_secs(120);

/// Who watches a transfer: is told how it goes, waits, and may stop it.
pub trait Watch: Send + Sync {
    /// A line for people.
    fn tell(&self, line: &str);

    /// Waits for this time, or until [`Watch::stopped`].
    fn wait(&self, time: Duration);

    /// Whether somebody asked to stop.
    fn stopped(&self) -> bool;
}

/// How an attempt ended that did not succeed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It may go away by itself; a server may have said when.
    Passing(Box<RemoteError>, Option<Duration>),
    /// Somebody must do something.
    Lasting(Box<RemoteError>),
}

impl Trouble {
    /// What may go away by itself, nobody knows when.
    pub(crate) fn passing(error: RemoteError) -> Self {
        Self::Passing(Box::new(error), None)
    }
}

impl From<RemoteError> for Trouble {
    fn from(error: RemoteError) -> Self {
        Self::Lasting(Box::new(error))
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Lasting(Box::new(error.into()))
    }
}

/// Tries something until it succeeds, fails for good, or was tried often enough. `what` names it in progress lines.
///
/// The times are the same in every run: publishers of one binhost are few, so nothing is gained by scattering them.
pub(crate) fn retried<T>(
    watch: &dyn Watch,
    what: &str,
    mut attempt: impl FnMut() -> Result<T, Trouble>,
) -> Result<T, RemoteError> {
    let (mut pause, mut number) = (FIRST, 1);
    loop {
        if watch.stopped() {
            return Err(RemoteError::Stopped);
        }
        let (error, asked) = match attempt() {
            Ok(value) => return Ok(value),
            Err(Trouble::Lasting(error)) => return Err(*error),
            Err(Trouble::Passing(error, asked)) => (error, asked),
        };
        if number == ATTEMPTS {
            return Err(*error);
        }
        let pause_now = asked.unwrap_or(pause).min(LONGEST);
        watch.tell(&format!(
            "{what}: {error}; trying again in {} s ({number} of {})",
            pause_now.as_secs(),
            ATTEMPTS - 1
        ));
        watch.wait(pause_now);
        pause *= 2;
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Clock(Mutex<Vec<u64>>);

    impl Watch for Clock {
        fn tell(&self, _line: &str) {}

        fn wait(&self, time: Duration) {
            self.0.lock().unwrap().push(time.as_secs());
        }

        fn stopped(&self) -> bool {
            false
        }
    }

    fn passing(asked: Option<u64>) -> Trouble {
        Trouble::Passing(
            Box::new(RemoteError::unreachable("x", "is away")),
            asked.map(Duration::from_secs),
        )
    }

    #[test]
    fn passing_trouble_is_waited_out_with_growing_times() {
        let clock = Clock::default();
        let mut left = 3;
        let result = retried(&clock, "x", || match left {
            0 => Ok(7),
            _ => {
                left -= 1;
                Err(passing(None))
            }
        });
        assert_eq!((result.unwrap(), &*clock.0.lock().unwrap()), (7, &vec![1, 2, 4]));
    }

    #[test]
    fn it_ends_in_the_last_error() {
        let clock = Clock::default();
        let result: Result<(), _> = retried(&clock, "x", || Err(passing(None)));
        assert!(matches!(result, Err(RemoteError::Unreachable { .. })));
        assert_eq!(*clock.0.lock().unwrap(), [1, 2, 4, 8, 16]);
    }

    #[test]
    fn a_server_may_say_when_but_not_for_ever() {
        let clock = Clock::default();
        let mut asked = vec![1_000_000, 7];
        let result = retried(&clock, "x", || match asked.pop() {
            None => Ok(()),
            seconds => Err(passing(seconds)),
        });
        assert!(result.is_ok());
        assert_eq!(*clock.0.lock().unwrap(), [7, 120]);
    }

    #[test]
    fn lasting_trouble_is_told_at_once() {
        let clock = Clock::default();
        let result: Result<(), _> = retried(&clock, "x", || Err(RemoteError::Stopped.into()));
        assert!(matches!(result, Err(RemoteError::Stopped)));
        assert!(clock.0.lock().unwrap().is_empty());
    }
}
