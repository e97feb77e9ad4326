//! User patches from the first edit to their end, with real Portage.

use std::process::Command;

use fs_err as fs;

use crate::support::{FarmSpace, OVERLAY};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const SOURCES: &str = "farms/tiny/distfiles";
const EBUILD: &str = "farms/tiny/overlay/app-misc/spring/spring-1.0.ebuild";
const TREE: &str = "patch-work/tiny/app-misc/spring-1.0";
const PATCH: &str = "profiles/greeting/patches/app-misc/spring-1.0/spring.patch";

/// A package with a real source archive, a patch of the ebuild's own, and something that src_prepare makes.
const SPRING: &str = r#"EAPI=8

DESCRIPTION="A program with a source archive"
HOMEPAGE="https://example.org/spring"
SRC_URI="https://example.org/${P}.tar.gz"

LICENSE="MIT"
SLOT="0/3"
KEYWORDS="amd64"

PATCHES=( "${FILESDIR}"/own.patch )

src_prepare() {
	default
	echo '#define MADE "made"' > made.h || die
}

src_compile() {
	gcc ${CFLAGS} -o spring spring.c || die
}

src_install() {
	dobin spring
}
"#;

const OWN_PATCH: &str = "--- a/spring.c\n+++ b/spring.c\n@@ -2,3 +2,4 @@\n #include \"made.h\"\n \n+#define OWN \"own\"\n \
                         int main(void) {\n";

const SOURCE: &str = "#include <stdio.h>
#include \"made.h\"

int main(void) {
  puts(\"winter\");
  /*
   * So far apart that a change here
   * and a change there
   * have nothing to do
   * with each other.
   */
  return 0;
}
";

/// A ready workspace with that package in it.
fn space() -> FarmSpace {
    let space = FarmSpace::ready_weekly();
    release(&space, "1.0", SOURCE);
    space.write(&format!("{OVERLAY}/app-misc/spring/files/own.patch"), OWN_PATCH);
    space.edit(MANIFEST, "flavour:", "distfiles: { dir: distfiles }\n\nflavour:");
    space.edit(
        MANIFEST,
        "app-misc/leaf -upper ",
        "app-misc/spring\n      app-misc/leaf -upper ",
    );
    space
}

/// A version of it, with this as its source.
fn release(space: &FarmSpace, version: &str, source: &str) {
    use blake2::Digest as _;
    let (folder, archive) = (format!("spring-{version}"), format!("spring-{version}.tar.gz"));
    space.write(&format!("{SOURCES}/{folder}/spring.c"), source);
    // It leaves out what git would find first, and what src_prepare makes.
    space.write(&format!("{SOURCES}/{folder}/.gitignore"), "made.h\n*.o\n");
    let status = Command::new("tar")
        .args(["--sort=name", "-czf", &archive, &folder])
        .current_dir(space.path(SOURCES))
        .status();
    assert!(status.unwrap().success());
    let bytes = fs::read(space.path(&format!("{SOURCES}/{archive}"))).unwrap();
    let hash: String = blake2::Blake2b512::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let overlay = format!("{OVERLAY}/app-misc/spring");
    let manifest = fs::read_to_string(space.path(&format!("{overlay}/Manifest"))).unwrap_or_default();
    let line = format!("DIST {archive} {} BLAKE2B {hash}\n", bytes.len());
    space.write(&format!("{overlay}/Manifest"), manifest + &line);
    space.write(&format!("{overlay}/spring-{version}.ebuild"), SPRING);
}

fn log(space: &FarmSpace, node: &str) -> String {
    space.read(&format!(".farm/logs/tiny/{node}.log"))
}

#[test]
fn a_patch_is_made_tried_saved_seen_refused_and_dropped() {
    let space = space();
    let prepared = space.farm(&["patch", "prep", "tiny", "app-misc/spring"]).succeeded();
    assert!(prepared.stdout.contains(TREE), "{prepared}");
    assert!(
        prepared.stdout.contains("farm patch try tiny app-misc/spring-1.0"),
        "{prepared}"
    );
    // What the ebuild patches and makes is the start, and no change.
    let source = space.read(&format!("{TREE}/spring.c"));
    assert!(source.contains("OWN"), "{source}");
    assert!(space.read(&format!("{TREE}/made.h")).contains("made"));
    let refused = space.farm(&["patch", "try", "tiny", "spring"]).ended(2);
    assert!(refused.stderr.contains("nothing is changed"), "{refused}");

    // A difference that does not compile: the step's failure, with its log; and nothing is lost by preparing again.
    space.edit(&format!("{TREE}/spring.c"), "\"winter\"", "SPRING");
    let broken = space.farm(&["patch", "try", "tiny", "spring"]).ended(1);
    assert!(
        broken.stderr.contains(".farm/logs/tiny/trial/app-misc/spring-1.0.log"),
        "{broken}"
    );
    let again = space.farm(&["patch", "prep", "tiny", "spring"]).ended(2);
    assert!(
        again.stderr.contains("with changes in it") && again.stderr.contains("--force"),
        "{again}"
    );
    assert!(space.read(&format!("{TREE}/spring.c")).contains("SPRING"));

    space.edit(&format!("{TREE}/spring.c"), "SPRING", "\"spring\"");
    let tried = space.farm(&["patch", "try", "tiny", "spring"]).succeeded();
    assert!(
        tried.stdout.contains("user patches applied: ~difference.patch"),
        "{tried}"
    );
    assert!(log(&space, "trial/app-misc/spring-1.0").contains("Applying ~difference.patch"));
    // It is no package of the farm.
    assert!(
        !space
            .guards()
            .iter()
            .any(|guard| guard.node.contains("pkg/app-misc/spring"))
    );

    let many = space.farm(&["patch", "save", "tiny", "spring"]).ended(2);
    assert!(many.stderr.contains("which layer?"), "{many}");
    let saved = space
        .farm(&["patch", "save", "tiny", "spring", "--layer", "greeting"])
        .succeeded();
    assert!(
        saved.stdout.contains(PATCH) && saved.stdout.contains("app-misc/spring-1.0"),
        "{saved}"
    );
    let text = space.read(PATCH);
    assert!(
        text.contains("+  puts(\"spring\");") && !text.contains("OWN \"own\"\n+"),
        "{text}"
    );

    let _ = space.farm(&["build", "tiny:pkgs"]).succeeded();
    let built = log(&space, "pkg/app-misc/spring-1.0");
    assert!(built.contains("Applying spring.patch"), "{built}");
    let list = space.farm(&["patch", "list", "tiny", "--check"]).succeeded();
    assert!(list.stdout.contains("reaches app-misc/spring-1.0 (applies)"), "{list}");
    assert!(list.stdout.contains("reaches app-misc/leaf-1.0 (applies)"), "{list}");
    assert!(
        list.stdout.contains(&format!("work tree {TREE}: nothing unsaved")),
        "{list}"
    );

    // A second one, on top of the first, under the same name for a version that both are for; and before it.
    space.edit(&format!("{TREE}/spring.c"), "\"spring\"", "\"summer\"");
    let save = ["patch", "save", "tiny", "spring", "--layer", "greeting"];
    for reach in ["version", "any", "slot"] {
        let refused = space.farm(&[&save[..], &["--for", reach]].concat()).ended(2);
        assert!(
            refused.stderr.contains(&format!("{PATCH} is there already")),
            "{refused}"
        );
    }
    let refused = space.farm(&[&save[..], &["--name", "a"]].concat()).ended(2);
    assert!(refused.stderr.contains("--name spring_spring"), "{refused}");
    let tried = space.farm(&["patch", "try", "tiny", "spring"]).succeeded();
    assert!(
        tried.stdout.contains("applied: spring.patch, ~difference.patch"),
        "{tried}"
    );
    let saved = space
        .farm(&[&save[..], &["--name", "spring_summer", "--for", "slot"]].concat())
        .succeeded();
    assert!(saved.stdout.contains("it is for app-misc/spring:0"), "{saved}");
    let _ = space.farm(&["build", "tiny:pkgs"]).succeeded();
    let built = log(&space, "pkg/app-misc/spring-1.0");
    let (first, second) = (
        built.find("Applying spring.patch"),
        built.find("Applying spring_summer.patch"),
    );
    assert!(first.is_some() && first < second, "{built}");

    // Dropped, they leave, and so do the folders that they were in.
    let _ = space
        .farm(&["patch", "drop", "tiny", "spring", "spring_summer"])
        .succeeded();
    let _ = space
        .farm(&["patch", "drop", "tiny", "spring", "spring.patch"])
        .succeeded();
    assert!(!space.path("profiles/greeting/patches/app-misc/spring-1.0").exists());
    assert!(space.path("profiles/greeting/patches/app-misc/leaf").exists());
    let _ = space.farm(&["build", "tiny:pkgs"]).succeeded();
    let built = log(&space, "pkg/app-misc/spring-1.0");
    assert!(!built.contains("Applying spring"), "{built}");
    let _ = space.farm(&["patch", "drop", "tiny", "spring"]).succeeded();
    assert!(!space.path("patch-work/tiny").exists());
}

#[test]
fn what_no_longer_applies_is_told() {
    let space = space();
    let change = |at: &str, before: &str, old: &str, new: &str, after: &str| {
        format!("--- a/spring.c\n+++ b/spring.c\n@@ -{at} +{at} @@\n {before}\n-  {old}\n+  {new}\n {after}\n")
    };
    let folder = "profiles/greeting/patches/app-misc/spring";
    let first = change("11,3", "   */", "return 0;", "return 1;", "}");
    let second = change(
        "4,3",
        "int main(void) {",
        "puts(\"winter\");",
        "puts(\"autumn\");",
        "  /*",
    );
    space.write(&format!("{folder}/1-first.patch"), first);
    space.write(&format!("{folder}/2-second.patch"), second);
    let patched = space.farm(&["patch", "prep", "tiny", "spring"]).succeeded();
    assert!(
        patched
            .stdout
            .contains("already patched by 1-first.patch, 2-second.patch"),
        "{patched}"
    );

    // The tree moves: there is a version whose source is another one.
    release(&space, "1.1", &SOURCE.replace("winter", "snow"));
    let moved = space.farm(&["patch", "try", "tiny", "spring"]).ended(2);
    assert!(moved.stderr.contains("nothing is changed"), "{moved}");
    space.edit(&format!("{TREE}/spring.c"), "autumn", "wind");
    let moved = space.farm(&["patch", "try", "tiny", "spring"]).ended(2);
    assert!(
        moved.stderr.contains("today's plan of tiny has no app-misc/spring-1.0"),
        "{moved}"
    );
    let list = space.farm(&["patch", "list", "tiny"]).succeeded();
    assert_eq!(list.stdout.matches("reaches app-misc/spring-1.1").count(), 2, "{list}");
    let list = space.farm(&["patch", "list", "tiny", "--check"]).ended(1);
    let line = |name: &str| {
        list.stdout
            .lines()
            .find(|line| line.contains(name))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        line("1-first.patch").contains("app-misc/spring-1.1 (applies)"),
        "{list}"
    );
    assert!(
        line("2-second.patch").contains("app-misc/spring-1.1 (NO LONGER APPLIES)"),
        "{list}"
    );
    assert!(line("answer.patch").contains("app-misc/leaf-1.0 (applies)"), "{list}");
    let prep = space.farm(&["patch", "prep", "tiny", "spring"]).ended(1);
    assert!(
        prep.stderr
            .contains("the user patch 2-second.patch does not apply any more"),
        "{prep}"
    );

    // Where nobody applies user patches, a difference is not said to be good.
    let _ = space.farm(&["patch", "drop", "tiny", "spring", "2-second"]).succeeded();
    space.edit(&EBUILD.replace("1.0", "1.1"), "EAPI=8", "EAPI=5");
    space.edit(&EBUILD.replace("1.0", "1.1"), "\tdefault\n", "");
    let _ = space.farm(&["patch", "prep", "tiny", "spring"]).succeeded();
    space.edit("patch-work/tiny/app-misc/spring-1.1/spring.c", "snow", "rain");
    let unused = space.farm(&["patch", "try", "tiny", "spring-1.1"]);
    assert!(unused.stderr.contains("no work tree of spring-1.1"), "{unused}");
    let unused = space.farm(&["patch", "try", "tiny", "app-misc/spring-1.1"]).ended(2);
    assert!(unused.stderr.contains("was built without the difference"), "{unused}");
    let list = space.farm(&["patch", "list", "tiny", "--check"]).succeeded();
    assert!(
        list.stdout.contains("spring-1.1 (its ebuild applies no user patches)"),
        "{list}"
    );
}
