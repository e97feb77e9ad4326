//! A run with nothing to do reads nothing if the run before had nothing to do either, and never misses a change for it.

use std::os::unix::fs::PermissionsExt;

use crate::space::{Ended, Space};

const MANIFEST: &str = r#"
farm: f
vars: { WORD: one }
tasks:
  all:  { in: host, inputs: ["src/*.txt", tree, link], env: { WORD: "${WORD}" }, run: 'cat src/*.txt > all', outputs: [all] }
  next: { in: host, inputs: [all], run: 'mkdir -p made; cp all made/next', outputs: [made/] }
"#;

fn space() -> Space {
    let space = Space::with_farm("f", MANIFEST);
    space.write("farms/f/src/a.txt", "a\n");
    space.write("farms/f/src/b.txt", "b\n");
    space.write("farms/f/tree/deep/file", "x\n");
    fs_err::os::unix::fs::symlink("tree", space.path("farms/f/link")).unwrap();
    assert_eq!(space.farm(&["build"]).status, Some(0));
    space.settle();
    space
}

/// Runs farm with a stat cache that cannot be read, which it says as soon as it needs one. Gives whether it looked closely.
pub(crate) fn looks_closely(space: &Space, arguments: &[&str]) -> (bool, Ended) {
    let cache = space.path(".farm/stat-cache");
    let before = fs_err::read(&cache).unwrap();
    fs_err::write(&cache, "nonsense").unwrap();
    let ended = space.farm(arguments);
    let closely = ended.stderr.contains("stat cache");
    if !closely {
        fs_err::write(&cache, before).unwrap();
    }
    (closely, ended)
}

#[test]
fn nothing_is_read_and_the_answer_is_the_same() {
    let space = space();
    for arguments in [
        &["build"][..],
        &["build", "-n"],
        &["build", "-n", "--json"],
        &["build", "--json"],
    ] {
        let (closely, short) = looks_closely(&space, arguments);
        assert!(!closely, "{arguments:?}");
        fs_err::rename(space.path(".farm/settled"), space.path("aside")).unwrap();
        let long = space.farm(arguments);
        let _ = fs_err::remove_dir_all(space.path(".farm/settled"));
        fs_err::rename(space.path("aside"), space.path(".farm/settled")).unwrap();
        let without_times = |text: &str| {
            let cut = text
                .split("\"ms\":")
                .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
            cut.collect::<String>()
        };
        assert_eq!(
            without_times(&short.stdout),
            without_times(&long.stdout),
            "{arguments:?}"
        );
        assert_eq!(
            (short.stderr, short.status),
            (long.stderr, long.status),
            "{arguments:?}"
        );
    }
}

/// What a change makes farm look at.
#[derive(Debug, PartialEq)]
enum Look {
    /// The manifest, and every file that it speaks of.
    AtEverything,
    /// Tasks that the record of the last run knows to use the file.
    AtTheTasks,
}

#[test]
fn every_change_is_seen() {
    type Change = fn(&Space);
    let changes: [(&str, Look, Change, &[&str]); 13] = [
        (
            "an input",
            Look::AtTheTasks,
            |space| space.write("farms/f/src/a.txt", "A\n"),
            &["f:task/all", "f:task/next"],
        ),
        (
            "a new file for the pattern",
            Look::AtEverything,
            |space| space.write("farms/f/src/c.txt", "c\n"),
            &["f:task/all", "f:task/next"],
        ),
        (
            "a file of the pattern less",
            Look::AtEverything,
            |space| fs_err::remove_file(space.path("farms/f/src/b.txt")).unwrap(),
            &["f:task/all", "f:task/next"],
        ),
        (
            "a file deep in a folder",
            Look::AtEverything,
            |space| space.write("farms/f/tree/deep/file", "y\n"),
            &["f:task/all"],
        ),
        (
            "a new file deep in a folder",
            Look::AtEverything,
            |space| space.write("farms/f/tree/deep/new", "y\n"),
            &["f:task/all"],
        ),
        (
            "an executable bit",
            Look::AtTheTasks,
            |space| {
                let file = space.path("farms/f/src/a.txt");
                fs_err::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
            },
            &["f:task/all"],
        ),
        (
            "a link's target",
            Look::AtTheTasks,
            |space| {
                fs_err::remove_file(space.path("farms/f/link")).unwrap();
                fs_err::os::unix::fs::symlink("src", space.path("farms/f/link")).unwrap();
            },
            &["f:task/all"],
        ),
        (
            "the manifest",
            Look::AtEverything,
            |space| space.write("farms/f/farm.yaml", &MANIFEST.replace("WORD: one", "WORD: two")),
            &["f:task/all"],
        ),
        (
            "the settings, which were not there",
            Look::AtEverything,
            |space| space.write("farms/settings.yaml", "salt: new\n"),
            &["f:task/all", "f:task/next"],
        ),
        (
            "an output",
            Look::AtTheTasks,
            |space| space.write("farms/f/all", "other\n"),
            &[],
        ),
        (
            "an output gone",
            Look::AtTheTasks,
            |space| fs_err::remove_file(space.path("farms/f/made/next")).unwrap(),
            &[],
        ),
        (
            "the guards",
            Look::AtEverything,
            |space| fs_err::remove_file(space.path(".farm/guards")).unwrap(),
            &["f:task/all", "f:task/next"],
        ),
        (
            "the last guard",
            Look::AtEverything,
            |space| {
                let guards = fs_err::read(space.path(".farm/guards")).unwrap();
                fs_err::write(space.path(".farm/guards"), &guards[..guards.len() - 1]).unwrap();
            },
            &["f:task/next"],
        ),
    ];
    for (what, look, change, built) in changes {
        let space = space();
        change(&space);
        let (closely, ended) = looks_closely(&space, &["build", "--json"]);
        assert_eq!(closely, look == Look::AtEverything, "{what}: {}", ended.text());
        let ran: Vec<String> = ended
            .json_lines()
            .iter()
            .filter(|event| event["result"] == "built")
            .map(|event| event["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ran, built, "{what}");
        assert_eq!(space.read("farms/f/all"), space.read("farms/f/made/next"), "{what}");
        // Whoever looked at a part has a record of the whole.
        let again = space.farm(&["build", "--json"]);
        assert!(
            again.json_lines().iter().all(|event| event["result"] != "built"),
            "{what}"
        );
        assert_eq!(
            again
                .json_lines()
                .iter()
                .filter(|event| event["result"] == "cached")
                .count(),
            2
        );
    }
}

#[test]
fn another_question_is_another_record() {
    let space = space();
    assert!(looks_closely(&space, &["build", "WORD=two"]).0);
    let mut command = space.command(&["build"]);
    command.env("FARM_WORD", "three");
    assert_eq!(space.ended(command).status, Some(0));
    // What the others left in the workspace is not what this one found.
    let (closely, ended) = looks_closely(&space, &["build"]);
    assert!(closely, "{}", ended.text());
    assert!(looks_closely(&space, &["build", "task/all"]).0);
}

#[test]
fn a_damaged_record_is_none() {
    let damage = |space: &Space, extension: Option<&str>| {
        let entries = fs_err::read_dir(space.path(".farm/settled")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        let path = paths
            .find(|path| path.extension().and_then(|found| found.to_str()) == extension)
            .unwrap();
        let mut bytes = fs_err::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs_err::write(path, bytes).unwrap();
    };
    let space = space();
    damage(&space, None);
    let (closely, ended) = looks_closely(&space, &["build"]);
    assert!(closely && ended.stderr.contains("nothing to do"), "{}", ended.text());

    // The nodes are read when one of them is to be looked at.
    let space = self::space();
    damage(&space, Some("nodes"));
    assert!(!looks_closely(&space, &["build"]).0);
    space.write("farms/f/src/a.txt", "A\n");
    let (closely, ended) = looks_closely(&space, &["build"]);
    assert!(closely && ended.stderr.contains("2 built"), "{}", ended.text());
}

#[test]
fn a_failure_leaves_a_record_too() {
    let space = Space::with_farm(
        "f",
        "
farm: f
tasks:
  good: { in: host, inputs: [one], run: 'cp one good', outputs: [good] }
  bad:  { in: host, inputs: [two], run: 'grep yes two > bad', outputs: [bad] }
  last: { in: host, inputs: [bad], run: 'cp bad last', outputs: [last] }
",
    );
    space.write("farms/f/one", "1\n");
    space.write("farms/f/two", "yes 1\n");
    assert_eq!(space.farm(&["build"]).status, Some(0));
    space.settle();
    space.write("farms/f/two", "no\n");
    assert_eq!(space.farm(&["build"]).status, Some(1));
    // What failed runs again, and is the only thing that is looked at.
    let (closely, ended) = looks_closely(&space, &["build", "-k"]);
    assert!(!closely && ended.status == Some(1), "{}", ended.text());
    assert!(
        ended.stderr.contains("1 cached") && ended.stderr.contains("1 failed"),
        "{}",
        ended.text()
    );
    space.write("farms/f/two", "yes\n");
    let (closely, ended) = looks_closely(&space, &["build"]);
    assert!(
        !closely && ended.stderr.contains("2 built, 1 cached"),
        "{}",
        ended.text()
    );
    assert_eq!(space.read("farms/f/last"), "yes\n");
}

#[test]
fn a_part_of_a_graph_stops_where_an_output_stays() {
    let space = Space::with_farm(
        "f",
        "
farm: f
tasks:
  strip: { in: host, inputs: [src], run: 'sed /^#/d src > strip', outputs: [strip] }
  use:   { in: host, inputs: [strip, other], run: 'cat strip other > use', outputs: [use] }
  apart: { in: host, inputs: [other], run: 'cp other apart', outputs: [apart] }
",
    );
    space.write("farms/f/src", "word\n");
    space.write("farms/f/other", "other\n");
    assert_eq!(space.farm(&["build"]).status, Some(0));
    space.settle();
    let results = |change: &str| {
        space.write("farms/f/src", change);
        let (closely, ended) = looks_closely(&space, &["build", "--json"]);
        assert!(!closely, "{}", ended.text());
        let mut results: Vec<String> = ended
            .json_lines()
            .iter()
            .filter(|event| event["event"] == "node-finished")
            .map(|event| {
                format!(
                    "{} {}",
                    event["name"].as_str().unwrap(),
                    event["result"].as_str().unwrap()
                )
            })
            .collect();
        results.sort();
        results
    };
    assert_eq!(
        results("# a comment\nword\n"),
        ["f:task/apart cached", "f:task/strip built", "f:task/use cutoff"]
    );
    assert_eq!(
        results("another\n"),
        ["f:task/apart cached", "f:task/strip built", "f:task/use built"]
    );
    // Back to what was built before.
    assert_eq!(
        results("word\n"),
        ["f:task/apart cached", "f:task/strip cached", "f:task/use cached"]
    );
    assert_eq!(space.read("farms/f/use"), "word\nother\n");
}

/// What a task of one farm makes is a source of another farm, which was looked at before it was made.
#[test]
fn what_another_farm_makes_of_a_source_is_seen() {
    let space = Space::with_farm(
        "a",
        "
farm: a
tasks:
  make: { in: host, inputs: [src], run: 'cp src out', outputs: [out] }
  use:  { in: host, inputs: [out], run: 'cp out used', outputs: [used] }
",
    );
    let other = "
farm: b
include: [a]
tasks:
  make: !override { in: host, run: 'echo x > other', outputs: [other] }
";
    space.write("farms/b/farm.yaml", other);
    // So long that nothing is too young to be trusted when it is over.
    let last = "
farm: c
tasks:
  last: { in: host, inputs: [src], run: 'sleep 0.5; cp src last', outputs: [last] }
";
    space.write("farms/c/farm.yaml", last);
    space.write("farms/c/src", "one\n");
    space.write("farms/a/src", "one\n");
    space.write("farms/a/out", "one\n");
    let build = || space.farm(&["build", "-k", "-j2", "a", "b", "c", "--json"]);
    for _ in 0..3 {
        let _ = build();
    }
    let of_b = |ended: &Ended| {
        let events = ended.json_lines();
        let end = events
            .iter()
            .find(|event| event["event"] == "node-finished" && event["name"] == "b:task/use");
        end.unwrap()["result"].as_str().unwrap().to_owned()
    };
    fs_err::remove_dir_all(space.path(".farm/settled")).unwrap();
    space.write("farms/a/src", "two\n");
    space.write("farms/c/src", "two\n");
    let ended = build();
    assert_eq!(of_b(&ended), "cached", "{}", ended.text());
    let ended = build();
    assert_eq!(of_b(&ended), "built", "{}", ended.text());
}

#[test]
fn the_mark_of_a_killed_run_is_not_overlooked() {
    let space = space();
    space.write(".farm/running", "");
    assert!(looks_closely(&space, &["build"]).0);
}

#[test]
fn debug_guard_prints_what_was_recorded() {
    let space = space();
    assert_eq!(space.farm(&["build", "WORD=two"]).status, Some(0));
    let ended = space.farm(&["debug", "guard", "task/all"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    for part in [
        "f:task/all
",
        "because  env/WORD changed
",
        "env/WORD = two
",
        "input/src/a.txt = file ",
        "older keys
",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.text());
    }
    let lines = space.farm(&["debug", "guard", "task/all", "--json"]).json_lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["node"], "f:task/all");
    assert_ne!(lines[0]["key"], lines[1]["key"]);
    let unknown = space.farm(&["debug", "guard", "task/nothing"]);
    assert_eq!(unknown.status, Some(2), "{}", unknown.text());
    assert_eq!(space.farm(&["debug", "guard"]).status, Some(2));
}
