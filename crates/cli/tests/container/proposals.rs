//! `farm update` proposes what is newer at a registry and in git, writes it, and says what the plan has otherwise then.

use fs_err as fs;

use crate::stand_ins::{RepositoryImage, another_commit, git, overlay_in_git};
use crate::support::FarmSpace;
use crate::support::registry::Registry;

const MANIFEST: &str = "farms/tiny/farm.yaml";
const LOCK: &str = "farms/tiny/farm.lock";

#[test]
fn newer_tags_are_proposed_written_and_planned() {
    let registry = Registry::start();
    let space = FarmSpace::ready();
    for tag in ["20251101", "20251108", "latest", "systemd-20251201"] {
        let image = RepositoryImage::new(tag, &space.path("farms/tiny/gentoo"));
        registry.push(&image.0, &format!("gentoo/portage:{tag}"));
    }
    space.remove("farms/tiny/gentoo");
    let name = format!("{}/gentoo/portage", registry.address());
    let image = format!("gentoo: {{ image: \"{name}:${{PORTAGE_TAG}}\" }}");
    space.edit(MANIFEST, "gentoo: { path: gentoo }", &image);
    let vars = "vars:\n  PORTAGE_TAG: 20251101   # of the tree\n";
    space.edit(MANIFEST, "vars:\n", vars);
    let (folder, first) = overlay_in_git(&space);
    git(&folder, &["tag", "v1.0"]);
    let url = format!("file://{}", folder.display());
    space.edit(
        MANIFEST,
        "tiny: { path: overlay }",
        &format!("tiny: {{ git: \"{url}\", tag: v1.0 }}"),
    );
    space
        .build(&[])
        .assert_ran("the same trees, from elsewhere", &["repo/gentoo", "repo/tiny"]);
    assert!(
        space
            .read(LOCK)
            .contains(&format!("\"{url}#refs/tags/v1.0\" = \"{first}\""))
    );

    // A new version of a package, in a tag that is an object of its own.
    let ebuilds = folder.join("dev-libs/bar");
    fs::rename(ebuilds.join("bar-2.0.ebuild"), ebuilds.join("bar-2.1.ebuild")).unwrap();
    let second = another_commit(&folder, "AUTHORS");
    git(&folder, &["tag", "-a", "-m", "The second", "v1.1"]);
    let before = space.read(MANIFEST);
    let proposed = space.farm(&["update", "tiny"]).succeeded();
    let line_of = |text: &str| before.lines().position(|line| line.contains(text)).unwrap() + 1;
    let lines = format!(
        "binfarm.repos.gentoo: tag 20251101 -> 20251108 ({MANIFEST}:{})\nbinfarm.repos.tiny: tag v1.0 -> v1.1 ({MANIFEST}:{})\n",
        line_of("gentoo: { image"),
        line_of("tiny: { git")
    );
    assert!(proposed.stdout.starts_with(&lines), "{proposed}");
    assert!(
        proposed
            .stderr
            .contains("`farm update --write` puts what is newer into the manifest"),
        "{proposed}"
    );
    assert!(
        proposed
            .stdout
            .ends_with("\ntiny: 0 added, 0 removed, 0 otherwise, 6 the same\n"),
        "{proposed}"
    );
    assert_eq!(space.read(MANIFEST), before);

    let written = space.farm(&["update", "tiny", "--write"]).succeeded();
    let after = before
        .replace(
            "PORTAGE_TAG: 20251101   # of the tree",
            "PORTAGE_TAG: 20251108   # of the tree",
        )
        .replace("tag: v1.0 }", "tag: v1.1 }");
    assert_eq!(space.read(MANIFEST), after);
    assert!(
        written.stdout.contains("dev-libs/bar-2.1:0/7::tiny [2.0:0/7::tiny]"),
        "{written}"
    );
    assert!(
        written
            .stdout
            .contains("tiny: libs, after the update\n~ dev-libs/bar-2.1::tiny [2.0]"),
        "{written}"
    );
    let lock = space.read(LOCK);
    assert!(
        lock.contains(&format!("\"{url}#refs/tags/v1.1\" = \"{second}\"")),
        "{lock}"
    );
    assert!(lock.contains("portage:20251108\" = \"sha256:"), "{lock}");
    assert!(!lock.contains("20251101") && !lock.contains("v1.0"), "{lock}");

    let words = ["update", "tiny", "--json"];
    let json: serde_json::Value = serde_json::from_str(&space.farm(&words).succeeded().stdout).unwrap();
    assert_eq!(json["proposals"], serde_json::json!([]));
    assert_eq!(json["difference"][0]["same"], 6);
}
