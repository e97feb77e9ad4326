//! A farm with a matrix: one command for all its cells.

use std::collections::BTreeSet;

use crate::space::{Space, assert_run};

const MATRIX: &str = r#"
farm: both
vars: { KIND: opt, SIZE: small }
matrix: { KIND: [opt, dbg], SIZE: [small, large] }
tasks:
  same: { in: host, run: 'echo same > same.out', outputs: [same.out] }
  made: { in: host, inputs: [same.out], run: 'echo ${KIND} ${SIZE} > ${KIND}-${SIZE}.out', outputs: ["${KIND}-${SIZE}.out"] }
"#;

fn with(manifest: &str) -> Space {
    Space::with_farm("both", manifest)
}

#[test]
fn every_cell_is_built_and_what_is_equal_once() {
    let space = with(MATRIX);
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    note: both with KIND=opt SIZE=small
    start  both:task/same (never built)
    built  both:task/same in TIME
    start  both:task/made (never built)
    built  both:task/made in TIME
    note: both with KIND=opt SIZE=large
    start  both:task/made (output/opt-large.out is new, output/opt-small.out is gone, run/shell changed)
    built  both:task/made in TIME
    note: both with KIND=dbg SIZE=small
    start  both:task/made (output/dbg-small.out is new, output/opt-large.out is gone, run/shell changed)
    built  both:task/made in TIME
    note: both with KIND=dbg SIZE=large
    start  both:task/made (output/dbg-large.out is new, output/dbg-small.out is gone, run/shell changed)
    built  both:task/made in TIME
    5 built, 3 cached in TIME
    --- status 0
    ");
    assert!(space.farm(&["build", "-n"]).text().contains("nothing to do: 8 nodes"));
}

#[test]
fn a_value_picks_and_the_others_stay() {
    let space = with(MATRIX);
    let output = space.farm(&["build", "both", "KIND=dbg", "--json"]);
    assert_eq!(output.status, Some(0), "{}", output.text());
    assert!(space.exists("farms/both/dbg-small.out"));
    assert!(space.exists("farms/both/dbg-large.out"));
    assert!(!space.exists("farms/both/opt-small.out"));
    let ends: Vec<_> = output
        .json_lines()
        .into_iter()
        .filter(|event| event["event"] == "build-finished")
        .collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(ends[0]["built"], 3);
    let one = space.farm(&["build", "both", "KIND=opt", "SIZE=large"]);
    assert!(!one.text().contains("with KIND"), "{}", one.text());
    assert!(space.exists("farms/both/opt-large.out"));
}

#[test]
fn names_in_a_dry_run_are_those_of_one_cell_each() {
    let space = with(MATRIX);
    let output = space.farm(&["build", "-n", "--json"]);
    let whole = &output.json_lines()[0];
    let names: Vec<&str> = whole["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 8, "{names:?}");
    assert!(names.contains(&"both[KIND=dbg,SIZE=large]:task/made"), "{names:?}");
}

#[test]
fn a_failure_ends_it_unless_one_goes_on() {
    let manifest = MATRIX.replace("run: 'echo ${KIND}", "run: 'test ${KIND} = dbg && echo ${KIND}");
    let space = with(&manifest);
    let output = space.farm(&["build"]);
    assert_eq!(output.status, Some(1), "{}", output.text());
    assert!(!space.exists("farms/both/dbg-small.out"));
    assert!(
        output.text().contains("both[KIND=opt,SIZE=small]:task/made"),
        "{}",
        output.text()
    );
    let output = space.farm(&["build", "-k"]);
    assert_eq!(output.status, Some(1), "{}", output.text());
    assert!(space.exists("farms/both/dbg-small.out"));
    assert!(space.exists("farms/both/dbg-large.out"));
}

#[test]
fn a_farm_without_a_matrix_is_built_beside_one() {
    let space = with(MATRIX);
    space.write(
        "farms/plain/farm.yaml",
        "farm: plain\nvars: { KIND: x }\ntasks:\n  alone: { in: host, run: 'echo ${KIND} > alone.out', outputs: [alone.out] }\n",
    );
    let output = space.farm(&["build", "plain", "both:task/made"]);
    assert_eq!(output.status, Some(0), "{}", output.text());
    assert_eq!(space.read("farms/plain/alone.out"), "x\n");
    for cell in ["opt-small", "opt-large", "dbg-small", "dbg-large"] {
        assert!(space.exists(&format!("farms/both/{cell}.out")), "{cell}");
    }
}
