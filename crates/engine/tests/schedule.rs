//! The scheduler with a fake driver: what runs, what is cut off, what is skipped, what expands.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use farm_engine::{
    Class, Dependency, Difference, Digest, Driver, Event, EventSink, Failure, FailureKind, Graph, Guard, Input,
    MemoryGuards, NodeResult, NodeSpec, NodeState, Options, Output, Presence, Reason, Run, Summary, SystemClock, build,
};

/// What a node makes: the digest of a text, by node.
#[derive(Default)]
struct Fake {
    makes: BTreeMap<&'static str, &'static str>,
    fails: BTreeSet<&'static str>,
    lost: BTreeSet<&'static str>,
    /// Goals; empty means every node.
    goals: BTreeSet<&'static str>,
    children: BTreeMap<&'static str, Vec<NodeSpec<()>>>,
    ran: Mutex<Vec<String>>,
    stop_in: Option<(&'static str, Options)>,
}

impl Driver for Fake {
    type Action = ();

    fn run(&self, node: &NodeSpec<()>, run: &Run<'_>) -> Result<Vec<Output>, Failure> {
        assert!(run.jobs >= 1);
        self.ran.lock().unwrap().push(node.name.clone());
        if let Some((at, options)) = &self.stop_in
            && *at == node.name
        {
            options.stop.store(true, Ordering::Release);
            return Err(Failure::new(FailureKind::Step, "killed"));
        }
        if self.fails.contains(node.name.as_str()) {
            return Err(Failure::new(FailureKind::Step, "it broke"));
        }
        let made = self.makes.get(node.name.as_str()).copied().unwrap_or("same");
        Ok(vec![Output {
            role: "out".into(),
            digest: Digest::of(made.as_bytes()),
            place: String::new(),
        }])
    }

    fn presence(&self, node: &NodeSpec<()>, _: &Guard) -> Presence {
        if self.lost.contains(node.name.as_str()) {
            Presence::Lost("its image is gone".to_owned())
        } else {
            Presence::Present
        }
    }

    fn expand(&self, node: &NodeSpec<()>, _: &Guard) -> Result<Vec<NodeSpec<()>>, Failure> {
        Ok(self.children.get(node.name.as_str()).cloned().unwrap_or_default())
    }

    fn rebuilds(&self, _: &NodeSpec<()>) -> bool {
        false
    }

    fn differences(&self, node: &NodeSpec<()>, _: &Guard, _: &[Output]) -> Vec<Difference> {
        unreachable!("{} was to be built once", node.name)
    }

    fn wants(&self, node: &NodeSpec<()>) -> bool {
        self.goals.is_empty() || self.goals.contains(node.name.as_str())
    }
}

fn node(name: &str, input: &str, dependencies: Vec<Dependency>) -> NodeSpec<()> {
    NodeSpec {
        name: name.to_owned(),
        kind: "test".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs: vec![Input::text("input", input)],
        dependencies,
        expands: false,
        pools: BTreeMap::new(),
        action: (),
    }
}

fn on(name: &str) -> Dependency {
    Dependency::output(name, "out")
}

fn run(nodes: Vec<NodeSpec<()>>, fake: &Fake, guards: &MemoryGuards, options: &Options) -> Summary {
    let mut graph = Graph::new();
    graph.add(nodes).unwrap();
    build(&mut graph, fake, guards, &SystemClock, &() as &dyn EventSink, options).unwrap()
}

fn results(summary: &Summary) -> Vec<(&str, Option<NodeResult>)> {
    summary
        .nodes
        .iter()
        .map(|node| (node.name.as_str(), node.result))
        .collect()
}

fn ran(fake: &Fake) -> BTreeSet<String> {
    fake.ran.lock().unwrap().drain(..).collect()
}

fn chain(leaf: &str) -> Vec<NodeSpec<()>> {
    vec![
        node("a", leaf, vec![]),
        node("b", "", vec![on("a")]),
        node("c", "", vec![on("b")]),
    ]
}

#[test]
fn nothing_runs_twice_and_a_change_runs_only_what_it_reaches() {
    let guards = MemoryGuards::default();
    let mut fake = Fake::default();
    let options = Options::build(2);
    assert_eq!(run(chain("1"), &fake, &guards, &options).counts.built, 3);
    assert_eq!(run(chain("1"), &fake, &guards, &options).counts.cached, 3);

    // The leaf looks the same afterwards: what depends on it is cut off, and what depends on that is simply cached.
    let summary = run(chain("2"), &fake, &guards, &options);
    assert_eq!(
        results(&summary),
        [
            ("a", Some(NodeResult::Built)),
            ("b", Some(NodeResult::Cutoff)),
            ("c", Some(NodeResult::Cached))
        ]
    );
    let reason = summary.nodes[0].reason.clone().unwrap();
    assert_eq!(reason.changes()[0].from.as_deref(), Some("1"));

    // The leaf looks different: its dependant runs, and looks the same.
    fake.makes.insert("a", "other");
    let summary = run(chain("3"), &fake, &guards, &options);
    assert_eq!(
        results(&summary),
        [
            ("a", Some(NodeResult::Built)),
            ("b", Some(NodeResult::Built)),
            ("c", Some(NodeResult::Cutoff))
        ]
    );
    // Back to what was there: everything is cached.
    fake.makes.clear();
    assert_eq!(run(chain("1"), &fake, &guards, &options).counts.built, 0);
}

#[test]
fn keep_going_builds_whatever_does_not_hang_on_the_failure() {
    let guards = MemoryGuards::default();
    let mut fake = Fake {
        fails: ["b"].into(),
        ..Fake::default()
    };
    let nodes = || {
        let mut nodes = chain("1");
        nodes.push(node("d", "", vec![on("a")]));
        nodes.push(node("soft", "", vec![Dependency::soft("b", "out"), on("d")]));
        nodes
    };
    let options = Options {
        keep_going: true,
        ..Options::build(1)
    };
    let summary = run(nodes(), &fake, &guards, &options);
    assert_eq!(
        results(&summary),
        [
            ("a", Some(NodeResult::Built)),
            ("b", Some(NodeResult::Failed)),
            ("c", Some(NodeResult::Skipped)),
            ("d", Some(NodeResult::Built)),
            ("soft", Some(NodeResult::Built)),
        ]
    );
    assert_eq!(summary.failures[0].0, "b");
    ran(&fake);
    // Mended, only the failed node and what hangs on it run.
    fake.fails.clear();
    run(nodes(), &fake, &guards, &options);
    assert_eq!(ran(&fake), ["b", "c", "soft"].map(String::from).into());
}

#[test]
fn without_keep_going_nothing_starts_after_a_failure() {
    let fake = Fake {
        fails: ["a"].into(),
        ..Fake::default()
    };
    let mut nodes = chain("1");
    nodes.push(node("z", "", vec![]));
    let summary = run(nodes, &fake, &MemoryGuards::default(), &Options::build(1));
    assert_eq!(
        (summary.counts.failed, summary.counts.built + summary.counts.skipped),
        (1, 3)
    );
    assert!(ran(&fake).len() <= 2);
}

#[test]
fn what_is_needed_before_a_run_is_only_looked_at_for_a_run() {
    let guards = MemoryGuards::default();
    let fake = Fake {
        goals: ["p"].into(),
        ..Fake::default()
    };
    let nodes = |input| {
        vec![
            node("fetch", input, vec![]),
            node("p", "1", vec![Dependency::before_run("fetch")]),
        ]
    };
    assert_eq!(run(nodes("1"), &fake, &guards, &Options::build(1)).counts.built, 2);
    let summary = run(nodes("2"), &fake, &guards, &Options::build(1));
    assert_eq!(results(&summary), [("p", Some(NodeResult::Cached))]);
}

#[test]
fn a_needed_output_may_come_from_a_node_of_another_name() {
    let needs = |library: &str, other: &str| {
        vec![
            node(library, library, vec![]),
            node(other, "", vec![]),
            node(
                "user",
                "",
                vec![
                    Dependency::named(library, "out", "library"),
                    Dependency::named(other, "out", "a"),
                ],
            ),
        ]
    };
    let guards = MemoryGuards::default();
    let mut fake = Fake::default();
    fake.makes.insert("library-9", "one");
    fake.makes.insert("library-10", "one");
    fake.makes.insert("library-11", "two");
    run(needs("library-9", "library-x"), &fake, &guards, &Options::build(2));
    ran(&fake);
    // Nor does the order of the nodes' names, which is another one now, say anything.
    run(needs("library-10", "a"), &fake, &guards, &Options::build(2));
    assert_eq!(ran(&fake), ["a", "library-10"].map(str::to_owned).into());
    run(needs("library-11", "a"), &fake, &guards, &Options::build(2));
    assert_eq!(ran(&fake), ["library-11", "user"].map(str::to_owned).into());
}

#[test]
fn a_node_brings_forth_others() {
    let guards = MemoryGuards::default();
    let mut fake = Fake::default();
    let mut plan = node("plan", "1", vec![]);
    plan.expands = true;
    fake.children.insert(
        "plan",
        vec![node("y", "", vec![on("x"), on("plan")]), node("x", "", vec![])],
    );
    let summary = run(vec![plan.clone()], &fake, &guards, &Options::build(2));
    assert_eq!(summary.counts.built, 3);
    // A cached plan brings them forth as well.
    assert_eq!(run(vec![plan], &fake, &guards, &Options::build(2)).counts.cached, 3);
}

#[test]
fn a_dry_run_runs_plans_and_tells_what_hangs_on_what() {
    let guards = MemoryGuards::default();
    let mut fake = Fake::default();
    let mut plan = node("plan", "1", vec![]);
    plan.class = Class::Plan;
    plan.expands = true;
    fake.children.insert("plan", chain("1"));
    let summary = run(vec![plan.clone()], &fake, &guards, &Options::dry_run(true));
    let states: Vec<_> = summary
        .nodes
        .iter()
        .map(|node| (node.name.as_str(), node.state))
        .collect();
    assert_eq!(
        states,
        [
            ("plan", NodeState::Cached),
            ("a", NodeState::Run),
            ("b", NodeState::Unknown),
            ("c", NodeState::Unknown)
        ]
    );
    assert_eq!(summary.nodes[2].reason, Some(Reason::Waiting { on: "a".into() }));
    assert_eq!(ran(&fake), ["plan".to_owned()].into());

    let summary = run(vec![plan], &fake, &MemoryGuards::default(), &Options::dry_run(false));
    assert_eq!(summary.nodes.len(), 1);
    assert_eq!(summary.nodes[0].state, NodeState::Run);
}

#[test]
fn a_lost_output_is_made_again() {
    let guards = MemoryGuards::default();
    let mut fake = Fake::default();
    run(chain("1"), &fake, &guards, &Options::build(1));
    ran(&fake);
    fake.lost.insert("b");
    let summary = run(chain("1"), &fake, &guards, &Options::build(1));
    assert_eq!(ran(&fake), ["b".to_owned()].into());
    assert_eq!(
        summary.nodes[1].reason,
        Some(Reason::OutputLost {
            what: "its image is gone".into()
        })
    );
    assert_eq!(summary.nodes[2].result, Some(NodeResult::Cutoff));
}

#[test]
fn a_stop_records_nothing_of_what_it_stopped() {
    let guards = MemoryGuards::default();
    let options = Options::build(1);
    let fake = Fake {
        stop_in: Some(("b", options.clone())),
        ..Fake::default()
    };
    let summary = run(chain("1"), &fake, &guards, &options);
    assert!(summary.interrupted);
    assert_eq!(
        results(&summary),
        [
            ("a", Some(NodeResult::Built)),
            ("b", Some(NodeResult::Skipped)),
            ("c", Some(NodeResult::Skipped))
        ]
    );
    assert!(summary.failures.is_empty());
    assert_eq!(
        run(chain("1"), &Fake::default(), &guards, &Options::build(1))
            .counts
            .built,
        2
    );
}

#[test]
fn a_salt_disowns_everything_and_nothing_is_lost() {
    let guards = MemoryGuards::default();
    let fake = Fake::default();
    run(chain("1"), &fake, &guards, &Options::build(1));
    let salted = Options {
        salt: "poisoned".into(),
        ..Options::build(1)
    };
    assert_eq!(run(chain("1"), &fake, &guards, &salted).counts.built, 1 + 2);
    assert_eq!(run(chain("1"), &fake, &guards, &Options::build(1)).counts.cached, 3);
}

#[test]
fn a_long_chain_is_settled_without_recursion() {
    let mut nodes = vec![node("0", "", vec![])];
    nodes.extend((1..50_000).map(|i| node(&i.to_string(), "", vec![on(&(i - 1).to_string())])));
    let guards = MemoryGuards::default();
    let fake = Fake::default();
    assert_eq!(
        run(nodes.clone(), &fake, &guards, &Options::build(2)).counts.built,
        50_000
    );
    assert_eq!(run(nodes, &fake, &guards, &Options::build(2)).counts.cached, 50_000);
}

/// What every node that started is said to have waited for.
fn waited(nodes: Vec<NodeSpec<()>>, fake: &Fake, guards: &MemoryGuards) -> BTreeMap<String, Option<String>> {
    struct Starts(Mutex<BTreeMap<String, Option<String>>>);
    impl EventSink for Starts {
        fn event(&self, event: &Event) {
            if let Event::NodeStarted { name, after, .. } = event {
                self.0.lock().unwrap().insert(name.clone(), after.clone());
            }
        }
    }
    let (starts, mut graph) = (Starts(Mutex::default()), Graph::new());
    graph.add(nodes).unwrap();
    let options = Options {
        keep_going: true,
        ..Options::build(1)
    };
    build(&mut graph, fake, guards, &SystemClock, &starts, &options).unwrap();
    starts.0.into_inner().unwrap()
}

#[test]
fn a_start_names_what_it_waited_for() {
    let after = |waited: &BTreeMap<String, Option<String>>, node: &str| waited[node].clone();
    let named = |name: &str| Some(name.to_owned());
    // Through a node that is cut off.
    let guards = MemoryGuards::default();
    let nodes = |leaf, end| {
        vec![
            node("a", leaf, vec![]),
            node("b", "", vec![on("a")]),
            node("c", end, vec![on("b")]),
        ]
    };
    let first = waited(nodes("1", "1"), &Fake::default(), &guards);
    assert_eq!(
        (after(&first, "a"), after(&first, "b"), after(&first, "c")),
        (None, named("a"), named("b"))
    );
    let second = waited(nodes("2", "2"), &Fake::default(), &guards);
    assert_eq!(second, [("a".to_owned(), None), ("c".to_owned(), named("a"))].into());

    // A root that is only asked for once it is known that somebody needs it, and that somebody.
    let fake = Fake {
        goals: ["user"].into(),
        ..Fake::default()
    };
    let nodes = vec![
        node("input", "", vec![]),
        node("base", "", vec![]),
        node("root", "", vec![on("base")]),
        node("user", "", vec![on("input"), Dependency::before_run("root")]),
    ];
    let late = waited(nodes, &fake, &MemoryGuards::default());
    assert_eq!(
        (after(&late, "base"), after(&late, "root")),
        (named("input"), named("base"))
    );
    assert_eq!(after(&late, "user"), named("root"));

    // What is brought forth was not known before, and a failure is waited for like anything else.
    let fake = Fake {
        children: [("plan", vec![node("child", "", vec![])])].into(),
        fails: ["broken"].into(),
        ..Fake::default()
    };
    let plan = NodeSpec {
        expands: true,
        ..node("plan", "", vec![])
    };
    let nodes = vec![
        plan,
        node("broken", "", vec![]),
        node("soft", "", vec![Dependency::soft("broken", "out")]),
    ];
    let brought = waited(nodes, &fake, &MemoryGuards::default());
    assert_eq!(
        (after(&brought, "child"), after(&brought, "soft")),
        (named("plan"), named("broken"))
    );
}

#[test]
fn a_chain_of_a_hundred_thousand_is_built_and_found_up_to_date() {
    const LENGTH: usize = 100_000;
    let nodes = |leaf: &str| {
        let leaf = node("0", leaf, vec![]);
        let others = (1..LENGTH).map(|at| node(&at.to_string(), "", vec![on(&(at - 1).to_string())]));
        std::iter::once(leaf).chain(others).collect()
    };
    let (fake, guards) = (Fake::default(), MemoryGuards::default());
    let first = run(nodes("1"), &fake, &guards, &Options::build(2));
    assert_eq!(first.counts.built, LENGTH as u64);
    assert_eq!(fake.ran.lock().unwrap().last(), Some(&(LENGTH - 1).to_string()));
    let again = run(nodes("1"), &fake, &guards, &Options::build(2));
    assert_eq!(again.counts.cached, LENGTH as u64);
    let dry = run(nodes("2"), &fake, &guards, &Options::dry_run(true));
    let in_state = |state| dry.nodes.iter().filter(|node| node.state == state).count();
    assert_eq!(
        (in_state(NodeState::Run), in_state(NodeState::Unknown)),
        (1, LENGTH - 1)
    );
    assert_eq!(fake.ran.lock().unwrap().len(), LENGTH);
}
