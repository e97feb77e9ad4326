//! Reading takes time in proportion to the size of the manifest.

mod support;

use std::fmt::Write;

#[test]
fn ten_thousand_packages_are_read_in_a_moment() {
    let mut manifest = format!("{}subjects:\n  mc:\n    packages:\n", support::START);
    for index in 0..10_000 {
        writeln!(
            manifest,
            "      cat/pkg{index}x: {{ use: [a, -b], accept_keywords: [\"~amd64\"] }}"
        )
        .unwrap();
    }
    let loaded = support::Workspace::with(&manifest).good();
    assert_eq!(loaded.farm.subjects[0].packages.entries.len(), 10_000);
}
