//! Stages as far as no engine is needed: what there is, and what is not built yet.

use crate::space::{Space, assert_run};

const FARM: &str = "
farm: f
binfarm:
  base: { image: 'farm.invalid/stage3:1' }
  repos: { r: { path: r } }
  profile: r:p
subjects: { s: { packages: [a/b] } }
kernels: { desktop: { sources: sys-kernel/x } }
stages:
  node: { from: base, subjects: [s], remove: [/x] }
  with-kernel: { from: base, kernel: desktop }
tasks:
  copy: { in: host, needs: [stage/node], run: 'true' }
";

fn space(farm: &str) -> Space {
    let space = Space::with_farm("f", farm);
    space.write("farms/f/r/profiles/repo_name", "r\n");
    space
}

#[test]
fn those_that_can_be_built_are_targets() {
    let space = space(FARM);
    let ended = space.farm(&["targets"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    let stages: Vec<&str> = ended.stdout.lines().filter(|line| line.contains("stage")).collect();
    assert_eq!(stages, ["f:stage/node  a root file system with s as an archive"]);
    let note = "note: f: stage/with-kernel is not built: it has a kernel, and kernels are not built yet\n";
    assert!(ended.stderr.contains(note), "{}", ended.text());
}

#[test]
fn a_kernel_is_not_built_yet() {
    let farm = space(FARM);
    let ended = farm.farm(&["build", "stage/with-kernel"]);
    assert_run!(ended, @r"
    --- stderr
    error: stage/with-kernel has a kernel, and kernels are not built yet
    hint: leave out `kernel:` for now
    --- status 2
    ");
    let ended = farm.farm(&["build", "stage/none"]);
    assert_run!(ended, @r"
    --- stderr
    error: f has no stage `none`
    hint: it has: node, with-kernel
    --- status 2
    ");
    let needs = FARM.replace("needs: [stage/node]", "needs: [stage/with-kernel]");
    let needs = space(&needs);
    let ended = needs.farm(&["build", "task/copy"]);
    assert_run!(ended, @r"
    --- stderr
    error: needs `stage/with-kernel`: this stage has a kernel, and kernels are not built yet
      --> farms/f/farm.yaml:13:29
       |
    13 |   copy: { in: host, needs: [stage/with-kernel], run: 'true' }
       |                             ^^^^^^^^^^^^^^^^^
    --- status 2
    ");
}
