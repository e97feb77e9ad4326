//! The root in generations, on a base of more than twenty packages of which two are built with each other.

use crate::support::{FarmSpace, Output, Variant, docker, image_exists};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const OVERLAY: &str = "farms/tiny/overlay";

/// What every manifest here has, for a base and more lines of `binfarm`.
fn manifest(space: &FarmSpace, base: &str, binfarm: &str, rest: &str) -> String {
    format!(
        "farm: tiny\nflavour: {}.opt\nbinfarm:\n  base: {{ image: \"{base}\" }}\n  \
         repos: {{ gentoo: {{ path: gentoo }}, tiny: {{ path: overlay }} }}\n  \
         profile: tiny:binfarm/opt\n  config: [common]\n{binfarm}{rest}",
        space.flavour()
    )
}

/// An ebuild that keeps what it was built from: its own name, and what `dependencies` left in the root.
fn ebuild(space: &FarmSpace, package: &str, version: &str, lines: &str, built_from: &[&str]) {
    let name = package.rsplit('/').next().unwrap();
    let parts: String = built_from
        .iter()
        .map(|part| format!("\tcat /usr/share/parts/{part} >> {name} || die\n"))
        .collect();
    let text = format!(
        "EAPI=8\nDESCRIPTION=\"A part\"\nHOMEPAGE=\"https://example.org/\"\nLICENSE=\"MIT\"\nSLOT=\"0\"\nKEYWORDS=\"amd64\"\n\
         S=\"${{WORKDIR}}\"\n{lines}\nsrc_compile() {{\n\techo {name} {version} > {name} || die\n{parts}}}\n\n\
         src_install() {{\n\tinsinto /usr/share/parts\n\tdoins {name}\n}}\n"
    );
    space.write(&format!("{OVERLAY}/{package}/{name}-{version}.ebuild"), text);
}

/// Twenty libraries, of which the first binds the second, and the third needs that; and two tools that are built with each other.
fn repository(space: &FarmSpace) {
    ebuild(space, "dev-libs/l00", "1.0", "SLOT=\"0/1\"", &[]);
    ebuild(
        space,
        "dev-libs/l01",
        "1.0",
        "RDEPEND=\"dev-libs/l00:=\"\nDEPEND=\"${RDEPEND}\"",
        &["l00"],
    );
    ebuild(
        space,
        "dev-libs/l02",
        "1.0",
        "RDEPEND=\"dev-libs/l01\"\nDEPEND=\"${RDEPEND}\"",
        &["l01"],
    );
    for number in 3..20 {
        ebuild(space, &format!("dev-libs/l{number:02}"), "1.0", "", &[]);
    }
    ebuild(
        space,
        "dev-util/aa",
        "1.0",
        "IUSE=\"+full\"\nBDEPEND=\"full? ( dev-util/cc )\"",
        &[],
    );
    ebuild(space, "dev-util/cc", "1.0", "BDEPEND=\"dev-util/aa\"", &["aa"]);
    ebuild(
        space,
        "app-misc/user",
        "1.0",
        "RDEPEND=\"dev-libs/l02\"\nDEPEND=\"${RDEPEND}\"\nBDEPEND=\"dev-util/cc\"",
        &["l02", "cc"],
    );
}

/// A base that holds all of [`repository`] but the program, as Portage would have merged it: the files, and what it records of them.
const WEEKLY: &str = r#"
part() { # CATEGORY NAME SLOT RDEPEND BDEPEND USE CONTENT
  entry=/var/db/pkg/$1/$2-1.0; file=/usr/share/parts/$2
  mkdir -p "$entry" /usr/share/parts
  printf '%b' "$7" > "$file"
  printf 'dir /usr\ndir /usr/share\ndir /usr/share/parts\nobj %s %s %s\n' "$file" "$(md5sum < "$file" | cut -c1-32)" "$(stat -c %Y "$file")" > "$entry/CONTENTS"
  echo "$1" > "$entry/CATEGORY"; echo "$2-1.0" > "$entry/PF"; echo 8 > "$entry/EAPI"; echo "$3" > "$entry/SLOT"
  echo tiny > "$entry/repository"; echo amd64 > "$entry/KEYWORDS"; echo MIT > "$entry/LICENSE"
  [ -z "$4" ] || { echo "$4" > "$entry/RDEPEND"; echo "$4" > "$entry/DEPEND"; }
  [ -z "$5" ] || echo "$5" > "$entry/BDEPEND"
  [ -z "$6" ] || { echo "+$6" > "$entry/IUSE"; echo "$6" > "$entry/USE"; }
  echo "$1/$2" >> /var/lib/portage/world
}
mkdir -p /var/lib/portage
part dev-libs l00 0/1 '' '' '' 'l00 1.0\n'
part dev-libs l01 0 dev-libs/l00:0/1= '' '' 'l01 1.0\nl00 1.0\n'
part dev-libs l02 0 dev-libs/l01 '' '' 'l02 1.0\nl01 1.0\nl00 1.0\n'
for number in 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19; do
  part dev-libs l$number 0 '' '' '' "l$number 1.0\n"
done
part dev-util aa 0 '' 'full? ( dev-util/cc )' full 'aa 1.0\n'
part dev-util cc 0 '' dev-util/aa '' 'cc 1.0\naa 1.0\n'
env-update > /dev/null
"#;

fn cat(image: &str, path: &str) -> String {
    docker(&[
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        "/bin/cat",
        image,
        path,
    ])
}

/// The packages that were built, as their nodes are called below `pkg/`.
fn packages(output: &Output) -> Vec<String> {
    let ran = output.ran().into_iter();
    ran.filter_map(|name| Some(name.strip_prefix("tiny:pkg/")?.to_owned()))
        .collect()
}

#[test]
fn a_base_is_kept_up_to_date() {
    let space = FarmSpace::new();
    repository(&space);
    let base = Variant::new(WEEKLY);
    let base = base.name();
    let subjects =
        "subjects:\n  apps: { packages: [app-misc/user] }\nimages:\n  small: { from: base, subjects: [apps] }\n";
    let plain = manifest(&space, base, "", subjects);
    space.write(MANIFEST, &plain);
    let output = space.build(&[]);
    assert!(output.ran().contains("tiny:pkg/app-misc/user-1.0"), "{output}");

    // A base of which nothing is newer is left as it is, and nothing above it is built.
    space.write(MANIFEST, manifest(&space, base, "  update: world\n", subjects));
    space.build(&[]).assert_ran(
        "nothing is newer",
        &["plan/update", "generation/update", "root/update", "root", "plan"],
    );

    // A new version, and what it binds; what is above both in the root's records is built again, as one of them may have changed it.
    ebuild(&space, "dev-libs/l00", "1.1", "SLOT=\"0/2\"", &[]);
    let output = space.build(&[]);
    assert_eq!(
        packages(&output),
        [
            "app-misc/user-1.0",
            "dev-libs/l00-1.1@update",
            "dev-libs/l01-1.0@update"
        ],
        "{output}"
    );
    let root = format!("farm/tiny-root-update:{}.opt", space.flavour());
    assert!(image_exists(&root));
    assert_eq!(cat(&root, "/usr/share/parts/l00"), "l00 1.1");
    assert_eq!(cat(&root, "/usr/share/parts/l01"), "l01 1.0\nl00 1.1");
    assert_eq!(cat(&root, "/usr/share/parts/l02"), "l02 1.0\nl01 1.0\nl00 1.0");
    // An image from the base gets what was replaced.
    let small = format!("farm/tiny-small:{}.opt", space.flavour());
    assert_eq!(cat(&small, "/usr/share/parts/l01"), "l01 1.0\nl00 1.1");
    let index = space.read(&format!(".farm/binhost/tiny/{}.opt/Packages", space.flavour()));
    for cpv in ["app-misc/user-1.0", "dev-libs/l00-1.1", "dev-libs/l01-1.0"] {
        assert!(index.contains(&format!("CPV: {cpv}\n")), "{index}");
    }
    space.build(&[]).assert_ran("nothing changed", &[]);

    // Whatever is asked for is built anew, though nothing of it is newer; what it is built into is the next root.
    space.write(
        MANIFEST,
        manifest(&space, base, "  update: world\n  rebuild: [dev-libs/l19]\n", subjects),
    );
    let output = space.build(&[]);
    assert_eq!(packages(&output), ["dev-libs/l19-1.0@update"], "{output}");

    // And back: everything is there.
    space.write(MANIFEST, &plain);
    let output = space.build(&[]);
    assert!(!output.ran().iter().any(|name| name.contains(":pkg/")), "{output}");
}

#[test]
fn a_toolchain_comes_first_and_only_what_uses_it_is_built() {
    let space = FarmSpace::new();
    repository(&space);
    let base = Variant::new(WEEKLY);
    let base = base.name();
    let subjects = "subjects:\n  apps: { packages: [app-misc/user, dev-libs/bar] }\n";
    space.write(MANIFEST, manifest(&space, base, "", subjects));
    let first = space.build(&[]);
    assert!(first.ran().contains("tiny:pkg/app-misc/user-1.0"), "{first}");
    ebuild(&space, "dev-util/cc", "2.0", "BDEPEND=\"dev-util/aa\"", &["aa"]);
    space.write(
        MANIFEST,
        manifest(
            &space,
            base,
            "  toolchain: { dev-util/cc: {} }\n  rebuild: [dev-util/aa]\n",
            subjects,
        ),
    );
    // The plan of what comes later cannot be made before its root is.
    let dry = space.farm(&["build", "tiny", "-n", "--json"]).succeeded();
    assert!(dry.stdout.contains("tiny:pkg/dev-util/cc-2.0@toolchain"), "{dry}");
    let plan = space.farm(&["plan", "tiny"]).succeeded();
    assert!(plan.stdout.contains("dev-util/cc-2.0"), "{plan}");
    let next =
        "what comes after the root with toolchain is planned in that root: `farm build tiny:root/toolchain` makes it";
    assert!(plan.stderr.contains(next), "{plan}");
    let ebuild = format!("{OVERLAY}/dev-util/cc/cc-2.0.ebuild");
    let affected = space.farm(&["debug", "query", "affected", &ebuild]).ended(2);
    assert!(
        affected.stderr.contains("`farm build tiny:root/update` makes it"),
        "{affected}"
    );
    let output = space.build(&[]);
    // aa and cc are built with each other: each finds the other in the root below.
    assert_eq!(
        packages(&output),
        [
            "app-misc/user-1.0",
            "dev-util/aa-1.0@update",
            "dev-util/cc-2.0@toolchain"
        ],
        "{output}"
    );
    let root = format!("farm/tiny-root:{}.opt", space.flavour());
    let root = if image_exists(&root) {
        root
    } else {
        format!("farm/tiny-root-update:{}.opt", space.flavour())
    };
    assert_eq!(cat(&root, "/usr/share/parts/cc"), "cc 2.0\naa 1.0");
    space.build(&[]).assert_ran("nothing changed", &[]);
}

#[test]
fn all_of_a_base_is_built_anew_and_what_is_built_with_each_other_finds_the_old() {
    let space = FarmSpace::new();
    repository(&space);
    // The stubs of Debian's packages have no ebuilds: without them in @system, everything that @world asks for can be built.
    space.write("farms/tiny/gentoo/profiles/default/linux/amd64/packages", "# Nothing\n");
    let base = Variant::new(&format!(
        "{WEEKLY}printf 'dev-libs/l02\\ndev-util/aa\\n' > /var/lib/portage/world\n"
    ));
    let subjects = "subjects:\n  apps: { packages: [app-misc/user] }\n";
    space.write(
        MANIFEST,
        manifest(&space, base.name(), "  update: emptytree\n", subjects),
    );
    let output = space.build(&[]);
    assert_eq!(
        packages(&output),
        [
            "app-misc/user-1.0",
            "dev-libs/l00-1.0@update",
            "dev-libs/l01-1.0@update",
            "dev-libs/l02-1.0@update",
            "dev-util/aa-1.0@update",
            "dev-util/cc-1.0@update",
        ],
        "{output}"
    );
    let root = format!("farm/tiny-root-update:{}.opt", space.flavour());
    assert_eq!(cat(&root, "/usr/share/parts/l02"), "l02 1.0\nl01 1.0\nl00 1.0");
    assert_eq!(cat(&root, "/usr/share/parts/cc"), "cc 1.0\naa 1.0");
    space.build(&[]).assert_ran("nothing changed", &[]);
}
