//! From a workspace to the keys of its nodes: lowered as always, and then built by a driver that makes up what they make.

use std::collections::BTreeSet;
use std::path::Path;

use camino::Utf8Path;
use farm_domain::action::Action;
use farm_domain::context::Context;
use farm_domain::live_pins::Asking;
use farm_domain::lockfile::FarmLock;
use farm_domain::lower::{check, lower};
use farm_domain::rules::NETWORK;
use farm_domain::rules::join::{self, JoinedPlan};
use farm_domain::rules::repo::RepoSourcePinned;
use farm_engine::{
    Difference, Digest, Driver, Event, EventSink, Failure, Graph, Guard, GuardStore as _, MemoryGuards, NodeSpec,
    Options, Output, Presence, Run, SystemClock,
};
use farm_executor::{CancelToken, ExecutorError};
use farm_manifest::Overrides;
use farm_store::{FileHasher, Store};

const JOINED: &str = include_str!("joined.json");

/// A node, and what is in the list of it.
pub(crate) struct Node {
    pub(crate) name: String,
    /// The rule and its version.
    pub(crate) rule: String,
    pub(crate) key: String,
    /// See [`kind_of`].
    pub(crate) kind: usize,
    /// Whether it asks servers of others for much.
    pub(crate) network: bool,
}

/// So many kinds of nodes there are.
pub(crate) const KINDS: usize = 22;

/// A number for each kind of node. Whoever adds one adds it to the workspace as well.
fn kind_of(action: &Action) -> usize {
    match action {
        Action::BaseImage { .. } => 0,
        Action::BaseHosted { .. } => 1,
        Action::Root(_) => 2,
        Action::Repo { source, .. } => match source {
            RepoSourcePinned::Image { .. } => 3,
            RepoSourcePinned::Path { .. } => 4,
            RepoSourcePinned::Git { .. } => 5,
            RepoSourcePinned::Archive { .. } => 6,
        },
        Action::Resolve(_) => 7,
        Action::Join(_) => 8,
        Action::Fetch(_) => 9,
        Action::Package(_) => 10,
        Action::Image(_) => 11,
        Action::Task(data) if data.image.is_none() => 12,
        Action::Task(_) => 13,
        // The binhost and what is published have one rule.
        Action::PublishPkgs(_) => 14,
        Action::PublishImages(_) => 15,
        Action::BaseStage3(_) => 16,
        Action::StageArchive(_) => 17,
        Action::Stage(_) => 18,
        Action::Abis { .. } => 19,
        Action::Quickpkg { .. } => 20,
        Action::Live(_) => 21,
        Action::Settled(_) | Action::Source(_) | Action::Trial(_) => unreachable!("no manifest says that"),
    }
}

/// The nodes of a farm.
pub(crate) fn all(workspace: &Path, farm: &str) -> Vec<Node> {
    let root = Utf8Path::from_path(workspace).unwrap();
    let loaded = farm_manifest::load(root, farm, &Overrides::default()).unwrap_or_else(|error| match error {
        farm_manifest::LoadError::Invalid {
            diagnostics, sources, ..
        } => panic!("{}", diagnostics.render(&sources, false)),
        other => panic!("{other}"),
    });
    check(&loaded, workspace).unwrap();
    let state = workspace.join(".farm");
    let context = Context::new(
        workspace,
        &state,
        Store::open(&state.join("store")).unwrap(),
        FileHasher::in_memory(),
        workspace,
        loaded.settings.source_date_epoch,
        CancelToken::new(),
        "a name that no key contains".to_owned(),
        Box::new(|_| {
            Err(ExecutorError::Unreachable {
                name: "nobody".to_owned(),
                address: "nowhere".to_owned(),
                reason: "nobody is asked".to_owned(),
            })
        }),
    );
    let lock = FarmLock::read(&root.join("farms").join(farm).join("farm.lock").into_std_path_buf()).unwrap();
    context.live.know(farm, lock.live.clone(), Asking::No);
    let mut graph = Graph::new();
    graph.add(lower(&context, &loaded, &lock).unwrap()).unwrap();
    let guards = MemoryGuards::default();
    let options = Options {
        salt: loaded.settings.salt.clone(),
        ..Options::build(1)
    };
    let driver = MakesUp { context: &context };
    let summary = farm_engine::build(&mut graph, &driver, &guards, &SystemClock, &Silent, &options).unwrap();
    assert!(summary.failures.is_empty(), "{:?}", summary.failures);
    let node = |spec: &NodeSpec<Action>| Node {
        name: spec.name.clone(),
        rule: format!("{} {}", spec.kind, spec.rule_version),
        key: guards.newest(&spec.name).unwrap().key.to_string(),
        kind: kind_of(&spec.action),
        network: spec.pools.contains_key(NETWORK),
    };
    graph.ids().map(|id| node(graph.spec(id))).collect()
}

/// Makes of every node each output that anybody could ask for.
struct MakesUp<'a> {
    context: &'a Context,
}

impl MakesUp<'_> {
    fn joined() -> JoinedPlan {
        serde_json::from_str(JOINED).unwrap()
    }

    /// All nodes below the plan.
    fn below(&self, node: &NodeSpec<Action>) -> Vec<NodeSpec<Action>> {
        match &node.action {
            Action::Join(data) => join::expand(self.context, data, &Self::joined()).unwrap(),
            _ => Vec::new(),
        }
    }
}

impl Driver for MakesUp<'_> {
    type Action = Action;

    fn run(&self, node: &NodeSpec<Action>, _: &Run<'_>) -> Result<Vec<Output>, Failure> {
        let mut roles: BTreeSet<String> = ROLES.iter().map(|role| (*role).to_owned()).collect();
        if let Action::Task(data) = &node.action {
            roles.extend(data.outputs.iter().cloned());
        }
        let make = |role: String| Output {
            digest: Digest::of(format!("{} {role}", node.name).as_bytes()),
            role,
            place: String::new(),
        };
        Ok(roles.into_iter().map(make).collect())
    }

    fn presence(&self, _: &NodeSpec<Action>, _: &Guard) -> Presence {
        Presence::Present
    }

    fn rebuilds(&self, _: &NodeSpec<Action>) -> bool {
        false
    }

    fn differences(&self, _: &NodeSpec<Action>, _: &Guard, _: &[Output]) -> Vec<Difference> {
        Vec::new()
    }

    fn expand(&self, node: &NodeSpec<Action>, _: &Guard) -> Result<Vec<NodeSpec<Action>>, Failure> {
        Ok(self.below(node))
    }

    fn wants(&self, _: &NodeSpec<Action>) -> bool {
        true
    }
}

const ROLES: [&str; 15] = [
    "abi",
    "archive",
    "client",
    "done",
    "file",
    "image",
    "index",
    "installed",
    "interface",
    "joined",
    "packages",
    "payload",
    "plan",
    "tree",
    "versions",
];

struct Silent;

impl EventSink for Silent {
    fn event(&self, _: &Event) {}
}
