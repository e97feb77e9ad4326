//! Commands that only look: targets, why, graph, log; and clean.

use crate::space::{Space, assert_run};

const PAIR: &str = r#"
farm: pair
vars: { WORD: one }
tasks:
  make: { in: host, env: { WORD: "${WORD}" }, run: 'echo "making $WORD"; echo "$WORD" > made', outputs: [made] }
  use: { in: host, inputs: [made], run: 'cp made used', outputs: [used] }
"#;

fn pair() -> Space {
    Space::with_farm("pair", PAIR)
}

#[test]
fn targets() {
    let space = pair();
    assert_run!(space.farm(&["targets"]), @r"
    --- stdout
    pair            everything it can build locally
    pair:task/make  a task
    pair:task/use   a task
    --- status 0
    ");
    assert_run!(space.farm(&["targets", "--json"]), @r#"
    --- stdout
    {"targets":[{"about":"everything it can build locally","kind":"farm","name":"pair"},{"about":"a task","kind":"task","name":"pair:task/make"},{"about":"a task","kind":"task","name":"pair:task/use"}]}
    --- status 0
    "#);
}

#[test]
fn why_before_between_and_after() {
    let space = pair();
    assert_run!(space.farm(&["why", "task/use"]), @r"
    --- stdout
    pair:task/use may have to run: hangs on the output of pair:task/make, which runs: never built
      pair:task/use waits for `made` of pair:task/make
      pair:task/make runs: never built
    --- status 0
    ");
    assert_eq!(space.farm(&["build"]).status, Some(0));
    assert_run!(space.farm(&["why", "task/make"]), @r"
    --- stdout
    pair:task/make is up to date: every input is as it was when it was built
      built on WHEN in TIME, last used on WHEN
      it ran then because: never built
    --- status 0
    ");
    assert_run!(space.farm(&["why", "task/make", "WORD=two"]), @r"
    --- stdout
    pair:task/make will run: env/WORD changed
      env/WORD: one → two
    --- status 0
    ");
    assert_run!(space.farm(&["why", "pair", "WORD=two"]), @r"
    --- stdout
    pair:task/make will run: env/WORD changed
      env/WORD: one → two
    pair:task/use may have to run: hangs on the output of pair:task/make, which runs: env/WORD changed
      pair:task/use waits for `made` of pair:task/make
      pair:task/make runs: env/WORD changed
        task/make: env/WORD: one → two
    --- status 0
    ");
    assert_run!(space.farm(&["why", "task/make", "WORD=two", "--json"]), @r#"
    --- stdout
    {"node":"pair:task/make","state":"run","when":"pending","reason":"env/WORD changed","changes":[{"input":"env/WORD","from":"one","to":"two"}]}
    --- status 0
    "#);
    assert_eq!(space.farm(&["build", "WORD=two"]).status, Some(0));
    assert_run!(space.farm(&["why", "task/use", "WORD=two", "--json"]), @r#"
    --- stdout
    {"node":"pair:task/use","state":"cached","when":"last","reason":"task/make:made changed","changes":[{"input":"task/make:made","from":"cd6f28e178e3","to":"e318ffd48323"}],"built":{"key":"KEY","began_ms":0,"took_ms":0,"used_ms":0}}
    --- status 0
    "#);
}

#[test]
fn looking_changes_nothing() {
    let space = pair();
    for command in ["targets", "graph"] {
        assert_eq!(space.farm(&[command]).status, Some(0));
    }
    assert_eq!(space.farm(&["why", "task/use"]).status, Some(0));
    assert!(!space.exists(".farm"));
}

#[test]
fn graph() {
    let space = pair();
    assert_run!(space.farm(&["graph"]), @r#"
    --- stdout
    digraph farm {
      rankdir=LR;
      node [shape=box];
      "pair:task/make" [tooltip="task"];
      "pair:task/use" [tooltip="task"];
      "pair:task/make" -> "pair:task/use";
    }
    --- status 0
    "#);
    assert_run!(space.farm(&["graph", "--format", "mermaid"]), @r#"
    --- stdout
    flowchart LR
      n0["pair:task/make"]
      n1["pair:task/use"]
      n0 --> n1
    --- status 0
    "#);
    assert_run!(space.farm(&["graph", "--format", "json"]), @r#"
    --- stdout
    {"edges":[{"from":"pair:task/use","output":"made","to":"pair:task/make"}],"nodes":[{"kind":"task","name":"pair:task/make","state":"run"},{"kind":"task","name":"pair:task/use","state":"unknown"}]}
    --- status 0
    "#);
}

#[test]
fn a_picture_needs_graphviz() {
    let space = pair();
    let mut command = space.command(&["graph", "--format", "svg"]);
    command.env("PATH", space.path("empty"));
    assert_run!(space.ended(command), @r"
    --- stderr
    error: cannot draw with Graphviz's `dot`: No such file or directory (os error 2)
    hint: install the package graphviz, or take another format
    --- status 3
    ");
}

#[test]
fn log() {
    let space = pair();
    assert_run!(space.farm(&["log", "task/make"]), @r"
    --- stderr
    error: there is no log of that: it never ran here
    --- status 2
    ");
    assert_eq!(space.farm(&["build"]).status, Some(0));
    assert_run!(space.farm(&["log", "task/make"]), @r"
    --- stdout
    making one
    --- status 0
    ");
    assert_run!(space.farm(&["log", "task/make", "--path"]), @r"
    --- stdout
    $SPACE/workspace/.farm/logs/pair/task/make.log
    --- status 0
    ");
    // One that said nothing has no file, which is no mistake of whoever asks.
    assert_run!(space.farm(&["log", "task/use"]), @"
    --- status 0
    ");
    assert_run!(space.farm(&["log", "pair"]), @r"
    --- stdout
    making one
    --- status 0
    ");
}

#[test]
fn several_logs() {
    let space = Space::with_farm(
        "f",
        "farm: f\ntasks:\n  a: { in: host, run: echo one }\n  b: { in: host, run: echo two }\n",
    );
    assert_eq!(space.farm(&["build"]).status, Some(0));
    assert_run!(space.farm(&["log", "f"]), @r"
    --- stderr
    error: several nodes have a log:
      $SPACE/workspace/.farm/logs/f/task/a.log
      $SPACE/workspace/.farm/logs/f/task/b.log
    hint: name one node
    --- status 2
    ");
}

#[test]
fn clean() {
    let space = pair();
    assert_run!(space.farm(&["clean"]), @r"
    --- stderr
    nothing to remove
    --- status 0
    ");
    assert_eq!(space.farm(&["build"]).status, Some(0));
    assert_run!(space.farm(&["clean"]), @r"
    --- stdout
    removed $SPACE/workspace/.farm
    --- status 0
    ");
    assert!(space.exists("farms/pair/used"), "what tasks made is the user's");
    assert!(!space.exists(".farm"));
}

#[test]
fn plan_of_a_farm_without_packages() {
    assert_run!(pair().farm(&["plan"]), @r"
    --- stderr
    error: pair has no `binfarm:`, so there is nothing to plan
    --- status 2
    ");
    assert_run!(pair().farm(&["plan", "--diff", "pair"]), @r"
    --- stderr
    error: `pair` is neither `release` nor KEY=VALUE
    hint: `--diff BINFARM_TYPE=dbg`, say
    --- status 2
    ");
    assert_run!(pair().farm(&["plan", "--write"]), @r"
    --- stderr
    error: pair has no `binfarm:`, so there is nothing to plan
    --- status 2
    ");
}
