//! Refusals of the real Portage for the toy repository.

use std::collections::BTreeSet;

use crate::support::{Toy, request, toy};
use farm_portage::required_use::RequiredUse;
use farm_resolver::suggest::{SuggestedLine, manifest_lines};
use farm_resolver::{Outcome, Refusal, RefusalKind};

fn lines(refusal: &Refusal) -> Vec<String> {
    manifest_lines(refusal)
        .into_iter()
        .map(|SuggestedLine { text, .. }| text)
        .collect()
}

#[test]
fn a_missing_flag() {
    let refusal = toy().refusal(&["dev-libs/needs-flag"]);
    assert_eq!(refusal.kind, RefusalKind::Configuration);
    assert!(
        refusal
            .explanation
            .contains("- dev-libs/flagged-1::gentoo (Change USE: +cblas)"),
        "{}",
        refusal.explanation
    );
    assert_eq!(lines(&refusal), ["dev-libs/flagged: { use: [cblas] }"]);
    assert_eq!(manifest_lines(&refusal)[0].wanted_by[0].parent, "dev-libs/needs-flag-1");
}

#[test]
fn a_testing_keyword_and_none_at_all() {
    assert_eq!(
        lines(&toy().refusal(&["dev-libs/needs-testing"])),
        ["\"=dev-libs/testing-1\": { accept_keywords: [\"~amd64\"] }"]
    );
    assert_eq!(
        lines(&toy().refusal(&["dev-libs/unkeyed"])),
        ["\"=dev-libs/unkeyed-1\": { accept_keywords: [\"**\"] }"]
    );
}

#[test]
fn a_licence() {
    assert_eq!(
        lines(&toy().refusal(&["dev-libs/proprietary"])),
        ["\"=dev-libs/proprietary-1\": { license: [EULA] }"]
    );
}

#[test]
fn a_mask_with_its_reason() {
    let refusal = toy().refusal(&["dev-libs/masked"]);
    let suggested = manifest_lines(&refusal);
    assert_eq!(suggested[0].text, "\"=dev-libs/masked-1\": { unmask: true }");
    assert!(suggested[0].note.as_deref().unwrap().contains("Breaks everything."));
}

#[test]
fn several_changes_at_once() {
    let refusal = toy().refusal(&["dev-libs/needs-testing", "dev-libs/proprietary", "dev-libs/needs-flag"]);
    assert_eq!(
        lines(&refusal),
        [
            "\"=dev-libs/proprietary-1\": { license: [EULA] }",
            "\"=dev-libs/testing-1\": { accept_keywords: [\"~amd64\"] }",
            "dev-libs/flagged: { use: [cblas] }",
        ]
    );
}

#[test]
fn a_renamed_package_and_a_misspelt_one() {
    let refusal = toy().refusal(&["dev-libs/dangling"]);
    assert_eq!(refusal.kind, RefusalKind::Unknown);
    assert_eq!(refusal.unknown[0].moved_to.as_deref(), Some("dev-libs/leaf"));
    assert_eq!(refusal.unknown[0].wanted_by[0].parent, "dev-libs/dangling-1");
    assert_eq!(lines(&refusal), ["dev-libs/leaf: {}"]);
    let refusal = toy().refusal(&["dev-libs/leef"]);
    assert_eq!(refusal.unknown[0].near, ["dev-libs/leaf"]);
}

#[test]
fn a_build_time_circle_with_the_change_portage_proposes() {
    let refusal = toy().refusal(&["dev-libs/hen"]);
    assert_eq!(refusal.kind, RefusalKind::Cycle);
    let cycle = refusal.cycle.as_ref().unwrap();
    let links: Vec<_> = cycle
        .edges
        .iter()
        .map(|edge| (edge.parent.as_str(), edge.child.as_str()))
        .collect();
    assert_eq!(
        links,
        [
            ("dev-libs/egg-1", "dev-libs/hen-1"),
            ("dev-libs/hen-1", "dev-libs/egg-1")
        ]
    );
    assert!(
        refusal.explanation.contains("dev-libs/egg-1 (Change USE: -hen)"),
        "{}",
        refusal.explanation
    );
    assert_eq!(lines(&refusal), ["dev-libs/egg: { use: [-hen] }"]);
}

#[test]
fn blockers_and_two_versions_for_one_slot() {
    let refusal = toy().refusal(&["dev-libs/blocker"]);
    assert_eq!(refusal.kind, RefusalKind::Blocked);
    assert_eq!(refusal.blockers[0].atom, "!!dev-libs/leaf");
    assert_eq!(refusal.blockers[0].blocked, ["dev-libs/leaf-2"]);
    let refusal = toy().refusal(&["dev-libs/conflict"]);
    assert_eq!(refusal.kind, RefusalKind::SlotConflict);
    assert_eq!(refusal.slot_conflicts[0].slot, "dev-libs/leaf:0");
    assert_eq!(refusal.slot_conflicts[0].packages.len(), 2);
}

#[test]
fn members_that_emerge_does_not_take() {
    assert_eq!(toy().refusal(&["@nowhere"]).kind, RefusalKind::UnknownSet);
    let refusal = toy().refusal(&["dev-libs/leaf-1"]);
    assert_eq!(refusal.kind, RefusalKind::Argument, "{refusal:#?}");
    assert!(!refusal.explanation.is_empty());
}

#[test]
fn flags_that_contradict_each_other() {
    let refusal = toy().refusal(&["dev-libs/choosy"]);
    assert_eq!(refusal.kind, RefusalKind::Unsatisfied);
    assert_eq!(
        refusal.unsatisfied[0].available[0].masked_by,
        ["REQUIRED_USE: exactly-one-of ( mpi serial )"]
    );
    assert!(
        refusal.explanation.contains("exactly-one-of ( mpi serial )"),
        "{}",
        refusal.explanation
    );
    assert_eq!(lines(&refusal), ["dev-libs/choosy: { use: [mpi] }"]);
    assert_eq!(manifest_lines(&refusal)[0].members, ["dev-libs/choosy"]);
}

#[test]
fn members_are_named_through_all_that_is_between() {
    let toy = Toy::with(
        "-- var/db/repos/gentoo/dev-libs/above/above-1.ebuild --\nEAPI=8\nDESCRIPTION=\"x\"\nKEYWORDS=\"amd64\"\nLICENSE=\"MIT\"\nSLOT=\"0\"\n\
         RDEPEND=\"dev-libs/needs-flag\"\n",
    );
    let refusal = toy.refusal(&["dev-libs/above", "dev-libs/leaf"]);
    let suggested = &manifest_lines(&refusal)[0];
    assert_eq!(suggested.text, "dev-libs/flagged: { use: [cblas] }");
    assert_eq!(suggested.wanted_by[0].parent, "dev-libs/needs-flag-1");
    assert_eq!(suggested.members, ["dev-libs/above"]);
}

#[test]
fn required_use_is_read_as_portage_reads_it() {
    // Random expressions, EAPI by EAPI, each with every set of its flags: what Portage says of it.
    let script = r#"
import itertools, json, random
from portage.dep import check_required_use
chance = random.Random(1)
flags = ["a", "b", "c", "d"]
def group(depth):
    kind = chance.choice(["leaf", "leaf", "leaf", "||", "^^", "??", "", "if"]) if depth else "leaf"
    if kind == "leaf":
        return chance.choice(["", "!"]) + chance.choice(flags)
    inside = " ".join(group(depth - 1) for _ in range(chance.randint(1, 3)))
    if kind == "if":
        kind = chance.choice(["", "!"]) + chance.choice(flags) + "?"
    return (kind + " ( " + inside + " )").strip()
out = []
for _ in range(400):
    text = " ".join(group(3) for _ in range(chance.randint(1, 3)))
    for eapi in ["5", "8"]:
        answers = []
        for bits in itertools.product([False, True], repeat=4):
            on = {flag for flag, bit in zip(flags, bits) if bit}
            answers.append(bool(check_required_use(text, on, lambda flag: True, eapi=eapi)))
        out.append([text, eapi, answers])
print(json.dumps(out))
"#;
    let answers = toy().exec(&["python3", "-c", script], b"");
    let table: Vec<(String, String, Vec<bool>)> = serde_json::from_slice(&answers).unwrap();
    let mut differ = 0;
    for (text, eapi, answers) in &table {
        let required = RequiredUse::parse(text, eapi).unwrap();
        for (bits, portage) in answers.iter().enumerate() {
            let on = ["d", "c", "b", "a"]
                .iter()
                .enumerate()
                .filter(|(at, _)| bits >> at & 1 == 1);
            let enabled: BTreeSet<String> = on.map(|(_, flag)| (*flag).to_owned()).collect();
            assert_eq!(
                required.is_fulfilled(&enabled),
                *portage,
                "{text} with {enabled:?} in EAPI {eapi}"
            );
        }
        differ += usize::from(answers.contains(&true) && answers.contains(&false));
    }
    assert!(differ > 300, "too few of {} decide anything: {differ}", table.len());
}

#[test]
fn options_that_emerge_does_not_take() {
    let mut request = request(&["dev-libs/leaf"]);
    request.options = vec!["--no-such-option".into()];
    let Outcome::Refusal(refusal) = toy().answer(&request).outcome else {
        panic!("it is refused")
    };
    assert_eq!(refusal.kind, RefusalKind::Argument);
    assert!(
        refusal.explanation.contains("--no-such-option"),
        "{}",
        refusal.explanation
    );
}

#[test]
fn a_root_without_a_profile() {
    let toy = Toy::with("");
    toy.exec(&["rm", "/etc/portage/make.profile"], b"");
    let refusal = toy.refusal(&["dev-libs/leaf"]);
    assert_eq!(refusal.kind, RefusalKind::Profile);
    assert!(!refusal.explanation.is_empty());
}
