//! Mistakes that only the whole graph shows: all with their place, and before anything is written.

use crate::space::{Space, assert_run};

/// Nothing that a run leaves is there.
fn untouched(space: &Space) {
    for path in [".farm", "farms/f/farm.lock"] {
        assert!(!space.exists(path), "{path} was written");
    }
}

fn tasks(lines: &[&str]) -> Space {
    Space::with_farm("f", &format!("farm: f\ntasks:\n  {}\n", lines.join("\n  ")))
}

/// A farm whose names have to be pinned, which would need an engine.
fn binfarm(binfarm: &str, more: &str) -> Space {
    let manifest = format!(
        "farm: f\nbinfarm:\n  base: {{ image: 'farm.invalid/stage3:1' }}\n  repos: {{ gentoo: {{ path: tree }} }}\n  {binfarm}\n\
         subjects: {{ s: {{ packages: {{ sci-libs/gsl: {{}} }} }} }}\n{more}\n"
    );
    let space = Space::with_farm("f", &manifest);
    space.write("farms/f/tree/profiles/repo_name", "gentoo\n");
    space
}

#[test]
fn inputs_that_are_not_there() {
    let space = tasks(&[
        "a: { in: host, inputs: ['src/*.h', here], run: 'true', outputs: [a] }",
        "b: { in: host, inputs: [gone], run: 'true', outputs: [b] }",
        "c: { in: host, inputs: ['*'], run: 'true', outputs: [b] }",
    ]);
    space.write("farms/f/here", "");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    error: the input `src/*.h` of the task `a` matches nothing in farms/f
     --> farms/f/farm.yaml:3:27
      |
    3 |   a: { in: host, inputs: ['src/*.h', here], run: 'true', outputs: [a] }
      |                           ^^^^^^^^^
      |
      = help: mend it, or name the file under `outputs:` of the task that makes it

    error: the input `gone` of the task `b` matches nothing in farms/f
     --> farms/f/farm.yaml:4:27
      |
    4 |   b: { in: host, inputs: [gone], run: 'true', outputs: [b] }
      |                           ^^^^
      |
      = help: mend it, or name the file under `outputs:` of the task that makes it

    error: the input `*` of the task `c` can be its output `b`
     --> farms/f/farm.yaml:5:27
      |
    5 |   c: { in: host, inputs: ['*'], run: 'true', outputs: [b] }
      |                           ^^^                          - its output
      |
      = help: name its inputs one by one, or let it make its outputs in a folder of their own (written with a `/` at the end)

    error: the tasks `b` and `c` both make `b`
     --> farms/f/farm.yaml:5:56
      |
    4 |   b: { in: host, inputs: [gone], run: 'true', outputs: [b] }
      |                                                         - made by `b`
    5 |   c: { in: host, inputs: ['*'], run: 'true', outputs: [b] }
      |                                                        ^
      |
      = help: only one task may make a file: rename an output, or write globs that match less
    --- status 2
    ");
    untouched(&space);
}

#[test]
fn outputs_in_each_others_way() {
    let space = tasks(&[
        "a: { in: host, run: 'true', outputs: [out/x, y] }",
        "b: { in: host, run: 'true', outputs: [./y, out/] }",
    ]);
    assert_run!(space.farm(&["build", "task/a"]), @r"
    --- stderr
    error: the output `./y` of the task `b` can be the output `y` of the task `a`
     --> farms/f/farm.yaml:4:41
      |
    3 |   a: { in: host, run: 'true', outputs: [out/x, y] }
      |                                                - made by `a`
    4 |   b: { in: host, run: 'true', outputs: [./y, out/] }
      |                                         ^^^
      |
      = help: only one task may make a file: rename an output, or write globs that match less

    error: the output `out/` of the task `b` can be the output `out/x` of the task `a`
     --> farms/f/farm.yaml:4:46
      |
    3 |   a: { in: host, run: 'true', outputs: [out/x, y] }
      |                                         ----- made by `a`
    4 |   b: { in: host, run: 'true', outputs: [./y, out/] }
      |                                              ^^^^
      |
      = help: only one task may make a file: rename an output, or write globs that match less
    --- status 2
    ");
    untouched(&space);
}

#[test]
fn tasks_in_a_circle() {
    let space = tasks(&[
        "a: { in: host, inputs: ['c/*.o'], run: 'true', outputs: [a] }",
        "b: { in: host, needs: [a], run: 'true', outputs: [b] }",
        "c: { in: host, inputs: [b], run: 'true', outputs: [c/] }",
        "d: { in: host, inputs: [c], run: 'true', outputs: [d] }",
    ]);
    assert_run!(space.farm(&["targets"]), @r"
    --- stderr
    error: tasks wait for each other: `a` -> `c` -> `b` -> `a`
     --> farms/f/farm.yaml:3:27
      |
    3 |   a: { in: host, inputs: ['c/*.o'], run: 'true', outputs: [a] }
      |                           ^^^^^^^ `a` reads `c/`, which `c` makes
    4 |   b: { in: host, needs: [a], run: 'true', outputs: [b] }
      |                          - `b` needs `a`
    5 |   c: { in: host, inputs: [b], run: 'true', outputs: [c/] }
      |                           - `c` reads `b`, which `b` makes
    --- status 2
    ");
    untouched(&space);
}

#[test]
fn a_binfarm_without_a_profile() {
    let space = binfarm("config: []", "");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    error: the binfarm has no profile
     --> farms/f/farm.yaml:3:3
      |
    3 |   base: { image: 'farm.invalid/stage3:1' }
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `profile: REPOSITORY:PATH` to `binfarm:`
    --- status 2
    ");
    untouched(&space);
}

#[test]
fn files_that_would_have_no_effect() {
    let lines = "profile: gentoo:default\n  config: [common]\n  root: root.d";
    let space = binfarm(lines, "");
    space.write("profiles/common/repos.conf", "");
    std::os::unix::fs::symlink("elsewhere", space.path("profiles/common/package.use")).unwrap();
    fs_err::write(space.path("profiles/common/package.mask"), b"\xff").unwrap();
    space.write("farms/f/root.d/etc/portage/make.conf", "");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    error: profiles/common/package.mask is not UTF-8
     --> farms/f/farm.yaml:6:12
      |
    6 |   config: [common]
      |            ^^^^^^
      |
      = help: convert it, for example with iconv

    error: profiles/common/package.use is a symbolic link, which farm does not follow here
     --> farms/f/farm.yaml:6:12
      |
    6 |   config: [common]
      |            ^^^^^^
      |
      = help: put a copy of the file there

    error: profiles/common/repos.conf: farm itself writes /etc/portage/repos.conf
     --> farms/f/farm.yaml:6:12
      |
    6 |   config: [common]
      |            ^^^^^^
      |
      = help: name repositories under `binfarm.repos:`, the profile under `binfarm.profile:`

    error: farms/f/root.d/etc/portage/make.conf is never part of the root
     --> farms/f/farm.yaml:7:9
      |
    7 |   root: root.d
      |         ^^^^^^
      |
      = help: put settings into a layer (profiles/NAME), and repositories under `binfarm.repos:`
    --- status 2
    ");
    untouched(&space);
}

#[test]
fn what_cannot_be_needed() {
    let space = binfarm(
        "profile: gentoo:default",
        "publish:\n  pkgs: { to: 'file:///p', needs: [pkg/sci-libs/gsl, disk/d] }\n\
         disks: { d: {} }\n\
         tasks:\n  t: { in: host, needs: [publish-pkgs, disk/d], run: 'true' }",
    );
    assert_run!(space.farm(&["build", "task/t"]), @r"
    --- stderr
    error: needs `pkg/sci-libs/gsl`: packages cannot be needed one by one yet
     --> farms/f/farm.yaml:8:36
      |
    8 |   pkgs: { to: 'file:///p', needs: [pkg/sci-libs/gsl, disk/d] }
      |                                    ^^^^^^^^^^^^^^^^
      |
      = help: name the subject that brings it (`pkgs/SUBJECT`), or `binhost`

    error: needs `disk/d`: kernels and disks are not built yet
     --> farms/f/farm.yaml:8:54
      |
    8 |   pkgs: { to: 'file:///p', needs: [pkg/sci-libs/gsl, disk/d] }
      |                                                      ^^^^^^

    error: needs `publish-pkgs`: a task cannot publish: publications come last
      --> farms/f/farm.yaml:11:26
       |
    11 |   t: { in: host, needs: [publish-pkgs, disk/d], run: 'true' }
       |                          ^^^^^^^^^^^^

    error: needs `disk/d`: kernels and disks are not built yet
      --> farms/f/farm.yaml:11:40
       |
    11 |   t: { in: host, needs: [publish-pkgs, disk/d], run: 'true' }
       |                                        ^^^^^^
    --- status 2
    ");
    untouched(&space);
}

#[test]
fn images_without_a_binfarm() {
    let space = Space::with_farm("f", "farm: f\nimages:\n  i: { from: 'farm.invalid/alpine:3' }\n");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    error: the image `i` needs a `binfarm:`, which the farm has not
     --> farms/f/farm.yaml:3:3
      |
    3 |   i: { from: 'farm.invalid/alpine:3' }
      |   ^
      |
      = help: say what everything starts from: `binfarm: { base: ... }`
    --- status 2
    ");
    untouched(&space);
}

#[test]
fn addresses_that_cannot_be_published_to() {
    for (to, more) in [
        ("ssh://binhost", "no folder follows the host"),
        ("ssh://-oProxyCommand=x/pkgs", "`-oProxyCommand=x` cannot be a host"),
        (
            "ssh://me:secret@binhost/pkgs",
            "a password does not belong into a manifest",
        ),
        ("s3://Bucket/pkgs", "`Bucket` cannot be a bucket"),
        ("https://me@binhost/pkgs", "who publishes is not said in the address"),
    ] {
        let space = binfarm("profile: 'gentoo:p'", &format!("publish: {{ pkgs: {{ to: '{to}' }} }}"));
        let run = space.farm(&["build"]);
        assert_eq!(run.status, Some(2), "{to}");
        // Who publishes is not shown.
        let shown = to.replace(":secret@", ":***@").replace("https://me@", "https://***@");
        assert!(
            run.stderr
                .contains(&format!("`{shown}` cannot be published to: {more}")),
            "{}",
            run.stderr
        );
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
        assert!(
            run.stderr.contains("to: '") && run.stderr.contains("^^^"),
            "{}",
            run.stderr
        );
        untouched(&space);
    }
}

#[test]
fn an_address_is_shown_with_what_is_meant() {
    let space = binfarm("profile: 'gentoo:p'", "publish: { pkgs: { to: 's3://b/pkgs' } }");
    assert_run!(space.farm(&["build"]), @r"
    --- stderr
    error: `s3://b/pkgs` cannot be published to: `b` cannot be a bucket: 3 to 63 small letters, digits, dots and hyphens
     --> farms/f/farm.yaml:7:24
      |
    7 | publish: { pkgs: { to: 's3://b/pkgs' } }
      |                        ^^^^^^^^^^^^^
      |
      = help: write `s3://BUCKET/PREFIX`; the server's address is in AWS_ENDPOINT_URL
    --- status 2
    ");
    untouched(&space);
}
