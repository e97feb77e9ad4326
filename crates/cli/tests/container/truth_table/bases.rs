//! The base: it enters a package's key only with what that package uses of it.

use super::{LEAF, MANIFEST, OVERLAY, PLANS};
use crate::support::{FarmSpace, Variant, base_image};

/// What stands on the base and its image, whatever is in it.
const IMAGES: &[&str] = &["base", "root", "binfarm", "image/leaf", "task/greet"];

#[test]
fn the_same_versions() {
    let space = FarmSpace::ready();
    let other = Variant::new("touch -d @1600000000 /usr/bin/make /usr/bin/patch");
    space.edit(MANIFEST, base_image(), other.name());
    space.runs("a base with the same versions", &[IMAGES]);
}

#[test]
fn another_version() {
    let space = FarmSpace::ready();
    space.edit(
        &format!("{OVERLAY}/app-misc/leaf/leaf-1.0.ebuild"),
        "BDEPEND=\"dev-util/tool\"",
        "BDEPEND=\"dev-util/tool dev-build/make\"",
    );
    space.runs_for(
        "pkgs",
        "a tool of the base that is declared",
        &[&["repo/tiny", LEAF], PLANS],
    );

    let bump = |from: &str, to: &str| format!("cd /var/db/pkg && mv {from} {to} && basename {to} > {to}/PF");
    let outside = Variant::new(&bump("net-misc/wget-1.21.3", "net-misc/wget-1.99"));
    space.edit(MANIFEST, base_image(), outside.name());
    space.runs_for(
        "pkgs",
        "another version of what nobody uses",
        &[&["base", "root"], PLANS],
    );

    let inside = Variant::new(&bump("dev-build/make-4.3", "dev-build/make-4.99"));
    space.edit(MANIFEST, outside.name(), inside.name());
    space.runs_for(
        "pkgs",
        "another version of what one uses",
        &[&["base", "root", LEAF], PLANS],
    );
}
