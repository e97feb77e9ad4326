//! Workspaces and names: which farm is meant, and what is said when that cannot be told.

use crate::space::{Space, assert_run};

fn farm(name: &str) -> String {
    format!("farm: {name}\ntasks:\n  x: {{ in: host, run: 'echo {name} > x.out', outputs: [x.out] }}\n")
}

fn two() -> Space {
    let space = Space::with_farm("left", &farm("left"));
    space.write("farms/right/farm.yaml", &farm("right"));
    space
}

#[test]
fn no_workspace() {
    assert_run!(Space::new().farm(&["build"]), @r"
    --- stderr
    error: there is no workspace at $SPACE/workspace or above: no folder `farms`
    hint: make farms/NAME/farm.yaml, or say where with -C FOLDER
    --- status 2
    ");
}

#[test]
fn no_such_folder() {
    assert_run!(Space::new().farm(&["-C", "nowhere", "targets"]), @r"
    --- stderr
    error: there is no folder nowhere
    hint: say where the workspace is with -C FOLDER
    --- status 2
    ");
}

#[test]
fn which_of_two() {
    let space = two();
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    error: which farm? left, right
    --- status 2
    ");
    assert_run!(space.farm(&["build", "task/x"]), @r"
    --- stderr
    error: `task/x` of which farm? left:task/x, right:task/x
    --- status 2
    ");
    assert_run!(space.farm(&["build", "right", "left:task/x", "-j", "1", "-n"]), @r"
    --- stdout
    run  left:task/x   never built
    run  right:task/x  never built
    --- stderr
    2 nodes to run, 0 up to date
    --- status 0
    ");
}

#[test]
fn the_farm_whose_folder_this_is() {
    let space = two();
    let mut command = space.command(&["build", "task/x"]);
    command.current_dir(space.path("farms/right"));
    assert_run!(space.ended(command), @r"
    --- stderr
    start  right:task/x (never built)
    built  right:task/x in TIME
    1 built in TIME
    --- status 0
    ");
    assert!(space.exists("farms/right/x.out") && !space.exists("farms/left/x.out"));
}

#[test]
fn a_workspace_elsewhere() {
    let space = two();
    let mut command = space.command(&["build", "left", "-C"]);
    command.arg(space.path("")).current_dir("/");
    assert_eq!(space.ended(command).status, Some(0));
    assert!(space.exists("farms/left/x.out"));
}

#[test]
fn unknown_names() {
    let space = two();
    assert_run!(space.farm(&["build", "middle"]), @r"
    --- stderr
    error: `middle` is neither a farm nor a target: `middle` is no target
    hint: farms: left, right; `farm targets` lists what they can build
    --- status 2
    ");
    assert_run!(space.farm(&["build", "middle:task/x"]), @r"
    --- stderr
    error: there is no farm `middle` here; there is left, right
    --- status 2
    ");
    assert_run!(space.farm(&["build", "left:task/y"]), @r"
    --- stderr
    error: left has no task `y`
    hint: it has: x
    --- status 2
    ");
    assert_run!(space.farm(&["build", "left:tusk/x"]), @r"
    --- stderr
    error: `tusk/x` is no target
    hint: `farm targets` lists what there is
    --- status 2
    ");
    assert_run!(space.farm(&["build", "left", "COLOUR=red"]), @r"
    --- stderr
    error: this farm declares no variable `COLOUR`
     --> <command line>:1:1
      |
    1 | COLOUR=red
      | ^^^^^^
      |
      = help: declare it in the manifest: `vars: { COLOUR: ... }`
    --- status 2
    ");
    assert_run!(space.farm(&["build", "left", "--rebuild", "left:task/y"]), @r"
    --- stderr
    error: left has no task `y`
    hint: it has: x
    --- status 2
    ");
}

#[test]
fn mistakes_in_the_manifest_are_shown_with_their_place() {
    let space = Space::with_farm("wrong", "farm: wrong\ntasks:\n  x: { in: host, rum: 'true' }\n");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    error: the task `x` has no `run`
     --> farms/wrong/farm.yaml:3:6
      |
    3 |   x: { in: host, rum: 'true' }
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `run`: A shell line, or a list of a program and its arguments.

    error: the task `x` has no key `rum`
     --> farms/wrong/farm.yaml:3:18
      |
    3 |   x: { in: host, rum: 'true' }
      |                  ^^^
      |
      = help: did you mean `run`?
    --- status 2
    ");
    assert!(!space.exists(".farm"), "nothing is written");
}
