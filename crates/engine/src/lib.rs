//! Graph, keys, scheduler and events of a content-hashed build: generic, knows nothing of what is built.
//!
//! A caller describes its work as [`NodeSpec`]s and carries it out through a [`Driver`]. The engine decides what must run, in
//! which order and how much at once, and says why. Where things are kept is the caller's, too: guards in a [`GuardStore`],
//! outputs wherever the driver puts them.
//!
//! # The ideas
//!
//! **Nodes.** A node is one step: a unique name, the rule that made it with a version, [`Input`]s with names, dependencies, and
//! an [action](NodeSpec::action) that only the driver understands. Its outputs have *roles*, because one node may make several
//! things, and whoever needs one of them does not hang on the others.
//!
//! **Keys.** A node's [`Key`] is the digest of its rule, the rule's version, the run's [salt](Options::salt), its inputs, and the
//! *output digests* of what it depends on. What is not in the key cannot be the reason for a build, so that whatever decides an
//! output must be there. Times, the number of jobs and the name's part before the first `:` never are: that part says to whom a
//! node belongs, who may be renamed. [`input`] has the encoding.
//!
//! **Guards.** A [`Guard`] is the record of one node built with one key: from what, what came of it, why, and how long it took. A
//! node is *up to date* when there is a guard with today's key and the driver still finds the outputs
//! ([`Driver::presence`]). Guards are looked up by node and key, so that going back to a former state finds what was built then.
//! A failure leaves none.
//!
//! **Cutoff.** As keys hold output digests and not keys, a node that is built again and makes the same as before does not
//! change its dependants' keys: they are up to date, and their dependants are, too. [`NodeResult::Cutoff`] says so.
//!
//! **Needs.** [`Need::Output`] is the usual edge: the digest enters the key. [`Need::Soft`] enters the key as well, but a
//! dependency that failed counts as [absent](Value::Absent) and stops nobody: for what reports on others. [`Need::Named`] is the usual
//! edge under a name that does not tell which node it leads to: another node with the same output is the same. [`Need::BeforeRun`]
//! enters no key: the other node must be up to date when the action runs, and is not even looked at when the action need not run.
//!
//! **Expansion.** Some steps are known only when others are done. A node with [`NodeSpec::expands`] is asked for further nodes
//! ([`Driver::expand`]) once it is up to date, in every run. They join the graph; edges only lead from new nodes to new or old
//! ones, so that what was decided stays decided.
//!
//! **Classes.** Each node says by its [`Class`] in which runs it may be carried out, and [`Options::run`] says which classes a
//! run carries out. A node of another class is only looked at: that is a dry run, which may still make plans in order to tell what
//! hangs on them.
//!
//! **Known nodes.** A driver that can prove otherwise that a node is up to date names the key of its guard ([`Driver::known`]).
//! Then nothing of the node is asked, neither inputs nor outputs.
//!
//! **Goals.** The run begins at the nodes that the driver [wants](Driver::wants) and goes down their edges. Whatever no goal needs
//! is not looked at.
//!
//! # A tiny build tool
//!
//! Actions here are closures over the outputs of what a node needs, and outputs live in a map. `shout` makes capitals of its
//! input, so that an edit that changes only the case is cut off there.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Mutex;
//!
//! use farm_engine::{
//!     Class, Counts, Dependency, Difference, Digest, Driver, EngineError, Failure, FailureKind, Graph, Guard, Input,
//!     MemoryGuards, NodeSpec, Options, Output, Presence, Run, SystemClock, build,
//! };
//!
//! /// Makes a node's text of the texts that it needs.
//! type Make = fn(&NodeSpec<Action>, &[String]) -> String;
//!
//! /// The engine only compares actions: to tell whether two nodes of one name are the same.
//! #[derive(Clone)]
//! struct Action(Make);
//!
//! impl PartialEq for Action {
//!     fn eq(&self, other: &Self) -> bool {
//!         std::ptr::fn_addr_eq(self.0, other.0)
//!     }
//! }
//!
//! /// Keeps what was made by its digest.
//! #[derive(Default)]
//! struct Closures {
//!     made: Mutex<BTreeMap<Digest, String>>,
//! }
//!
//! impl Closures {
//!     fn text(&self, output: &Output) -> Option<String> {
//!         self.made.lock().ok()?.get(&output.digest).cloned()
//!     }
//! }
//!
//! impl Driver for Closures {
//!     type Action = Action;
//!
//!     fn run(&self, node: &NodeSpec<Action>, run: &Run<'_>) -> Result<Vec<Output>, Failure> {
//!         let guards = run.dependencies.iter().flatten();
//!         let texts: Option<Vec<String>> = guards.map(|guard| self.text(guard.outputs.first()?)).collect();
//!         let texts = texts.ok_or_else(|| Failure::new(FailureKind::Bug, "a dependency is gone"))?;
//!         let text = (node.action.0)(node, &texts);
//!         let digest = Digest::of(text.as_bytes());
//!         self.made.lock().map_err(|_| Failure::new(FailureKind::Bug, "poisoned"))?.insert(digest, text);
//!         Ok(vec![Output { role: "text".into(), digest, place: format!("in memory, {}", digest.short()) }])
//!     }
//!
//!     fn presence(&self, _: &NodeSpec<Action>, guard: &Guard) -> Presence {
//!         match guard.outputs.iter().find(|output| self.text(output).is_none()) {
//!             None => Presence::Present,
//!             Some(output) => Presence::Lost(format!("its output {} is gone", output.role)),
//!         }
//!     }
//!
//!     fn rebuilds(&self, _: &NodeSpec<Action>) -> bool {
//!         false
//!     }
//!
//!     fn differences(&self, _: &NodeSpec<Action>, _: &Guard, _: &[Output]) -> Vec<Difference> {
//!         Vec::new()
//!     }
//!
//!     fn expand(&self, _: &NodeSpec<Action>, _: &Guard) -> Result<Vec<NodeSpec<Action>>, Failure> {
//!         Ok(Vec::new())
//!     }
//!
//!     /// Everything is a goal.
//!     fn wants(&self, _: &NodeSpec<Action>) -> bool {
//!         true
//!     }
//! }
//!
//! fn node(name: &str, inputs: Vec<Input>, needs: &[&str], make: Make) -> NodeSpec<Action> {
//!     NodeSpec {
//!         name: name.into(),
//!         kind: name.into(),
//!         rule_version: 1,
//!         class: Class::Build,
//!         inputs,
//!         dependencies: needs.iter().map(|need| Dependency::output(*need, "text")).collect(),
//!         expands: false,
//!         pools: BTreeMap::new(),
//!         action: Action(make),
//!     }
//! }
//!
//! /// A graph lives for one run; what lasts are the guards and the outputs.
//! fn run(word: &str, driver: &Closures, guards: &MemoryGuards) -> Result<Counts, EngineError> {
//!     let mut graph = Graph::new();
//!     graph.add(vec![
//!         node("read", vec![Input::text("word", word)], &[], |node, _| format!("{:?}", node.inputs[0].value)),
//!         node("shout", Vec::new(), &["read"], |_, texts| texts[0].to_uppercase()),
//!         node("count", Vec::new(), &["shout"], |_, texts| texts[0].len().to_string()),
//!     ])?;
//!     let summary = build(&mut graph, driver, guards, &SystemClock, &(), &Options::build(2))?;
//!     Ok(summary.counts)
//! }
//!
//! let (driver, guards) = (Closures::default(), MemoryGuards::default());
//! assert_eq!(run("word", &driver, &guards)?, Counts { built: 3, ..Counts::default() });
//! // Nothing changed.
//! assert_eq!(run("word", &driver, &guards)?, Counts { cached: 3, ..Counts::default() });
//! // `read` and `shout` run; what `shout` makes is the same, which `count` therefore does not see.
//! assert_eq!(run("Word", &driver, &guards)?, Counts { built: 2, cutoff: 1, ..Counts::default() });
//! // And back: `read` with the former word, and all above it, were built before.
//! assert_eq!(run("word", &driver, &guards)?, Counts { cached: 3, ..Counts::default() });
//! # Ok::<(), EngineError>(())
//! ```
//!
//! # What a run costs
//!
//! Time and memory grow with nodes and edges: no walk is recursive, and a chain of a million costs what a million nodes side by
//! side do, some seconds and three kilobytes a node, `MemoryGuards` included. `examples/scale.rs` measures it. There is one
//! exception: each time that the graph grows, it is looked over as a whole for what has the longest path.
//!
//! # Threads
//!
//! [`build`] blocks. Its thread owns the graph, asks the driver what there is to ask and tells the events; as many threads as
//! there are jobs run actions. A driver is shared between them: [`Driver`] says what is called where.
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
