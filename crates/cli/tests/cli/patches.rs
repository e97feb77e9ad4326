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
    --- stderr
    error: patch-work/f/app-misc/leaf-1.0 has changes that are not saved
    hint: save them with `farm patch save`, or throw them away with --force
    --- status 2
    ");
    assert_run!(patch(&space, &["save", "app-misc/leaf"]), @r"
    --- stdout
    saved as profiles/common/patches/app-misc/leaf-1.0/leaf.patch
    it is for app-misc/leaf-1.0
    --- status 0
    ");
    let saved = "profiles/common/patches/app-misc/leaf-1.0/leaf.patch";
    insta::assert_snapshot!(space.read(saved), @r"
    diff --git a/leaf.c b/leaf.c
    index 53a94ed032a925e53a929f9342eb79a9a0c794dd..d22700d5f343a7b4b1419a50b8122020dced3ae5 100644
    --- a/leaf.c
    +++ b/leaf.c
    @@ -1 +1 @@
    -winter
    +spring
    ");
    // What is saved is no change any more.
    assert_run!(patch(&space, &["save", "app-misc/leaf"]), @r"
    --- stderr
    error: nothing is changed in $SPACE/workspace/patch-work/f/app-misc/leaf-1.0
    hint: edit something there
    --- status 2
    ");
    space.write(&format!("{TREE}/leaf.c"), "summer\n");
    assert_run!(patch(&space, &["save", "f", "app-misc/leaf", "--for", "any"]), @r"
    --- stderr
    error: profiles/common/patches/app-misc/leaf-1.0/leaf.patch is there already: of two patches called leaf.patch, Portage would apply one to a version that both are for
    hint: give this one another name with --name, or remove that one with `farm patch drop app-misc/leaf-1.0 leaf.patch`
    --- status 2
    ");
    assert_run!(patch(&space, &["drop", "app-misc/leaf", "other"]), @r"
    --- stderr
    error: there is no user patch other for app-misc/leaf
    hint: `farm patch list` lists them
    --- status 2
    ");
    assert_run!(patch(&space, &["drop", "app-misc/leaf", "leaf"]), @r"
    --- stdout
    removed profiles/common/patches/app-misc/leaf-1.0/leaf.patch
    --- status 0
    ");
    assert!(!space.exists("profiles/common/patches") && space.exists("profiles/common"));
    assert_run!(patch(&space, &["drop", "--force", "leaf"]), @r"
    --- stdout
    removed patch-work/f/app-misc/leaf-1.0
    --- status 0
    ");
    assert!(!space.exists("patch-work/f"));
    assert_run!(patch(&space, &["list"]), @r"
    --- stdout
    no user patches, and no work trees
    --- status 0
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
    --- stderr
    error: leaf.patch would be applied before zz.patch, on top of which it was made: the order is that of the names
    hint: take a name behind it, such as `--name zz_leaf`
    --- status 2
    ");
    assert_run!(patch(&space, &["save", "leaf", "--name", "zz"]), @r"
    --- stderr
    error: profiles/common/patches/app-misc/leaf/zz.patch is there already: of two patches called zz.patch, Portage would apply one to a version that both are for
    hint: give this one another name with --name, or remove that one with `farm patch drop app-misc/leaf zz.patch`
    --- status 2
    ");
    assert_run!(patch(&space, &["save", "leaf", "--name", "a/b"]), @r"
    --- stderr
    error: `a/b` cannot be the name of a patch
    hint: letters, digits, `.`, `_`, `+` and `-`, a letter or digit first
    --- status 2
    ");
    assert!(!space.exists("profiles/common/patches/app-misc/leaf-1.0"));
    let ended = patch(&space, &["save", "leaf", "--name", "zz_leaf"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
}

#[test]
fn layers_that_the_manifest_does_not_name() {
    let space = space("");
    assert_run!(patch(&space, &["save", "leaf"]), @r"
    --- stderr
    error: f has no configuration layer
    hint: `--layer f` makes one, and says what the manifest needs
    --- status 2
    ");
    assert_run!(patch(&space, &["save", "leaf", "--layer", "f"]), @r"
    --- stdout
    saved as profiles/f/patches/app-misc/leaf-1.0/leaf.patch
    it is for app-misc/leaf-1.0
    f does not use that layer yet: add `config: [f]` to `binfarm:` (farms/f/farm.yaml:3)
    --- status 0
    ");
    assert!(space.exists("profiles/f/patches/app-misc/leaf-1.0/leaf.patch"));
    // It is not the farm's yet, and still nothing is written over it.
    space.write(&format!("{TREE}/leaf.c"), "summer\n");
    assert_run!(patch(&space, &["save", "leaf", "--layer", "f"]), @r"
    --- stderr
    error: profiles/f/patches/app-misc/leaf-1.0/leaf.patch is there already
    hint: give this one another name with --name, or remove that file
    --- status 2
    ");
    let used = self::space("  config: [common]\n");
    assert_run!(patch(&used, &["save", "leaf", "--layer", "mine"]), @r"
    --- stdout
    saved as profiles/mine/patches/app-misc/leaf-1.0/leaf.patch
    it is for app-misc/leaf-1.0
    f does not use that layer yet: add `mine` to `config:` of `binfarm:`, behind `common` (farms/f/farm.yaml:6)
    --- status 0
    ");
}

#[test]
fn words_that_mean_nothing() {
    let space = space("  config: [common]\n");
    assert_run!(patch(&space, &["save"]), @r"
    --- stderr
    error: which package?
    hint: name one, such as `app-misc/leaf`
    --- status 2
    ");
    assert_run!(patch(&space, &["try", "app-misc/other"]), @r"
    --- stderr
    error: f has no work tree of app-misc/other
    hint: `farm patch prep f app-misc/other` makes one; there is app-misc/leaf-1.0
    --- status 2
    ");
    assert_run!(patch(&space, &["prep", "a/b", "c/d"]), @r"
    --- stderr
    error: one package at a time: a/b, c/d
    hint: `a/b` is no farm of this workspace, so it was taken for a package
    --- status 2
    ");
    assert_run!(patch(&space, &["list", "nowhere"]), @r"
    --- stderr
    error: `nowhere` is no farm here
    hint: `farm patch list` takes a farm
    --- status 2
    ");
    let plain = Space::with_farm("f", "farm: f\ntasks: { t: { in: host, run: 'true' } }\n");
    assert_run!(patch(&plain, &["prep", "a/b"]), @r"
    --- stderr
    error: f has no `binfarm:`, so it has no packages to patch
    --- status 2
    ");
    assert_run!(patch(&plain, &["list"]), @r"
    --- stdout
    no user patches, and no work trees
    --- status 0
    ");
}

#[test]
fn without_an_engine_nothing_is_prepared() {
    let space = space("  config: [common]\n");
    let ended = patch(&space, &["try", "leaf"]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert_eq!(space.read(&format!("{TREE}/leaf.c")), "spring\n");
}
