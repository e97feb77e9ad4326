//! `farm patch` as far as it needs no engine: saving, dropping, refusing.

use std::process::Command;

use crate::space::{Ended, Space, assert_run};

const TREE: &str = "patch-work/f/app-misc/leaf-1.0";

/// A farm with these layers, and a work tree of a package with one change in it.
fn space(config: &str) -> Space {
    let manifest = format!(
        "farm: f\nbinfarm:\n  base: {{ image: 'farm.invalid/stage3:1' }}\n  repos: {{ gentoo: {{ path: tree }} }}\n  \
         profile: gentoo:default\n{config}subjects: {{ s: {{ packages: {{ app-misc/leaf: {{}} }} }} }}\n"
    );
    let space = Space::with_farm("f", &manifest);
    space.write("farms/f/tree/profiles/repo_name", "gentoo\n");
    space.write("profiles/common/make.conf", "USE=x\n");
    space.write(&format!("{TREE}/leaf.c"), "winter\n");
    let script = "git init -q; git config farm.package app-misc/leaf-1.0; git config farm.cpv app-misc/leaf-1.0
        git config farm.slot 2; git add -A; git -c user.name=x -c user.email=x@y commit -qm start
        git update-ref refs/farm/base HEAD; echo spring > leaf.c";
    let status = Command::new("sh")
        .args(["-ec", script])
        .current_dir(space.path(TREE))
        .status();
    assert!(status.unwrap().success());
    space
}

fn patch(space: &Space, arguments: &[&str]) -> Ended {
    space.farm(&[&["patch"], arguments].concat())
}

#[test]
fn a_change_is_saved_once_and_dropped() {
    let space = space("  config: [common]\n");
    assert_run!(patch(&space, &["drop", "leaf"]), @r"
    ");
    assert_run!(patch(&space, &["save", "app-misc/leaf"]), @r"
    ");
    let saved = "profiles/common/patches/app-misc/leaf-1.0/leaf.patch";
    insta::assert_snapshot!(space.read(saved), @r"
    ");
    // What is saved is no change any more.
    assert_run!(patch(&space, &["save", "app-misc/leaf"]), @r"
    ");
    space.write(&format!("{TREE}/leaf.c"), "summer\n");
    assert_run!(patch(&space, &["save", "f", "app-misc/leaf", "--for", "any"]), @r"
    ");
    assert_run!(patch(&space, &["drop", "app-misc/leaf", "other"]), @r"
    ");
    assert_run!(patch(&space, &["drop", "app-misc/leaf", "leaf"]), @r"
    ");
    assert!(!space.exists("profiles/common/patches") && space.exists("profiles/common"));
    assert_run!(patch(&space, &["drop", "--force", "leaf"]), @r"
    ");
    assert!(!space.exists("patch-work/f"));
    assert_run!(patch(&space, &["list"]), @r"
    ");
}

#[test]
fn what_a_patch_is_for() {
    for (reach, folder) in [("version", "leaf-1.0"), ("slot", "leaf:2"), ("any", "leaf")] {
        let space = space("  config: [common]\n");
        let ended = patch(&space, &["save", "leaf", "--for", reach, "--name", "0001-fix.diff"]);
        assert_eq!(ended.status, Some(0), "{}", ended.text());
        assert!(
            space.exists(&format!("profiles/common/patches/app-misc/{folder}/0001-fix.diff")),
            "{reach}"
        );
    }
}

#[test]
fn patches_that_would_not_do_what_was_tried_are_refused() {
    let space = space("  config: [common]\n");
    space.write("profiles/common/patches/app-misc/leaf/zz.patch", "text\n");
    assert_run!(patch(&space, &["save", "leaf"]), @r"
    ");
    assert_run!(patch(&space, &["save", "leaf", "--name", "zz"]), @r"
    ");
    assert_run!(patch(&space, &["save", "leaf", "--name", "a/b"]), @r"
    ");
    assert!(!space.exists("profiles/common/patches/app-misc/leaf-1.0"));
    let ended = patch(&space, &["save", "leaf", "--name", "zz_leaf"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
}

#[test]
fn layers_that_the_manifest_does_not_name() {
    let space = space("");
    assert_run!(patch(&space, &["save", "leaf"]), @r"
    ");
    assert_run!(patch(&space, &["save", "leaf", "--layer", "f"]), @r"
    ");
    assert!(space.exists("profiles/f/patches/app-misc/leaf-1.0/leaf.patch"));
    // It is not the farm's yet, and still nothing is written over it.
    space.write(&format!("{TREE}/leaf.c"), "summer\n");
    assert_run!(patch(&space, &["save", "leaf", "--layer", "f"]), @r"
    ");
    let used = self::space("  config: [common]\n");
    assert_run!(patch(&used, &["save", "leaf", "--layer", "mine"]), @r"
    ");
}

#[test]
fn words_that_mean_nothing() {
    let space = space("  config: [common]\n");
    assert_run!(patch(&space, &["save"]), @r"
    ");
    assert_run!(patch(&space, &["try", "app-misc/other"]), @r"
    ");
    assert_run!(patch(&space, &["prep", "a/b", "c/d"]), @r"
    ");
    assert_run!(patch(&space, &["list", "nowhere"]), @r"
    ");
    let plain = Space::with_farm("f", "farm: f\ntasks: { t: { in: host, run: 'true' } }\n");
    assert_run!(patch(&plain, &["prep", "a/b"]), @r"
    ");
    assert_run!(patch(&plain, &["list"]), @r"
    ");
}

#[test]
fn without_an_engine_nothing_is_prepared() {
    let space = space("  config: [common]\n");
    let ended = patch(&space, &["try", "leaf"]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert_eq!(space.read(&format!("{TREE}/leaf.c")), "spring\n");
}
