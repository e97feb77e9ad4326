//! `farm build --rebuild`: what is built again, what is said of it, and that the first output stays.

use crate::space::{Space, assert_run};

/// `odd` counts its runs in a file that nobody declares; `even` and what `odd` leaves beside its count are the same each time.
const ODD: &str = r#"
farm: odd
tasks:
  even: { in: host, run: 'echo same > even.out', outputs: [even.out] }
  odd:
    in: host
    run: 'echo run >> runs; wc -l < runs > count.out; echo same > same.out'
    outputs: [count.out, same.out]
  after: { in: host, inputs: [count.out], run: 'cat count.out > after.out', outputs: [after.out] }
"#;

fn built() -> Space {
    let space = Space::with_farm("odd", ODD);
    assert_eq!(space.farm(&["build"]).status, Some(0));
    space
}

#[test]
fn the_same_again() {
    let space = built();
    assert_run!(space.farm(&["build", "--rebuild", "task/even"]), @r"
    --- stderr
    start  odd:task/even (asked to run again)
    built  odd:task/even in TIME, the same as before
    reproducible: odd:task/even
    1 built in TIME
    --- status 0
    ");
}

#[test]
fn one_file_of_two_differs_and_the_first_output_is_back() {
    let space = built();
    assert_run!(space.farm(&["build", "task/after", "--rebuild", "odd:task/odd"]), @r"
    --- stderr
    start  odd:task/odd (asked to run again)
    built  odd:task/odd in TIME, not the same as before
    not reproducible, the first output stays:
      odd:task/odd:
        count.out: content
    1 built, 1 cut off in TIME
    --- status 1
    ");
    assert_eq!(space.read("farms/odd/runs"), "run\nrun\n");
    assert_eq!(space.read("farms/odd/count.out"), "1\n");
    assert_eq!(space.read("farms/odd/after.out"), "1\n");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    nothing to do: 3 nodes are up to date
    --- status 0
    ");
}

#[test]
fn for_programs() {
    let space = built();
    assert_run!(space.farm(&["build", "--json", "--rebuild", "task/odd"]), @r#"
    --- stdout
    {"event":"nodes-wanted","total":1}
    {"event":"node-started","name":"odd:task/odd","kind":"task","reason":{"because":"forced"},"expected_ms":0}
    {"event":"node-finished","name":"odd:task/odd","kind":"task","result":"built","ms":0,"reproducible":false,"differences":[{"path":"count.out","what":"content"}]}
    {"event":"build-finished","built":1,"cached":0,"cutoff":0,"failed":0,"skipped":0,"not-reproducible":1,"ms":0,"interrupted":false}
    --- stderr
    not reproducible, the first output stays:
      odd:task/odd:
        count.out: content
    1 built in TIME
    --- status 1
    "#);
    assert_run!(space.farm(&["build", "--json", "--rebuild", "task/even"]), @r#"
    --- stdout
    {"event":"nodes-wanted","total":1}
    {"event":"node-started","name":"odd:task/even","kind":"task","reason":{"because":"forced"},"expected_ms":0}
    {"event":"node-finished","name":"odd:task/even","kind":"task","result":"built","ms":0,"reproducible":true}
    {"event":"build-finished","built":1,"cached":0,"cutoff":0,"failed":0,"skipped":0,"not-reproducible":0,"ms":0,"interrupted":false}
    --- stderr
    reproducible: odd:task/even
    1 built in TIME
    --- status 0
    "#);
}

#[test]
fn every_kind_of_difference_in_a_folder() {
    let manifest = r#"
farm: tree
tasks:
  tree:
    in: host
    run: |
      mkdir tree
      echo same > tree/same
      touch tree/mode
      if [ -e again ]; then
        chmod +x tree/mode
        ln -s same tree/kind
        ln -s mode tree/link
        echo longer > tree/content
        touch tree/new tree/bend
        mkdir tree/shape
        touch tree/shape/x
      else
        mkdir tree/bend
        touch tree/shape tree/bend/x
        touch tree/kind again tree/gone
        ln -s same tree/link
        echo long > tree/content
      fi
    outputs: [tree]
"#;
    let space = Space::with_farm("tree", manifest);
    assert_eq!(space.farm(&["build"]).status, Some(0));
    assert_run!(space.farm(&["build", "--rebuild", "task/tree"]), @r"
    --- stderr
    start  tree:task/tree (asked to run again)
    built  tree:task/tree in TIME, not the same as before
    not reproducible, the first output stays:
      tree:task/tree:
        tree/bend: only in the second
        tree/bend/x: only in the first
        tree/content: content (5, then 7 bytes)
        tree/gone: only in the first
        tree/kind: a file, then a link
        tree/link: target same, then mode
        tree/mode: mode plain, then executable
        tree/new: only in the second
        tree/shape: only in the first
        tree/shape/x: only in the second
    1 built in TIME
    --- status 1
    ");
    assert_eq!(space.read("farms/tree/tree/content"), "long\n");
    assert_eq!(space.read("farms/tree/tree/shape"), "");
    assert_eq!(space.read("farms/tree/tree/bend/x"), "");
    assert!(space.exists("farms/tree/tree/gone") && !space.exists("farms/tree/tree/new"));
}

#[test]
fn what_is_rebuilt_is_a_goal_beside_the_targets() {
    let space = built();
    let ended = space.farm(&["build", "task/even", "--rebuild", "task/odd", "--json"]);
    assert_eq!(ended.status, Some(1), "{}", ended.text());
    let last = ended.json_lines().pop().unwrap();
    let count = |name: &str| last[name].as_u64().unwrap();
    assert_eq!((count("built"), count("cached"), count("not-reproducible")), (1, 1, 1));
    assert_run!(space.farm(&["build", "-n", "task/even", "--rebuild", "task/odd"]), @r"
    --- stdout
    run  odd:task/odd  asked to run again
    --- stderr
    1 node to run, 1 up to date
    --- status 0
    ");
}

#[test]
fn the_farm_of_what_is_rebuilt_need_not_be_named_twice() {
    let space = built();
    space.write("farms/other/farm.yaml", &ODD.replace("farm: odd", "farm: other"));
    let ended = space.farm(&["build", "--rebuild", "odd:task/even"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert!(ended.stderr.contains("reproducible: odd:task/even"), "{}", ended.text());
    assert!(!space.exists("farms/other/even.out"));
}

#[test]
fn nothing_to_compare_with() {
    let space = Space::with_farm("odd", ODD);
    assert_run!(space.farm(&["build", "--rebuild", "task/even"]), @r"
    --- stderr
    start  odd:task/even (never built)
    note: odd:task/even was not compared with what it made before: never built
    built  odd:task/even in TIME
    1 built in TIME
    --- status 0
    ");
}

#[test]
fn a_failure_leaves_the_first_output_as_well() {
    let manifest = r#"
farm: once
tasks:
  once: { in: host, run: 'echo made > out; mkdir done', outputs: [out] }
"#;
    let space = Space::with_farm("once", manifest);
    assert_eq!(space.farm(&["build"]).status, Some(0));
    let ended = space.farm(&["build", "--rebuild", "task/once"]);
    assert_eq!(ended.status, Some(1), "{}", ended.text());
    assert_eq!(space.read("farms/once/out"), "made\n");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    nothing to do: 1 node is up to date
    --- status 0
    ");
}
