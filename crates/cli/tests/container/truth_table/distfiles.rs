//! Sources that are fetched, keyed by their hashes.

use super::{EXTRA, EXTRA_EBUILD, EXTRA_TEXT, MANIFEST, OVERLAY, PLANS, PRODUCTS};
use crate::support::FarmSpace;

const FETCH: &str = "fetch/extra-1.0.txt";

/// Puts the source file where the farm looks, and its hash where the ebuild's Manifest has it.
fn distfile(space: &FarmSpace, content: &str) {
    space.write("farms/tiny/distfiles/extra-1.0.txt", content);
    space.write(&format!("{OVERLAY}/app-misc/extra/Manifest"), manifest(content));
}

/// A Manifest line. BLAKE2B is what Portage's Manifests have, and what the tree's thin ones are checked with.
fn manifest(content: &str) -> String {
    use blake2::Digest as _;
    let hash = blake2::Blake2b512::digest(content.as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("DIST extra-1.0.txt {} BLAKE2B {hex}\n", content.len())
}

#[test]
fn hashes() {
    let space = FarmSpace::ready();
    let text = EXTRA_TEXT
        .replace("LICENSE=", "SRC_URI=\"https://example.org/${P}.txt\"\nLICENSE=")
        .replace(
            "echo \"extra ${PV}\" > extra || die",
            "cp \"${DISTDIR}/${A}\" extra || die",
        );
    space.write(&format!("{OVERLAY}/{EXTRA_EBUILD}"), text);
    distfile(&space, "one\n");
    space.edit(MANIFEST, "flavour:", "distfiles: { dir: distfiles }\n\nflavour:");
    space.edit(
        MANIFEST,
        "app-misc/leaf -upper ",
        "app-misc/extra\n      app-misc/leaf -upper ",
    );
    space.runs(
        "a package with a source file",
        &[&["repo/tiny", FETCH, EXTRA], PLANS, PRODUCTS],
    );

    distfile(&space, "two\n");
    space.runs("another source file", &[&["repo/tiny", FETCH, EXTRA], PLANS, PRODUCTS]);

    // What was fetched is kept: the folder may go.
    space.remove("farms/tiny/distfiles/extra-1.0.txt");
    space.edit(
        &format!("{OVERLAY}/{EXTRA_EBUILD}"),
        "insinto /usr/share",
        "insinto /usr/lib",
    );
    space.runs(
        "another ebuild with the same source file",
        &[&["repo/tiny", EXTRA], PLANS, PRODUCTS],
    );
}
