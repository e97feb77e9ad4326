//! Files that tasks read and leave: whose they are, and what depends on them.

use fs_err as fs;

use crate::space::{Ended, Space, assert_run};

/// A farm called `f` with these tasks, one a line.
fn tasks(lines: &[&str]) -> Space {
    let space = Space::new();
    set_tasks(&space, lines);
    space
}

fn set_tasks(space: &Space, lines: &[&str]) {
    space.write(
        "farms/f/farm.yaml",
        &format!("farm: f\ntasks:\n  {}\n", lines.join("\n  ")),
    );
}

fn built(ended: &Ended) {
    assert_eq!(ended.status, Some(0), "{}", ended.text());
}

fn says(ended: &Ended, status: i32, words: &[&str]) {
    assert_eq!(ended.status, Some(status), "{}", ended.text());
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.text());
    }
}

#[test]
fn outputs_that_can_be_inputs_are_refused() {
    let space = tasks(&["t: { in: host, inputs: [expected.txt], run: 'cp expected.txt a.txt', outputs: ['*.txt'] }"]);
    space.write("farms/f/expected.txt", "by hand\n");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    error: the input `expected.txt` of the task `t` can be its output `*.txt`
     --> farms/f/farm.yaml:3:27
      |
    3 |   t: { in: host, inputs: [expected.txt], run: 'cp expected.txt a.txt', outputs: ['*.txt'] }
      |                           ^^^^^^^^^^^^                                           ------- its output
      |
      = help: name its inputs one by one, or let it make its outputs in a folder of their own (written with a `/` at the end)
    --- status 2
    ");
    assert_eq!(space.read("farms/f/expected.txt"), "by hand\n");
}

#[test]
fn outputs_of_two_tasks_that_can_be_the_same_are_refused() {
    for (first, second) in [("x.txt", "./x.txt"), ("x/", "x/y"), ("*.txt", "x.*")] {
        let space = tasks(&[
            &format!("a: {{ in: host, run: 'true', outputs: ['{first}'] }}"),
            &format!("b: {{ in: host, run: 'true', outputs: ['{second}'] }}"),
        ]);
        says(
            &space.farm(&["build"]),
            2,
            &["farms/f/farm.yaml:4", "`a`", "`b`", second],
        );
    }
}

#[test]
fn a_file_in_the_way_is_moved_and_never_deleted() {
    let space = tasks(&["t: { in: host, run: 'echo made > out.txt', outputs: ['*.txt'] }"]);
    space.write("farms/f/mine.txt", "by hand\n");
    let ended = space.farm(&["build"]);
    built(&ended);
    let moved = ".farm/failed/f/task/t/in-the-way/mine.txt";
    says(&ended, 0, &["mine.txt was in the way of an output", moved]);
    assert_eq!(space.read(moved), "by hand\n");
    // Neither a failure nor the next file in the way takes it away.
    set_tasks(
        &space,
        &["t: { in: host, run: 'echo half > out.txt; false', outputs: ['*.txt'] }"],
    );
    space.write("farms/f/mine.txt", "once more\n");
    says(
        &space.farm(&["build"]),
        1,
        &["in-the-way-2/mine.txt", "it ended with status 1"],
    );
    assert_eq!(space.read(moved), "by hand\n");
    assert_eq!(space.read(".farm/failed/f/task/t/in-the-way-2/mine.txt"), "once more\n");
    assert_eq!(space.read(".farm/failed/f/task/t/out.txt"), "half\n");
    assert!(!space.exists("farms/f/out.txt"));
}

#[test]
fn what_the_last_run_left_is_removed_without_a_word() {
    let space = tasks(&["t: { in: host, run: 'mkdir out; echo 1 > out/old', outputs: [out/] }"]);
    built(&space.farm(&["build"]));
    set_tasks(
        &space,
        &["t: { in: host, run: 'mkdir out; echo 1 > out/new', outputs: [out/] }"],
    );
    let ended = space.farm(&["build"]);
    built(&ended);
    assert!(!ended.stderr.contains("in the way"), "{}", ended.text());
    assert!(space.exists("farms/f/out/new") && !space.exists("farms/f/out/old"));
    // Back again: nothing has to run, and the folder is what it was.
    set_tasks(
        &space,
        &["t: { in: host, run: 'mkdir out; echo 1 > out/old', outputs: [out/] }"],
    );
    assert!(space.farm(&["build"]).stderr.contains("nothing to do"));
    assert!(!space.exists("farms/f/out/new") && space.exists("farms/f/out/old"));
}

#[test]
fn all_tasks_that_make_what_a_glob_matches_are_inputs() {
    let lines = |b: &str| {
        [
            "a: { in: host, run: 'echo a > build/a.o', outputs: [build/a.o] }".to_owned(),
            format!("b: {{ in: host, run: 'echo {b} > build/b.o', outputs: [build/b.o] }}"),
            "link: { in: host, inputs: ['build/*.o'], run: 'cat build/*.o > prog', outputs: [prog] }".to_owned(),
        ]
    };
    let space = tasks(&lines("b").each_ref().map(String::as_str));
    built(&space.farm(&["build", "task/link"]));
    assert_eq!(space.read("farms/f/prog"), "a\nb\n");
    set_tasks(&space, &lines("c").each_ref().map(String::as_str));
    built(&space.farm(&["build", "task/link"]));
    assert_eq!(space.read("farms/f/prog"), "a\nc\n");
}

#[test]
fn a_glob_for_made_and_written_files_reads_both() {
    for input in ["src/*.h", "src/"] {
        let space = tasks(&[
            "gen: { in: host, run: 'echo gen > src/gen.h', outputs: [src/gen.h] }",
            &format!("all: {{ in: host, inputs: ['{input}'], run: 'cat src/*.h > all', outputs: [all] }}"),
        ]);
        space.write("farms/f/src/own.h", "one\n");
        built(&space.farm(&["build", "task/all"]));
        assert_eq!(space.read("farms/f/all"), "gen\none\n");
        space.write("farms/f/src/own.h", "another\n");
        built(&space.farm(&["build", "task/all"]));
        assert_eq!(space.read("farms/f/all"), "gen\nanother\n");
        assert!(space.farm(&["build"]).stderr.contains("nothing to do"), "{input}");
    }
}

#[test]
fn globs_and_folders_meet_the_globs_of_other_tasks() {
    for (output, input) in [("gen/*.o", "gen/*"), ("gen/x.o", "gen/"), ("gen/", "gen/x.o")] {
        let space = tasks(&[
            &format!("a: {{ in: host, run: 'mkdir -p gen; echo a > gen/x.o', outputs: ['{output}'] }}"),
            &format!("b: {{ in: host, inputs: ['{input}'], run: 'cat gen/x.o > b', outputs: [b] }}"),
        ]);
        built(&space.farm(&["build", "task/b"]));
        assert_eq!(space.read("farms/f/b"), "a\n", "{output} {input}");
    }
}

#[test]
fn a_glob_that_nobody_makes_and_nothing_matches_is_an_error() {
    let space = tasks(&["t: { in: host, inputs: ['src/*.h'], run: 'true', outputs: [x] }"]);
    says(
        &space.farm(&["build"]),
        2,
        &["the input `src/*.h` of the task `t` matches nothing"],
    );
}

#[test]
fn a_need_keys_every_output_even_beside_an_input() {
    let lines = |two: &str| {
        [
            format!("a: {{ in: host, run: 'echo 1 > one; echo {two} > two', outputs: [one, two] }}"),
            "b: { in: host, needs: [a], inputs: [one], run: 'cat one two > b', outputs: [b] }".to_owned(),
        ]
    };
    let space = tasks(&lines("2").each_ref().map(String::as_str));
    built(&space.farm(&["build", "task/b"]));
    set_tasks(&space, &lines("3").each_ref().map(String::as_str));
    built(&space.farm(&["build", "task/b"]));
    assert_eq!(space.read("farms/f/b"), "1\n3\n");
}

#[test]
fn commands_that_only_look_touch_no_output() {
    let space = tasks(&["t: { in: host, run: 'echo made > out', outputs: [out] }"]);
    built(&space.farm(&["build"]));
    space.write("farms/f/out", "edited\n");
    for command in [
        &["why", "f"][..],
        &["targets", "f"],
        &["graph", "f"],
        &["plan", "f"],
        &["build", "-n"],
    ] {
        let _ = space.farm(command);
        assert_eq!(space.read("farms/f/out"), "edited\n", "{command:?}");
    }
    fs::remove_file(space.path("farms/f/out")).unwrap();
    let ended = space.farm(&["build", "-n"]);
    says(&ended, 0, &["nothing to do"]);
    assert!(!space.exists("farms/f/out"));
    says(&space.farm(&["build"]), 0, &["nothing to do"]);
    assert_eq!(space.read("farms/f/out"), "made\n");
}

#[test]
fn an_input_that_changes_meanwhile_fails_the_task() {
    let space =
        tasks(&["t: { in: host, inputs: [in.txt], run: 'cat in.txt > out; echo more >> in.txt', outputs: [out] }"]);
    space.write("farms/f/in.txt", "first\n");
    says(
        &space.farm(&["build"]),
        1,
        &["in.txt changed while the task ran; run farm again"],
    );
    assert!(!space.exists("farms/f/out"));
    // What the changed input stood for was never recorded.
    set_tasks(
        &space,
        &["t: { in: host, inputs: [in.txt], run: 'cat in.txt > out', outputs: [out] }"],
    );
    built(&space.farm(&["build"]));
    assert_eq!(space.read("farms/f/out"), "first\nmore\n");
}

#[test]
fn a_single_package_cannot_be_needed_yet() {
    let manifest = r#"
farm: f
binfarm:
  base: { image: "farm.invalid/stage3@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  repos: { gentoo: { path: tree } }
  profile: gentoo:default
subjects: { s: { packages: { sci-libs/gsl: {} } } }
tasks:
  t: { in: host, needs: [pkg/sci-libs/gsl], run: 'true' }
"#;
    let space = Space::with_farm("f", manifest);
    space.write("farms/f/tree/profiles/repo_name", "gentoo\n");
    let words = [
        "farms/f/farm.yaml:9",
        "packages cannot be needed one by one yet",
        "pkgs/SUBJECT",
    ];
    says(&space.farm(&["build", "task/t"]), 2, &words);
}

#[test]
fn what_a_failed_task_left_crosses_file_systems() {
    let space =
        tasks(&["t: { in: host, run: 'mkdir out; echo half > out/a; ln -s a out/b; exit 7', outputs: [out/] }"]);
    // Memory, and so most likely another file system than the one for temporary files.
    let state = tempfile::tempdir_in("/dev/shm").unwrap();
    std::os::unix::fs::symlink(state.path(), space.path(".farm")).unwrap();
    space.write("farms/f/out/mine", "by hand\n");
    says(
        &space.farm(&["build"]),
        1,
        &["it ended with status 7", "in-the-way/out"],
    );
    assert!(!space.exists("farms/f/out"));
    let left = state.path().join("failed/f/task/t");
    assert_eq!(fs::read_to_string(left.join("out/b")).unwrap(), "half\n");
    assert_eq!(
        fs::read_to_string(left.join("in-the-way/out/mine")).unwrap(),
        "by hand\n"
    );
}

#[test]
fn a_failure_is_said_even_if_nothing_can_be_set_aside() {
    let space = tasks(&["t: { in: host, run: 'echo half > out; exit 7', outputs: [out] }"]);
    space.write(".farm/failed/f/task", "no folder");
    says(
        &space.farm(&["build"]),
        1,
        &["it ended with status 7", "cannot set aside what it left"],
    );
}
