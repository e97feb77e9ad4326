//! Nodes that run again although they are up to date: what is compared, what is told, and that the first output stays.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use farm_engine::{
    Class, Dependency, Difference, Digest, Driver, Event, EventSink, Failure, FailureKind, Graph, Guard, GuardStore,
    MemoryGuards, NodeResult, NodeSpec, NodeState, Options, Output, Presence, Run, Summary, SystemClock, build,
};

/// `a`, which has two outputs, and `b`, which needs one of them.
#[derive(Default)]
struct Fake {
    /// What `a` makes, by role; `None` for a failure.
    makes: Option<BTreeMap<&'static str, &'static str>>,
    /// What the driver says of differences.
    explains: Vec<Difference>,
    rebuild: bool,
    /// What became of the recorded outputs of `a`, by how often they were looked for before.
    lost_at: Option<usize>,
    calls: Mutex<Vec<String>>,
}

impl Fake {
    fn making(text: &'static str, bytes: &'static str) -> Self {
        Self {
            makes: Some([("text", text), ("bytes", bytes)].into()),
            ..Self::default()
        }
    }

    fn rebuilding(self) -> Self {
        Self { rebuild: true, ..self }
    }

    fn called(&self, what: &str, node: &str) -> usize {
        let mut calls = self.calls.lock().unwrap();
        let call = format!("{what} {node}");
        let before = calls.iter().filter(|known| **known == call).count();
        calls.push(call);
        before
    }

    /// What was asked about `a`, in this order.
    fn calls_of_a(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .filter_map(|call| call.strip_suffix(" a"))
            .map(str::to_owned)
            .collect()
    }
}

impl Driver for Fake {
    type Action = ();

    fn run(&self, node: &NodeSpec<()>, _: &Run<'_>) -> Result<Vec<Output>, Failure> {
        self.called("run", &node.name);
        let broken = || Failure::new(FailureKind::Step, "it broke");
        let makes = self.makes.as_ref().ok_or_else(broken)?;
        let output = |(role, made): (&&str, &&str)| Output {
            role: (*role).to_owned(),
            digest: Digest::of(made.as_bytes()),
            place: (*made).to_owned(),
        };
        Ok(makes.iter().map(output).collect())
    }

    fn presence(&self, node: &NodeSpec<()>, _: &Guard) -> Presence {
        let before = self.called("presence", &node.name);
        if node.name == "a" && self.lost_at == Some(before) {
            return Presence::Lost("its image is gone".to_owned());
        }
        Presence::Present
    }

    fn expand(&self, node: &NodeSpec<()>, _: &Guard) -> Result<Vec<NodeSpec<()>>, Failure> {
        unreachable!("{} brings nothing forth", node.name)
    }

    fn wants(&self, _: &NodeSpec<()>) -> bool {
        true
    }

    fn rebuilds(&self, node: &NodeSpec<()>) -> bool {
        self.rebuild && node.name == "a"
    }

    fn differences(&self, node: &NodeSpec<()>, former: &Guard, now: &[Output]) -> Vec<Difference> {
        self.called("differences", &node.name);
        assert_ne!(former.outputs, now);
        self.explains.clone()
    }
}

/// Every event, in the order they came.
#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

impl EventSink for Heard {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Heard {
    /// Whether `a` was the same again, and in what it was not.
    fn end_of_a(&self) -> (Option<bool>, Vec<Difference>) {
        let events = self.0.lock().unwrap();
        let mut ends = events.iter().filter_map(|event| match event {
            Event::NodeFinished {
                name,
                reproducible,
                differences,
                ..
            } if name == "a" => Some((*reproducible, differences.clone())),
            _ => None,
        });
        ends.next().unwrap()
    }

    fn not_reproducible(&self) -> u64 {
        let events = self.0.lock().unwrap();
        match events.last() {
            Some(Event::BuildFinished { not_reproducible, .. }) => *not_reproducible,
            other => panic!("no end but {other:?}"),
        }
    }

    fn notes(&self) -> Vec<String> {
        let events = self.0.lock().unwrap();
        let note = |event: &Event| match event {
            Event::Note { message } => Some(message.clone()),
            _ => None,
        };
        events.iter().filter_map(note).collect()
    }
}

fn node(name: &str, dependencies: Vec<Dependency>) -> NodeSpec<()> {
    NodeSpec {
        name: name.to_owned(),
        kind: "test".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs: Vec::new(),
        dependencies,
        expands: false,
        pools: BTreeMap::new(),
        action: (),
    }
}

fn run(fake: &Fake, guards: &MemoryGuards, options: &Options) -> (Summary, Heard) {
    let mut graph = Graph::new();
    let nodes = vec![node("a", vec![]), node("b", vec![Dependency::output("a", "text")])];
    graph.add(nodes).unwrap();
    let heard = Heard::default();
    let summary = build(&mut graph, fake, guards, &SystemClock, &heard, options).unwrap();
    (summary, heard)
}

fn built() -> MemoryGuards {
    let guards = MemoryGuards::default();
    let (summary, heard) = run(&Fake::making("one", "1"), &guards, &Options::build(1));
    assert_eq!(summary.counts.built, 2);
    assert_eq!(heard.end_of_a(), (None, vec![]));
    guards
}

#[test]
fn the_same_again() {
    let guards = built();
    let fake = Fake::making("one", "1").rebuilding();
    let (summary, heard) = run(&fake, &guards, &Options::build(1));
    assert_eq!(summary.reproducible, ["a"]);
    assert!(summary.not_reproducible.is_empty());
    assert_eq!(heard.end_of_a(), (Some(true), vec![]));
    assert_eq!(heard.not_reproducible(), 0);
    assert_eq!(fake.calls_of_a(), ["presence", "run", "presence"]);
}

#[test]
fn something_else_is_explained_and_the_first_output_stays() {
    let guards = built();
    let explains = vec![Difference::new("bin/x", "mode 644, then 755")];
    let fake = Fake {
        explains: explains.clone(),
        ..Fake::making("two", "1").rebuilding()
    };
    let (summary, heard) = run(&fake, &guards, &Options::build(1));
    assert_eq!(summary.not_reproducible, [("a".to_owned(), explains.clone())]);
    assert!(summary.reproducible.is_empty());
    assert_eq!(heard.end_of_a(), (Some(false), explains));
    assert_eq!(heard.not_reproducible(), 1);
    assert_eq!(fake.calls_of_a(), ["presence", "run", "differences", "presence"]);
    // What hangs on it sees what was there at first.
    assert_eq!(summary.nodes[1].result, Some(NodeResult::Cutoff));
    assert_eq!(guards.newest("a").unwrap().outputs[1].place, "one");
    let (summary, _) = run(&Fake::making("one", "1"), &guards, &Options::build(1));
    assert_eq!(summary.counts.cached, 2);
}

#[test]
fn what_nobody_can_explain_is_named_by_its_role() {
    let guards = built();
    let mut fake = Fake::making("one", "2").rebuilding();
    let (summary, _) = run(&fake, &guards, &Options::build(1));
    let content = |role: &str| Difference::new(role, "content");
    assert_eq!(summary.not_reproducible[0].1, [content("bytes")]);

    fake.makes = Some([("text", "one"), ("more", "2")].into());
    let (summary, _) = run(&fake, &guards, &Options::build(1));
    assert_eq!(summary.not_reproducible[0].1, [content("bytes"), content("more")]);
}

#[test]
fn nothing_to_compare_with_is_said() {
    let guards = MemoryGuards::default();
    let (summary, heard) = run(&Fake::making("one", "1").rebuilding(), &guards, &Options::build(1));
    assert_eq!(summary.counts.built, 2);
    assert!(summary.reproducible.is_empty() && summary.not_reproducible.is_empty());
    assert_eq!(heard.end_of_a(), (None, vec![]));
    assert_eq!(
        heard.notes(),
        ["a was not compared with what it made before: never built"]
    );

    // What is lost cannot stay: what was made now is recorded.
    let fake = Fake {
        lost_at: Some(0),
        ..Fake::making("two", "1").rebuilding()
    };
    let (summary, heard) = run(&fake, &guards, &Options::build(1));
    assert_eq!(summary.counts.built, 2);
    assert_eq!(heard.notes().len(), 1);
    assert_eq!(guards.newest("a").unwrap().outputs[1].place, "two");
}

#[test]
fn a_failure_brings_back_what_was_there() {
    let guards = built();
    let fake = Fake::default().rebuilding();
    let (summary, heard) = run(&fake, &guards, &Options::build(1));
    assert_eq!(summary.failures[0].1.message, "it broke");
    assert_eq!(heard.end_of_a(), (None, vec![]));
    assert_eq!(fake.calls_of_a(), ["presence", "run", "presence"]);
    let (summary, _) = run(&Fake::making("one", "1"), &guards, &Options::build(1));
    assert_eq!(summary.counts.cached, 2);
}

#[test]
fn a_first_output_that_cannot_stay_is_a_failure() {
    let guards = built();
    let fake = Fake {
        lost_at: Some(1),
        ..Fake::making("two", "1").rebuilding()
    };
    let (summary, _) = run(&fake, &guards, &Options::build(1));
    let failure = &summary.failures[0].1;
    assert_eq!(failure.kind, FailureKind::Environment);
    assert!(failure.message.contains("its image is gone"), "{}", failure.message);
    assert_eq!(guards.newest("a").unwrap().outputs[1].place, "one");
}

#[test]
fn a_dry_run_says_that_it_would_run() {
    let guards = built();
    let fake = Fake::making("two", "1").rebuilding();
    let (summary, _) = run(&fake, &guards, &Options::dry_run(true));
    assert_eq!(summary.nodes[0].state, NodeState::Run);
    assert_eq!(fake.calls_of_a(), ["presence"]);
}
