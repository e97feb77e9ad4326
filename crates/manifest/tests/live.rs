//! Folders that stand in for the repositories of live packages.

mod support;

use support::{Workspace, all_bad};

#[test]
fn folders_may_lie_outside_of_the_workspace() {
    let manifest = "farm: hep\nlive:\n  a/in: { path: ../../own }\n  a/out: { path: ../.././../own/./x/.. }\n  a/far: { path: /srv/own }\n";
    let farm = Workspace::with(manifest).good().farm;
    let found: Vec<(&str, &str)> = farm
        .live
        .iter()
        .map(|entry| (entry.package.value.as_str(), entry.path.value.as_str()))
        .collect();
    assert_eq!(found, [("a/in", "own"), ("a/out", "../own"), ("a/far", "/srv/own")]);
}

#[test]
fn what_is_no_package_or_has_no_folder_is_said() {
    insta::assert_snapshot!(all_bad(&[
        "live: { own: { path: x } }\n",
        "live: { a/own-1.0: { path: x } }\n",
        "live: { a/own: {} }\n",
        "live: { a/own: }\n",
        "live: { a/own: { url: x } }\n",
    ]));
}
