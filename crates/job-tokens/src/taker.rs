//! Takes tokens out of a pipe as soon as there are any, up to how many are wanted.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use farm_engine::Wake;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;

/// Takes at once what is there; for what is not there yet, a thread waits. The thread starts when it is first needed.
#[derive(Debug)]
pub(crate) struct Taker {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    /// The pipe; does not block.
    pipe: OwnedFd,
    /// Rung when there is something new to know for the thread. Made with it: most takers never wait for anything.
    bell: OnceLock<OwnedFd>,
    state: Mutex<State>,
    wake: Mutex<Option<Wake>>,
}

#[derive(Debug, Default)]
struct State {
    wanted: usize,
    taken: Vec<u8>,
    /// Nothing is taken any more: it is over, or the pipe is broken.
    closed: bool,
}

impl State {
    fn is_waiting(&self) -> bool {
        !self.closed && self.taken.len() < self.wanted
    }
}

impl Taker {
    /// Will take from `pipe`, which must not block.
    pub(crate) fn new(pipe: OwnedFd) -> Self {
        Self {
            shared: Arc::new(Shared {
                pipe,
                bell: OnceLock::new(),
                state: Mutex::default(),
                wake: Mutex::default(),
            }),
            thread: Mutex::default(),
        }
    }

    /// The pipe.
    pub(crate) fn pipe(&self) -> &OwnedFd {
        &self.shared.pipe
    }

    /// Whom to tell of tokens that were taken, from now on.
    pub(crate) fn open(&self, wake: Wake) {
        *self.shared.wake.lock().unwrap_or_else(PoisonError::into_inner) = Some(wake);
    }

    /// Sets how many tokens are wanted, those included that were taken and not fetched.
    pub(crate) fn want(&self, count: usize) {
        self.shared.state().wanted = count;
        self.shared.take();
        if self.shared.state().is_waiting() {
            self.start_thread();
            self.shared.ring();
        }
    }

    /// Hands over what was taken.
    pub(crate) fn fetch(&self) -> Vec<u8> {
        let mut state = self.shared.state();
        state.wanted = state.wanted.saturating_sub(state.taken.len());
        std::mem::take(&mut state.taken)
    }

    /// Takes nothing any more, and hands over what was taken.
    pub(crate) fn close(&self) -> Vec<u8> {
        self.shared.state().closed = true;
        self.shared.ring();
        self.fetch()
    }

    fn start_thread(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            // Without a thread, tokens are found when they are next asked for.
            *thread = self.shared.spawn_waiting().ok();
        }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.close();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // It does nothing that could fail.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            // A bell that cannot be rung any louder is loud enough.
            let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
        }
    }

    /// Takes what is there and wanted, and tells of it. Reading happens under the lock: what was wanted a moment ago and is
    /// not any more is never taken.
    fn take(&self) {
        let mut found = 0;
        {
            let mut state = self.state();
            while state.is_waiting() {
                let mut token = [0];
                match rustix::io::read(&self.pipe, &mut token) {
                    Ok(1..) => {
                        state.taken.push(token[0]);
                        found += 1;
                    }
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => break,
                    // Nobody will ever put a token in again.
                    Ok(0) | Err(_) => state.closed = true,
                }
            }
        }
        let wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wake) = wake.as_ref().filter(|_| found > 0) {
            wake();
        }
    }

    /// Starts the thread. Called under a lock.
    fn spawn_waiting(self: &Arc<Self>) -> io::Result<JoinHandle<()>> {
        if self.bell.get().is_none() {
            let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            self.bell.get_or_init(|| bell);
        }
        let shared = Arc::clone(self);
        std::thread::Builder::new()
            .name("job-tokens".to_owned())
            .spawn(move || shared.wait())
    }

    /// Waits for tokens while some are wanted, and for the bell.
    fn wait(&self) {
        let Some(bell) = self.bell.get() else { return };
        loop {
            let waiting = {
                let state = self.state();
                if state.closed {
                    return;
                }
                state.is_waiting()
            };
            let mut ready = vec![PollFd::new(bell, PollFlags::IN)];
            if waiting {
                ready.push(PollFd::new(&self.pipe, PollFlags::IN));
            }
            match poll(&mut ready, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            // Silences the bell; it does not matter how often it was rung.
            let _ = rustix::io::read(bell, &mut [0; 8]);
            self.take();
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
