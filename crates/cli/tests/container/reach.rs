//! How far a new version of one library of the base reaches, by the farm's choice (`rebuild:`).

use std::collections::BTreeSet;

use crate::support::{FarmSpace, Variant};

const MODES: [&str; 3] = ["exact", "abi", "portage"];

/// A base with a library: its version, its slot, its header, and a file that nobody is built from. What is newer is in a document too.
fn base(version: &str, slot: &str, header: &str, data: &str) -> Variant {
    Variant::new(&format!(
        r#"
entry=/var/db/pkg/dev-libs/real-{version}
mkdir -p "$entry" /usr/share/real
echo '{header}' > /usr/include/real.h
echo '{data}' > /usr/share/real/data
for file in /usr/include/real.h /usr/share/real/data; do
  printf 'obj %s %s %s\n' "$file" "$(md5sum < "$file" | cut -c1-32)" "$(stat -c %Y "$file")" >> "$entry/CONTENTS"
done
echo dev-libs > "$entry/CATEGORY"; echo real-{version} > "$entry/PF"; echo 8 > "$entry/EAPI"; echo {slot} > "$entry/SLOT"
echo tiny > "$entry/repository"; echo amd64 > "$entry/KEYWORDS"; echo MIT > "$entry/LICENSE"
"#
    ))
}

fn ebuild(space: &FarmSpace, name: &str, lines: &str) {
    let text = format!(
        "EAPI=8\nDESCRIPTION=\"A part\"\nHOMEPAGE=\"https://example.org/\"\nLICENSE=\"MIT\"\nSLOT=\"0\"\nKEYWORDS=\"amd64\"\n\
         S=\"${{WORKDIR}}\"\n{lines}\nsrc_install() {{\n\techo {name} > {name} || die\n\tinsinto /usr/share/parts\n\tdoins {name}\n}}\n"
    );
    space.write(&format!("farms/tiny/overlay/app-misc/{name}/{name}-1.0.ebuild"), text);
}

/// Builds the farms of all modes on a base; says which packages were built, `MODE NAME` each.
fn built(space: &FarmSpace, base: &Variant) -> BTreeSet<String> {
    for mode in MODES {
        let text = format!(
            "farm: {mode}\nflavour: {}.opt\nrebuild: {mode}\nbinfarm:\n  base: {{ image: \"{}\" }}\n  \
             repos: {{ gentoo: {{ path: ../tiny/gentoo }}, tiny: {{ path: ../tiny/overlay }} }}\n  profile: tiny:binfarm/opt\n  \
             config: [common]\nsubjects:\n  apps: {{ packages: [app-misc/binder, app-misc/linker, app-misc/above, app-misc/bystander] }}\n",
            space.flavour(),
            base.name()
        );
        space.write(&format!("farms/{mode}/farm.yaml"), text);
    }
    let mut words = vec!["update"];
    words.extend(MODES);
    assert_eq!(space.farm(&words).status, Some(0));
    let targets = MODES.map(|mode| format!("{mode}:pkgs"));
    let mut words = vec!["build", "--json"];
    words.extend(targets.iter().map(String::as_str));
    let ran = space.farm(&words).succeeded().ran();
    let packages = ran.iter().filter_map(|name| {
        let (mode, package) = name.split_once(":pkg/app-misc/")?;
        Some(format!("{mode} {}", package.trim_end_matches("-1.0")))
    });
    packages.collect()
}

fn lines(expected: &[&str]) -> BTreeSet<String> {
    expected.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn exact_abi_and_portage() {
    let space = FarmSpace::new();
    ebuild(&space, "binder", "RDEPEND=\"dev-libs/real:=\"\nDEPEND=\"${RDEPEND}\"");
    ebuild(&space, "linker", "RDEPEND=\"dev-libs/real\"\nDEPEND=\"${RDEPEND}\"");
    ebuild(&space, "above", "RDEPEND=\"app-misc/linker\"\nDEPEND=\"${RDEPEND}\"");
    ebuild(&space, "bystander", "");
    let first = base("1.0", "0/1", "int real(void);", "one");
    let every = ["above", "binder", "bystander", "linker"].map(|name| MODES.map(|mode| format!("{mode} {name}")));
    assert_eq!(built(&space, &first), every.into_iter().flatten().collect());

    let patched = base("1.0.1", "0/1", "int real(void);", "two");
    let closure = lines(&["exact binder", "exact linker", "exact above"]);
    assert_eq!(
        built(&space, &patched),
        closure,
        "a new version with the same interface"
    );

    let grown = base("1.1", "0/1", "int real(void); int more(void);", "three");
    let mut reached = closure.clone();
    reached.extend(lines(&["abi binder", "abi linker", "abi above"]));
    assert_eq!(built(&space, &grown), reached, "a new version with another interface");

    let broken = base("2.0", "0/2", "long real(void);", "four");
    reached.insert("portage binder".to_owned());
    assert_eq!(built(&space, &broken), reached, "a new version with another subslot");

    // A base that is the same again, and one that was there before.
    let same = base("2.0", "0/2", "long real(void);", "four");
    assert_eq!(built(&space, &same), lines(&[]), "the same versions");
    assert_eq!(built(&space, &first), lines(&[]), "back to the first");
}
