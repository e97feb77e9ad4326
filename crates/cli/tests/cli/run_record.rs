//! Every run keeps its events, whatever becomes of it, and nothing that happens to the record changes the run.

use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::signals::{release, signal, start, waiting};
use crate::space::{Ended, Space, assert_run};

const MANIFEST: &str = "
farm: f
tasks:
  a: { in: host, inputs: [in], run: 'cp in a', outputs: [a] }
  b: { in: host, inputs: [a], run: 'cp a b', outputs: [b] }
";

fn space() -> Space {
    let space = Space::with_farm("f", MANIFEST);
    space.write("farms/f/in", "one\n");
    space
}

fn last(space: &Space) -> Value {
    let ended = space.farm(&["log", "last", "--json"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    ended.json_lines().remove(0)
}

fn files(space: &Space) -> Vec<String> {
    let mut names: Vec<String> = fs_err::read_dir(space.path(".farm/runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The lines of a record.
fn lines(space: &Space, name: &str) -> Vec<Value> {
    let bytes = fs_err::read(space.path(".farm/runs").join(name)).unwrap();
    let text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_record_is_the_stream_of_events() {
    let space = space();
    let told = space.farm(&["build", "--json"]).json_lines();
    let mut recorded = lines(&space, "1.jsonl.zst");
    assert_eq!(recorded.remove(0)["words"], serde_json::json!(["build", "--json"]));
    assert_eq!(recorded.pop().unwrap()["event"], "run-ended");
    for line in &mut recorded {
        assert!(line.as_object_mut().unwrap().remove("at").unwrap().is_u64());
    }
    let told: Vec<Value> = told
        .into_iter()
        .filter(|event| event["event"] != "nodes-wanted")
        .collect();
    assert_eq!(recorded, told);
}

#[test]
fn a_run_with_nothing_to_do_keeps_its_header_and_its_end() {
    let space = space();
    assert_eq!(space.farm(&["build"]).status, Some(0));
    space.settle();
    let before = files(&space);
    assert_eq!(space.farm(&["build"]).status, Some(0));
    assert_eq!(files(&space).len(), before.len() + 1);
    // The first looked closely, the last did not.
    for name in ["2.idle.jsonl.zst", files(&space).last().unwrap()] {
        let lines = lines(&space, name);
        let events: Vec<&Value> = lines.iter().skip(1).map(|line| &line["event"]).collect();
        assert_eq!(events, ["build-finished", "run-ended"], "{name}");
        assert_eq!((&lines[1]["cached"], &lines[1]["built"]), (&2.into(), &0.into()));
    }
    assert!(space.farm(&["log", "what-ran"]).stdout.contains("f:task/a"));
}

#[test]
fn what_only_looks_leaves_no_record() {
    let space = space();
    for arguments in [
        &["build", "-n"][..],
        &["why", "task/a"],
        &["targets"],
        &["build", "task/none"],
    ] {
        let _ = space.farm(arguments);
    }
    assert!(!space.exists(".farm/runs"));
    assert_eq!(space.farm(&["build"]).status, Some(0));
    space.settle();
    let before = files(&space);
    assert_eq!(space.farm(&["build", "-n"]).status, Some(0));
    assert_eq!(files(&space), before);
}

/// Waits until the record of the first run names a node that runs: it is on its way to the file.
fn until_it_says(space: &Space, node: &str) {
    while !space.farm(&["log", "what-ran", "--run", "1"]).stdout.contains(node) {}
}

#[test]
fn under_way_then_interrupted() {
    let space = waiting();
    let child = start(&space, &["build", "-j2"]);
    until_it_says(&space, "slow:task/wait");
    assert_run!(space.farm(&["log", "what-failed", "--run", "1"]), @"
    --- stderr
    note: run 1 is not over
    nothing failed in run 1
    --- status 0
    ");
    assert_eq!(last(&space)["result"], "running");
    signal(&child, Signal::INT);
    assert_eq!(space.end_of(child).status, Some(130));
    assert_run!(space.farm(&["log", "what-ran"]), @"
    --- stdout
    built    TIME  slow:task/quick  never built
    stopped  TIME  slow:task/wait   never built
    --- status 0
    ");
    assert_eq!(last(&space)["result"], "interrupted");
    let child = start(&space, &["build", "-j2"]);
    release(&space);
    assert_eq!(space.end_of(child).status, Some(0));
    assert_eq!(last(&space)["result"], "done");
}

#[test]
fn killed() {
    let space = waiting();
    let child = start(&space, &["build", "-j2"]);
    until_it_says(&space, "slow:task/wait");
    signal(&child, Signal::KILL);
    assert_eq!(space.end_of(child).status, None);
    assert_eq!(last(&space)["result"], "killed");
    assert_run!(space.farm(&["log", "what-ran"]), @"
    --- stdout
    built   TIME  slow:task/quick  never built
    no end  TIME  slow:task/wait   never built
    --- stderr
    note: the record of run 1 has no end: farm was killed, and what it did last may be missing
    --- status 0
    ");
    assert_run!(space.farm(&["log", "last"]), @"
    --- stdout
    run 1: farm build -j2
      began   WHEN
      took    TIME
      result  killed
      nodes   1 built
      jobs    2
      farm    VERSION
    --- stderr
    note: the record of run 1 has no end: farm was killed, and what it did last may be missing
    --- status 0
    ");
}

/// Builds, and gives what it said without the note; there must be one, and no record.
fn unrecorded(space: &Space, command: Command, what: &str) -> Ended {
    let mut ended = space.ended(command);
    let note = format!("note: this run is not recorded: {what}");
    assert_eq!(ended.stderr.matches(&note).count(), 1, "{}", ended.text());
    ended.stderr = ended
        .stderr
        .lines()
        .filter(|line| !line.starts_with(&note))
        .map(|line| format!("{line}\n"))
        .collect();
    ended
}

#[test]
fn a_file_in_place_of_the_folder_changes_nothing() {
    let (space, other) = (space(), space());
    space.write(".farm/runs", "mine");
    let without_times = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    for _ in 0..2 {
        let ended = unrecorded(&space, space.command(&["build", "-j1"]), "");
        let as_ever = other.farm(&["build", "-j1"]);
        assert_eq!((ended.status, ended.stdout), (as_ever.status, as_ever.stdout));
        assert_eq!(without_times(&ended.stderr), without_times(&as_ever.stderr));
    }
    assert_eq!(
        (space.read("farms/f/b"), space.read(".farm/runs")),
        ("one\n".to_owned(), "mine".to_owned())
    );
    space.settle();
    let ended = unrecorded(&space, space.command(&["build"]), "");
    assert_eq!(
        (ended.status, ended.stderr.as_str()),
        (Some(0), "nothing to do: 2 nodes are up to date\n")
    );
    let ended = space.farm(&["log", "last"]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
}

/// `farm build` under a tracer that makes calls which concern the record fail with `error`, from the `when`th on.
fn failing(space: &Space, calls: &str, error: &str, when: usize) -> Command {
    let farm = space.command(&["build", "-j1"]);
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-o", "/dev/null"])
        .arg("-P")
        .arg(space.path(".farm/runs/1.jsonl.zst"))
        .arg("-e")
        .arg(format!("trace={calls}"))
        .arg("-e")
        .arg(format!("inject={calls}:error={error}:when={when}+"))
        .arg(farm.get_program())
        .args(farm.get_args())
        .current_dir(space.path(""))
        .env_clear()
        .envs(farm.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null());
    command
}

#[test]
fn a_full_disk_and_a_folder_nobody_may_write_change_nothing() {
    for (calls, error, when, what) in [
        ("write", "ENOSPC", 1, "No space left on device"),
        ("write", "ENOSPC", 2, "No space left on device"),
        ("openat", "EROFS", 1, "failed to open file"),
        ("openat", "EACCES", 1, "failed to open file"),
    ] {
        let space = space();
        let ended = space.ended(failing(&space, calls, error, when));
        assert_eq!(ended.status, Some(0), "{calls} {when}: {}", ended.text());
        assert!(ended.stderr.contains("2 built in "), "{}", ended.text());
        let notes: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("note:")).collect();
        assert!(
            matches!(notes[..], [note] if note.starts_with("note: this run is not recorded: ") && note.contains(what)),
            "{calls} {when}: {}",
            ended.text()
        );
        assert_eq!(space.read("farms/f/b"), "one\n");
        // Half a record would look like that of a killed run.
        assert!(files(&space).is_empty(), "{:?}", files(&space));
        assert!(space.farm(&["build"]).stderr.contains("nothing to do"));
        assert_eq!(last(&space)["result"], "done");
    }
}

#[test]
fn old_records_go() {
    let space = space();
    for number in 1..=150 {
        space.write(&format!(".farm/runs/{number}.jsonl.zst"), "");
        space.write(&format!(".farm/runs/{number}.idle.jsonl.zst"), "");
    }
    assert_eq!(space.farm(&["build"]).status, Some(0));
    let names = files(&space);
    let idle = names.iter().filter(|name| name.contains("idle")).count();
    assert_eq!((names.len() - idle, idle), (100, 19));
    assert!(names.contains(&"151.jsonl.zst".to_owned()));
}
