//! What Portage refuses, in its own words and with lines to paste; what is wrong with a manifest.

use std::collections::BTreeMap;

use crate::support::{FarmSpace, OVERLAY, Output, Part};

const MANIFEST: &str = "farms/tiny/farm.yaml";

/// A package in the overlay, with these lines in its ebuild.
pub(crate) fn package(space: &FarmSpace, cpv: &str, head: &str) {
    Part::new(cpv).head(head).write(space);
}

/// Adds subjects to the farm: name, and `packages` as YAML.
fn subjects(space: &FarmSpace, subjects: &[(&str, &str)]) {
    let text: String = subjects
        .iter()
        .map(|(name, packages)| format!("  {name}: {{ packages: {packages} }}\n"))
        .collect();
    space.edit(MANIFEST, "subjects:\n", &format!("subjects:\n{text}"));
}

/// What became of every subject's plan: Portage's explanation, and the hint.
fn refusals(output: &Output) -> BTreeMap<String, (String, String)> {
    output
        .events()
        .into_iter()
        .filter(|event| event["event"] == "node-finished" && event["result"] == "failed")
        .map(|event| {
            assert_eq!(event["failure"], "input", "{event}");
            let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            let name = text("name").replace("tiny:plan/", "");
            (name, (text("message"), text("hint")))
        })
        .collect()
}

/// The lines of a hint that are to be pasted.
fn lines_to_paste(hint: &str) -> Vec<&str> {
    hint.lines()
        .filter(|line| line.starts_with("  "))
        .map(str::trim_start)
        .collect()
}

#[test]
fn every_refusal_comes_with_portages_words_and_with_a_way_out() {
    let space = FarmSpace::ready_weekly();
    package(&space, "dev-libs/need-1", "IUSE=\"extra\"");
    package(&space, "app-misc/asks-1", "RDEPEND=\"dev-libs/need[extra]\"");
    package(&space, "dev-libs/young-1", "KEYWORDS=\"~amd64\"");
    package(&space, "dev-libs/closed-1", "LICENSE=\"Closed\"");
    space.write("farms/tiny/gentoo/licenses/Closed", "Nobody may do anything.\n");
    space.edit("profiles/common/make.conf", "USE=", "ACCEPT_LICENSE=\"-* MIT\"\nUSE=");
    package(&space, "dev-libs/broken-1", "");
    space.write(
        &format!("{OVERLAY}/profiles/package.mask"),
        "# It eats files.\ndev-libs/broken\n",
    );
    space.write(
        "farms/tiny/gentoo/profiles/updates/1Q-2026",
        "move app-misc/foliage app-misc/leaf\n",
    );
    package(
        &space,
        "dev-libs/egg-1",
        "IUSE=\"+hen\"\nDEPEND=\"hen? ( dev-libs/hen )\"",
    );
    package(&space, "dev-libs/hen-1", "DEPEND=\"dev-libs/egg\"");
    let table = [
        ("flag", "[app-misc/asks]"),
        ("keyword", "[dev-libs/young]"),
        ("licence", "[dev-libs/closed]"),
        ("mask", "[dev-libs/broken]"),
        ("unknown", "[app-misc/laef]"),
        ("renamed", "[app-misc/foliage]"),
        ("cycle", "[dev-libs/hen]"),
    ];
    subjects(&space, &table);
    let targets: Vec<String> = table.iter().map(|(name, _)| format!("tiny:plan/{name}")).collect();
    let mut arguments = vec!["build", "--json", "-k"];
    arguments.extend(targets.iter().map(String::as_str));
    let output = space.farm(&arguments).ended(2);
    let refusals = refusals(&output);
    assert_eq!(refusals.len(), table.len(), "{output}");

    // Subject, what Portage says, what is to be pasted or read.
    let wanted = [
        ("flag", "dev-libs/need", "dev-libs/need: { use: [extra] }"),
        (
            "keyword",
            "~amd64 keyword",
            "\"=dev-libs/young-1\": { accept_keywords: [\"~amd64\"] }",
        ),
        (
            "licence",
            "Closed license",
            "\"=dev-libs/closed-1\": { license: [Closed] }",
        ),
        ("mask", "package.mask", "\"=dev-libs/broken-1\": { unmask: true }"),
        ("mask", "package.mask", "It eats files."),
        (
            "unknown",
            "app-misc/laef",
            "instead of app-misc/laef there is app-misc/leaf",
        ),
        ("renamed", "app-misc/foliage", "app-misc/leaf: {}"),
        (
            "cycle",
            "circular dependencies",
            "bootstrap: { dev-libs/egg: { use: [-hen] } }",
        ),
    ];
    for (subject, said, way_out) in wanted {
        let (message, hint) = &refusals[subject];
        assert!(message.contains(said), "{subject}: no {said:?} in:\n{message}");
        assert!(hint.contains(way_out), "{subject}: no {way_out:?} in:\n{hint}");
    }
}

#[test]
fn what_is_printed_can_be_pasted_and_then_it_builds() {
    let space = FarmSpace::ready_weekly();
    package(&space, "dev-libs/need-1", "IUSE=\"extra\"");
    package(&space, "app-misc/asks-1", "RDEPEND=\"dev-libs/need[extra]\"");
    package(&space, "dev-libs/young-1", "KEYWORDS=\"~amd64\"");
    package(&space, "app-misc/follows-1", "RDEPEND=\"dev-libs/young\"");
    let table = [("flag", "[app-misc/asks]"), ("keyword", "[app-misc/follows]")];
    subjects(&space, &table);

    let plan = space.farm(&["plan", "tiny"]).ended(2);
    assert!(plan.stderr.contains("Portage cannot resolve"), "{plan}");
    assert!(plan.stderr.contains("put into the manifest"), "{plan}");

    let output = space
        .farm(&["build", "--json", "-k", "tiny:plan/flag", "tiny:plan/keyword"])
        .ended(2);
    let refusals = refusals(&output);
    for (subject, list) in table {
        let (_, hint) = &refusals[subject];
        let [line] = lines_to_paste(hint)[..] else {
            panic!("more than one line: {hint}");
        };
        let member = list.trim_matches(['[', ']']);
        space.edit(
            MANIFEST,
            &format!("  {subject}: {{ packages: {list} }}\n"),
            &format!("  {subject}:\n    packages:\n      {member}:\n        deps:\n          {line}\n"),
        );
    }

    let plan = space.farm(&["plan", "tiny"]).succeeded();
    for said in [
        "tiny: keyword\nemerge --pretend ",
        " --deep --with-bdeps=y --newuse ",
        "dev-libs/need-1",
        "extra",
        "dev-libs/young-1",
        "build: never built",
        "app-misc/leaf-1.0",
        "cached",
    ] {
        assert!(plan.stdout.contains(said), "no {said:?} in {plan}");
    }
    space
        .farm(&["build", "--json", "tiny:pkgs/flag", "tiny:pkgs/keyword"])
        .assert_ran(
            "the lines were pasted",
            &[
                "pkg/app-misc/asks-1",
                "pkg/app-misc/follows-1",
                "pkg/dev-libs/need-1",
                "pkg/dev-libs/young-1",
            ],
        );
}

#[test]
fn mistakes_in_the_manifest_stop_everything_before_anything_is_written() {
    // What is edited to what; the column, the text that the carets are under, the advice.
    let table = [
        ("flavour: ", "flavor: ", 1, "flavor", "did you mean `flavour`?"),
        (
            "config: [greeting]",
            "config: { greeting: yes }",
            13,
            "{ greeting: yes }",
            "write a list: [a, b]",
        ),
        (
            "farm: tiny\n",
            "farm: tiny\nfarm: tiny\n",
            1,
            "farm",
            "put both into one entry",
        ),
        (
            "profile: tiny:binfarm/${BINFARM_TYPE}",
            "profile: tiny:binfarm/${BINFRAM_TYPE}",
            25,
            "${BINFRAM_TYPE}",
            "did you mean `${BINFARM_TYPE}`?",
        ),
        (
            "app-misc/leaf -upper ",
            "app-misc/leaf -upper\n      dev-libs/libfoo loud ",
            23,
            "loud",
            "write `!override loud` if the later is to win",
        ),
        (
            "app-misc/leaf -upper ",
            "=app-misc/leaf -upper ",
            17,
            "leaf",
            "write `app-misc/leaf` for every version",
        ),
        (
            "    packages: |",
            "    packages:\n      >=app-misc/leaf-1: {}\n    more: |",
            7,
            ">=app-misc/leaf-1",
            "put the atom in quotes: \">=app-misc/leaf-1\"",
        ),
    ];
    let space = FarmSpace::new();
    let right = space.read(MANIFEST);
    for (from, to, column, marked, advice) in table {
        space.edit(MANIFEST, from, to);
        let wrong = space.read(MANIFEST);
        let output = space.farm(&["build", "tiny"]).ended(2);
        let place = format!("--> {MANIFEST}:");
        let (_, rest) = output
            .stderr
            .split_once(&place)
            .unwrap_or_else(|| panic!("no {place} in {output}"));
        let (line, found) = rest.lines().next().unwrap().split_once(':').unwrap();
        assert_eq!(found, column.to_string(), "{output}");
        let text = wrong.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
        assert!(text[column - 1..].starts_with(marked), "{output}");
        let carets = format!("{}{}", " ".repeat(column), "^".repeat(marked.len()));
        assert!(output.stderr.contains(&format!("| {text}\n")), "{output}");
        assert!(output.stderr.contains(&format!("|{carets}")), "{output}");
        assert!(output.stderr.contains(advice), "{output}");
        assert_eq!(output.stdout, "", "{output}");
        assert!(!space.path(".farm").exists(), "{output}");
        assert!(!space.path("farms/tiny/farm.lock").exists(), "{output}");
        space.write(MANIFEST, &right);
    }
}
