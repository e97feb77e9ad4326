//! The ebuild tree as an image with a tag, as Gentoo's is had (`gentoo/portage:TAG`).

use fs_err as fs;

use super::{EXTRA, EXTRA_TEXT, MANIFEST, PACKAGES, PLANS, PRODUCTS};
use crate::support::{FarmSpace, docker, remove_tags};

/// Tags of one test; gone when dropped.
struct Trees {
    name: String,
}

impl Trees {
    fn new(space: &FarmSpace) -> Self {
        Self {
            name: format!("farm-test/portage-{}", space.flavour()),
        }
    }

    /// Makes an image of the workspace's tree, at the path where such images have it.
    fn make(&self, space: &FarmSpace, tag: &str) {
        let context = space.folder().join(format!("tree-{tag}"));
        fs::create_dir(&context).unwrap();
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([space.path("farms/tiny/gentoo"), context.join("gentoo")])
            .status()
            .unwrap();
        assert!(copied.success());
        fs::write(
            context.join("Dockerfile"),
            "FROM scratch\nLABEL org.farm.test=1\nCOPY gentoo /var/db/repos/gentoo\nCMD [\"/none\"]\n",
        )
        .unwrap();
        docker(&[
            "build",
            "--quiet",
            "--tag",
            &format!("{}:{tag}", self.name),
            &context.to_string_lossy(),
        ]);
    }
}

impl Drop for Trees {
    fn drop(&mut self) {
        remove_tags(&format!("{}:*", self.name));
    }
}

#[test]
fn the_tag() {
    let space = FarmSpace::ready();
    let trees = Trees::new(&space);
    let ebuild = "farms/tiny/gentoo/app-misc/extra/extra-1.0.ebuild";
    trees.make(&space, "one");
    space.write(ebuild, EXTRA_TEXT);
    trees.make(&space, "two");
    space.edit(ebuild, "extra ${PV}", "more ${PV}");
    trees.make(&space, "three");
    space.edit(
        "farms/tiny/gentoo/profiles/default/linux/amd64/make.defaults",
        "-Wl,-O1",
        "-Wl,-O2",
    );
    trees.make(&space, "four");

    space.edit(MANIFEST, "vars:\n", "vars:\n  PORTAGE_TAG: one\n");
    space.edit(
        MANIFEST,
        "gentoo: { path: gentoo }",
        &format!("gentoo: {{ image: \"{}:${{PORTAGE_TAG}}\" }}", trees.name),
    );
    space.runs("the same tree, as an image", &[&["repo/gentoo"]]);
    let tag = |tag: &str| space.build(&[&format!("PORTAGE_TAG={tag}")]);
    tag("two").assert_ran("a tree with a package more", &super::nodes(&[&["repo/gentoo"], PLANS]));

    space.edit(
        MANIFEST,
        "app-misc/leaf -upper ",
        "app-misc/extra\n      app-misc/leaf -upper ",
    );
    tag("two").assert_ran(
        "a member from the tree",
        &super::nodes(&[&["plan/apps", "plan", EXTRA], PRODUCTS]),
    );
    let changed = super::nodes(&[&["repo/gentoo", EXTRA], PLANS, PRODUCTS]);
    tag("three").assert_ran("a tree with another ebuild of it", &changed);
    let output = space.farm(&["build", "tiny:pkgs", "PORTAGE_TAG=four", "--json"]);
    output.assert_ran(
        "a tree with other LDFLAGS",
        &super::nodes(&[&["repo/gentoo", EXTRA], PLANS, PACKAGES]),
    );
    tag("three").assert_ran("the former tree", &[]);
}
