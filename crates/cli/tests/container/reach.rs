//! How far a new version of one library reaches, by the farm's choice (`rebuild:`): what the table in `docs/updating.md` says is measured.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fs_err as fs;

use crate::support::{FarmSpace, OVERLAY, Part, weekly_variant};

const MODES: [&str; 3] = ["exact", "abi", "portage"];

/// The two libraries as the table calls them, and the category of what is built with them. They change together: nothing is built with both.
const LIBRARIES: [(&str, &str); 2] = [("of the base", "app-misc"), ("built by the farm", "dev-util")];

/// What is built with either library; besides there is `app-misc/bystander`, which is not.
const DEPENDANTS: [&str; 3] = ["above", "binder", "linker"];

/// A version of both libraries: the number, the slot, the header, and a file that nobody is built from.
struct Version {
    number: &'static str,
    slot: &'static str,
    header: &'static str,
    data: &'static str,
}

const FIRST: Version = Version {
    number: "1.0",
    slot: "0/1",
    header: "int real(void);",
    data: "one",
};
const REBUILT: Version = Version {
    data: "one again",
    ..FIRST
};
const PATCHED: Version = Version {
    number: "1.0.1",
    data: "two",
    ..FIRST
};
const GROWN: Version = Version {
    number: "1.1",
    header: "int real(void); int more(void);",
    data: "three",
    ..FIRST
};
const BROKEN: Version = Version {
    number: "2.0",
    slot: "0/2",
    header: "long real(void);",
    data: "four",
};

/// What changes, as the table calls it, one after the other.
const STEPS: [(&str, &Version); 5] = [
    ("a file that nobody is built from", &REBUILT),
    ("version, and a file that nobody is built from", &PATCHED),
    ("version and header", &GROWN),
    ("version, header and subslot", &BROKEN),
    ("back to what it was", &FIRST),
];

/// The names of packages, by library and mode.
type Reached = BTreeMap<(String, String), BTreeSet<String>>;

/// A base with this version of `dev-libs/real`.
fn base(version: &Version) -> String {
    let Version {
        number,
        slot,
        header,
        data,
    } = version;
    weekly_variant(&format!(
        r#"
entry=/var/db/pkg/dev-libs/real-{number}
mkdir -p "$entry" /usr/share/real
echo '{header}' > /usr/include/real.h
echo '{data}' > /usr/share/real/data
for file in /usr/include/real.h /usr/share/real/data; do
  printf 'obj %s %s %s\n' "$file" "$(md5sum < "$file" | cut -c1-32)" "$(stat -c %Y "$file")" >> "$entry/CONTENTS"
done
echo dev-libs > "$entry/CATEGORY"; echo real-{number} > "$entry/PF"; echo 8 > "$entry/EAPI"; echo {slot} > "$entry/SLOT"
echo tiny > "$entry/repository"; echo amd64 > "$entry/KEYWORDS"; echo MIT > "$entry/LICENSE"
"#
    ))
}

/// Has this version of `dev-libs/made`, and no other, in the overlay.
fn release(space: &FarmSpace, version: &Version) {
    let folder = format!("{OVERLAY}/dev-libs/made");
    if space.path(&folder).exists() {
        space.remove(&folder);
    }
    let Version {
        number,
        slot,
        header,
        data,
    } = version;
    Part::new(&format!("dev-libs/made-{number}"))
        .head(&format!("SLOT=\"{slot}\""))
        .compile(&format!(
            "\techo '{header}' > made.h || die\n\techo '{data}' > data || die\n"
        ))
        .install("\tdoheader made.h\n\tinsinto /usr/share/made\n\tdoins data\n")
        .write(space);
}

/// Builds the farms of all modes on a base; says which of the packages that may be reached were built.
fn built(space: &FarmSpace, base: &str) -> Reached {
    let dependants = |(_, category): &(&str, &str)| DEPENDANTS.map(|name| format!("{category}/{name}"));
    let mut members: Vec<String> = LIBRARIES.iter().flat_map(dependants).collect();
    members.push("app-misc/bystander".to_owned());
    for mode in MODES {
        let text = format!(
            "farm: {mode}\nflavour: {}.opt\nrebuild: {mode}\nbinfarm:\n  base: {{ image: \"{base}\" }}\n  \
             repos: {{ gentoo: {{ path: ../tiny/gentoo }}, tiny: {{ path: ../tiny/overlay }} }}\n  profile: tiny:binfarm/opt\n  \
             config: [common]\nsubjects:\n  apps: {{ packages: [{}] }}\n",
            space.flavour(),
            members.join(", ")
        );
        space.write(&format!("farms/{mode}/farm.yaml"), text);
    }
    let mut words = vec!["update"];
    words.extend(MODES);
    let _ = space.farm(&words).succeeded();
    let targets = MODES.map(|mode| format!("{mode}:pkgs"));
    let mut words = vec!["build", "--json"];
    words.extend(targets.iter().map(String::as_str));
    let ran = space.farm(&words).succeeded().ran();
    let mut reached = Reached::new();
    for (library, category) in LIBRARIES {
        for mode in MODES {
            let prefix = format!("{mode}:pkg/{category}/");
            let names = ran
                .iter()
                .filter_map(|name| name.strip_prefix(&prefix)?.strip_suffix("-1.0"));
            reached.insert(
                (library.to_owned(), mode.to_owned()),
                names.map(str::to_owned).collect(),
            );
        }
    }
    reached
}

/// What the table says, by what changes.
fn documented() -> BTreeMap<String, Reached> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/updating.md");
    let text = fs::read_to_string(page).unwrap();
    let (_, table) = text
        .split_once("| library | what changes | `exact` | `abi` | `portage` |\n|---|---|---|---|---|\n")
        .unwrap();
    let mut found: BTreeMap<String, Reached> = BTreeMap::new();
    for line in table.lines().take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [library, change, modes @ ..] = &cells[..] else {
            panic!("{line}");
        };
        assert_eq!(modes.len(), MODES.len(), "{line}");
        for (mode, cell) in MODES.iter().zip(modes) {
            let names = cell.split(", ").filter(|name| *name != "none").map(str::to_owned);
            let key = ((*library).to_owned(), (*mode).to_owned());
            found
                .entry((*change).to_owned())
                .or_default()
                .insert(key, names.collect());
        }
    }
    found
}

#[test]
fn exact_abi_and_portage() {
    let space = FarmSpace::weekly();
    for ((_, category), library) in LIBRARIES.iter().zip(["dev-libs/real", "dev-libs/made"]) {
        let package = |name: &str| Part::new(&format!("{category}/{name}-1.0"));
        package("binder").uses(&format!("{library}:=")).write(&space);
        package("linker").uses(library).write(&space);
        package("above").uses(&format!("{category}/linker")).write(&space);
    }
    Part::new("app-misc/bystander-1.0").write(&space);
    release(&space, &FIRST);
    for ((library, mode), names) in built(&space, &base(&FIRST)) {
        let bystander = (library == LIBRARIES[0].0).then_some("bystander");
        let all = DEPENDANTS.into_iter().chain(bystander).map(str::to_owned);
        assert_eq!(names, all.collect(), "{library}, {mode}");
    }

    let mut documented = documented();
    for (change, version) in STEPS {
        release(&space, version);
        let wanted = documented.remove(change);
        assert_eq!(Some(built(&space, &base(version))), wanted, "{change}");
    }
    assert!(documented.is_empty(), "nobody measures {documented:?}");
}
