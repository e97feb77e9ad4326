//! Rows in which nothing runs at all, and the fresh clone.

use std::collections::BTreeMap;
use std::process::Command;

use farm_engine::{Digest, Key};
use fs_err as fs;

use super::{MANIFEST, OVERLAY};
use crate::support::FarmSpace;

/// Runs a command of the machine in the workspace.
fn on_host(space: &FarmSpace, program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(space.path(""))
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", space.folder())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_decides_nothing() {
    let space = FarmSpace::moved();
    space.runs("a copy of the workspace", &[]);

    on_host(
        &space,
        "find",
        &[
            ".",
            "-path",
            "./.farm",
            "-prune",
            "-o",
            "-exec",
            "touch",
            "--no-dereference",
            "{}",
            "+",
        ],
    );
    space.runs("touched files", &[]);

    space.write("notes/unrelated.txt", "Nothing that a farm reads.\n");
    on_host(&space, "git", &["init", "--quiet"]);
    on_host(&space, "git", &["add", "."]);
    let name = [
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.org",
        "commit",
        "--quiet",
        "--message",
        "unrelated",
    ];
    on_host(&space, "git", &name);
    space.runs("a commit", &[]);

    space.build(&["--jobs=7"]).assert_ran("another number of jobs", &[]);

    let elsewhere = space.folder().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let mut command = space.command(&["build", "tiny", "--json"]);
    command.env("TMPDIR", &elsewhere).env("FARM_SCRATCH", &elsewhere);
    crate::support::run(command).assert_ran("another folder for temporary files", &[]);

    let comment = format!("# Why this farm is.\n{}", space.read(MANIFEST));
    space.write(MANIFEST, comment);
    space.runs("a comment in the manifest", &[]);

    space.edit(MANIFEST, "  root: root.d\n", "");
    space.edit(
        MANIFEST,
        "  scripts: [bootstrap.sh]\n",
        "  scripts: [bootstrap.sh]\n  root: root.d\n",
    );
    space.edit(
        MANIFEST,
        "    gentoo: { path: gentoo }\n    tiny: { path: overlay }\n",
        "    tiny: { path: overlay }\n    gentoo: { path: gentoo }\n",
    );
    space.edit(
        MANIFEST,
        "subjects: [apps], strip: [repos, docs]",
        "strip: [docs, repos], subjects: [apps]",
    );
    space.runs("the manifest's keys in another order", &[]);

    space.write("profiles/nobody/package.use/all", "*/* everything\n");
    space.write(
        "farms/other/farm.yaml",
        "farm: other\ntasks: { x: { in: host, run: 'true' } }\n",
    );
    space.runs("a layer that no farm names, and another farm", &[]);

    space.write(
        &format!("{OVERLAY}/app-misc/leaf/leaf-1.0.ebuild~"),
        "an editor's copy\n",
    );
    space.runs("a backup that an editor left", &[]);
}

#[test]
fn the_workspace_moved() {
    let space = FarmSpace::ready();
    let elsewhere = space.folder().join("elsewhere");
    fs::rename(space.path(""), &elsewhere).unwrap();
    let mut command = space.command(&["build", "tiny", "--json"]);
    command.current_dir(&elsewhere);
    let output = crate::support::run(command);
    fs::rename(&elsewhere, space.path("")).unwrap();
    output.assert_ran("the workspace moved", &[]);
}

/// A clone has other times, another place and no state. Here it also has another umask and another number of jobs; and what
/// it makes is the same to the byte.
#[test]
fn a_fresh_clone_has_the_same_keys_and_makes_the_same() {
    let ready = FarmSpace::moved();
    let space = FarmSpace::new();
    let mut command = Command::new("/bin/sh");
    let real = space.command(&["build", "tiny", "--json", "--jobs=1"]);
    command
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(real.get_program())
        .args(real.get_args());
    command.current_dir(space.path("")).env_clear();
    command.envs(real.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let built = crate::support::run(command).succeeded();
    assert_eq!(built.with_result("cached").len(), 0, "{built}");

    assert_eq!(keys(&space), keys(&ready));
    assert_eq!(outputs(&space), outputs(&ready));
}

/// Keys by node. The binhost's folder is named after the flavour, which no two workspaces of these tests share.
fn keys(space: &FarmSpace) -> BTreeMap<String, Key> {
    let guards = space.guards().into_iter().filter(|guard| guard.node != "tiny:binhost");
    guards.map(|guard| (guard.node, guard.key)).collect()
}

/// Digests of everything that was made, the binhost's index among it.
fn outputs(space: &FarmSpace) -> BTreeMap<(String, String), Digest> {
    let mut found = BTreeMap::new();
    for guard in space.guards() {
        for output in guard.outputs {
            found.insert((guard.node.clone(), output.role), output.digest);
        }
    }
    found
}
