//! What can be asked of runs that are recorded: `farm log last` and its like, `farm debug history` and `trace`.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::space::{Space, assert_run};

/// `d` waits for `b`, which waits for `a`; and for `c`.
const MANIFEST: &str = r#"
farm: f
vars: { LAST: "echo broken; false" }
tasks:
  a: { in: host, inputs: [in], run: 'cp in a', outputs: [a] }
  b: { in: host, inputs: [a], run: 'cp a b', outputs: [b] }
  c: { in: host, inputs: [in], run: 'cp in c', outputs: [c] }
  d: { in: host, inputs: [b, c], run: '${LAST}', outputs: [b.d/] }
"#;

/// Run 1 failed, run 2 made what was missing, run 3 had nothing to do.
fn space() -> Space {
    let space = Space::with_farm("f", MANIFEST);
    space.write("farms/f/in", "one\n");
    assert_eq!(space.farm(&["build", "-j1", "-k"]).status, Some(1));
    assert_eq!(space.farm(&["build", "-j2", "LAST=mkdir b.d"]).status, Some(0));
    assert_eq!(space.farm(&["build", "-j2", "LAST=mkdir b.d"]).status, Some(0));
    space
}

#[test]
fn nothing_is_recorded_yet() {
    let space = Space::with_farm("f", MANIFEST);
    assert_run!(space.farm(&["debug", "history"]), @"
    --- stderr
    no run is recorded here
    --- status 0
    ");
    assert_run!(space.farm(&["log", "last"]), @"
    --- stderr
    error: no run is recorded here
    hint: `farm build` records what it does
    --- status 2
    ");
    assert_run!(space.farm(&["log", "slowest"]), @"
    --- stderr
    error: no run is recorded here
    hint: `farm build` records what it does
    --- status 2
    ");
    assert!(!space.exists(".farm"));
}

#[test]
fn history() {
    let space = space();
    assert_run!(space.farm(&["debug", "history"]), @"
    --- stdout
    3  WHEN  done    TIME  0 built, 4 cached  farm build -j2 LAST=mkdir b.d
    2  WHEN  done    TIME  1 built, 3 cached  farm build -j2 LAST=mkdir b.d
    1  WHEN  failed  TIME  3 built, 1 failed  farm build -j1 -k
    --- status 0
    ");
    let lines = space.farm(&["debug", "history", "--json"]).json_lines();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["run"].as_u64().unwrap(), line["result"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [(3, "done"), (2, "done"), (1, "failed")]);
    assert_eq!(lines[1]["words"], serde_json::json!(["build", "-j2", "LAST=mkdir b.d"]));
    assert_eq!((lines[2]["ran"].as_u64(), lines[0]["ran"].as_u64()), (Some(4), Some(0)));
}

#[test]
fn last() {
    let space = space();
    assert_run!(space.farm(&["log", "last", "--run", "1"]), @"
    --- stdout
    run 1: farm build -j1 -k
      began   WHEN
      took    TIME
      result  failed
      nodes   3 built, 1 failed
      jobs    1
      farm    VERSION
    failed:
      f:task/d: it ended with status 1
        log: $SPACE/workspace/.farm/logs/f/task/d.log
    --- status 0
    ");
    assert_run!(space.farm(&["log", "last", "--json"]), @r#"
    --- stdout
    {"counts":{"built":0,"cached":4,"cutoff":0,"failed":0,"skipped":0},"error":null,"farm":"VERSION","jobs":2,"ms":0,"ran":0,"result":"done","run":3,"started_ms":0,"words":["build","-j2","LAST=mkdir b.d"]}
    --- status 0
    "#);
}

#[test]
fn what_ran_and_what_failed() {
    let space = space();
    assert_run!(space.farm(&["log", "what-ran", "--run", "1"]), @"
    --- stdout
    built   TIME  f:task/a  never built
    built   TIME  f:task/b  never built
    built   TIME  f:task/c  never built
    failed  TIME  f:task/d  never built
    --- status 0
    ");
    assert_run!(space.farm(&["log", "what-ran"]), @"
    --- stdout
    built  TIME  f:task/d  never built
    --- status 0
    ");
    assert_run!(space.farm(&["log", "what-ran", "--json"]), @r#"
    --- stdout
    {"after":null,"differences":[],"end_ms":0,"expected_ms":null,"failure":null,"hint":null,"kind":"task","log":null,"message":null,"ms":0,"name":"f:task/d","reason":{"because":"never-built"},"reproducible":null,"result":"built","run":2,"slot":0,"start_ms":0}
    --- status 0
    "#);
    assert_run!(space.farm(&["log", "what-ran", "--run", "3"]), @"
    --- stderr
    nothing ran in run 3
    --- status 0
    ");
    assert_run!(space.farm(&["log", "what-failed"]), @"
    --- stderr
    nothing failed in run 2
    --- status 0
    ");
    assert_run!(space.farm(&["log", "what-failed", "--run", "1"]), @"
    --- stdout
    failed:
      f:task/d: it ended with status 1
        log: $SPACE/workspace/.farm/logs/f/task/d.log
    --- status 0
    ");
    assert_run!(space.farm(&["log", "what-failed", "--run", "1", "--json"]), @r#"
    --- stdout
    {"differences":[],"failure":"step","hint":null,"log":"$SPACE/workspace/.farm/logs/f/task/d.log","message":"it ended with status 1\n  | broken","ms":0,"name":"f:task/d","reproducible":null,"result":"failed","run":1}
    --- status 0
    "#);
}

#[test]
fn what_took_long() {
    let space = space();
    let slowest = space.farm(&["log", "slowest", "--run", "1", "--json"]).json_lines();
    let took = |node: &serde_json::Value| node["end_ms"].as_u64().unwrap() - node["start_ms"].as_u64().unwrap();
    assert!(
        slowest.windows(2).all(|pair| took(&pair[0]) >= took(&pair[1])),
        "{slowest:?}"
    );
    let shown = space.farm(&["log", "slowest", "--run", "1"]);
    let names: Vec<&str> = shown
        .stdout
        .lines()
        .filter_map(|line| line.split("  ").nth(1))
        .collect();
    let expected: Vec<&str> = slowest.iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!((names.len(), names), (4, expected));
    assert_run!(space.farm(&["log", "critical-path"]), @"
    --- stdout
    waited  took   node
    TIME   TIME  f:task/d
    --- stderr
    the run took TIME
    --- status 0
    ");
    let path = space
        .farm(&["log", "critical-path", "--run", "1", "--json"])
        .json_lines();
    let steps = path[0]["steps"].as_array().unwrap();
    // On one job, a and c came in some order; d waited for whichever chain ended last.
    let names: Vec<&str> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert!(
        names == ["f:task/a", "f:task/b", "f:task/d"] || names == ["f:task/c", "f:task/d"],
        "{names:?}"
    );
    let sum = |step: &serde_json::Value| step["waited_ms"].as_u64().unwrap() + took(step);
    assert_eq!(
        steps.iter().map(sum).sum::<u64>(),
        steps.last().unwrap()["end_ms"].as_u64().unwrap()
    );
}

#[test]
fn a_run_that_is_not_there() {
    let space = space();
    assert_run!(space.farm(&["log", "what-ran", "--run", "7"]), @"
    --- stderr
    error: no run 7 is recorded
    hint: `farm debug history` lists those that are
    --- status 2
    ");
}

#[test]
fn a_node_that_is_called_like_a_question_has_a_log() {
    let space = Space::with_farm(
        "last",
        "farm: last\ntasks: { last: { in: host, run: 'echo hello > o; echo told', outputs: [o] } }\n",
    );
    assert_eq!(space.farm(&["build"]).status, Some(0));
    for words in ["task/last", "last:task/last"] {
        assert_eq!(space.farm(&["log", words]).stdout, "told\n");
    }
    assert!(space.farm(&["log", "last"]).stdout.starts_with("run 1: farm build\n"));
}

#[test]
fn a_trace_has_one_track_a_job() {
    let space = space();
    assert_run!(space.farm(&["debug", "trace", "--run", "1", "-o", "trace.json"]), @"
    --- stderr
    run 1 is in trace.json
    --- status 0
    ");
    let trace: serde_json::Value = serde_json::from_str(&space.read("trace.json")).unwrap();
    assert_eq!(trace, space.farm(&["debug", "trace", "--run", "1"]).json_lines()[0]);
    let mut tracks: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    for event in trace["traceEvents"].as_array().unwrap() {
        if event["ph"] == "X" {
            let number = |name: &str| event[name].as_u64().unwrap();
            tracks
                .entry(number("tid"))
                .or_default()
                .push((number("ts"), number("ts") + number("dur")));
        }
    }
    // With one job nothing runs beside anything.
    let [track] = tracks.values().collect::<Vec<_>>()[..] else {
        panic!("{tracks:?}")
    };
    assert_eq!(track.len(), 4);
    assert!(track.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{track:?}");
    let unwritable = space.farm(&["debug", "trace", "-o", "none/trace.json"]);
    assert_eq!(unwritable.status, Some(3), "{}", unwritable.text());
}

#[test]
fn a_record_of_a_newer_farm_is_in_nobodys_way() {
    let space = space();
    let mut encoder =
        zstd::Encoder::new(fs_err::File::create(space.path(".farm/runs/4.jsonl.zst")).unwrap(), 1).unwrap();
    encoder.write_all(b"{\"farm-run\":2}\n").unwrap();
    encoder.finish().unwrap();
    fs_err::write(space.path(".farm/runs/5.jsonl.zst"), "").unwrap();
    let ended = space.farm(&["debug", "history"]);
    assert_eq!(ended.status, Some(0));
    let lines: Vec<&str> = ended.stdout.lines().collect();
    insta::assert_snapshot!(lines[..2].join("\n"), @"
    5  cannot be read: its first line is missing: the run was killed as it began, or this is no record
    4  cannot be read: a newer farm wrote it, in format 2; this one reads up to 1
    ");
    assert_eq!(lines.len(), 5);
    assert!(space.farm(&["log", "what-ran"]).stdout.contains("f:task/d"));
    assert_run!(space.farm(&["log", "what-ran", "--run", "4"]), @"
    --- stderr
    error: the record of run 4 cannot be read: a newer farm wrote it, in format 2; this one reads up to 1
    hint: use that newer farm
    --- status 3
    ");
    assert_run!(space.farm(&["log", "last"]), @"
    --- stderr
    error: the record of run 5 cannot be read: its first line is missing: the run was killed as it began, or this is no record
    --- status 3
    ");
    assert_eq!(space.farm(&["build", "LAST=mkdir b.d"]).status, Some(0));
    assert!(space.farm(&["log", "last"]).stdout.starts_with("run 6: "));
}
