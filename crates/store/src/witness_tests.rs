use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::{Comparison, Testimony};

const SAME: Comparison = Comparison::Owners(BTreeSet::new());

/// Folders and files of every kind that were left alone for long enough to be trusted.
fn old_tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs_err::create_dir_all(root.join("sub")).unwrap();
    fs_err::write(root.join("file"), "one").unwrap();
    fs_err::write(root.join("sub/other"), "two").unwrap();
    fs_err::os::unix::fs::symlink("sub", root.join("link")).unwrap();
    dir
}

const PATHS: [&str; 6] = ["", "file", "sub", "sub/other", "link", "missing"];

/// A witness of all of it, who looked `later` than everything was made.
fn witness(root: &Path, later: Duration) -> Witness {
    let witness = Witness::default();
    for path in PATHS {
        let path = if path.is_empty() {
            root.to_owned()
        } else {
            root.join(path)
        };
        let now = SystemTime::now() + later;
        let found = fs_err::symlink_metadata(&path);
        let link = found.as_ref().is_ok_and(Metadata::is_symlink);
        witness.note(&path, How::Itself, found, now, Concern::Everybody);
        if link {
            witness.note(&path, How::Through, fs_err::metadata(&path), now, Concern::Everybody);
        }
    }
    witness
}

const LATER: Duration = Duration::from_secs(10);

#[test]
fn what_did_not_change_holds_in_this_folder_and_in_a_moved_one() {
    let dir = old_tree();
    let root = dir.path().join("sub");
    let testimony = witness(dir.path(), LATER)
        .testimony(dir.path(), &Owners::new())
        .unwrap();
    assert!(testimony.compare(dir.path()) == SAME);
    assert!(testimony.compare(&root) != SAME);
    assert!(Testimony::from_bytes(testimony.as_bytes().to_vec()).compare(dir.path()) == SAME);
    // Paths outside of the root are absolute.
    let testimony = witness(dir.path(), LATER).testimony(&root, &Owners::new()).unwrap();
    assert!(testimony.compare(&root) == SAME);
}

#[test]
fn every_change_is_seen() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 9] = [
        ("content of the same length", |root| {
            fs_err::write(root.join("file"), "1ne").unwrap();
        }),
        ("mode", |root| {
            fs_err::set_permissions(root.join("file"), Permissions::from_mode(0o755)).unwrap();
        }),
        ("a file gone", |root| {
            fs_err::remove_file(root.join("sub/other")).unwrap();
        }),
        ("a name more in a folder", |root| {
            fs_err::write(root.join("sub/new"), "").unwrap();
        }),
        ("a name less in a folder", |root| {
            fs_err::rename(root.join("sub/other"), root.join("file")).unwrap();
        }),
        ("what was missing", |root| {
            fs_err::write(root.join("missing"), "").unwrap();
        }),
        ("another file under the name", |root| {
            fs_err::write(root.join("sub/other.new"), "two").unwrap();
            fs_err::rename(root.join("sub/other.new"), root.join("sub/other")).unwrap();
        }),
        ("where a link leads", |root| {
            fs_err::remove_file(root.join("link")).unwrap();
            fs_err::os::unix::fs::symlink("file", root.join("link")).unwrap();
        }),
        ("times put back", |root| {
            let before = fs_err::metadata(root.join("file")).unwrap();
            fs_err::write(root.join("file"), "1ne").unwrap();
            let time = filetime::FileTime::from_last_modification_time(&before);
            filetime::set_file_mtime(root.join("file"), time).unwrap();
        }),
    ];
    for (what, change) in changes {
        let dir = old_tree();
        let testimony = witness(dir.path(), LATER)
            .testimony(dir.path(), &Owners::new())
            .unwrap();
        assert!(testimony.compare(dir.path()) == SAME, "before: {what}");
        // The kernel stamps with a clock that ticks every few milliseconds: a change within a tick is what `young` is about.
        wait_for_another_tick(dir.path());
        change(dir.path());
        assert!(testimony.compare(dir.path()) != SAME, "{what}");
    }
}

/// Until a new file's time differs from the newest in the folder.
fn wait_for_another_tick(root: &Path) {
    let newest = fs_err::metadata(root.join("link")).unwrap().modified().unwrap();
    let probe = tempfile::NamedTempFile::new().unwrap();
    let link = fs_err::symlink_metadata(root.join("link")).unwrap().modified().unwrap();
    loop {
        fs_err::write(probe.path(), "x").unwrap();
        if fs_err::metadata(probe.path()).unwrap().modified().unwrap() > newest.max(link) {
            return;
        }
    }
}

#[test]
fn the_target_of_a_link_is_watched() {
    let dir = old_tree();
    let witness = Witness::default();
    let link = dir.path().join("link");
    witness.note(
        &link,
        How::Itself,
        fs_err::symlink_metadata(&link),
        SystemTime::now() + LATER,
        Concern::Everybody,
    );
    witness.note(
        &link,
        How::Through,
        fs_err::metadata(&link),
        SystemTime::now() + LATER,
        Concern::Everybody,
    );
    let testimony = witness.testimony(dir.path(), &Owners::new()).unwrap();
    wait_for_another_tick(dir.path());
    fs_err::write(dir.path().join("sub/new"), "").unwrap();
    assert!(testimony.compare(dir.path()) != SAME);
}

#[test]
fn a_young_file_makes_no_testimony_until_it_is_read_again() {
    let dir = old_tree();
    let file = dir.path().join("file");
    let witness = Witness::default();
    witness.look(&file);
    assert_eq!(
        witness.testimony(dir.path(), &Owners::new()),
        Err(Silence::Young(file.clone()))
    );
    let found = fs_err::symlink_metadata(&file).unwrap();
    witness.settle(&file, &found, SystemTime::now() + LATER);
    assert!(
        witness
            .testimony(dir.path(), &Owners::new())
            .unwrap()
            .compare(dir.path())
            == SAME
    );
}

#[test]
fn two_states_of_one_path_are_no_testimony() {
    let dir = old_tree();
    let file = dir.path().join("file");
    let witness = witness(dir.path(), LATER);
    fs_err::write(&file, "longer").unwrap();
    witness.look(&file);
    assert_eq!(
        witness.testimony(dir.path(), &Owners::new()),
        Err(Silence::Contradiction(file))
    );
}

#[test]
fn bytes_that_make_no_sense_do_not_hold() {
    let dir = old_tree();
    let bytes = witness(dir.path(), LATER)
        .testimony(dir.path(), &Owners::new())
        .unwrap()
        .as_bytes()
        .to_vec();
    for length in 1..bytes.len() {
        assert!(
            Testimony::from_bytes(bytes[..length].to_vec()).compare(dir.path()) != SAME,
            "cut at {length}"
        );
    }
}

#[test]
fn more_paths_than_a_block_holds() {
    let dir = tempfile::tempdir().unwrap();
    let witness = Witness::default();
    let count = 3 * 1024 + 1;
    for number in 0..count {
        let path = dir.path().join(format!("file-{number}"));
        fs_err::write(&path, "").unwrap();
        let found = fs_err::symlink_metadata(&path).unwrap();
        witness.saw(&path, &found, SystemTime::now() + LATER, Concern::Everybody);
    }
    let testimony = witness.testimony(dir.path(), &Owners::new()).unwrap();
    assert!(testimony.compare(dir.path()) == SAME);
    fs_err::remove_file(dir.path().join(format!("file-{}", count - 1))).unwrap();
    assert!(testimony.compare(dir.path()) != SAME);
}

fn concern(owned: bool) -> Concern {
    if owned { Concern::Readers } else { Concern::Everybody }
}

#[test]
fn what_only_owners_use_concerns_only_them() {
    let dir = old_tree();
    let root = dir.path();
    let seen = |path: &str, owned: bool| {
        let path = root.join(path);
        let found = fs_err::symlink_metadata(&path);
        (path, found, SystemTime::now() + LATER, owned)
    };
    let witness = Witness::default();
    for (path, owned) in [("file", true), ("sub/other", true), ("link", true), ("sub", false)] {
        let (path, found, now, owned) = seen(path, owned);
        witness.note(&path, How::Itself, found, now, concern(owned));
    }
    let owners: Owners = [("file", vec![1, 2]), ("sub/other", vec![2])]
        .map(|(path, owners)| (root.join(path).into_os_string(), owners))
        .into();
    let testimony = witness.testimony(root, &owners).unwrap();
    assert_eq!(testimony.compare(root), SAME);
    wait_for_another_tick(root);

    // Twice, as the second time it is another state that has to be found.
    fs_err::write(root.join("sub/other"), "longer").unwrap();
    assert_eq!(testimony.compare(root), Comparison::Owners([2].into()));
    fs_err::write(root.join("file"), "longer").unwrap();
    assert_eq!(testimony.compare(root), Comparison::Owners([1, 2].into()));

    // Owner 2 looks again; 1 uses `file`, too, and has not seen it as it is.
    let again = Witness::default();
    for path in ["file", "sub/other"] {
        let (path, found, now, owned) = seen(path, true);
        again.note(&path, How::Itself, found, now, concern(owned));
    }
    let amended = again
        .amend(
            &testimony,
            root,
            &[2].into(),
            &[("file", vec![2]), ("sub/other", vec![2])]
                .map(|(path, owners)| (root.join(path).into_os_string(), owners))
                .into(),
        )
        .unwrap();
    assert_eq!(amended.compare(root), Comparison::Owners([1, 2].into()));
    let amended = again.amend(&testimony, root, &[1, 2].into(), &owners).unwrap();
    assert_eq!(amended.compare(root), SAME);

    // Gone concerns the owners; a folder, or what has no owner, everybody.
    fs_err::remove_file(root.join("file")).unwrap();
    assert_eq!(amended.compare(root), Comparison::Owners([1, 2].into()));
    fs_err::create_dir(root.join("file")).unwrap();
    assert_eq!(amended.compare(root), Comparison::Whole);
    fs_err::remove_dir(root.join("file")).unwrap();
    fs_err::remove_file(root.join("link")).unwrap();
    fs_err::os::unix::fs::symlink("file", root.join("link")).unwrap();
    assert_eq!(amended.compare(root), Comparison::Whole);
}

#[test]
fn a_young_file_with_owners_makes_them_look_again() {
    let dir = old_tree();
    let file = dir.path().join("file");
    let witness = Witness::default();
    witness.look_owned(&file);
    let owners = Owners::from([(file.into_os_string(), vec![7])]);
    let testimony = witness.testimony(dir.path(), &owners).unwrap();
    assert_eq!(testimony.compare(dir.path()), Comparison::Owners([7].into()));
}

#[test]
fn what_was_made_contradicts_nothing_that_was_there_before() {
    let dir = old_tree();
    let file = dir.path().join("file");
    let witness = Witness::default();
    witness.look_owned(&file);
    fs_err::write(&file, "longer").unwrap();
    let found = fs_err::symlink_metadata(&file).unwrap();
    witness.made(&file, &found, SystemTime::now() + LATER);
    let owners = Owners::from([(file.clone().into_os_string(), vec![7])]);
    assert_eq!(
        witness.testimony(dir.path(), &owners).unwrap().compare(dir.path()),
        SAME
    );
    // Whoever looked at it for all sees a contradiction.
    witness.look(&file);
    assert!(witness.has(&file));
    fs_err::write(&file, "longer still").unwrap();
    witness.look(&file);
    assert_eq!(
        witness.testimony(dir.path(), &owners),
        Err(Silence::Contradiction(file))
    );
}

#[test]
fn whoever_read_a_file_before_it_was_made_looks_again() {
    let dir = old_tree();
    let file = dir.path().join("file");
    let witness = Witness::default();
    let read = fs_err::symlink_metadata(&file).unwrap();
    witness.saw(&file, &read, SystemTime::now() + LATER, Concern::Readers);
    witness.forget_owned(&file);
    fs_err::write(&file, "longer").unwrap();
    let found = fs_err::symlink_metadata(&file).unwrap();
    witness.made(&file, &found, SystemTime::now() + LATER);
    witness.settle(&file, &found, SystemTime::now() + LATER);
    let owners = Owners::from([(file.into_os_string(), vec![7])]);
    assert_eq!(
        witness.testimony(dir.path(), &owners).unwrap().compare(dir.path()),
        Comparison::Owners([7].into())
    );
}

#[test]
fn paths_are_told_once_and_links_as_such() {
    let dir = old_tree();
    let witness = Witness::default();
    for name in ["link", "file", "none", "file"] {
        witness.look(&dir.path().join(name));
    }
    let told = witness.paths();
    let told: Vec<_> = told
        .iter()
        .map(|(path, link)| (path.strip_prefix(dir.path()).unwrap(), *link))
        .collect();
    assert_eq!(
        told,
        [("file", false), ("link", true), ("none", false)].map(|(name, link)| (Path::new(name), link))
    );
}
