//! Whatever runs nodes is recorded.

use crate::support::{FarmSpace, docker, registry::Address};

#[test]
fn plans_and_publications_are_recorded() {
    let space = FarmSpace::ready();
    let folder = format!("PKGS=file://{}", space.folder().join("published").display());
    let nobody = format!("REGISTRY={}", &*Address::unused());
    let _ = space.farm(&["plan", "tiny"]).succeeded();
    let _ = space.farm(&["publish-pkgs", "tiny", "--unsigned", &folder]).succeeded();
    let _ = space
        .farm(&["publish-pkgs", "tiny", "--unsigned", "-n", &folder])
        .succeeded();
    let _ = space.farm(&["publish-image", "tiny", &nobody]).ended(3);
    let history = space.farm(&["debug", "history", "--json"]).succeeded().events();
    let told: Vec<(&str, &str)> = history
        .iter()
        .take(3)
        .map(|run| (run["words"][0].as_str().unwrap(), run["result"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [("publish-image", "failed"), ("publish-pkgs", "done"), ("plan", "done")]
    );
    let failed = space.farm(&["log", "what-failed"]).succeeded();
    assert!(failed.stdout.contains("tiny:publish-image: "), "{failed}");
}

#[test]
fn what_was_just_built_is_looked_for_by_the_next_run() {
    let space = FarmSpace::ready();
    space.edit(
        "farms/tiny/bootstrap.sh",
        "set -eu\n",
        "set -eu\necho new > /etc/stamp\n",
    );
    // Of a file of this very moment nothing is noted, and the next run would look at everything.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let build = || space.farm(&["build", "tiny:root", "--json"]).succeeded();
    let output = build();
    assert!(output.ran().contains("tiny:root"), "{output}");
    let image = space.place("tiny:root", "image");
    let _ = docker(&["image", "rm", image["tag"].as_str().unwrap()]);
    let output = build();
    assert!(output.ran().contains("tiny:root"), "{output}");
}
