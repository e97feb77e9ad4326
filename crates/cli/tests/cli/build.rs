//! Builds of tasks that run on the host: what is said, what is written for programs, and the exit status.

use std::process::Stdio;

use crate::space::{Space, assert_run};

/// A chain of three, so that their order is no matter of luck.
const CHAIN: &str = r#"
farm: chain
vars: { WORD: one }
tasks:
  a: { in: host, inputs: [a.txt], env: { WORD: "${WORD}" }, run: 'cat a.txt > a.out; echo "$WORD" >> a.out', outputs: [a.out] }
  b: { in: host, inputs: [a.out], run: 'wc -c < a.out > b.out', outputs: [b.out] }
  c: { in: host, inputs: [b.out], run: 'cat b.out b.out > c.out', outputs: [c.out] }
"#;

fn chain() -> Space {
    let space = Space::with_farm("chain", CHAIN);
    space.write("farms/chain/a.txt", "first\n");
    space
}

/// `bad` fails, `after` needs it, `good` does not.
const FAILING: &str = r#"
farm: failing
tasks:
  bad: { in: host, run: 'echo compiling; echo "no such header" >&2; exit 4', outputs: [bad.out] }
  after: { in: host, inputs: [bad.out], run: 'cat bad.out > after.out', outputs: [after.out] }
  good: { in: host, run: 'echo good > good.out', outputs: [good.out] }
"#;

#[test]
fn first_run_and_nothing_to_do() {
    let space = chain();
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    start  chain:task/a (never built)
    built  chain:task/a in TIME
    start  chain:task/b (never built)
    built  chain:task/b in TIME
    start  chain:task/c (never built)
    built  chain:task/c in TIME
    3 built in TIME
    --- status 0
    ");
    assert_eq!(space.read("farms/chain/c.out"), "10\n10\n");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    nothing to do: 3 nodes are up to date
    --- status 0
    ");
    assert_run!(space.farm(&["build", "-n"]), @r"
    --- stderr
    nothing to do: 3 nodes are up to date
    --- status 0
    ");
}

#[test]
fn a_change_that_is_cut_off() {
    let space = chain();
    assert_eq!(space.farm(&["build"]).status, Some(0));
    space.write("farms/chain/a.txt", "other\n");
    assert_run!(space.farm(&["build", "--explain"]), @r"
    --- stderr
    start  chain:task/a (input/a.txt changed)
           input/a.txt: file dbada8e50433 → file c0d6c8281a38
    built  chain:task/a in TIME
    start  chain:task/b (task/a:a.out changed)
           task/a:a.out: 751b40b1db57 → 3f60ab5965f0
    built  chain:task/b in TIME
    2 built, 1 cut off in TIME
    --- status 0
    ");
}

#[test]
fn variables_from_both_sides() {
    let space = chain();
    assert_eq!(space.farm(&["build", "chain:task/a", "WORD=two"]).status, Some(0));
    assert_eq!(space.read("farms/chain/a.out"), "first\ntwo\n");
    let mut command = space.command(&["build", "task/a"]);
    command.env("FARM_WORD", "three");
    assert_eq!(space.ended(command).status, Some(0));
    assert_eq!(space.read("farms/chain/a.out"), "first\nthree\n");
}

#[test]
fn dry_run_explained() {
    let space = chain();
    assert_eq!(space.farm(&["build"]).status, Some(0));
    assert_run!(space.farm(&["build", "-n", "--explain", "WORD=four"]), @r"
    --- stdout
    run      chain:task/a  env/WORD changed
             env/WORD: one → four
    unknown  chain:task/b  hangs on the output of chain:task/a
    unknown  chain:task/c  hangs on the output of chain:task/b
    --- stderr
    1 node to run, 2 that may have to, 0 up to date
    --- status 0
    ");
    assert_run!(space.farm(&["build", "-n", "--json", "WORD=four"]), @r#"
    --- stdout
    {"nodes":[{"kind":"task","name":"chain:task/a","reason":"env/WORD changed","state":"run"},{"kind":"task","name":"chain:task/b","reason":"hangs on the output of chain:task/a","state":"unknown"},{"kind":"task","name":"chain:task/c","reason":"hangs on the output of chain:task/b","state":"unknown"}]}
    --- stderr
    1 node to run, 2 that may have to, 0 up to date
    --- status 0
    "#);
}

#[test]
fn a_dry_run_leaves_no_output() {
    let space = chain();
    assert_eq!(space.farm(&["build", "-n"]).status, Some(0));
    assert!(!space.exists("farms/chain/a.out"));
}

#[test]
fn events_for_programs() {
    let space = chain();
    assert_run!(space.farm(&["build", "--json", "task/b"]), @r#"
    --- stdout
    {"event":"nodes-wanted","total":2}
    {"event":"node-started","name":"chain:task/a","kind":"task","reason":{"because":"never-built"}}
    {"event":"node-finished","name":"chain:task/a","kind":"task","result":"built","ms":0}
    {"event":"node-started","name":"chain:task/b","kind":"task","reason":{"because":"never-built"},"after":"chain:task/a"}
    {"event":"node-finished","name":"chain:task/b","kind":"task","result":"built","ms":0}
    {"event":"build-finished","built":2,"cached":0,"cutoff":0,"failed":0,"skipped":0,"not-reproducible":0,"ms":0,"interrupted":false}
    --- stderr
    2 built in TIME
    --- status 0
    "#);
    let ended = space.farm(&["build", "--json", "task/b"]);
    let last = ended.json_lines().pop().unwrap();
    assert_eq!((&last["built"], &last["cached"]), (&0.into(), &2.into()));
}

#[test]
fn a_failure() {
    let space = Space::with_farm("failing", FAILING);
    assert_run!(space.farm(&["build", "task/after"]), @r"
    --- stderr
    start  failing:task/bad (never built)
    failed failing:task/bad after TIME: it ended with status 4
      | compiling
      | no such header
      log: $SPACE/workspace/.farm/logs/failing/task/bad.log
    failed:
      failing:task/bad: it ended with status 4
        log: $SPACE/workspace/.farm/logs/failing/task/bad.log
    skipped:
      failing:task/after: failing:task/bad failed
    0 built, 1 failed, 1 skipped in TIME
    --- status 1
    ");
}

#[test]
fn keep_going() {
    let space = Space::with_farm("failing", FAILING);
    assert_run!(space.farm(&["build", "-k", "-j", "1"]), @r"
    --- stderr
    start  failing:task/bad (never built)
    failed failing:task/bad after TIME: it ended with status 4
      | compiling
      | no such header
      log: $SPACE/workspace/.farm/logs/failing/task/bad.log
    start  failing:task/good (never built)
    built  failing:task/good in TIME
    failed:
      failing:task/bad: it ended with status 4
        log: $SPACE/workspace/.farm/logs/failing/task/bad.log
    skipped:
      failing:task/after: it needs failing:task/bad
    built:
      failing:task/good
    1 built, 1 failed, 1 skipped in TIME
    --- status 1
    ");
    // What was built is kept; only the failed one and what needs it run once it is mended.
    space.write("farms/failing/farm.yaml", &FAILING.replace("exit 4", "echo > bad.out"));
    assert_run!(space.farm(&["build", "-k", "-j", "1"]), @r"
    --- stderr
    start  failing:task/bad (never built)
    built  failing:task/bad in TIME
    start  failing:task/after (never built)
    built  failing:task/after in TIME
    2 built, 1 cached in TIME
    --- status 0
    ");
}

#[test]
fn nobody_reads_the_events() {
    let space = chain();
    let mut command = space.command(&["build", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = space.end_of(child);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert!(space.exists("farms/chain/c.out"));
}

#[test]
fn a_full_disk_takes_the_events_but_not_the_build() {
    let space = chain();
    let mut command = space.command(&["build", "--json"]);
    command.stdout(
        fs_err::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
            .into_file(),
    );
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    assert_run!(space.end_of(child), @r"
    --- stderr
    3 built in TIME
    note: cannot write to standard output: No space left on device (os error 28)
    --- status 0
    ");
    assert!(space.exists("farms/chain/c.out"));
}

#[test]
fn no_colour_without_a_terminal_unless_it_is_forced() {
    let space = Space::with_farm("failing", FAILING);
    assert!(!space.farm(&["build", "task/bad"]).stderr.contains('\x1b'));
    let mut command = space.command(&["build", "task/bad"]);
    command.env("CLICOLOR_FORCE", "1");
    let coloured = space.ended(command).stderr;
    assert!(coloured.contains('\x1b'), "{coloured}");
    let mut command = space.command(&["build", "task/bad"]);
    command.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert!(!space.ended(command).stderr.contains('\x1b'));
}

#[test]
fn no_engine_when_one_is_needed() {
    let manifest = r#"
farm: boxed
binfarm:
  base: { image: "farm.invalid/stage3:1" }
  repos: { gentoo: { path: tree } }
  profile: gentoo:default
subjects: { s: { packages: { app-misc/a: {} } } }
"#;
    let space = Space::with_farm("boxed", manifest);
    space.write("farms/boxed/tree/profiles/repo_name", "gentoo\n");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    error: no docker engine answers at unix://$SPACE/no-engine.sock: there is no such socket: is the engine installed and started?
    hint: start the engine, or join its group (`adduser YOU docker`, then log in again); `docker info` should answer
    --- status 3
    ");
}
