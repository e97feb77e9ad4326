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
fn looks_closely(space: &Space, arguments: &[&str]) -> (bool, Ended) {
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

#[test]
fn every_change_is_seen() {
    type Change = fn(&Space);
    let changes: [(&str, Change, &[&str]); 13] = [
        (
            "an input",
            |space| space.write("farms/f/src/a.txt", "A\n"),
            &["f:task/all", "f:task/next"],
        ),
        (
            "a new file for the pattern",
            |space| space.write("farms/f/src/c.txt", "c\n"),
            &["f:task/all", "f:task/next"],
        ),
        (
            "a file of the pattern less",
            |space| fs_err::remove_file(space.path("farms/f/src/b.txt")).unwrap(),
            &["f:task/all", "f:task/next"],
        ),
        (
            "a file deep in a folder",
            |space| space.write("farms/f/tree/deep/file", "y\n"),
            &["f:task/all"],
        ),
        (
            "a new file deep in a folder",
            |space| space.write("farms/f/tree/deep/new", "y\n"),
            &["f:task/all"],
        ),
        (
            "an executable bit",
            |space| {
                let file = space.path("farms/f/src/a.txt");
                fs_err::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
            },
            &["f:task/all"],
        ),
        (
            "a link's target",
            |space| {
                fs_err::remove_file(space.path("farms/f/link")).unwrap();
                fs_err::os::unix::fs::symlink("src", space.path("farms/f/link")).unwrap();
            },
            &["f:task/all"],
        ),
        (
            "the manifest",
            |space| space.write("farms/f/farm.yaml", &MANIFEST.replace("WORD: one", "WORD: two")),
            &["f:task/all"],
        ),
        (
            "the settings, which were not there",
            |space| space.write("farms/settings.yaml", "salt: new\n"),
            &["f:task/all", "f:task/next"],
        ),
        ("an output", |space| space.write("farms/f/all", "other\n"), &[]),
        (
            "an output gone",
            |space| fs_err::remove_file(space.path("farms/f/made/next")).unwrap(),
            &[],
        ),
        (
            "the guards",
            |space| fs_err::remove_file(space.path(".farm/guards")).unwrap(),
            &["f:task/all", "f:task/next"],
        ),
        (
            "the last guard",
            |space| {
                let guards = fs_err::read(space.path(".farm/guards")).unwrap();
                fs_err::write(space.path(".farm/guards"), &guards[..guards.len() - 1]).unwrap();
            },
            &["f:task/next"],
        ),
    ];
    for (what, change, built) in changes {
        let space = space();
        change(&space);
        let (closely, ended) = looks_closely(&space, &["build", "--json"]);
        assert!(closely, "{what}: {}", ended.text());
        let ran: Vec<String> = ended
            .json_lines()
            .iter()
            .filter(|event| event["result"] == "built")
            .map(|event| event["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ran, built, "{what}");
        assert_eq!(space.read("farms/f/all"), space.read("farms/f/made/next"), "{what}");
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
    let space = space();
    let entry = fs_err::read_dir(space.path(".farm/settled"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let mut bytes = fs_err::read(entry.path()).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(entry.path(), bytes).unwrap();
    let (closely, ended) = looks_closely(&space, &["build"]);
    assert!(closely && ended.stderr.contains("nothing to do"), "{}", ended.text());
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
