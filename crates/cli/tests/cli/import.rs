//! `farm import`: folders on the disk, and what is written where.

use crate::space::{Ended, Space};

/// A folder of HEP-Soft's, small enough to be read here.
fn hep_soft(space: &Space) {
    space.write(
        "old/Makefile",
        "PLATFORM=amd64\nBINFARM_TYPE=dbg\nSTAGE3_TAG=1\nPORTAGE_TAG=2\nGENTOO_PROFILE=gentoo:base\nMINE=1\n",
    );
    space.write(
        "old/presets/spec-hepsoft.yaml",
        "sci:\n  # why\n  sci-libs/gsl:\n    use: cblas\n",
    );
    space.write("old/root.hepsoft.d/etc/portage/package.license", "sci-libs/gsl GPL-3\n");
    space.write("old/root.hepsoft.d/usr/bin/tool", "#!/bin/sh\n");
    space.write("old/.git/config", "nobody's business\n");
    let tool = space.path("old/root.hepsoft.d/usr/bin/tool");
    let mut mode = fs_err::metadata(&tool).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o750);
    fs_err::set_permissions(&tool, mode).unwrap();
}

/// It was refused as the user's mistake, with these words.
fn refused(ended: &Ended, words: &str) {
    assert_eq!(ended.status, Some(2), "{}", ended.text());
    assert!(
        ended.stderr.contains(words) && ended.stderr.contains("hint: "),
        "{}",
        ended.text()
    );
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_folder_becomes_a_farm_that_can_be_used() {
    let space = Space::new();
    hep_soft(&space);
    let ended = space.farm(&["import", "hep-soft", "old", "--to", "new", "--name", "hep"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert!(
        ended
            .stdout
            .contains("presets/spec-hepsoft.yaml:4: `use: cblas` is a text"),
        "{}",
        ended.stdout
    );
    assert!(ended.stderr.contains("next: read the report"), "{}", ended.stderr);
    let subjects = space.read("new/farms/hep/farm.yaml");
    assert!(
        subjects.contains("      # why\n      sci-libs/gsl: { use: [cblas] }\n"),
        "{subjects}"
    );
    assert_eq!(space.read("new/profiles/hep/package.license"), "sci-libs/gsl GPL-3\n");
    let report = space.read("new/farms/hep/import-report.txt");
    assert!(report.contains("Makefile:6: MINE=1; "), "{report}");
    assert!(!report.contains(".git"), "{report}");
    let tool = fs_err::metadata(space.path("new/farms/hep/root.d/usr/bin/tool")).unwrap();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&tool.permissions()) & 0o777,
        0o755
    );
    // farm itself knows it, and only the engine is missing.
    let targets = space.farm(&["-C", "new", "targets", "hep"]);
    assert!(targets.stdout.contains("pkgs/sci"), "{}", targets.text());
}

#[test]
fn a_dry_run_writes_nothing() {
    let space = Space::new();
    hep_soft(&space);
    let ended = space.farm(&["import", "hep-soft", "old", "--to", "new", "--name", "hep", "-n"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert!(
        ended
            .stdout
            .starts_with("# farms/hep/farm.yaml\n# Made by `farm import hep-soft`."),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("\nNot taken over:\n") && ended.stderr.starts_with("would write"),
        "{}",
        ended.text()
    );
    assert!(!space.exists("new"));
}

#[test]
fn nothing_is_written_over() {
    let space = Space::new();
    hep_soft(&space);
    // The current folder holds something, and is no workspace.
    refused(
        &space.farm(&["import", "hep-soft", "old"]),
        "workspace holds other things than a workspace",
    );
    let first = space.farm(&["import", "hep-soft", "old", "--to", "new"]);
    assert_eq!(first.status, Some(0), "{}", first.text());
    let before = space.read("new/farms/old/farm.yaml");
    refused(
        &space.farm(&["import", "hep-soft", "old", "--to", "new"]),
        "new/farms/old is there already",
    );
    assert_eq!(space.read("new/farms/old/farm.yaml"), before);
    // Another farm of the same workspace is welcome.
    let other = space.farm(&["-C", "new", "import", "hep-soft", "old", "--name", "other"]);
    assert_eq!(other.status, Some(0), "{}", other.text());
    assert!(space.exists("new/profiles/other/package.license"));
}

#[test]
fn what_cannot_be_imported() {
    let space = Space::new();
    space.write("empty/README", "");
    refused(
        &space.farm(&["import", "gentoomuch", "empty", "--to", "new"]),
        "this is no folder of Gentoomuch: there is no stage3.defines/NAME",
    );
    refused(
        &space.farm(&["import", "hep-soft", "nowhere", "--to", "new"]),
        "there is no folder nowhere",
    );
    hep_soft(&space);
    refused(
        &space.farm(&["import", "hep-soft", "old", "--to", "new", "--name", "pkgs"]),
        "a farm cannot be called `pkgs`",
    );
    refused(
        &space.farm(&["import", "hep-soft", "old", "--to", "new", "--repo", "empty"]),
        "empty is no ebuild repository: it has no profiles/repo_name",
    );
    assert!(!space.exists("new"));
}

#[test]
fn a_manifest_that_needs_a_hand_says_so() {
    let space = Space::new();
    hep_soft(&space);
    space.write("old/Makefile", "GENTOO_PROFILE=elsewhere:base\n");
    let ended = space.farm(&["import", "hep-soft", "old", "--to", "new", "--name", "hep"]);
    assert_eq!(ended.status, Some(1), "{}", ended.text());
    assert!(
        ended.stderr.contains("`elsewhere` is not among `repos`"),
        "{}",
        ended.text()
    );
    assert!(space.exists("new/farms/hep/farm.yaml"));
}

#[test]
fn a_repository_says_what_is_called_otherwise() {
    let space = Space::new();
    hep_soft(&space);
    space.write("tree/profiles/repo_name", "gentoo\n");
    space.write("tree/profiles/updates/1Q-2024", "move sci-libs/gsl sci-math/gsl\n");
    space.write("tree/sci-math/gsl/gsl-1.ebuild", "");
    let ended = space.farm(&["import", "hep-soft", "old", "--to", "new", "--repo", "tree"]);
    assert!(
        ended
            .stdout
            .contains("`sci-libs/gsl` is `sci-math/gsl` today, says profiles/updates/1Q-2024:1 of gentoo"),
        "{}",
        ended.text()
    );
    assert!(
        space
            .read("new/farms/old/farm.yaml")
            .contains("# sci-libs/gsl until 1Q-2024\n      sci-math/gsl: { use: [cblas] }\n")
    );
    // A tree in which it still has its name is believed.
    space.write("tree/sci-libs/gsl/gsl-1.ebuild", "");
    let ended = space.farm(&[
        "import", "hep-soft", "old", "--to", "new", "--repo", "tree", "--name", "b",
    ]);
    assert!(!ended.stdout.contains("today"), "{}", ended.text());
}
