//! The binfarm root: literal files and scripts.

use super::{BAR, LEAF, LIBFOO, PACKAGES, PLANS, TOOL};
use crate::support::{FarmSpace, docker};

#[test]
fn a_literal_file_that_is_gone() {
    let space = FarmSpace::ready();
    space.remove("farms/tiny/root.d/etc/tiny.conf");
    // The packages may have read it; since they did not, what is made of them is cut off.
    let output = space.runs("a deleted file of the root", &[&["root", "binfarm"], PLANS, PACKAGES]);
    output.assert_cut_off(&["binhost", "image/leaf"]);
}

#[test]
fn a_literal_file_that_can_be_executed() {
    let space = FarmSpace::ready();
    space.chmod("farms/tiny/root.d/usr/local/bin/tiny-conf", 0o640);
    space.runs_for(TOOL, "no executable bit", &[&["root", TOOL], PLANS]);
    space.chmod("farms/tiny/root.d/usr/local/bin/tiny-conf", 0o755);
    space.runs("the executable bit again", &[]);
    space.chmod("farms/tiny/root.d/usr/local/bin/tiny-conf", 0o700);
    space.runs("other modes than the executable bit", &[]);
}

#[test]
fn a_script() {
    let space = FarmSpace::ready();
    space.edit(
        "farms/tiny/bootstrap.sh",
        "set -eu\n",
        "set -eu\n# To the same effect.\n",
    );
    let output = space.runs("a script with the same result", &[&["root"]]);
    output.assert_cut_off(&["plan/libs", "plan/apps", "binfarm"]);

    space.edit("farms/tiny/bootstrap.sh", "made by bootstrap.sh", "made otherwise");
    space.runs_for(TOOL, "a script with another result", &[&["root", TOOL], PLANS]);

    // This root is nobody else's, so that it may be taken away.
    let image = space.place("tiny:root", "image");
    docker(&["image", "rm", "--force", image["id"].as_str().unwrap()]);
    let why = space.farm(&["why", "tiny:root"]).succeeded();
    assert!(why.stdout.contains("gone"), "{why}");
    // The same root again: what was built on it stays.
    space.runs_for(TOOL, "a root that is gone", &[&["root"]]);
    space.runs_for("pkgs", "the rest on that root", &[&[LIBFOO, BAR, LEAF]]);
}
