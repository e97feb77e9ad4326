//! The key of one node of every kind. A key that changes rebuilds something on every machine: that is done on purpose or not at all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod nodes;
mod workspace;

use std::collections::BTreeSet;
use std::path::Path;

const FARMS: [&str; 3] = ["golden", "hosted", "stage3"];

const KEYS: &str = include_str!("keys.txt");

const ADVICE: &str = "
Keys changed. If nobody meant to, find out what entered them. If it is meant: raise `rule_version` in the rule's `node()` unless an
input changed that is in the key by itself, add a line to \"Deliberate changes\" of docs/keys.md, and put these lines into
crates/farm/tests/golden_keys/keys.txt:
";

/// One line a node: its rule with the version, its name, its key.
fn keys_in(folder: &Path) -> String {
    workspace::write(folder);
    let mut lines = Vec::new();
    for node in nodes::all(folder, "golden") {
        lines.push(format!("{:<10} {:<29} {}", node.rule, node.name, node.key));
    }
    // Their other nodes are as those of the first. In the hosted farm ABIs count, and in that with a stage3 what Portage looks at,
    // and what is published of the base.
    for (farm, own) in [
        ("hosted", ["base", "abi/root", "pkg/app-misc/app-1"].as_slice()),
        (
            "stage3",
            &["base", "pkg/app-misc/app-1", "plan", "publish-pkgs", "quickpkg"],
        ),
    ] {
        for node in nodes::all(folder, farm) {
            if own.iter().any(|own| node.name == format!("{farm}:{own}")) {
                lines.push(format!("{:<10} {:<29} {}", node.rule, node.name, node.key));
            }
        }
    }
    lines.sort();
    lines.join("\n") + "\n"
}

#[test]
fn keys_are_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys_in(folder.path());
    let known: BTreeSet<&str> = KEYS.lines().collect();
    let changed: Vec<&str> = keys.lines().filter(|line| !known.contains(line)).collect();
    assert!(changed.is_empty(), "{ADVICE}{}\n", changed.join("\n"));
    assert_eq!(keys, KEYS, "a node is gone from the list");
}

#[test]
fn keys_know_nothing_of_folder_and_time() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let deep = other.path().join("some/where/else");
    fs_err::create_dir_all(&deep).unwrap();
    assert_eq!(keys_in(one.path()), keys_in(&deep));
}

#[test]
fn every_kind_is_among_them() {
    let folder = tempfile::tempdir().unwrap();
    workspace::write(folder.path());
    let nodes = FARMS.map(|farm| nodes::all(folder.path(), farm));
    let kinds: BTreeSet<usize> = nodes.iter().flatten().map(|node| node.kind).collect();
    assert_eq!(kinds, (0..nodes::KINDS).collect());
}

#[test]
fn whoever_fetches_or_sends_takes_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    workspace::write(folder.path());
    let nodes = FARMS.map(|farm| nodes::all(folder.path(), farm));
    let kinds: BTreeSet<usize> = nodes
        .iter()
        .flatten()
        .filter(|node| node.network)
        .map(|node| node.kind)
        .collect();
    // Bases, repositories that are not folders, source files, sources of live ebuilds, images that are pushed.
    assert_eq!(kinds, [0, 1, 3, 5, 6, 9, 15, 16, 21].into());
}
