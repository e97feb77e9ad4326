//! What programs read: the JSON of real runs, read back with exactly the fields that are promised.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::support::{FarmSpace, Output};

const BAR: &str = "farms/tiny/overlay/dev-libs/bar/bar-2.0.ebuild";

/// A line of `farm build --json`. Others may be added.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line {
    NodeStarted {
        name: String,
    },
    NodeFinished {
        name: String,
        result: Ending,
        ms: u64,
    },
    BuildFinished {
        built: u64,
        cached: u64,
        cutoff: u64,
        failed: u64,
        skipped: u64,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ending {
    Built,
    Cached,
    Cutoff,
    Failed,
    Skipped,
}

/// What `farm build -n --json` prints.
#[derive(Debug, Deserialize)]
struct DryRun {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    name: String,
    kind: String,
    state: State,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Cached,
    Run,
    Unknown,
}

/// A line of `farm why --json`.
#[derive(Debug, Deserialize)]
struct Why {
    node: String,
    state: State,
    when: When,
    changes: Vec<Change>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum When {
    Pending,
    Last,
}

#[derive(Debug, Deserialize)]
struct Change {
    input: String,
    from: Option<String>,
    to: Option<String>,
}

#[track_caller]
fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The results of a run by node, after a look at everything that is promised of its lines.
#[track_caller]
fn results(output: &Output) -> BTreeMap<String, Ending> {
    let mut started = Vec::new();
    let mut ended = BTreeMap::new();
    let mut lines = output.stdout.lines().map(read::<Line>).peekable();
    while let Some(line) = lines.next() {
        match line {
            Line::NodeStarted { name } => started.push(name),
            Line::NodeFinished { name, result, ms } => {
                let ran = matches!(result, Ending::Built | Ending::Failed);
                assert_eq!(started.contains(&name), ran, "{name} {result:?}: {output}");
                assert!(ran || ms == 0, "{name} took {ms} ms without having run: {output}");
                assert!(
                    ended.insert(name.clone(), result).is_none(),
                    "{name} ended twice: {output}"
                );
            }
            Line::BuildFinished {
                built,
                cached,
                cutoff,
                failed,
                skipped,
            } => {
                let count = |wanted| ended.values().filter(|result| **result == wanted).count() as u64;
                let counts = [
                    Ending::Built,
                    Ending::Cached,
                    Ending::Cutoff,
                    Ending::Failed,
                    Ending::Skipped,
                ]
                .map(count);
                assert_eq!([built, cached, cutoff, failed, skipped], counts, "{output}");
                assert!(lines.peek().is_none(), "something follows the end: {output}");
                return ended;
            }
            Line::Other => {}
        }
    }
    panic!("no end: {output}");
}

fn dry_run(space: &FarmSpace, arguments: &[&str]) -> BTreeMap<String, Node> {
    let output = space.build(&[&["-n"], arguments].concat()).succeeded();
    let looked: DryRun = read(&output.stdout);
    looked.nodes.into_iter().map(|node| (node.name.clone(), node)).collect()
}

fn why(space: &FarmSpace, node: &str) -> Why {
    let output = space.farm(&["why", node, "--json"]).succeeded();
    let why: Why = read(&output.stdout);
    assert_eq!(why.node, format!("tiny:{node}"));
    why
}

#[test]
fn json_of_builds_dry_runs_and_reasons() {
    let space = FarmSpace::ready();
    let done = results(&space.build(&[]).succeeded());
    assert!(done.values().all(|result| *result == Ending::Cached), "{done:?}");
    let nodes = dry_run(&space, &[]);
    assert_eq!(nodes.keys().collect::<Vec<_>>(), done.keys().collect::<Vec<_>>());
    assert!(
        nodes
            .values()
            .all(|node| node.state == State::Cached && node.reason.is_none()),
        "{nodes:?}"
    );
    let last = why(&space, "pkg/dev-libs/bar-2.0");
    assert_eq!((last.state, last.when), (State::Cached, When::Last));

    // A comment: bar is built, and looks the same to leaf.
    space.edit(BAR, "# Bound to the subslot", "# It is bound to the subslot");
    // Asked about a package, farm looks what the ebuild's change comes to.
    let pending = why(&space, "pkg/dev-libs/bar-2.0");
    assert_eq!((pending.state, pending.when), (State::Run, When::Pending));
    space.edit(BAR, "# It is bound to the subslot", "# It is bound to this subslot");
    // Without making plans nobody knows what becomes of packages.
    let nodes = dry_run(&space, &["--no-plan"]);
    assert_eq!(nodes["tiny:repo/tiny"].state, State::Run, "{nodes:?}");
    assert_eq!(nodes["tiny:plan"].state, State::Unknown, "{nodes:?}");
    let known = space.guards();
    let nodes = dry_run(&space, &[]);
    let bar = &nodes["tiny:pkg/dev-libs/bar-2.0"];
    assert_eq!((bar.state, bar.kind.as_str()), (State::Run, "package"));
    assert_eq!(bar.reason.as_deref(), Some("ebuild changed"));
    assert_eq!(nodes["tiny:pkg/app-misc/leaf-1.0"].state, State::Unknown, "{nodes:?}");
    assert_eq!(nodes["tiny:pkg/dev-libs/libfoo-1.2"].state, State::Cached, "{nodes:?}");
    assert_eq!(nodes["tiny:image/leaf"].state, State::Unknown, "{nodes:?}");
    let mut made = space.guards();
    made.retain(|guard| {
        !known
            .iter()
            .any(|other| (&other.node, &other.key) == (&guard.node, &guard.key))
    });
    let made: Vec<&str> = made.iter().map(|guard| guard.node.as_str()).collect();
    assert!(
        made.iter()
            .all(|node| node.starts_with("tiny:plan") || *node == "tiny:repo/tiny"),
        "{made:?}"
    );

    let pending = why(&space, "pkg/dev-libs/bar-2.0");
    assert_eq!((pending.state, pending.when), (State::Run, When::Pending));
    let [change] = &pending.changes[..] else {
        panic!("{:?}", pending.changes)
    };
    assert_eq!(change.input, "ebuild");
    assert!(
        change.from.is_some() && change.to.is_some() && change.from != change.to,
        "{change:?}"
    );

    let done = results(&space.build(&[]).succeeded());
    assert_eq!(done["tiny:pkg/dev-libs/bar-2.0"], Ending::Built);
    assert_eq!(done["tiny:pkg/app-misc/leaf-1.0"], Ending::Cutoff);
    assert_eq!(done["tiny:pkg/dev-libs/libfoo-1.2"], Ending::Cached);
    let last = why(&space, "pkg/dev-libs/bar-2.0");
    assert_eq!(
        (last.state, last.when, last.changes.len()),
        (State::Cached, When::Last, 1)
    );

    // An input that is new, in a run that fails.
    space.write(
        "profiles/greeting/patches/dev-libs/bar/broken.patch",
        "--- a/none\n+++ b/none\n@@ -1 +1 @@\n-a\n+b\n",
    );
    let _ = dry_run(&space, &[]);
    let pending = why(&space, "pkg/dev-libs/bar-2.0");
    let patch = pending
        .changes
        .iter()
        .find(|change| change.input.ends_with("broken.patch"));
    assert!(
        patch.is_some_and(|change| change.from.is_none() && change.to.is_some()),
        "{pending:?}"
    );
    let done = results(&space.build(&[]).ended(1));
    assert_eq!(done["tiny:pkg/dev-libs/bar-2.0"], Ending::Failed);
    assert_eq!(done["tiny:pkg/app-misc/leaf-1.0"], Ending::Skipped);
}

#[test]
fn unknown_names() {
    let space = FarmSpace::moved();
    for target in [
        "tiny:image/none",
        "tiny:pkg/dev-libs/none",
        "tiny:task/none",
        "tinny",
        "tiny:pkgs/none",
    ] {
        let output = space.farm(&["build", target, "--json"]).ended(2);
        assert!(
            output.stderr.contains("error: ") && output.stderr.contains("hint: "),
            "{output}"
        );
        assert!(!output.stdout.contains("node-started"), "{output}");
    }
}
