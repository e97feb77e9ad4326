//! What is said where the text is no YAML, or YAML that means something else than was meant.

mod support;

use support::{all_bad, all_bad_whole};

#[test]
fn an_atom_without_quotes() {
    insta::assert_snapshot!(all_bad(&[
        "subjects:\n  mc:\n    packages:\n      >=cat/pkg-1: {}\n",
        "subjects: { mc: { packages: [>=cat/pkg-1, b/c] } }\n",
        "subjects:\n  mc:\n    packages:\n    - <cat/pkg-1\n    - @hep-base\n",
        "subjects: { mc: { packages: { */*: { use: [a] } } } }\n",
        "subjects:\n  mc:\n    packages:\n    - !cat/pkg\n    - !!cat/other\n    - *cat/third\n",
        "subjects:\n  mc:\n    packages:\n    - &cat/pkg\n",
        "subjects:\n  mc:\n    packages:\n    - %cat/pkg\n",
    ]));
}

#[test]
fn no_yaml() {
    insta::assert_snapshot!(all_bad_whole(&[
        "",
        "# nothing\n",
        "farm: hep\n  vars: {}\n",
        "farm: [hep\nvars: {}\n",
        "farm: hep\nvars:\n\tA: 1\n",
        "farm: hep\n---\nfarm: hep\n",
        "%YAML 1.2\n---\nfarm: hep\n",
        "- farm\n",
        "farm\n",
        "farm: hep\nvars: { A: &x 1, B: *x }\n",
        "farm: hep\nvars: { A: !secret 1 }\n",
        "farm: hep\n? [a, b]\n: c\n",
    ]));
}

#[test]
fn duplicate_keys() {
    insta::assert_snapshot!(all_bad(&[
        "binfarm: {}\n",
        "vars: { A: 1, A: 2 }\n",
        "vars: { A: x }\nsubjects:\n  mc:\n    packages:\n      cat/x: {}\n      cat/${A}: {}\n",
    ]));
}

#[test]
fn bytes_that_are_no_text() {
    let workspace = support::Workspace::new().file("farms/hep/farm.yaml", b"farm: \xff\n");
    insta::assert_snapshot!(workspace.bad());
}

#[test]
fn of_very_many_mistakes_the_first_are_shown() {
    let tasks: String = (0..60).map(|number| format!("  t{number}: {{ rum: x }}\n")).collect();
    let shown = support::Workspace::with(&format!("farm: hep\ntasks:\n{tasks}")).bad();
    // Two each: a key that is missing, and one that is unknown.
    assert_eq!(shown.matches("error: ").count(), 50);
    assert!(shown.ends_with("\nand 70 more\n"), "{shown}");
}
