//! What `farm plan` refuses before it asks anybody.

use crate::space::{Space, assert_run};

fn space() -> Space {
    let manifest = "farm: f\nbinfarm:\n  base: { image: 'farm.invalid/stage3:1' }\n  repos: { gentoo: { path: tree } }\n\
                    subjects: { s: { packages: { sci-libs/gsl: {} } } }\n";
    let space = Space::with_farm("f", manifest);
    space.write("farms/f/tree/profiles/repo_name", "gentoo\n");
    space
}

#[test]
fn a_farm_that_publishes_nowhere_has_no_release() {
    let space = space();
    assert_run!(space.farm(&["plan", "--diff", "release"]), @"
    --- stderr
    error: f does not say where packages are published
    hint: add `publish: { pkgs: { to: file:///… } }` to its manifest
    --- status 2
    ");
    assert!(!space.exists(".farm"));
}

#[test]
fn what_a_plan_is_compared_with() {
    let space = space();
    assert_run!(space.farm(&["plan", "--diff", "releas"]), @"
    --- stderr
    error: `releas` is neither `release` nor KEY=VALUE
    hint: `--diff BINFARM_TYPE=dbg`, say
    --- status 2
    ");
    assert_run!(space.farm(&["plan", "--diff", "release", "--diff", "A=b"]), @"
    --- stderr
    error: `--diff release` stands alone
    hint: values of variables go behind the farm: `farm plan BINFARM_TYPE=dbg`
    --- status 2
    ");
}
