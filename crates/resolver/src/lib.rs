//! Asks Portage itself what is to be built, and turns its answer into data.
//!
//! Portage has no machine-readable plan, so a small Python program ([`program`]) is run inside the root in which the packages will be built.
//! It takes a [`Request`] and writes an [`Answer`]: a [`Plan`] of packages with every edge between them, or a [`Refusal`] that says what would
//! have to change. Everything else here is pure: which packages a build root holds ([`closures`]), what an image needs
//! ([`runtime_closure`]), how the plans of several subjects become one ([`join`]), what `-march=native` stands for ([`Native`]), which
//! variables count ([`keyed_environment`]), and how a plan or a refusal is shown ([`mergelist`], [`suggest`]).

mod answer;
pub mod bootstrap;
mod build_root;
mod check;
mod graph;
mod join;
pub mod live;
pub mod mergelist;
mod native;
mod plan;
pub mod program;
mod refusal;
mod request;
pub mod suggest;
pub mod unkeyed;

pub use answer::{Answer, AnswerError, Outcome};
pub use build_root::{BuildRoot, ClosureError, CycleEdge, LeftOut, LeftOutReason, closures, runtime_closure};
pub use check::{Unsound, native_word, unsound};
pub use join::{Disagreement, Instance, JoinError, Joined, join};
pub use live::{LiveRef, LiveSource};
pub use native::Native;
pub use plan::{
    Configuration, Dependencies, DependencyKind, DistFile, Eclass, Edge, Installed, NodeRef, Operation, Package, Plan,
    Profile, Repository, Root,
};
pub use refusal::{
    Blocker, ConflictingPackage, Cycle, CycleLink, CycleSolution, Keywords, Licenses, Masked, Refusal, RefusalKind,
    SlotConflict, Unknown, Unmask, UnmetUse, Unsatisfied, UseChange, WantedBy,
};
pub use request::{Mode, Request};
pub use unkeyed::keyed_environment;
