//! What is said about keys and values of the wrong kind.

mod support;

use support::{all_bad, all_bad_whole};

#[test]
fn unknown_keys() {
    insta::assert_snapshot!(all_bad(&[
        "subject: {}\n",
        "zebra: 1\n",
        "subjects: { mc: { pakages: [a/b] } }\n",
        "subjects: { mc: { packages: { a/b: { uses: [x], bogus: 1 } } } }\n",
        "images: { x: { from: base, entry_point: [a] } }\n",
        "publish: { pkg: {} }\n",
    ]));
}

#[test]
fn wrong_kinds() {
    insta::assert_snapshot!(all_bad(&[
        "vars: [a]\n",
        "vars: { A: [1] }\n",
        "subjects: [mc]\n",
        "subjects: { mc: [a/b] }\n",
        "subjects: { mc: { packages: { a/b: [x, -y] } } }\n",
        "subjects: { mc: { packages: { a/b: x } } }\n",
        "subjects: { mc: { packages: { a/b: { use: foo } } } }\n",
        "subjects: { mc: { packages: { a/b: { use: foo bar } } } }\n",
        "subjects: { mc: { packages: { a/b: { use: { foo: true } } } } }\n",
        "subjects: { mc: { packages: { a/b: { deps: [c/d] } } } }\n",
        "subjects: { mc: { packages: [a/b: { use: [x] }] } }\n",
        "subjects: { mc: { needs: other, packages: [a/b] } }\n",
        "flavour: [a]\n",
        "publish: { pkgs: { to: \"file:///x\", private: yes } }\n",
        "rebuild: exct\n",
    ]));
}

#[test]
fn what_is_missing() {
    insta::assert_snapshot!(all_bad_whole(&[
        "vars: {}\n",
        "farm: hep\nbinfarm: {}\n",
        "farm: hep\nbinfarm: { base: {} }\n",
        "farm: hep\nbinfarm: { base: gentoo/stage3 }\n",
        "farm: hep\nbinfarm: { base: { hosted: debian } }\n",
        "farm: hep\nsubjects: { mc: { packages: [a/b] } }\n",
        "farm: hep\nimages: { x: { from: base } }\ntasks: { t: { in: env, run: x, needs: [pkgs] }, u: {} }\n",
    ]));
}

#[test]
fn empty_things() {
    insta::assert_snapshot!(all_bad(&[
        "subjects:\n  mc:\n",
        "subjects: { mc: {} }\n",
        "subjects: { mc: { packages: } }\nimages: { x: { from: } }\n",
        "subjects: { mc: { packages: {} } }\n",
        "subjects: { mc: { packages: [] } }\n",
        "subjects: { mc: { packages: [\"*/*\"] } }\n",
        "subjects: { mc: { packages: { a/b: { use: [] } } } }\n",
        "subjects: { mc: { packages: { a/b: { deps: { c/d: {} } } } } }\n",
        "subjects: { mc: { packages: { a/b: { mask: [] } } } }\n",
        "flavour: \"\"\n",
    ]));
}

#[test]
fn names() {
    insta::assert_snapshot!(all_bad(&[
        "subjects: { \"m c\": { packages: [a/b] } }\n",
        "images: { Big: { from: base } }\n",
        "flavour: a/b\n",
        "vars: { 1A: x }\n",
        "vars: { flavour: x }\n",
    ]));
    insta::assert_snapshot!("names_of_farms", all_bad_whole(&["farm: other\n"]));
}
