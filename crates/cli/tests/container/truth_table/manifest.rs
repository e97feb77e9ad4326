//! The profile and the variables of the manifest.

use super::{LEAF, MANIFEST, OVERLAY, PACKAGES, PLANS, PRODUCTS};
use crate::support::FarmSpace;

#[test]
fn the_profile() {
    let space = FarmSpace::ready();
    let profile = format!("{OVERLAY}/profiles/binfarm/loud");
    space.write(&format!("{profile}/eapi"), "8\n");
    space.write(&format!("{profile}/parent"), "../opt\n");
    space.write(&format!("{profile}/package.use.force"), "app-misc/leaf upper\n");
    space.runs("a profile that nobody has", &[&["repo/tiny"], PLANS]);
    space.edit(
        MANIFEST,
        "profile: tiny:binfarm/${BINFARM_TYPE}",
        "profile: tiny:binfarm/loud",
    );
    space.runs("another profile", &[&[LEAF], PLANS, PRODUCTS]);
    space.edit(
        MANIFEST,
        "profile: tiny:binfarm/loud",
        "profile: tiny:binfarm/${BINFARM_TYPE}",
    );
    space.runs("the profile as it was", &[&["binhost"]]);
}

#[test]
fn the_type() {
    let space = FarmSpace::ready();
    let dbg = || space.build(&["BINFARM_TYPE=dbg"]);
    dbg().assert_ran("opt to dbg", &super::nodes(&[PLANS, PACKAGES, PRODUCTS]));
    space.runs("back to opt", &[]);
    dbg().assert_ran("and to dbg", &[]);
    for flavour in ["opt", "dbg"] {
        let index = space.read(&format!(".farm/binhost/tiny/{}.{flavour}/Packages", space.flavour()));
        assert!(index.contains("PACKAGES: 4"), "each has its own binhost: {index}");
    }
}
