//! The engine's border: how nodes are carried out, and what time it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Event, Guard, Key, NodeSpec, Output, TokenLine};

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The step itself: a compiler that failed, a command with a status other than zero.
    Step,
    /// What the user wrote.
    Input,
    /// The machine: no engine, no network, a full disk.
    Environment,
    /// Ours.
    Bug,
}

/// Why an action failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// What happened, as a sentence fragment, possibly with further lines.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where the log is.
    pub log: Option<String>,
}

impl Failure {
    /// A failure without hint and log.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            log: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Whether the outputs of a guard can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// All are there.
    Present,
    /// One is gone or was changed; says which, in words.
    Lost(String),
}

/// A part of a node's outputs that was not the same when its action ran again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The file, or whatever else an output has that can be named, in the driver's own words.
    pub path: String,
    /// What about it differs, as a sentence fragment: `content`, `only in the first`.
    pub what: String,
}

impl Difference {
    /// A difference of one part.
    pub fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            what: what.into(),
        }
    }
}

/// What an action is given.
pub struct Run<'a> {
    /// For every dependency of the node, in the order of [`NodeSpec::dependencies`], the guard it is up to date with;
    /// `None` for a soft one that failed. What the dependency was made from is left out: it is no business of the node, and all
    /// of it together would fill the memory.
    pub dependencies: Vec<Option<Arc<Guard>>>,
    /// How many jobs it could count on when it started, itself included: for programs that can only be told a number. It
    /// holds one token; the others may be somebody else's by now.
    pub jobs: usize,
    /// Why it runs.
    pub reason: crate::Reason,
    /// Where to tell what it does.
    pub events: &'a (dyn Fn(Event) + Sync),
    /// Where to tell how it can be lent further tokens. Once at most; the line is dropped, with all that was lent, when the
    /// action ends.
    pub tokens: &'a (dyn Fn(Arc<dyn TokenLine>) + Sync),
}

impl Run<'_> {
    /// The guard of the dependency called `node`, in whichever way `spec` (the running node's) needs it; `None` if it does not,
    /// or if it is a soft one that failed. Looks through the dependencies one by one.
    #[must_use]
    pub fn dependency<'g, A>(&'g self, spec: &NodeSpec<A>, node: &str) -> Option<&'g Guard> {
        let at = spec
            .dependencies
            .iter()
            .position(|dependency| dependency.node == node)?;
        self.dependencies.get(at)?.as_deref()
    }
}

/// Carries out nodes, and says what of them is there.
///
/// [`run`](Self::run) and [`differences`](Self::differences) are called on worker threads, for several nodes at a time, and
/// [`presence`](Self::presence) there as well after a comparison; all else is called on the thread of [`build`](crate::build), one
/// call after the other, and keeps it from doing anything else. A panic on a worker is a [`FailureKind::Bug`] of its node; one on
/// the thread of the run goes through to its caller.
pub trait Driver: Sync {
    /// What a node's spec holds for the driver. Compared only to tell whether two nodes of one name are the same.
    type Action: Send + Sync + PartialEq;

    /// Does the work of a node and says what it made: one output for each role that others may need, no role twice. A role that
    /// is needed and not made counts as [`Value::Absent`](crate::Value::Absent).
    ///
    /// # Errors
    ///
    /// What failed, and whose fault it is. Nothing is recorded then. An action that was stopped because the run was cancelled
    /// returns any failure; the engine knows that it asked.
    fn run(&self, node: &NodeSpec<Self::Action>, run: &Run<'_>) -> Result<Vec<Output>, Failure>;

    /// Whether the outputs recorded in `guard`, which has today's key, are still there. May restore them. A node whose outputs are
    /// [lost](Presence::Lost) runs again.
    fn presence(&self, node: &NodeSpec<Self::Action>, guard: &Guard) -> Presence;

    /// The key with which a node is known to be up to date without a look: what it depends on, its inputs and whether its outputs are
    /// there are not asked. The caller has seen that its guard is there.
    fn known(&self, node: &NodeSpec<Self::Action>) -> Option<Key> {
        let _ = node;
        None
    }

    /// Whether a node is to run although it is up to date, to see whether it makes the same again.
    fn rebuilds(&self, node: &NodeSpec<Self::Action>) -> bool;

    /// In what the outputs that an action made just now differ from those recorded in `former`. Asked when the digest of one
    /// does; says nothing if the driver cannot tell.
    ///
    /// The recorded outputs stay, and nobody remembers the others: what the driver must know to remove them one day, it notes
    /// here. Afterwards [`presence`](Self::presence) brings back what the action replaced.
    fn differences(&self, node: &NodeSpec<Self::Action>, former: &Guard, now: &[Output]) -> Vec<Difference>;

    /// The nodes that this up-to-date node brings forth, as its outputs in `guard` say. Asked once a run for every node that
    /// expands. They may need each other and any node that is there. One that is there already and the same is passed over.
    ///
    /// # Errors
    ///
    /// The node fails, although it was recorded: what it made is there, and cannot be understood or used.
    fn expand(&self, node: &NodeSpec<Self::Action>, guard: &Guard) -> Result<Vec<NodeSpec<Self::Action>>, Failure>;

    /// Whether a node is a goal of this run, as opposed to something goals may need. Asked of every node once, when the run begins
    /// or when it is brought forth.
    fn wants(&self, node: &NodeSpec<Self::Action>) -> bool;
}

/// Tells the time. It decides nothing of what is built: it is recorded, and former durations say what starts first.
pub trait Clock: Sync {
    /// Milliseconds since 1970, UTC. May jump: a duration that would be negative is 0.
    fn now_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        // A clock before 1970 is no reason to fail a build.
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
