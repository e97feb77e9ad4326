//! Publishing to where clients fetch packages: a web server that takes PUT, and stock Portage that installs from it.

use std::collections::BTreeMap;

use fs_err as fs;

use crate::clients::unsigned_client;
use crate::support::nginx::{Nginx, free_port};
use crate::support::{FarmSpace, Output};

const LEAF: &str = "farms/tiny/overlay/app-misc/leaf/files/leaf.c";
const STDIO: &str = "#include <stdio.h>";

fn publish(space: &FarmSpace, to: &str) -> Output {
    let to = format!("PKGS={to}");
    space.farm(&["publish-pkgs", "tiny", "--unsigned", "--json", &to])
}

fn built(results: &BTreeMap<String, String>) -> Vec<&str> {
    let built = results.iter().filter(|(_, result)| *result == "built");
    built.map(|(name, _)| name.as_str()).collect()
}

#[test]
fn stock_portage_installs_from_a_remote_and_follows_it_back() {
    let space = FarmSpace::ready();
    let folder = space.folder().join("www");
    fs::create_dir(&folder).unwrap();
    let server = Nginx::take_puts(&folder);
    let to = format!("{}/pkgs", server.url());
    let results = publish(&space, &to).succeeded().results();
    assert_eq!(results["tiny:publish-pkgs"], "built");
    let again = publish(&space, &to).succeeded().results();
    assert_eq!(built(&again), [""; 0]);

    let client = unsigned_client(
        &format!("{to}/{}.opt", space.flavour()),
        &space.path("farms/tiny/gentoo"),
    );
    let said = client.emerge("app-misc/leaf");
    assert!(said.contains("Emerging binary"), "{said}");
    assert_eq!(client.shell("leaf"), "hello, the answer is 42");

    // Another version of the same, and back: the client follows both times.
    let source = space.read(LEAF);
    let other = "__attribute__((constructor)) static void say(void) { puts(\"B\"); }";
    space.edit(LEAF, STDIO, &format!("{STDIO}\n{other}\n"));
    let followed = publish(&space, &to).succeeded().results();
    assert_eq!(followed["tiny:publish-pkgs"], "built");
    client.emerge("--update --deep app-misc/leaf");
    assert_eq!(client.shell("leaf"), "B\nhello, the answer is 42");
    space.write(LEAF, source);
    let back = publish(&space, &to).succeeded().results();
    assert!(!built(&back).iter().any(|name| name.contains(":pkg/")), "{back:?}");
    client.emerge("--update --deep app-misc/leaf");
    assert_eq!(client.shell("leaf"), "hello, the answer is 42");

    // What somebody removed is published again, and nothing else is done.
    fs::remove_dir_all(folder.join("pkgs")).unwrap();
    let mended = publish(&space, &to).succeeded().results();
    assert_eq!(built(&mended), ["tiny:publish-pkgs"]);
}

#[test]
fn a_remote_out_of_reach_is_the_environments_fault() {
    let space = FarmSpace::ready();
    let to = format!("http://127.0.0.1:{}/pkgs", free_port());
    let output = publish(&space, &to).ended(3);
    assert!(output.stderr.contains(&to), "{output}");
    assert_eq!(output.with_result("failed").len(), 1, "{output}");
    assert_eq!(output.results()["tiny:publish-pkgs"], "failed");
}
