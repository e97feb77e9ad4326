//! `farm binhost` for what is published elsewhere: a web server that takes PUT.

use crate::binhost::{FOLDER, done, ok, release};
use crate::nginx::Nginx;
use crate::space::Space;

/// A workspace whose farm publishes to a web server, whose folder is `www`.
fn space() -> (Space, Nginx) {
    let space = Space::new();
    fs_err::create_dir_all(space.path("www")).unwrap();
    let server = Nginx::take_puts(&space.path("www"));
    let manifest = format!(
        "farm: f\nvars: {{ KIND: opt }}\nflavour: amd64.${{KIND}}\ntasks: {{ t: {{ in: host, run: 'true' }} }}\n\
         publish: {{ pkgs: {{ to: \"{}/pub\" }} }}\n",
        server.url()
    );
    space.write("farms/f/farm.yaml", &manifest);
    for content in ["A", "B", "C"] {
        let folder = format!("www/{FOLDER}");
        release(
            &space,
            &folder,
            &[("dev-libs/x-1", content), ("dev-libs/shared-1", "s")],
        );
    }
    (space, server)
}

/// The packages of which the web server's index tells.
fn served(space: &Space) -> Vec<String> {
    let index = fs_err::read_to_string(space.path(&format!("www/{FOLDER}/Packages"))).unwrap();
    let paths = index.lines().filter_map(|line| line.strip_prefix("PATH: "));
    paths.map(str::to_owned).collect()
}

#[test]
fn releases_elsewhere_are_listed_tagged_and_rolled_back() {
    let (space, _server) = space();
    insta::assert_snapshot!(space.farm(&["binhost", "list"]).text(), @r"
    --- stdout
    3  2023-11-14 22:13:40 UTC  2 packages  20.0 KiB  unsigned  current
    2  2023-11-14 22:13:30 UTC  2 packages  20.0 KiB  unsigned
    1  2023-11-14 22:13:20 UTC  2 packages  20.0 KiB  unsigned
    --- status 0
    ");
    done(&space, &["binhost", "tag", "good", "1"]);
    let tags = fs_err::read_to_string(space.path(&format!("www/{FOLDER}/releases/tags.json"))).unwrap();
    assert!(tags.contains("good"), "{tags}");
    let diff = ok(&space, &["binhost", "diff", "good"]);
    assert!(diff.stdout.contains("dev-libs/x-1: build 1 -> 3"), "{}", diff.text());

    // Also on a machine that has nothing of all that.
    fs_err::remove_dir_all(space.path(".farm/published")).unwrap();
    insta::assert_snapshot!(space.farm(&["binhost", "rollback", "good"]).text(), @r"
    --- stdout
    release 4 has the packages of release 1, in place of those of 3: 1 as new instances, 1 kept, 1 dropped
    + dev-libs/x-1-4
    - dev-libs/x-1-3
    --- stderr
    note: the next `farm publish-pkgs` publishes what the manifest asks for, as ever: change that, too, if this is to last
    --- status 0
    ");
    assert_eq!(
        served(&space),
        ["dev-libs/shared/shared-1-1.gpkg.tar", "dev-libs/x/x-1-4.gpkg.tar"]
    );
    let whole = ok(&space, &["binhost", "check"]);
    assert!(
        whole
            .stderr
            .ends_with("no faults: 2 packages (0 signed), 3 more of earlier releases, 4 releases\n"),
        "{}",
        whole.text()
    );
}

#[test]
fn faults_elsewhere_are_named() {
    let (space, _server) = space();
    done(&space, &["binhost", "check"]);
    // What lies in the mirror does not count.
    let folder = space.path(&format!("www/{FOLDER}"));
    fs_err::write(folder.join("dev-libs/x/x-1-1.gpkg.tar"), "x").unwrap();
    fs_err::remove_file(folder.join("dev-libs/x/x-1-3.gpkg.tar")).unwrap();
    insta::assert_snapshot!(space.farm(&["binhost", "check"]).text(), @r"
    --- stdout
    dev-libs/x/x-1-1.gpkg.tar: it is not what was published
    dev-libs/x/x-1-3.gpkg.tar: it is not there
    --- stderr
    2 faults: 2 packages (0 signed), 2 more of earlier releases, 3 releases
    --- status 1
    ");
}

#[test]
fn releases_elsewhere_are_pruned() {
    let (space, _server) = space();
    for content in ["D", "E"] {
        let folder = format!("www/{FOLDER}");
        release(
            &space,
            &folder,
            &[("dev-libs/x-1", content), ("dev-libs/shared-1", "s")],
        );
    }
    let file = space.path(&format!("www/{FOLDER}/dev-libs/x/x-1-1.gpkg.tar"));
    done(&space, &["binhost", "prune", "--keep", "1", "-n"]);
    assert!(file.exists());
    let pruned = ok(&space, &["binhost", "prune", "--keep", "1"]);
    assert!(
        pruned.stdout.starts_with("removed releases 1-2\nremoved 2 packages ("),
        "{}",
        pruned.text()
    );
    assert!(!file.exists());
    let list = ok(&space, &["binhost", "list"]);
    assert_eq!(list.stdout.lines().count(), 3, "{}", list.text());
    assert_eq!(
        served(&space),
        ["dev-libs/shared/shared-1-1.gpkg.tar", "dev-libs/x/x-1-5.gpkg.tar"]
    );
}

#[test]
fn a_binhost_is_taken_over_to_elsewhere() {
    let (space, _server) = space();
    release(&space, "theirs", &[("dev-libs/z-1", "z")]);
    let theirs = space.path("theirs");
    done(&space, &["binhost", "import", theirs.to_str().unwrap()]);
    assert!(
        served(&space).contains(&"dev-libs/z/z-1-1.gpkg.tar".to_owned()),
        "{:?}",
        served(&space)
    );
}

#[test]
fn a_server_out_of_reach_is_the_environments_fault() {
    let (space, server) = space();
    drop(server);
    let ended = space.farm(&["binhost", "list"]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert!(ended.stderr.contains("is out of reach"), "{}", ended.text());
}
