//! Changes to one package, and how far they reach.

use super::{
    BAR, EXTRA, EXTRA_EBUILD, EXTRA_TEXT, LEAF, LIBFOO, MANIFEST, OVERLAY, PACKAGES, PLANS, PRODUCTS, QUESTIONS, TOOL,
};
use crate::support::FarmSpace;

const PATCH: &str = "profiles/greeting/patches/app-misc/leaf/answer.patch";

#[test]
fn an_ebuild_that_nothing_depends_on() {
    let space = FarmSpace::ready();
    let ebuild = format!("{OVERLAY}/app-misc/leaf/leaf-1.0.ebuild");
    space.edit(&ebuild, "\tdobin leaf\n", "\tdobin leaf\n\tnewbin leaf leaf2\n");
    space.runs("an edited ebuild", &[&["repo/tiny", LEAF], PLANS, PRODUCTS]);
    space.edit(&ebuild, "\tnewbin leaf leaf2\n", "");
    space.runs("the ebuild as it was", &[&["binhost"]]);

    space.edit(PATCH, "the answer is", "the sum is");
    space.runs("an edited user patch", &[&[LEAF], PLANS, PRODUCTS]);
    space.edit(PATCH, "the sum is", "the answer is");
    space.runs("the patch as it was", &[&["binhost"]]);
}

#[test]
fn a_comment_in_an_ebuild_reaches_nobody_else() {
    let space = FarmSpace::ready();
    let before = stanzas(&space);
    let ebuild = format!("{OVERLAY}/dev-libs/libfoo/libfoo-1.2.ebuild");
    space.edit(&ebuild, "EAPI=8\n", "# No more than a comment.\n\nEAPI=8\n");
    let output = space.runs("a comment in an ebuild", &[&["repo/tiny", LIBFOO], PLANS, PRODUCTS]);
    output.assert_cut_off(&[BAR, LEAF]);
    let after = stanzas(&space);
    assert_ne!(before[0], after[0], "libfoo's package, with its ebuild, is another one");
    assert_eq!(before[1..], after[1..], "nobody else's is");
}

/// What the binhost's index says of libfoo, and of all others.
fn stanzas(space: &FarmSpace) -> Vec<String> {
    let index = space.read(&format!(".farm/binhost/tiny/{}.opt/Packages", space.flavour()));
    let (libfoo, others): (Vec<&str>, Vec<&str>) = index
        .trim_end()
        .split("\n\n")
        .skip(1)
        .partition(|stanza| stanza.contains("CPV: dev-libs/libfoo"));
    assert!(!libfoo.is_empty() && others.len() == 3, "{index}");
    libfoo.into_iter().chain(others).map(str::to_owned).collect()
}

#[test]
fn a_source_file_that_others_are_linked_with() {
    let space = FarmSpace::ready();
    space.edit(
        &format!("{OVERLAY}/dev-libs/libfoo/files/foo.c"),
        "return 41;",
        "return 42;",
    );
    space.runs(
        "a file in files/",
        &[&["repo/tiny", LIBFOO, BAR, LEAF], PLANS, PRODUCTS],
    );
}

#[test]
fn an_eclass() {
    let space = FarmSpace::ready();
    space.edit(
        &format!("{OVERLAY}/eclass/tiny.eclass"),
        "cannot compile ${soname}",
        "${soname} does not compile",
    );
    space.runs_for("pkgs", "an edited eclass", &[&["repo/tiny"], PLANS, PACKAGES]);
}

#[test]
fn flags() {
    let space = FarmSpace::ready();
    space.edit(MANIFEST, "app-misc/leaf -upper", "app-misc/leaf upper");
    space.runs("a flag of a package", &[&[LEAF], PLANS, PRODUCTS]);
    let build_time = |space: &FarmSpace| {
        let index = space.read(&format!(".farm/binhost/tiny/{}.opt/Packages", space.flavour()));
        let leaf = index
            .split("\n\n")
            .find(|stanza| stanza.contains("CPV: app-misc/leaf-1.0"))
            .unwrap();
        let field = |name: &str| {
            leaf.lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap()
                .parse::<u64>()
                .unwrap()
        };
        assert_eq!(index.matches("CPV: app-misc/leaf-1.0").count(), 1, "{index}");
        (
            field("BUILD_TIME: "),
            field("BUILD_ID: "),
            leaf.lines()
                .any(|line| line.starts_with("USE: ") && line.contains(" upper")),
        )
    };
    let with_flag = build_time(&space);
    assert!(with_flag.2);

    space.edit(MANIFEST, "app-misc/leaf upper", "app-misc/leaf -upper");
    space.runs("the flag as it was", &[&["binhost"]]);
    let without = build_time(&space);
    assert!(!without.2);
    assert!(
        without.0 > with_flag.0 && without.1 > with_flag.1,
        "clients take the newest: {without:?} {with_flag:?}"
    );

    space.edit(
        "profiles/common/package.use/bar",
        "dev-libs/bar -noise",
        "dev-libs/bar -noise\ndev-libs/else loud",
    );
    // What clients get of the layers is another file then, which the plan holds.
    space.runs("a flag of a package that is not built", &[QUESTIONS, &["plan"]]);
    space.write("profiles/common/package.accept_keywords/else", "dev-libs/else ~amd64\n");
    space.runs("a file of a layer that applies to nothing", &[QUESTIONS, &["plan"]]);
}

#[test]
fn a_flag_that_others_see() {
    let space = FarmSpace::ready();
    space.edit(MANIFEST, "use: [-loud]", "use: [loud]");
    space.runs_for("pkgs", "a flag of a library", &[&[LIBFOO, BAR, LEAF], PLANS]);
    space.edit(MANIFEST, "use: [loud]", "use: [-loud]");
    space.runs("the flag as it was", &[]);
}

#[test]
fn a_layer_of_compiler_flags() {
    let space = FarmSpace::ready();
    space.edit("profiles/type/opt/make.conf", "-DNDEBUG", "-DNDEBUG -DNOTHING");
    space.runs_for(TOOL, "another layer", &[&[TOOL], PLANS]);
    space.edit("profiles/type/opt/make.conf", " -DNOTHING", "");
    space.write(
        "profiles/common/make.conf",
        "USE=\"-loud -noise -upper\"\nCFLAGS=\"-O1 -pipe\"\n",
    );
    space.runs_for("pkgs", "other CFLAGS", &[PLANS, PACKAGES]);
}

#[test]
fn a_new_package() {
    let space = FarmSpace::ready();
    space.write(&format!("{OVERLAY}/{EXTRA_EBUILD}"), EXTRA_TEXT);
    space.runs("an ebuild that nobody asks for", &[&["repo/tiny"], PLANS]);

    space.edit(
        MANIFEST,
        "config: [common,",
        "packages: { app-misc/extra: {} }\n  config: [common,",
    );
    space.runs(
        "a tool for people",
        &[&["plan/binfarm", "plan", EXTRA, "binhost", "binfarm"]],
    );
    space.edit(
        MANIFEST,
        "packages: { app-misc/extra: {} }\n  config: [common,",
        "config: [common,",
    );
    space.runs("no tools", &[&["binhost"]]);

    space.edit(
        MANIFEST,
        "app-misc/leaf -upper ",
        "app-misc/extra\n      app-misc/leaf -upper ",
    );
    space.runs("a member that nothing depends on", &[&["plan/apps", "plan"], PRODUCTS]);
}

#[test]
fn a_member_that_is_new() {
    let space = FarmSpace::ready();
    space.write(&format!("{OVERLAY}/{EXTRA_EBUILD}"), EXTRA_TEXT);
    space.edit(
        MANIFEST,
        "app-misc/leaf -upper ",
        "app-misc/extra\n      app-misc/leaf -upper ",
    );
    space.runs(
        "a new package that nothing depends on",
        &[&["repo/tiny", EXTRA], PLANS, PRODUCTS],
    );
}
