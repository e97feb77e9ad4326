//! Farm is killed before each of the calls by which it changes a file, one after the other. The next run must finish, and run
//! nothing that was recorded.

use std::collections::BTreeSet;

use farm_guard_file::{GuardFile, Mode};

use crate::inject::{CHANGES, Injection, farm_with};
use crate::space::Space;

const MANIFEST: &str = "
farm: f
tasks:
  a: { in: host, inputs: [in], run: 'read x < in; echo a $x > a', outputs: [a] }
  b: { in: host, inputs: [a], run: 'read x < a; echo b $x > b', outputs: [b] }
";

pub(crate) fn space() -> Space {
    let space = Space::with_farm("f", MANIFEST);
    space.write("farms/f/in", "one\n");
    space
}

pub(crate) fn recorded(space: &Space) -> BTreeSet<String> {
    let file = GuardFile::open(&space.path(".farm/guards"), Mode::Read).unwrap();
    file.guards.all().into_iter().map(|guard| guard.node).collect()
}

/// Kills before one call after the other, of each kind as many as there are, and lets the next run finish. Gives how often farm was
/// killed.
fn kill_everywhere(all_threads: bool, change: impl Fn(&Space)) -> usize {
    let mut kills = 0;
    for call in CHANGES {
        for number in 1.. {
            let space = space();
            change(&space);
            let before = recorded(&space);
            let injection = Injection {
                call,
                number,
                what: "signal=KILL",
                all_threads,
            };
            let run = farm_with(&space, &["build", "-j1"], injection);
            // A program that farm started may have been killed in its place.
            if !run.killed && run.ended.status == Some(0) {
                break;
            }
            kills += 1;
            let what = format!("{call} {number}, all threads: {all_threads}");
            assert!(
                run.killed || run.ended.status == Some(1),
                "{what}: {}",
                run.ended.text()
            );
            finishes(&space, &before, &what);
        }
    }
    kills
}

/// The next run finishes: right outputs, and nothing again that was recorded since.
pub(crate) fn finishes(space: &Space, before: &BTreeSet<String>, what: &str) {
    let done: BTreeSet<String> = recorded(space).difference(before).cloned().collect();
    let ended = space.farm(&["build", "--json"]);
    assert_eq!(ended.status, Some(0), "{what}: {}", ended.text());
    for event in ended.json_lines() {
        let name = event["name"].as_str().unwrap_or_default();
        let again = event["result"] == "built" && done.contains(name);
        assert!(!again, "{what}: {name} was recorded, and runs again: {}", ended.text());
    }
    assert_eq!(
        space.read("farms/f/b"),
        "b a ".to_owned() + &space.read("farms/f/in"),
        "{what}"
    );
    let ended = space.farm(&["build"]);
    assert!(ended.stderr.contains("nothing to do"), "{what}: {}", ended.text());
    assert!(!space.path(".farm/running").exists(), "{what}");
}

/// So many calls a build of two tasks makes at least in its first thread; fewer kills mean that nobody was killed.
const AT_LEAST: usize = 10;

#[test]
fn killed_before_any_change_of_a_first_build() {
    assert!(kill_everywhere(false, |_| ()) > AT_LEAST);
    assert!(kill_everywhere(true, |_| ()) > AT_LEAST);
}

#[test]
fn killed_before_any_change_of_a_build_after_an_edit() {
    assert!(kill_everywhere(false, edited) > AT_LEAST);
    assert!(kill_everywhere(true, edited) > AT_LEAST);
}

/// Builds it, and changes an input.
pub(crate) fn edited(space: &Space) {
    assert_eq!(space.farm(&["build"]).status, Some(0));
    space.write("farms/f/in", "two\n");
}
