//! Packages that do not compile.

use std::collections::BTreeSet;

use crate::support::nginx::Nginx;
use crate::support::{FarmSpace, Output};

const BAR: &str = "farms/tiny/overlay/dev-libs/bar/files/bar.c";
const TOOL: &str = "farms/tiny/overlay/dev-util/tool/files/tool.c";
const LEAF: &str = "pkg/app-misc/leaf-1.0";
const LEAF_EBUILD: &str = "farms/tiny/overlay/app-misc/leaf/leaf-1.0.ebuild";

/// The packages that ended with a result, without the farm's name.
fn packages(output: &Output, result: &str) -> Vec<String> {
    let names: BTreeSet<String> = output.with_result(result);
    names
        .iter()
        .filter_map(|name| name.strip_prefix("tiny:"))
        .filter(|name| name.starts_with("pkg/"))
        .map(str::to_owned)
        .collect()
}

/// The nodes below a heading of the summary: `failed:`, `skipped:`, `built:`.
fn listed<'a>(stderr: &'a str, heading: &str) -> Vec<&'a str> {
    stderr
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.trim().strip_prefix("tiny:"))
        .map(|line| line.split(": ").next().unwrap_or(line))
        .collect()
}

#[test]
fn a_package_that_does_not_compile() {
    let space = FarmSpace::ready();
    space.edit(BAR, "return foo_count() + 1;", "return foo_count() + no_such_thing;");
    space.edit(TOOL, "usage: tool WORD", "usage: tool ONE_WORD");

    let output = space.farm(&["build", "tiny", "-k"]).ended(1);
    let said = &output.stderr;
    assert_eq!(listed(said, "failed:"), ["pkg/dev-libs/bar-2.0"], "{output}");
    assert_eq!(
        listed(said, "skipped:"),
        [LEAF, "binhost", "image/leaf", "task/greet"],
        "{output}"
    );
    let built = listed(said, "built:");
    assert!(built.contains(&"pkg/dev-util/tool-1.0"), "{output}");
    // The log is named, and its end is shown: what the compiler said, and what Portage made of it.
    let log = space.path(".farm/logs/tiny/pkg/dev-libs/bar-2.0.log");
    assert!(said.contains(&format!("log: {}", log.display())), "{output}");
    let quoted = |text: &str| said.lines().any(|line| line.starts_with("  | ") && line.contains(text));
    assert!(quoted("no_such_thing"), "{output}");
    assert!(
        quoted("ERROR: dev-libs/bar-2.0::tiny failed (compile phase)"),
        "{output}"
    );
    // `farm log` prints all of it.
    let whole = space.farm(&["log", "tiny:pkg/dev-libs/bar"]).succeeded();
    assert!(whole.stdout.contains(">>> Installing dependencies"), "{whole}");
    assert!(whole.stdout.contains("no_such_thing"), "{whole}");

    // The work tree is kept as the compiler left it.
    let kept = fs_err::File::open(space.path(".farm/failed/tiny/pkg/dev-libs/bar-2.0.tar.zst")).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(kept).unwrap());
    let paths: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
        .collect();
    for path in ["work/bar/bar.c", "temp/environment", "temp/build.log"] {
        assert!(paths.iter().any(|kept| kept.ends_with(path)), "no {path} in {paths:?}");
    }

    // A failure is no result: it is tried again. What was built is not.
    let output = space.build(&["-k"]).ended(1);
    assert_eq!(packages(&output, "failed"), ["pkg/dev-libs/bar-2.0"], "{output}");
    assert_eq!(packages(&output, "skipped"), [LEAF], "{output}");
    assert_eq!(output.ran(), BTreeSet::new(), "{output}");

    // Mended otherwise than it was, or it would be had from the store.
    space.edit(BAR, "return foo_count() + no_such_thing;", "return foo_count() + 2;");
    let output = space.build(&[]).succeeded();
    assert_eq!(packages(&output, "built"), [LEAF, "pkg/dev-libs/bar-2.0"], "{output}");
    assert!(
        !space.path(".farm/failed/tiny/pkg/dev-libs/bar-2.0.tar.zst").exists(),
        "a mended package keeps its failed tree"
    );
    space.build(&[]).assert_ran("after the mending", &[]);
}

#[test]
fn without_keep_going_nothing_new_is_started() {
    let space = FarmSpace::ready();
    space.edit(BAR, "return foo_count() + 1;", "return no_such_thing;");
    // Does not hang on bar, but only comes after it: the only job is taken.
    let output = space.build(&["-j", "1"]).ended(1);
    assert_eq!(packages(&output, "failed"), ["pkg/dev-libs/bar-2.0"], "{output}");
    assert_eq!(packages(&output, "skipped"), [LEAF], "{output}");
    let last = output.events().pop().unwrap();
    assert_eq!(
        (&last["event"], &last["failed"]),
        (&"build-finished".into(), &1.into()),
        "{output}"
    );
    assert_eq!(last["interrupted"], false, "{output}");
}

#[test]
fn with_keep_going_what_was_built_well_is_published_and_the_rest_stays_as_it_was() {
    let space = FarmSpace::ready();
    let folder = space.folder().join("published");
    let to = format!("PKGS=file://{}", folder.display());
    let words = ["publish-pkgs", "tiny", "--unsigned", "-k", &to];
    let first = space.farm(&words).succeeded();
    let listed = || -> Vec<String> {
        let index = folder.join(format!("{}.opt/Packages", space.flavour()));
        let text = fs_err::read_to_string(index).unwrap();
        text.lines()
            .filter_map(|line| Some(line.strip_prefix("PATH: ")?.to_owned()))
            .collect()
    };
    let before = listed();
    let leaf = "app-misc/leaf/leaf-1.0-1.gpkg.tar".to_owned();
    assert!(before.contains(&leaf), "{before:?}\n{first}");

    space.edit(BAR, "return foo_count() + 1;", "return foo_count() + 2;");
    space.edit(LEAF_EBUILD, "src_install() {", "src_install() {\n\tdie \"on purpose\"");
    let output = space.farm(&words).ended(1);
    let said = |what: &str| assert!(output.stderr.contains(what), "no {what}\n{output}");
    said("app-misc/leaf-1.0 is not published: it was not built");
    said("app-misc/leaf-1.0-1 stays, of the release before");
    let after = listed();
    assert!(after.contains(&leaf), "{after:?}");
    assert!(
        after.contains(&"dev-libs/bar/bar-2.0-2.gpkg.tar".to_owned()),
        "{after:?}"
    );
    assert_eq!(after.len(), before.len());

    // A machine that has no packages of the release before takes what stays from where clients do.
    let server = Nginx::take_puts(&folder);
    let remote = format!("PKGS={}/web", server.url());
    let words = ["publish-pkgs", "tiny", "--unsigned", "-k", &remote];
    space.edit(LEAF_EBUILD, "\n\tdie \"on purpose\"", "");
    let _ = space.farm(&words).succeeded();
    space.edit(LEAF_EBUILD, "src_install() {", "src_install() {\n\tdie \"on purpose\"");
    space.edit(BAR, "return foo_count() + 2;", "return foo_count() + 3;");
    fs_err::remove_dir_all(space.path(".farm/published")).unwrap();
    let output = space.farm(&words).ended(1);
    assert!(output.stderr.contains("app-misc/leaf-1.0-1 stays"), "{output}");
    let index = folder.join(format!("web/{}.opt/Packages", space.flavour()));
    let index = fs_err::read_to_string(index).unwrap();
    for path in [&leaf, "dev-libs/bar/bar-2.0-2.gpkg.tar"] {
        assert!(index.contains(&format!("PATH: {path}\n")), "{index}");
    }

    // Without it, nothing is published after a failure.
    let output = space.farm(&["publish-pkgs", "tiny", "--unsigned", &to]).ended(1);
    assert_eq!(listed(), after, "{output}");
}
