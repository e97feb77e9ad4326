//! Job tokens at the engine's border: who may be lent some, and who may have lent them to the engine.
//!
//! A token is the right to keep one processor busy. An action holds one from its start to its end. What no ready node needs is
//! lent to actions that have a [`TokenLine`], along which their programs take tokens up and give them back; an engine that is
//! itself a guest of somebody's pool gets its tokens from a [`TokenSource`]. Both answer at once and tell of news through a
//! [`Wake`], since the dispatcher never waits for anybody.

use std::sync::Arc;

/// Called, from any thread, when there is something to fetch.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The way tokens take to the programs of one running action, and back.
pub trait TokenLine: Send + Sync {
    /// Whom to tell when tokens came back. Called once, before anything else.
    fn open(&self, wake: Wake);

    /// Puts further tokens in, for whoever takes them up.
    fn lend(&self, count: usize);

    /// Asks for so many tokens back, as soon as nobody holds them; replaces what was asked for before. Those that came back
    /// already and were not fetched are among them.
    fn want_back(&self, count: usize);

    /// How many tokens came back since this was asked last.
    fn take_returned(&self) -> usize;

    /// How many of the tokens in the line nobody has taken up, as far as is known.
    fn unused(&self) -> usize;
}

/// A pool of somebody else's, of which the engine is a client: it has one token anyhow, and takes others one by one.
pub trait TokenSource: Send + Sync + std::fmt::Debug {
    /// Whom to tell when tokens arrived. Called once a run, before anything else.
    fn open(&self, wake: Wake);

    /// Asks for so many tokens, as soon as there are any; replaces what was asked for before. Those that arrived already and
    /// were not fetched are among them.
    fn want(&self, count: usize);

    /// How many tokens arrived since this was asked last.
    fn take_arrived(&self) -> usize;

    /// Gives tokens back that had arrived.
    fn give_back(&self, count: usize);
}
