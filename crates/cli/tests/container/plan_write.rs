//! What Portage refuses is written into the manifest, and then it resolves.

use std::os::unix::fs::PermissionsExt;

use fs_err as fs;

use crate::refusals::package;
use crate::support::{FarmSpace, OVERLAY};

const MANIFEST: &str = "farms/tiny/farm.yaml";

/// Every kind of refusal that lines can mend, each in another form of `packages:`. What Portage says of it, and the line to paste.
const SUBJECTS: [(&str, &str, &str, &str); 8] = [
    (
        "flag",
        "{ packages: [app-misc/asks] }   # in brackets",
        "- dev-libs/need-1::tiny (Change USE: +extra)",
        "dev-libs/need: { use: [extra] }   # wanted by app-misc/asks-1",
    ),
    (
        "keyword",
        "\n    packages: |\n      # a block\n      app-misc/follows   # needs what is young\n      dev-libs/need",
        "(masked by: ~amd64 keyword)",
        "\"=dev-libs/young-1\": { accept_keywords: [\"~amd64\"] }   # wanted by app-misc/follows-1",
    ),
    (
        "licence",
        "{ packages: { dev-libs/closed: {} } }",
        "(masked by: Closed license(s))",
        "\"=dev-libs/closed-1\": { license: [Closed] }   # wanted by dev-libs/closed",
    ),
    (
        "mask",
        "\n    packages:\n      dev-libs/broken:   # on purpose\n      # and the rest\n      dev-libs/need: {}",
        "(masked by: package.mask)",
        "\"=dev-libs/broken-1\": { unmask: true }   # wanted by dev-libs/broken",
    ),
    (
        "required",
        "{ packages: [dev-libs/choosy] }",
        "exactly-one-of ( mpi serial )",
        "dev-libs/choosy: { use: [mpi] }   # wanted by dev-libs/choosy",
    ),
    (
        "asked",
        "\n    packages:\n    - app-misc/picks   # below its key\n    - dev-libs/need",
        "dev-libs/choosy[serial]",
        "dev-libs/choosy: { use: [serial] }   # wanted by app-misc/picks-1",
    ),
    (
        "renamed",
        "{ packages: old.set }",
        "app-misc/foliage",
        "app-misc/leaf: {}   # wanted by app-misc/foliage   # app-misc/foliage is called app-misc/leaf now",
    ),
    // What the base has was built without the flag; its world file wants it, too.
    (
        "based",
        "{ packages: [app-misc/wants] }",
        "- dev-libs/l05-1.0::tiny (Change USE: +extra)",
        "dev-libs/l05: { use: [extra] }   # wanted by @selected, app-misc/wants-1",
    ),
];

fn repository(space: &FarmSpace) {
    package(space, "dev-libs/need-1", "IUSE=\"extra\"");
    package(space, "app-misc/asks-1", "RDEPEND=\"dev-libs/need[extra]\"");
    package(space, "dev-libs/young-1", "KEYWORDS=\"~amd64\"");
    package(space, "app-misc/follows-1", "RDEPEND=\"dev-libs/young\"");
    package(space, "dev-libs/closed-1", "LICENSE=\"Closed\"");
    space.write("farms/tiny/gentoo/licenses/Closed", "Nobody may do anything.\n");
    space.edit("profiles/common/make.conf", "USE=", "ACCEPT_LICENSE=\"-* MIT\"\nUSE=");
    package(space, "dev-libs/broken-1", "");
    space.write(
        &format!("{OVERLAY}/profiles/package.mask"),
        "# It eats files.\ndev-libs/broken\n",
    );
    let choosy = "IUSE=\"mpi serial\"\nREQUIRED_USE=\"^^ ( mpi serial )\"";
    package(space, "dev-libs/choosy-1", choosy);
    package(space, "app-misc/picks-1", "RDEPEND=\"dev-libs/choosy[serial]\"");
    package(space, "dev-libs/l05-1.0", "IUSE=\"extra\"");
    package(space, "app-misc/wants-1", "RDEPEND=\"dev-libs/l05[extra]\"");
    space.write("farms/tiny/old.set", "# Trees\napp-misc/foliage\n");
    space.write(
        "farms/tiny/gentoo/profiles/updates/1Q-2026",
        "move app-misc/foliage app-misc/leaf\n",
    );
}

fn with_subjects<'a>(space: &FarmSpace, subjects: impl Iterator<Item = (&'a str, &'a str)>) {
    let text: String = subjects.map(|(name, body)| format!("  {name}: {body}\n")).collect();
    space.edit(
        MANIFEST,
        "subjects:\n",
        &format!("subjects:\n{}", text.replace(": \n", ":\n")),
    );
}

#[test]
fn what_portage_asks_for_is_written_and_then_it_resolves() {
    let space = FarmSpace::ready_weekly();
    repository(&space);
    // Two of them contradict each other: flags are farm-wide, and one package wants `serial`, the other takes what comes first.
    let chosen = || SUBJECTS.iter().filter(|(name, ..)| *name != "required");
    with_subjects(&space, chosen().map(|(name, body, ..)| (*name, *body)));
    space.chmod(MANIFEST, 0o640);
    let before = space.read(MANIFEST);

    let refused = space.farm(&["plan", "tiny"]).ended(2);
    for (name, _, said, line) in chosen() {
        assert!(
            refused.stderr.contains(&format!("Portage cannot resolve {name}")),
            "{refused}"
        );
        assert!(refused.stderr.contains(said), "{name}: no {said:?} in {refused}");
        assert!(refused.stderr.contains(line), "{name}: no {line:?} in {refused}");
    }
    assert!(refused.stderr.contains("It eats files."), "{refused}");
    // The other subjects have their plans.
    assert!(refused.stdout.contains("tiny: apps"), "{refused}");
    assert_eq!(space.read(MANIFEST), before);

    let written = space.farm(&["plan", "--write", "tiny"]).succeeded();
    for (name, ..) in chosen() {
        assert!(written.stdout.contains(&format!("tiny: {name}\n")), "{written}");
    }
    let wanted = [
        "  flag: { packages: { app-misc/asks: { deps: { dev-libs/need: { use: [extra] } } } } }   # in brackets\n",
        "  keyword:\n    packages:\n      # a block\n      \
         app-misc/follows: { deps: { \"=dev-libs/young-1\": { accept_keywords: [\"~amd64\"] } } }   # needs what is young\n      \
         dev-libs/need: {}\n",
        "  licence: { packages: { dev-libs/closed: { deps: { \"=dev-libs/closed-1\": { license: [Closed] } } } } }\n",
        "  mask:\n    packages:\n      dev-libs/broken: { deps: { \"=dev-libs/broken-1\": { unmask: true } } }   # on purpose\n      \
         # and the rest\n      dev-libs/need: {}\n",
        "  asked:\n    packages:\n      app-misc/picks: { deps: { dev-libs/choosy: { use: [serial] } } }   # below its key\n      \
         dev-libs/need: {}\n",
        "  renamed: { packages: old.set }\n",
        "  based: { packages: { app-misc/wants: { deps: { dev-libs/l05: { use: [extra] } } } } }\n",
    ];
    let after = space.read(MANIFEST);
    let (head, tail) = before.split_once("subjects:\n").unwrap();
    let tail = tail.split_once("  libs:\n").unwrap().1;
    assert_eq!(after, format!("{head}subjects:\n{}  libs:\n{tail}", wanted.concat()));
    assert_eq!(space.read("farms/tiny/old.set"), "# Trees\napp-misc/leaf\n");
    let mode = fs::metadata(space.path(MANIFEST)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    for line in [
        "farms/tiny/old.set:2 says now: app-misc/leaf",
        "farms/tiny/farm.yaml:28 says now: flag: { packages: {",
        "farms/tiny/farm.yaml:30 says now: packages:\n",
        "farms/tiny/farm.yaml:32 says now: app-misc/follows: { deps: { ",
    ] {
        assert!(written.stderr.contains(line), "no {line:?} in {written}");
    }

    // Nothing is left to write.
    let again = space.farm(&["plan", "--write", "tiny"]).succeeded();
    assert!(!again.stderr.contains("says now"), "{again}");
    assert_eq!(space.read(MANIFEST), after);
}

#[test]
fn a_plan_says_what_was_built_before_and_in_what_another_value_differs() {
    let space = FarmSpace::ready_weekly();
    let plan = space.farm(&["plan", "tiny"]).succeeded();
    assert!(plan.stdout.ends_with("tiny: 0 to build, 4 cached\n"), "{plan}");

    // Another flag of one package and another version of one that was built; a package that never was.
    space.edit(MANIFEST, "app-misc/leaf -upper ", "app-misc/leaf upper ");
    let ebuild = format!("{OVERLAY}/dev-libs/bar/bar-2.0.ebuild");
    space.write(&format!("{OVERLAY}/dev-libs/bar/bar-2.1.ebuild"), space.read(&ebuild));
    space.remove(&ebuild);
    package(&space, "dev-libs/need-1", "");
    with_subjects(&space, [("more", "{ packages: [dev-libs/need] }")].into_iter());
    let plan = space.farm(&["plan", "tiny"]).succeeded();
    let line = |name: &str| plan.stdout.lines().find(|line| line.contains(name)).unwrap();
    let leaf = line("app-misc/leaf-1.0");
    // As emerge shows what is installed: rebuilt with another flag, and upgraded.
    assert!(leaf.starts_with("[ebuild   R    ] app-misc/leaf-1.0::tiny "), "{plan}");
    assert!(leaf.contains("USE=\"upper*\""), "{plan}");
    assert!(leaf.contains("; took "), "{plan}");
    assert!(
        line("dev-libs/bar-2.1")
            .starts_with("[ebuild     U  ] dev-libs/bar-2.1:0/7::tiny [2.0:0/7::tiny] USE=\"-noise\""),
        "{plan}"
    );
    let new = "[ebuild  N     ] dev-libs/need-1::tiny ";
    assert!(line("dev-libs/need-1").starts_with(new), "{plan}");
    assert!(plan.stdout.contains("\nTotal: 4 packages (1 upgrade"), "{plan}");
    assert!(!line("dev-libs/need-1").contains("; took "), "{plan}");
    assert!(line("dev-libs/libfoo").ends_with("(cached)"), "{plan}");
    let total = plan.stdout.lines().last().unwrap();
    assert!(
        total.starts_with("tiny: 2 to build, 1 perhaps, 2 cached; about "),
        "{plan}"
    );
    assert!(total.ends_with("; 1 package was never built"), "{plan}");

    let json: serde_json::Value =
        serde_json::from_str(&space.farm(&["plan", "tiny", "--json"]).succeeded().stdout).unwrap();
    assert_eq!(json[0]["total"]["build"], 2);
    assert_eq!(json[0]["total"]["never_built"], 1);
    let bar = json[0]["subjects"]["apps"]["packages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["package"] == "dev-libs/bar-2.1")
        .unwrap()
        .clone();
    assert_eq!(bar["former"]["version"], "2.0");
    assert_eq!(bar["state"], "run");

    space.edit(MANIFEST, "  BINFARM_TYPE: opt", "  FLAG: upper\n  BINFARM_TYPE: opt");
    space.edit(MANIFEST, "app-misc/leaf upper ", "app-misc/leaf ${FLAG} ");
    let diff = space.farm(&["plan", "tiny", "--diff", "FLAG=-upper"]).succeeded();
    assert!(
        diff.stdout
            .starts_with("tiny: apps, with FLAG=-upper\n~ app-misc/leaf-1.0::tiny USE=\"-upper\"\n\n"),
        "{diff}"
    );
    assert!(
        diff.stdout
            .ends_with("tiny: 0 added, 0 removed, 1 otherwise, 6 the same\n"),
        "{diff}"
    );
}

#[test]
fn required_use_is_fulfilled_with_the_fewest_flags() {
    let space = FarmSpace::ready_weekly();
    repository(&space);
    let (name, body, said, line) = SUBJECTS[4];
    with_subjects(&space, [(name, body)].into_iter());
    let refused = space.farm(&["plan", "tiny"]).ended(2);
    assert!(refused.stderr.contains(said), "{refused}");
    assert!(refused.stderr.contains(line), "{refused}");
    let written = space.farm(&["plan", "--write", "tiny"]).succeeded();
    assert!(written.stdout.contains("tiny: required\n"), "{written}");
    assert!(
        space
            .read(MANIFEST)
            .contains("  required: { packages: [dev-libs/choosy mpi] }\n")
    );
}

#[test]
fn what_no_line_can_mend_is_explained_and_nothing_is_written() {
    let space = FarmSpace::ready_weekly();
    repository(&space);
    for version in ["dev-libs/two-1", "dev-libs/two-2"] {
        package(&space, version, "");
    }
    package(&space, "app-misc/older-1", "RDEPEND=\"=dev-libs/two-1\"");
    package(&space, "app-misc/newer-1", "RDEPEND=\"=dev-libs/two-2\"");
    package(&space, "app-misc/enemy-1", "RDEPEND=\"!!dev-libs/need\"");
    package(&space, "app-misc/future-1", "RDEPEND=\">=dev-libs/need-5\"");
    package(&space, "app-misc/stale-1", "RDEPEND=\"app-misc/foliage\"");
    package(&space, "app-misc/rival-1", "RDEPEND=\"!!dev-libs/l06\"");
    package(&space, "app-misc/beyond-1", "RDEPEND=\">=dev-libs/l07-5\"");
    let table = [
        (
            "slot",
            "{ packages: [app-misc/older, app-misc/newer] }",
            "slot conflict",
            "of dev-libs/two:0 only one version can be there, and wanted are dev-libs/two-1 by app-misc/older-1 (=dev-libs/two-1); \
             dev-libs/two-2 by app-misc/newer-1 (=dev-libs/two-2)",
        ),
        (
            "blocker",
            "{ packages: [app-misc/enemy, dev-libs/need] }",
            "Error: The above package list contains packages which cannot be",
            "app-misc/enemy-1 cannot be together with dev-libs/need-1 (!!dev-libs/need)",
        ),
        (
            "unsatisfied",
            "{ packages: [app-misc/future] }",
            ">=dev-libs/need-5",
            ">=dev-libs/need-5 is asked for by app-misc/future-1 (>=dev-libs/need-5), and there is only dev-libs/need-1",
        ),
        (
            "stale",
            "{ packages: [app-misc/stale] }",
            "app-misc/foliage",
            "app-misc/foliage is called app-misc/leaf now: the ebuild of app-misc/stale-1 has to ask for that",
        ),
        // The base has what is in the way, and what is not new enough.
        (
            "rival",
            "{ packages: [app-misc/rival] }",
            "!!dev-libs/l06",
            "app-misc/rival-1 cannot be together with dev-libs/l06-1.0 (!!dev-libs/l06)",
        ),
        (
            "beyond",
            "{ packages: [app-misc/beyond] }",
            ">=dev-libs/l07-5",
            ">=dev-libs/l07-5 is asked for by app-misc/beyond-1 (>=dev-libs/l07-5), and there is only dev-libs/l07-1.0",
        ),
        // The manifest says the opposite on purpose.
        (
            "opposed",
            "{ packages: { app-misc/asks: { deps: { dev-libs/need: { use: [-extra] } } } } }",
            "(Change USE: +extra)",
            "`-extra` is written for `dev-libs/need` in line",
        ),
        (
            "inset",
            "{ packages: { \"@trees\": {} } }",
            "~amd64 keyword",
            "nothing can be set below the set `@trees`",
        ),
    ];
    space.write("profiles/common/sets/trees", "dev-libs/young\n");
    with_subjects(&space, table.iter().map(|(name, body, ..)| (*name, *body)));
    let before = space.read(MANIFEST);
    let refused = space.farm(&["plan", "--write", "tiny"]).ended(2);
    for (name, _, said, advice) in table {
        assert!(
            refused.stderr.contains(&format!("Portage cannot resolve {name}")),
            "{refused}"
        );
        assert!(refused.stderr.contains(said), "{name}: no {said:?} in {refused}");
        assert!(refused.stderr.contains(advice), "{name}: no {advice:?} in {refused}");
    }
    assert_eq!(space.read(MANIFEST), before);
}
