//! Packages that need each other to be built.

use crate::support::{FarmSpace, docker};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const OVERLAY: &str = "farms/tiny/overlay";

fn manifest(space: &FarmSpace, binfarm: &str, members: &str) -> String {
    format!(
        "farm: tiny\nflavour: {}.opt\nbinfarm:\n  base: {{ image: \"{}\" }}\n  \
         repos: {{ gentoo: {{ path: gentoo }}, tiny: {{ path: overlay }} }}\n  \
         profile: tiny:binfarm/opt\n  config: [common]\n{binfarm}\
         subjects:\n  all: {{ packages: [{members}] }}\nimages:\n  all: {{ from: base, subjects: [all] }}\n",
        space.flavour(),
        crate::support::base_image(),
    )
}

/// An ebuild that fails unless what it is built with is there.
fn ebuild(space: &FarmSpace, package: &str, lines: &str, script: &str) {
    let name = package.rsplit('/').next().unwrap();
    let text = format!(
        "EAPI=8\nDESCRIPTION=\"A part\"\nHOMEPAGE=\"https://example.org/\"\nLICENSE=\"MIT\"\nSLOT=\"0\"\nKEYWORDS=\"amd64\"\n\
         S=\"${{WORKDIR}}\"\n{lines}\nsrc_compile() {{\n\techo {name} > {name} || die\n{script}}}\n\n\
         src_install() {{\n\tinsinto /usr/share/parts\n\tdoins {name}\n}}\n"
    );
    space.write(&format!("{OVERLAY}/{package}/{name}-1.0.ebuild"), text);
}

fn needs(part: &str) -> String {
    format!("\tcat /usr/share/parts/{part} >> ${{PN}} || die\n")
}

#[test]
fn flags_break_a_circle_and_what_was_built_first_is_seen_by_nobody() {
    let space = FarmSpace::new();
    ebuild(&space, "dev-libs/zlib", "", "");
    // freetype and harfbuzz as they are in Gentoo, and zlib, which the first freetype needs as well.
    ebuild(
        &space,
        "dev-libs/freetype",
        "IUSE=\"+harfbuzz\"\nRDEPEND=\"dev-libs/zlib harfbuzz? ( dev-libs/harfbuzz )\"\nDEPEND=\"${RDEPEND}\"",
        &format!(
            "{}\tif use harfbuzz; then\n\techo with harfbuzz >> freetype || die\n{}\tfi\n",
            needs("zlib"),
            needs("harfbuzz")
        ),
    );
    ebuild(
        &space,
        "dev-libs/harfbuzz",
        "RDEPEND=\"dev-libs/freetype\"\nDEPEND=\"${RDEPEND}\"",
        &needs("freetype"),
    );
    ebuild(
        &space,
        "app-misc/viewer",
        "RDEPEND=\"dev-libs/freetype\"\nDEPEND=\"${RDEPEND}\"",
        &needs("freetype"),
    );
    space.write(MANIFEST, manifest(&space, "", "app-misc/viewer"));
    let refused = space.farm(&["build", "tiny"]).ended(2);
    let line = "bootstrap: { dev-libs/freetype: { use: [-harfbuzz] } }";
    assert!(refused.stderr.contains(line), "{refused}");

    // The line as it was offered.
    space.write(MANIFEST, manifest(&space, &format!("  {line}\n"), "app-misc/viewer"));
    let output = space.build(&[]);
    let packages: Vec<String> = output.ran().into_iter().filter(|name| name.contains(":pkg/")).collect();
    assert_eq!(
        packages,
        [
            "tiny:pkg/app-misc/viewer-1.0",
            "tiny:pkg/dev-libs/freetype-1.0",
            "tiny:pkg/dev-libs/freetype-1.0@bootstrap",
            "tiny:pkg/dev-libs/harfbuzz-1.0",
            "tiny:pkg/dev-libs/zlib-1.0",
        ],
        "{output}"
    );
    let image = format!("farm/tiny-all:{}.opt", space.flavour());
    let read = |path: &str| {
        docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "--entrypoint",
            "/bin/cat",
            &image,
            path,
        ])
    };
    let harfbuzz = read("/usr/share/parts/harfbuzz");
    assert_eq!(harfbuzz, "harfbuzz\nfreetype\nzlib");
    assert!(read("/usr/share/parts/viewer").contains("with harfbuzz"));
    assert!(read("/var/db/pkg/dev-libs/freetype-1.0/USE").contains("harfbuzz"));
    let index = space.read(&format!(".farm/binhost/tiny/{}.opt/Packages", space.flavour()));
    assert_eq!(index.matches("CPV: dev-libs/freetype-1.0\n").count(), 1, "{index}");
    space.build(&[]).assert_ran("nothing changed", &[]);

    // What only breaks the circle is no part of what is built otherwise.
    space.edit(
        &format!("{OVERLAY}/dev-libs/zlib/zlib-1.0.ebuild"),
        "A part",
        "The part",
    );
    let output = space.build(&[]);
    assert!(output.ran().contains("tiny:pkg/dev-libs/zlib-1.0"), "{output}");
    assert!(!output.ran().contains("tiny:pkg/app-misc/viewer-1.0"), "{output}");
}

#[test]
fn what_comes_after_a_package_may_be_built_with_it() {
    let space = FarmSpace::new();
    // clang wants compiler-rt beside it when it is used, and compiler-rt is built with clang.
    ebuild(&space, "dev-util/clang", "PDEPEND=\"dev-libs/compiler-rt\"", "");
    ebuild(
        &space,
        "dev-libs/compiler-rt",
        "BDEPEND=\"dev-util/clang\"",
        &needs("clang"),
    );
    ebuild(
        &space,
        "app-misc/program",
        "BDEPEND=\"dev-util/clang\"",
        &(needs("clang") + &needs("compiler-rt")),
    );
    space.write(MANIFEST, manifest(&space, "", "app-misc/program, dev-util/clang"));
    let output = space.build(&[]);
    for package in ["app-misc/program", "dev-libs/compiler-rt", "dev-util/clang"] {
        assert!(output.ran().contains(&format!("tiny:pkg/{package}-1.0")), "{output}");
    }
    space.build(&[]).assert_ran("nothing changed", &[]);
}
