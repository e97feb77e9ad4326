//! What farm says of packages: which of them a change of files concerns, and why they run or do not.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::FarmSpace;

const OVERLAY: &str = "farms/tiny/overlay";
const LIBFOO: &str = "pkg/dev-libs/libfoo-1.2";
const BAR: &str = "pkg/dev-libs/bar-2.0";
const LEAF: &str = "pkg/app-misc/leaf-1.0";
const TOOL: &str = "pkg/dev-util/tool-1.0";
const PACKAGES: [&str; 4] = [LIBFOO, BAR, LEAF, TOOL];

fn affected(space: &FarmSpace, files: &[&str]) -> BTreeSet<String> {
    let output = space
        .farm(&[&["debug", "query", "affected", "--json"], files].concat())
        .succeeded();
    let names: Vec<String> = serde_json::from_str(&output.stdout).unwrap();
    names
        .iter()
        .map(|name| name.trim_start_matches("tiny:").to_owned())
        .collect()
}

/// The packages among what is affected.
fn packages(space: &FarmSpace, file: &str) -> Vec<&'static str> {
    let found = affected(space, &[file]);
    PACKAGES
        .into_iter()
        .filter(|package| found.contains(*package))
        .collect()
}

fn json(space: &FarmSpace, arguments: &[&str]) -> Value {
    let output = space.farm(&[arguments, &["--json"]].concat()).succeeded();
    serde_json::from_str(output.stdout.lines().next().unwrap_or_default()).unwrap()
}

#[test]
fn what_a_file_concerns() {
    let space = FarmSpace::ready();
    let bar = affected(&space, &[&format!("{OVERLAY}/dev-libs/bar/bar-2.0.ebuild")]);
    for name in [
        "repo/tiny",
        "plan",
        "plan/libs",
        BAR,
        LEAF,
        "binhost",
        "image/leaf",
        "task/greet",
    ] {
        assert!(bar.contains(name), "{name}: {bar:?}");
    }
    for name in [LIBFOO, TOOL, "root", "base", "repo/gentoo"] {
        assert!(!bar.contains(name), "{name}: {bar:?}");
    }
    for (file, expected) in [
        (
            "farms/tiny/overlay/dev-libs/libfoo/files/foo.c",
            &[LIBFOO, BAR, LEAF][..],
        ),
        // Not there (yet), in a folder that is.
        ("farms/tiny/overlay/dev-util/tool/tool-1.1.ebuild", &[LEAF, TOOL]),
        ("profiles/greeting/patches/app-misc/leaf-1.0/new.patch", &[LEAF]),
        ("farms/tiny/overlay/eclass/tiny.eclass", &PACKAGES),
        ("farms/tiny/overlay/eclass/other.eclass", &[]),
        ("profiles/common/make.conf", &PACKAGES),
        ("farms/tiny/overlay/profiles/package.mask", &PACKAGES),
        ("farms/tiny/root.d/etc/tiny.conf", &PACKAGES),
        ("farms/tiny/bootstrap.sh", &PACKAGES),
        ("farms/tiny/farm.yaml", &PACKAGES),
        ("farms/tiny/farm.lock", &PACKAGES),
        ("farms/tiny/overlay/README", &[]),
        ("profiles/type/dbg/make.conf", &[]),
    ] {
        assert_eq!(packages(&space, file), expected, "{file}");
    }
    // A subject that does not resolve makes the plan one that is not known, although the other's packages are.
    space.edit("farms/tiny/farm.yaml", "app-misc/leaf -upper", "app-misc/nosuch");
    let output = space
        .farm(&[
            "debug",
            "query",
            "affected",
            "farms/tiny/overlay/dev-libs/bar/files/bar.c",
        ])
        .succeeded();
    assert!(output.stdout.contains("tiny:image/leaf\n"), "{output}");
    assert!(output.stderr.contains("not all packages are listed"), "{output}");
    space.edit("farms/tiny/farm.yaml", "app-misc/nosuch", "app-misc/leaf -upper");
    // What is edited is affected, whatever the edit.
    space.edit("farms/tiny/overlay/dev-libs/libfoo/files/foo.c", "\n", "\n\n");
    assert_eq!(
        packages(&space, "farms/tiny/overlay/dev-libs/libfoo/files/foo.c"),
        [LIBFOO, BAR, LEAF]
    );
    // Portage chooses anew: what the new plan has, and this one cannot tell, is not up to date.
    let from = space.path(&format!("{OVERLAY}/dev-libs/libfoo/libfoo-1.2.ebuild"));
    let version = "farms/tiny/overlay/dev-libs/libfoo/libfoo-1.3.ebuild";
    fs_err::rename(from, space.path(version)).unwrap();
    let found = affected(&space, &[version]);
    for name in ["pkg/dev-libs/libfoo-1.3", BAR, LEAF] {
        assert!(found.contains(name), "{name}: {found:?}");
    }
    assert!(!found.contains(TOOL), "{found:?}");
}

#[test]
fn a_plan_that_cannot_be_made_here() {
    let space = FarmSpace::ready();
    space.edit("farms/tiny/overlay/dev-libs/libfoo/files/foo.c", "\n", "\n\n");
    let file = "farms/tiny/overlay/dev-libs/libfoo/files/foo.c";
    let mut command = space.command(&["debug", "query", "affected", file]);
    command.env("DOCKER_HOST", "unix:///nowhere.sock");
    let output = crate::support::run(command).succeeded();
    let found: BTreeSet<&str> = output.stdout.lines().collect();
    for name in [
        "tiny:repo/tiny",
        "tiny:plan",
        "tiny:binhost",
        "tiny:image/leaf",
        "tiny:env",
        "tiny:task/greet",
    ] {
        assert!(found.contains(name), "{name}: {output}");
    }
    assert!(
        output
            .stderr
            .contains("the plan of tiny is not known here: not all packages are listed"),
        "{output}"
    );
}

#[test]
fn packages_are_explained() {
    let space = FarmSpace::ready();
    let hash = json(&space, &["debug", "hash", BAR]);
    let guard = json(&space, &["debug", "guard", BAR]);
    assert_eq!((&hash["key"], &hash["inputs"]), (&guard["key"], &guard["inputs"]));
    assert_eq!(hash["built"]["key"], guard["key"]);

    let env = json(&space, &["why", "env"]);
    assert_eq!(env["apart"]["target"], "tiny:env", "{env}");
    let repo = json(&space, &["why", "repo/tiny"]);
    assert_eq!(repo.get("apart"), None, "a plan is made from it: {repo}");

    let needs = json(&space, &["debug", "query", "deps", LEAF, "--depth", "1"]);
    let needs: Vec<&str> = needs
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(
        needs.contains(&"tiny:pkg/dev-libs/bar-2.0") && needs.contains(&"tiny:root"),
        "{needs:?}"
    );
    let users = json(&space, &["debug", "query", "rdeps", LIBFOO]);
    let users: Vec<&str> = users
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(
        users.contains(&"tiny:image/leaf") && !users.contains(&"tiny:pkg/dev-util/tool-1.0"),
        "{users:?}"
    );

    // A comment: bar is built, and looks the same to leaf.
    space.edit(
        &format!("{OVERLAY}/dev-libs/bar/bar-2.0.ebuild"),
        "# Bound to the subslot",
        "# It is bound to the subslot",
    );
    let pending = json(&space, &["why", "image/leaf"]);
    let path: Vec<&str> = pending["path"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["node"].as_str().unwrap())
        .collect();
    assert_eq!(path, ["tiny:image/leaf", "tiny:pkg/dev-libs/bar-2.0"], "{pending}");
    let output = space.build(&[]).succeeded();
    assert!(output.ran().contains("tiny:pkg/dev-libs/bar-2.0"), "{output}");
    let leaf = json(&space, &["why", LEAF]);
    let same = leaf["same"].as_array().unwrap();
    let same: Vec<_> = same
        .iter()
        .map(|same| (same["node"].as_str(), same["output"].as_str()))
        .collect();
    assert_eq!(same, [(Some("tiny:pkg/dev-libs/bar-2.0"), Some("interface"))], "{leaf}");
}

#[test]
fn what_hangs_on_a_plan_that_fails() {
    let space = FarmSpace::ready();
    space.edit("farms/tiny/farm.yaml", "app-misc/leaf -upper", "app-misc/nosuch");
    let image = json(&space, &["why", "image/leaf"]);
    assert_eq!(
        (&image["state"], &image["skipped"]),
        (&Value::from("unknown"), &Value::from(true)),
        "{image}"
    );
    let path: Vec<&str> = image["path"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["node"].as_str().unwrap())
        .collect();
    assert_eq!(path, ["tiny:image/leaf", "tiny:plan/apps"]);
    let text = space.farm(&["why", "image/leaf"]).succeeded().stdout;
    let begin =
        "tiny:image/leaf cannot run: hangs on the output of tiny:plan/apps, which failed: Portage cannot resolve apps";
    assert!(text.starts_with(begin), "{text}");
    let output = space.farm(&["why", LEAF]);
    assert_eq!(output.status, Some(2), "{output}");
    assert!(
        output
            .stderr
            .contains("tiny:plan/apps failed: Portage cannot resolve apps"),
        "{output}"
    );
}
