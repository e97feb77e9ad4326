//! Packages that need each other to be built.

use crate::support::{FarmSpace, OVERLAY, Output, Part, docker, weekly_base, weekly_manifest};

const MANIFEST: &str = "farms/tiny/farm.yaml";

fn manifest(space: &FarmSpace, binfarm: &str, members: &str) -> String {
    let rest =
        format!("subjects:\n  all: {{ packages: [{members}] }}\nimages:\n  all: {{ from: base, subjects: [all] }}\n");
    weekly_manifest(space, weekly_base(), binfarm, &rest)
}

/// The packages that were built, as their nodes are called below `pkg/`.
fn packages(output: &Output) -> Vec<String> {
    let ran = output.ran().into_iter();
    ran.filter_map(|name| Some(name.strip_prefix("tiny:pkg/")?.to_owned()))
        .collect()
}

/// What a command prints in the image of all packages.
fn in_image(space: &FarmSpace, command: &[&str]) -> String {
    let image = format!("farm/tiny-all:{}.opt", space.flavour());
    let words = [
        "run",
        "--rm",
        "--label",
        "org.farm.test=1",
        "--network",
        "none",
        "--entrypoint",
    ];
    docker(&[&words[..], &command[..1], &[&image], &command[1..]].concat())
}

#[test]
fn flags_break_a_circle_and_what_was_built_first_is_seen_by_nobody() {
    let space = FarmSpace::weekly();
    Part::new("dev-libs/zlib-1.0").write(&space);
    // freetype and harfbuzz as they are in Gentoo, and zlib, which the first freetype needs as well.
    Part::new("dev-libs/freetype-1.0")
        .head("IUSE=\"+harfbuzz\"")
        .uses("dev-libs/zlib harfbuzz? ( dev-libs/harfbuzz )")
        .built_from(&["zlib"])
        .compile("\tif use harfbuzz; then\n\techo with harfbuzz >> freetype || die\n")
        .built_from(&["harfbuzz"])
        .compile("\tfi\n")
        .write(&space);
    Part::new("dev-libs/harfbuzz-1.0")
        .uses("dev-libs/freetype")
        .built_from(&["freetype"])
        .write(&space);
    Part::new("app-misc/viewer-1.0")
        .uses("dev-libs/freetype")
        .built_from(&["freetype"])
        .write(&space);
    space.write(MANIFEST, manifest(&space, "", "app-misc/viewer"));
    let refused = space.farm(&["build", "tiny"]).ended(2);
    let line = "bootstrap: { dev-libs/freetype: { use: [-harfbuzz] } }";
    assert!(refused.stderr.contains(line), "{refused}");

    // The line as it was offered.
    space.write(MANIFEST, manifest(&space, &format!("  {line}\n"), "app-misc/viewer"));
    let output = space.build(&[]);
    assert_eq!(
        packages(&output),
        [
            "app-misc/viewer-1.0",
            "dev-libs/freetype-1.0",
            "dev-libs/freetype-1.0@bootstrap",
            "dev-libs/harfbuzz-1.0",
            "dev-libs/zlib-1.0",
        ],
        "{output}"
    );
    let parts = ["harfbuzz", "viewer"].map(|part| format!("/usr/share/parts/{part}"));
    let use_flags = "/var/db/pkg/dev-libs/freetype-1.0/USE";
    let said = in_image(&space, &["cat", &parts[0], &parts[1], use_flags]);
    let harfbuzz = "harfbuzz 1.0\nfreetype 1.0\nzlib 1.0\n";
    let viewer = format!("viewer 1.0\nfreetype 1.0\nzlib 1.0\nwith harfbuzz\n{harfbuzz}");
    let flags = said.strip_prefix(&format!("{harfbuzz}{viewer}"));
    assert!(flags.is_some_and(|flags| flags.contains("harfbuzz")), "{said}");
    let index = space.read(&format!(".farm/binhost/tiny/{}.opt/Packages", space.flavour()));
    assert_eq!(index.matches("CPV: dev-libs/freetype-1.0\n").count(), 1, "{index}");
    space.build(&[]).assert_ran("nothing changed", &[]);

    // What only breaks the circle is no part of what is built otherwise.
    space.edit(
        &format!("{OVERLAY}/dev-libs/zlib/zlib-1.0.ebuild"),
        "A part",
        "The part",
    );
    let output = space.farm(&["build", "tiny:pkgs", "--json"]).succeeded();
    assert_eq!(packages(&output), ["dev-libs/zlib-1.0"], "{output}");
}

#[test]
fn what_comes_after_a_package_may_be_built_with_it() {
    let space = FarmSpace::weekly();
    // clang wants its runtime beside it when it is used, that needs compiler-rt, and compiler-rt is built with clang, which then is without.
    Part::new("dev-util/clang-1.0")
        .head("PDEPEND=\"dev-libs/clang-runtime\"")
        .write(&space);
    Part::new("dev-libs/clang-runtime-1.0")
        .head("RDEPEND=\"dev-libs/compiler-rt\"")
        .write(&space);
    Part::new("dev-libs/compiler-rt-1.0")
        .built_with("dev-util/clang")
        .built_from(&["clang"])
        .compile("\t[[ ! -e /usr/share/parts/clang-runtime ]] || die\n")
        .write(&space);
    Part::new("app-misc/program-1.0")
        .built_with("dev-util/clang")
        .built_from(&["clang", "clang-runtime", "compiler-rt"])
        .write(&space);
    space.write(MANIFEST, manifest(&space, "", "app-misc/program, dev-util/clang"));
    let output = space.build(&[]);
    assert_eq!(
        packages(&output),
        [
            "app-misc/program-1.0",
            "dev-libs/clang-runtime-1.0",
            "dev-libs/compiler-rt-1.0",
            "dev-util/clang-1.0"
        ],
        "{output}"
    );
    // Whoever has clang has what comes after it.
    let parts = in_image(&space, &["ls", "/usr/share/parts"]);
    for part in ["clang", "clang-runtime", "compiler-rt"] {
        assert!(parts.lines().any(|line| line == part), "no {part} in {parts}");
    }
    space.build(&[]).assert_ran("nothing changed", &[]);
}

#[test]
fn two_tools_that_are_built_with_each_other_are_built_with_those_of_the_base() {
    let space = FarmSpace::weekly();
    for (tool, other) in [("aa", "cc"), ("cc", "aa")] {
        Part::new(&format!("dev-util/{tool}-2.0"))
            .built_with(&format!("dev-util/{other}"))
            .built_from(&[other])
            .write(&space);
    }
    // No line is needed: one is built with the other of the base, and that with the new one.
    space.write(MANIFEST, manifest(&space, "", "dev-util/aa, dev-util/cc"));
    let output = space.build(&[]);
    assert_eq!(packages(&output), ["dev-util/aa-2.0", "dev-util/cc-2.0"], "{output}");
    let said = in_image(&space, &["cat", "/usr/share/parts/aa", "/usr/share/parts/cc"]);
    assert_eq!(said, "aa 2.0\ncc 1.0\naa 1.0\ncc 2.0\naa 2.0\ncc 1.0\naa 1.0");
    space.build(&[]).assert_ran("nothing changed", &[]);
}
