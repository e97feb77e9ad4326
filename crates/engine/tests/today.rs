//! Today's keys as they are told afterwards: those with which nodes are recorded.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use farm_engine::{
    Class, Dependency, Difference, Digest, Driver, Failure, FailureKind, Graph, Guard, GuardStore, Input, MemoryGuards,
    NodeSpec, Options, Output, Presence, Run, Summary, SystemClock, Today, Value, build, todays,
};
use std::collections::BTreeMap;

/// Every node makes one output; `broken` fails.
struct Fake;

impl Driver for Fake {
    type Action = ();

    fn run(&self, node: &NodeSpec<()>, _: &Run<'_>) -> Result<Vec<Output>, Failure> {
        if node.name == "f:broken" {
            return Err(Failure::new(FailureKind::Step, "it broke"));
        }
        Ok(vec![Output {
            role: "out".to_owned(),
            digest: Digest::of(node.name.as_bytes()),
            place: String::new(),
        }])
    }

    fn presence(&self, _: &NodeSpec<()>, _: &Guard) -> Presence {
        Presence::Present
    }

    fn expand(&self, _: &NodeSpec<()>, _: &Guard) -> Result<Vec<NodeSpec<()>>, Failure> {
        Ok(Vec::new())
    }

    fn wants(&self, _: &NodeSpec<()>) -> bool {
        true
    }

    fn rebuilds(&self, _: &NodeSpec<()>) -> bool {
        false
    }

    fn differences(&self, _: &NodeSpec<()>, _: &Guard, _: &[Output]) -> Vec<Difference> {
        Vec::new()
    }
}

const SALT: &str = "salt";

fn node(name: &str, input: &str, dependencies: Vec<Dependency>) -> NodeSpec<()> {
    NodeSpec {
        name: format!("f:{name}"),
        kind: "test".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs: vec![Input::text("text", input)],
        dependencies,
        expands: false,
        pools: BTreeMap::new(),
        action: (),
    }
}

/// `top` needs an output of `leaf`, one that `leaf` does not make, `broken` if it can be had, and `other` before it runs.
fn graph(leaf: &str) -> Graph<()> {
    let mut graph = Graph::new();
    let top = vec![
        Dependency::output("f:leaf", "out"),
        Dependency::output("f:leaf", "missing"),
        Dependency::soft("f:broken", "out"),
        Dependency::before_run("f:other"),
    ];
    let nodes = vec![
        node("top", "1", top),
        node("leaf", leaf, Vec::new()),
        node("broken", "1", Vec::new()),
        node("other", "1", Vec::new()),
    ];
    graph.add(nodes).unwrap();
    graph
}

fn run(graph: &mut Graph<()>, guards: &MemoryGuards, options: Options) -> Summary {
    let options = Options {
        salt: SALT.to_owned(),
        keep_going: true,
        ..options
    };
    build(graph, &Fake, guards, &SystemClock, &(), &options).unwrap()
}

#[test]
fn keys_are_those_that_are_recorded() {
    let guards = MemoryGuards::default();
    let mut graph = graph("1");
    let summary = run(&mut graph, &guards, Options::build(1));
    let all: Vec<_> = graph.ids().collect();
    let todays = todays(&graph, &summary.nodes, &guards, SALT, &all);
    for name in ["f:top", "f:leaf", "f:other"] {
        let recorded = guards.newest(name).unwrap();
        let Today::Known { key, inputs, guard } = &todays[&graph.find(name).unwrap()] else {
            panic!("{name} is known");
        };
        assert_eq!((key, inputs), (&recorded.key, &recorded.inputs), "{name}");
        assert_eq!(guard.as_deref(), Some(&recorded), "{name}");
    }
}

#[test]
fn what_hangs_on_an_output_says_so() {
    let guards = MemoryGuards::default();
    let _ = run(&mut graph("1"), &guards, Options::build(1));
    let mut graph = graph("2");
    let summary = run(&mut graph, &guards, Options::dry_run(false));
    let (top, leaf) = (graph.find("f:top").unwrap(), graph.find("f:leaf").unwrap());
    let todays = todays(&graph, &summary.nodes, &guards, SALT, &[top]);
    assert!(matches!(todays[&leaf], Today::Known { guard: None, .. }));
    let Today::Hanging { inputs, on } = &todays[&top] else {
        panic!("the key of top is not known");
    };
    let broken = graph.find("f:broken").unwrap();
    assert_eq!(*on, [broken, leaf], "a dry run does not know either");
    let known: Vec<(&str, Option<&Value>)> = inputs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_ref()))
        .collect();
    let text = |text: &str| Value::Text(text.to_owned());
    let expected = [
        ("rule", Some(&text("test 1"))),
        ("salt", Some(&text(SALT))),
        ("text", Some(&text("1"))),
        ("broken:out", None),
        ("leaf:missing", None),
        ("leaf:out", None),
    ];
    assert_eq!(known, expected);
}
