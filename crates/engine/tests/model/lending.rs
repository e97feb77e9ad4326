//! Actions that are lent tokens, and a pool that lends the engine some: who is busy at once is counted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use farm_engine::{TokenLine, TokenSource, Wake};

/// Counts what keeps a processor busy: actions, and whoever holds a token that was lent to one.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    now: AtomicUsize,
    /// The most there were at once.
    peak: AtomicUsize,
    /// How often a token was taken up.
    taken: AtomicUsize,
}

impl Busy {
    /// One more, until the answer is dropped.
    pub(crate) fn one(&self) -> BusyOne<'_> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        BusyOne(self)
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

pub(crate) struct BusyOne<'a>(&'a Busy);

impl Drop for BusyOne<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Tokens in one place, of which some are asked for.
#[derive(Debug, Default)]
struct Pile {
    there: usize,
    asked: usize,
    fetched: usize,
}

impl Pile {
    /// Sets aside what is asked for; says whether there is news.
    fn serve(&mut self) -> bool {
        let part = self.asked.saturating_sub(self.fetched).min(self.there);
        self.there -= part;
        self.fetched += part;
        part > 0
    }

    fn fetch(&mut self) -> usize {
        self.asked = self.asked.saturating_sub(self.fetched);
        std::mem::take(&mut self.fetched)
    }
}

/// A pile that threads share, and whom to tell of news.
#[derive(Default)]
struct Shared {
    pile: Mutex<Pile>,
    wake: OnceLock<Wake>,
}

impl Shared {
    fn pile(&self) -> MutexGuard<'_, Pile> {
        self.pile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Pile)) {
        let news = {
            let mut pile = self.pile();
            change(&mut pile);
            pile.serve()
        };
        if let Some(wake) = self.wake.get().filter(|_| news) {
            wake();
        }
    }
}

/// The line of one action.
#[derive(Default)]
pub(crate) struct Line(Shared);

impl Line {
    /// Programs of the action take up to `most` tokens, are busy for a moment, and give them back, or are killed first.
    pub(crate) fn use_some(self: &Arc<Self>, busy: &Busy, most: usize, killed: bool) {
        let mut held = Vec::new();
        for _ in 0..most {
            std::thread::yield_now();
            let mut pile = self.0.pile();
            if pile.there > 0 {
                pile.there -= 1;
                busy.taken.fetch_add(1, Ordering::SeqCst);
                held.push(busy.one());
            }
        }
        std::thread::yield_now();
        let count = held.len();
        drop(held);
        if !killed {
            self.0.change(|pile| pile.there += count);
        }
    }
}

impl TokenLine for Line {
    fn open(&self, wake: Wake) {
        let _ = self.0.wake.set(wake);
    }

    fn lend(&self, count: usize) {
        self.0.change(|pile| pile.there += count);
    }

    fn want_back(&self, count: usize) {
        self.0.change(|pile| pile.asked = count);
    }

    fn take_returned(&self) -> usize {
        self.0.pile().fetch()
    }

    fn unused(&self) -> usize {
        self.0.pile().there
    }
}

/// A pool of somebody else's, that lends what it has at once.
pub(crate) struct Pool(Shared);

impl Pool {
    pub(crate) fn new(tokens: usize) -> Self {
        let pool = Self(Shared::default());
        pool.0.pile().there = tokens;
        pool
    }

    /// Tokens that are not out.
    pub(crate) fn there(&self) -> usize {
        self.0.pile().there
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.pile().fmt(f)
    }
}

impl TokenSource for Pool {
    fn open(&self, wake: Wake) {
        let _ = self.0.wake.set(wake);
    }

    fn want(&self, count: usize) {
        self.0.change(|pile| pile.asked = count);
    }

    fn take_arrived(&self) -> usize {
        self.0.pile().fetch()
    }

    fn give_back(&self, count: usize) {
        self.0.change(|pile| pile.there += count);
    }
}
