//! A plan against what is published, in a folder and at a remote.

use fs_err as fs;

use crate::refusals::package;
use crate::support::nginx::Nginx;
use crate::support::{FarmSpace, Output};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const FOO: &str = "farms/tiny/overlay/dev-libs/libfoo/files/foo.c";

fn diff(space: &FarmSpace, to: &str) -> Output {
    space.farm(&["plan", "tiny", "--diff", "release", to]).succeeded()
}

/// The line about a package, which begins with a sign: others may name it in their reasons.
fn find<'a>(output: &'a Output, name: &str) -> Option<&'a str> {
    let is_about = |line: &&str| line.split_once(' ').is_some_and(|(_, rest)| rest.starts_with(name));
    output.stdout.lines().find(is_about)
}

fn line<'a>(output: &'a Output, name: &str) -> &'a str {
    find(output, name).unwrap_or_else(|| panic!("no {name} in {output}"))
}

#[test]
fn a_plan_says_what_the_next_publication_would_change() {
    let space = FarmSpace::ready();
    let folder = space.folder().join("pkgs");
    let to = format!("PKGS=file://{}", folder.display());
    let nothing = diff(&space, &to);
    let address = format!("file://{}/{}.opt", folder.display(), space.flavour());
    let first = format!(
        "tiny: nothing is published at {address} yet, so all of it is new\n+ app-misc/leaf-1.0::tiny  (cached)\n"
    );
    assert!(nothing.stdout.starts_with(&first), "{nothing}");
    assert!(nothing.stdout.contains("\ntiny: 4 new, 0 gone,"), "{nothing}");

    package(&space, "dev-libs/need-1", "");
    space.edit(
        MANIFEST,
        "subjects:\n",
        "subjects:\n  more: { packages: [dev-libs/need] }\n",
    );
    let _ = space.farm(&["publish-pkgs", "tiny", "--unsigned", &to]).succeeded();
    let same = format!(
        "tiny: against release 1 of {address}\n\n\
         tiny: 0 new, 0 gone, 0 otherwise, 0 with other content, 0 known when built, 5 the same\n"
    );
    assert_eq!(diff(&space, &to).stdout, same);

    // One goes, one comes, one has another flag, one another version; of one only the source is another one.
    space.edit(MANIFEST, "packages: [dev-libs/need]", "packages: [dev-libs/other]");
    package(&space, "dev-libs/other-1", "");
    space.edit(MANIFEST, "app-misc/leaf -upper ", "app-misc/leaf upper ");
    let ebuild = "farms/tiny/overlay/dev-libs/bar/bar-2.0.ebuild";
    space.write("farms/tiny/overlay/dev-libs/bar/bar-2.1.ebuild", space.read(ebuild));
    space.remove(ebuild);
    let source = space.read(FOO);
    space.write(FOO, format!("{source}\nint farm_more(void) {{ return 7; }}\n"));
    let planned = diff(&space, &to);
    assert!(
        line(&planned, "dev-libs/other").starts_with("+ dev-libs/other-1::tiny  (build: "),
        "{planned}"
    );
    assert_eq!(line(&planned, "dev-libs/need"), "- dev-libs/need-1");
    assert!(
        line(&planned, "dev-libs/bar").starts_with("~ dev-libs/bar-2.1::tiny [2.0]  ("),
        "{planned}"
    );
    assert!(
        line(&planned, "app-misc/leaf").starts_with("~ app-misc/leaf-1.0::tiny USE=\"upper\"  ("),
        "{planned}"
    );
    assert!(
        line(&planned, "dev-libs/libfoo").starts_with("? dev-libs/libfoo-1.2::tiny  (build: "),
        "{planned}"
    );
    assert_eq!(find(&planned, "dev-util/tool"), None, "{planned}");
    let counts = "\ntiny: 1 new, 1 gone, 2 otherwise, 0 with other content, 1 known when built, 1 the same\n";
    assert!(planned.stdout.ends_with(counts), "{planned}");

    // Once it is built, the content tells.
    let _ = space.farm(&["build", "tiny:pkg/dev-libs/libfoo", &to]).succeeded();
    let built = diff(&space, &to);
    let content = "~ dev-libs/libfoo-1.2::tiny  (cached, with other content)";
    assert_eq!(line(&built, "dev-libs/libfoo"), content, "{built}");
    // Going back, what was published is what is cached, though something else was built last.
    space.write(FOO, source);
    let back = diff(&space, &to);
    assert_eq!(find(&back, "dev-libs/libfoo"), None, "{back}");

    let words = ["plan", "tiny", "--diff", "release", "--json", &to];
    let json: serde_json::Value = serde_json::from_str(&space.farm(&words).succeeded().stdout).unwrap();
    assert_eq!((&json[0]["release"], &json[0]["whole"]), (&1.into(), &true.into()));
    let changes = json[0]["changes"].as_array().unwrap();
    let gone = changes.iter().find(|change| change["change"] == "gone").unwrap();
    assert_eq!(gone["from"]["package"], "dev-libs/need-1");
    assert!(gone["to"].is_null(), "{gone}");

    // A remote is asked, whatever its mirror holds; what may not be published is said.
    let www = space.folder().join("www");
    fs::create_dir(&www).unwrap();
    let server = Nginx::take_puts(&www);
    let server_address = server.url();
    let to = format!("PKGS={server_address}/pkgs");
    package(&space, "dev-libs/other-1", "RESTRICT=bindist");
    let _ = space.farm(&["publish-pkgs", "tiny", "--unsigned", &to]).succeeded();
    fs::remove_dir_all(space.path(".farm/published")).unwrap();
    let remote = diff(&space, &to);
    assert!(
        remote.stdout.starts_with("tiny: against release 1 of http://"),
        "{remote}"
    );
    assert!(
        remote
            .stdout
            .contains("dev-libs/other-1 is not published: RESTRICT=bindist"),
        "{remote}"
    );
    assert!(remote.stdout.ends_with(" 0 known when built, 4 the same\n"), "{remote}");
    drop(server);
    let away = space.farm(&["plan", "tiny", "--diff", "release", &to]).ended(3);
    assert!(away.stderr.contains(&server_address), "{away}");
}
