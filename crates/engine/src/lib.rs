//! Graph, keys, scheduler and events of a content-hashed build: generic, knows nothing of what is built.
//!
//! A caller describes its work as [`NodeSpec`]s and carries it out through a [`Driver`]. The engine decides what must run:
//! a node's [`Key`] is the digest of its rule, its inputs and the output digests of what it depends on, and a node is up to
//! date when a [`Guard`] with today's key exists and its outputs are still there.
//!
//! # Invariants
//!
//! * Nothing here reads a file, a clock other than through [`Clock`], an environment variable or a terminal.
//! * One traversal of a node's inputs feeds both the key and the recorded explanation ([`input::describe`]).
//! * A guard is recorded before the event that says the node is finished.
//! * A failure is never recorded as a result.
//! * Every walk is iterative: the depth of a graph is bounded by memory, not by the stack.

pub mod digest;
pub mod driver;
pub mod event;
pub mod graph;
pub mod guard;
pub mod input;
pub mod node;
pub mod reason;
pub mod schedule;
pub mod today;
pub mod tokens;
pub mod walk;

pub use digest::{Digest, Key, ParseDigestError};
pub use driver::{Clock, Difference, Driver, Failure, FailureKind, Presence, Run, SystemClock};
pub use event::{Counts, Event, EventSink, NodeResult};
pub use graph::{Graph, GraphError, NodeId};
pub use guard::{Guard, GuardError, GuardStore, MemoryGuards, Output, RecordedInput};
pub use input::{Input, Value};
pub use node::{Class, Dependency, Need, NodeSpec};
pub use reason::{Change, Reason};
pub use schedule::{EngineError, NodeReport, NodeState, Options, Summary, build};
pub use today::{Today, todays};
pub use tokens::{TokenLine, TokenSource, Wake};
pub use walk::{Edges, Ways, is_keyed};
