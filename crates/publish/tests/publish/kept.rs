//! Which releases are kept, and what goes with those that are not.

use std::collections::BTreeSet;
use std::path::PathBuf;

use farm_publish::{
    ErrorKind, PublishError, RELEASES_FOR_CLIENTS, RELEASES_KEPT, ReleaseError, TIMESTAMP_STEP, diff, in_force, prune,
    releases, rollback, tag, untag,
};
use fs_err as fs;

use crate::support::{EPOCH, Lab, picture};

fn numbers(lab: &Lab) -> Vec<u64> {
    releases(&lab.folder).unwrap().iter().map(|line| line.release).collect()
}

/// Ten releases of one version with a content of its own each, and a package that all of them have.
fn lab_of(many: u64) -> Lab {
    let lab = Lab::new();
    let shared = lab.package("dev-libs/shared-1", "s");
    for number in 1..=many {
        lab.publish(&[shared.clone(), lab.package("dev-libs/x-1", &number.to_string())]);
    }
    lab
}

fn file(number: u64) -> String {
    format!("dev-libs/x/x-1-{number}.gpkg.tar")
}

#[test]
fn releases_are_told_the_newest_first() {
    let mut lab = Lab::new();
    let one = [lab.package("dev-libs/a-1", "a")];
    lab.publish(&one);
    lab = lab.signed_by("KEY");
    lab.publish(&[one[0].clone(), lab.package("dev-libs/b-1", "b")]);
    tag(&lab.folder, "first", "1").unwrap();
    let told = releases(&lab.folder).unwrap();
    assert_eq!(told.len(), 2);
    let (new, old) = (&told[0], &told[1]);
    assert_eq!((new.release, new.current, new.packages, new.missing), (2, true, 2, 0));
    assert_eq!(new.timestamp, EPOCH + TIMESTAMP_STEP);
    assert_eq!(new.signed_by, BTreeSet::from([Some("KEY".to_owned())]));
    assert_eq!(
        (old.release, old.current, &old.tags),
        (1, false, &vec!["first".to_owned()])
    );
    assert_eq!(old.signed_by, BTreeSet::from([None]));
    let size = fs::metadata(lab.folder.join("dev-libs/a/a-1-1.gpkg.tar"))
        .unwrap()
        .len();
    assert_eq!(old.bytes, size);
    fs::remove_file(lab.folder.join("dev-libs/a/a-1-1.gpkg.tar")).unwrap();
    assert_eq!(releases(&lab.folder).unwrap()[1].missing, 1);
}

#[test]
fn where_nothing_was_published_nothing_is_made() {
    let lab = Lab::new();
    let errors = [
        releases(&lab.folder).unwrap_err(),
        prune(&lab.folder, 1, false).unwrap_err(),
        tag(&lab.folder, "a", "current").unwrap_err(),
        diff(&lab.folder, None, "current").unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, ReleaseError::NoReleases(_)), "{error}");
        assert_eq!(error.kind(), ErrorKind::Input);
    }
    assert!(!lab.folder.exists());
}

#[test]
fn the_newest_releases_are_kept_and_the_others_go() {
    let lab = lab_of(RELEASES_KEPT);
    assert!(lab.folder.join(file(1)).exists());
    lab.publish(&[lab.package("net-misc/other-1", "o")]);
    assert_eq!(numbers(&lab), (2..=RELEASES_KEPT + 1).rev().collect::<Vec<u64>>());
    assert!(!lab.folder.join(file(1)).exists());
    assert!(lab.folder.join(file(2)).exists());
    assert!(lab.folder.join("dev-libs/shared/shared-1-1.gpkg.tar").exists());
    // Its number is not given out again.
    let again = lab.publish(&[lab.package("dev-libs/x-1", "1")]);
    assert_eq!(again.added, [format!("dev-libs/x-1-{}", RELEASES_KEPT + 1)]);
}

#[test]
fn a_tag_keeps_a_release_and_all_it_lists() {
    let lab = lab_of(3);
    tag(&lab.folder, "stable", "2").unwrap();
    for number in 0..RELEASES_KEPT + 3 {
        lab.publish(&[lab.package("net-misc/other-1", &number.to_string())]);
    }
    assert_eq!(numbers(&lab).last(), Some(&2));
    assert!(lab.folder.join(file(2)).exists());
    assert!(lab.folder.join("dev-libs/shared/shared-1-1.gpkg.tar").exists());
    assert!(!lab.folder.join(file(1)).exists() && !lab.folder.join(file(3)).exists());
    assert_eq!(releases(&lab.folder).unwrap().last().unwrap().missing, 0);

    assert_eq!(untag(&lab.folder, "stable").unwrap(), 2);
    lab.publish(&[lab.package("net-misc/other-1", "last")]);
    assert!(!lab.folder.join("dev-libs").exists(), "empty folders go, too");
}

#[test]
fn prune_removes_what_no_kept_release_needs() {
    let lab = lab_of(6);
    tag(&lab.folder, "old", "1").unwrap();
    let before = picture(&lab.folder);
    let planned = prune(&lab.folder, 4, true).unwrap();
    assert_eq!(picture(&lab.folder), before, "a dry run changes nothing");
    assert_eq!((&planned.releases, &planned.files), (&vec![2], &vec![file(2)]));
    assert_eq!(
        planned.bytes,
        before[&PathBuf::from(file(2))].content.as_ref().unwrap().len() as u64
    );
    assert_eq!(planned.kept, [1, 3, 4, 5, 6]);
    let index = in_force(&lab.folder);
    assert_eq!(prune(&lab.folder, 4, false).unwrap(), planned);
    assert_eq!(numbers(&lab), [6, 5, 4, 3, 1]);
    assert!(lab.files().iter().map(String::as_str).eq([
        "dev-libs/shared/shared-1-1.gpkg.tar",
        &file(1),
        &file(3),
        &file(4),
        &file(5),
        &file(6)
    ]));
    assert_eq!(in_force(&lab.folder), index);
    assert!(
        releases(&lab.folder)
            .unwrap()
            .iter()
            .all(|release| release.missing == 0)
    );
    let again = prune(&lab.folder, 4, false).unwrap();
    assert_eq!((again.releases.len(), again.files.len(), again.bytes), (0, 0, 0));
}

#[test]
fn what_clients_may_be_at_work_with_stays_in_any_case() {
    let lab = lab_of(6);
    let pruned = prune(&lab.folder, 1, false).unwrap();
    assert_eq!(pruned.kept, [4, 5, 6]);
    assert_eq!(pruned.for_clients, [4, 5]);
    assert_eq!(pruned.kept.len() as u64, 1 + RELEASES_FOR_CLIENTS);
    assert!(lab.folder.join(file(4)).exists() && !lab.folder.join(file(3)).exists());
}

#[test]
fn a_prune_that_was_killed_is_done_again() {
    let lab = lab_of(5);
    // As if it had removed the file, and not yet the record.
    fs::remove_file(lab.folder.join(file(1))).unwrap();
    let pruned = prune(&lab.folder, 4, false).unwrap();
    assert_eq!((pruned.releases, pruned.files.len(), pruned.bytes), (vec![1], 0, 0));
    assert_eq!(numbers(&lab), [5, 4, 3, 2]);
}

#[test]
fn nothing_goes_while_it_is_not_known_what_stays_needs() {
    let lab = lab_of(RELEASES_KEPT);
    fs::write(lab.folder.join("releases/0005.json"), "{").unwrap();
    let error = prune(&lab.folder, 8, false).unwrap_err();
    assert!(
        matches!(error, ReleaseError::Publish(PublishError::Record { .. })),
        "{error}"
    );
    lab.publish(&[lab.package("net-misc/other-1", "o")]);
    assert!(lab.folder.join(file(1)).exists());
    // Once it falls out itself, it keeps nothing.
    assert_eq!(prune(&lab.folder, 4, false).unwrap().releases, [1, 2, 3, 4, 6, 7]);
    assert!(!lab.folder.join(file(1)).exists());
}

#[test]
fn a_record_that_names_files_of_others_removes_none() {
    let lab = lab_of(5);
    let record = lab.folder.join("releases/0001.json");
    let text = fs::read_to_string(&record)
        .unwrap()
        .replace(&file(1), "../../packages/precious.gpkg.tar");
    fs::write(&record, text).unwrap();
    fs::write(lab.path("packages/precious.gpkg.tar"), "p").unwrap();
    assert_eq!(prune(&lab.folder, 3, false).unwrap().files, [file(2)]);
    assert!(lab.path("packages/precious.gpkg.tar").exists());
}

#[test]
fn tags_are_set_moved_and_taken_away() {
    let lab = lab_of(3);
    let tagged = tag(&lab.folder, "stable", "current").unwrap();
    assert_eq!((tagged.release, tagged.moved_from), (3, None));
    let before = picture(&lab.folder);
    assert_eq!(tag(&lab.folder, "stable", "3").unwrap().moved_from, None);
    assert_eq!(picture(&lab.folder), before, "the same again touches nothing");
    let moved = tag(&lab.folder, "stable", "1").unwrap();
    assert_eq!((moved.release, moved.moved_from), (1, Some(3)));
    assert_eq!(tag(&lab.folder, "also", "stable").unwrap().release, 1);
    assert_eq!(releases(&lab.folder).unwrap()[2].tags, ["also", "stable"]);
    assert_eq!(untag(&lab.folder, "stable").unwrap(), 1);
    let error = untag(&lab.folder, "stable").unwrap_err();
    assert!(matches!(error, ReleaseError::NoSuchTag(_)), "{error}");
    let error = tag(&lab.folder, "new", "9").unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("there is 1, 2, 3, `also`"));
    let error = tag(&lab.folder, "current", "1").unwrap_err();
    assert!(matches!(error, ReleaseError::BadTag(_)), "{error}");
    assert_eq!(releases(&lab.folder).unwrap()[2].tags, ["also"]);

    fs::write(lab.folder.join("releases/tags.json"), "{\"format\": 2}").unwrap();
    let error = tag(&lab.folder, "new", "1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Environment, "{error}");
}

#[test]
fn releases_are_compared() {
    let lab = lab_of(3);
    let there = diff(&lab.folder, None, "current").unwrap();
    assert_eq!((there.from, there.to, there.changed.len()), (2, 3, 1));
    assert_eq!(
        (there.changed[0].from, there.changed[0].to, there.changed[0].content),
        (2, 3, true)
    );
    let back = diff(&lab.folder, Some("3"), "1").unwrap();
    assert_eq!((back.from, back.to, back.changed[0].to), (3, 1, 1));
    let error = diff(&lab.folder, None, "1").unwrap_err();
    assert!(matches!(error, ReleaseError::NoneBefore(1)), "{error}");
    let error = diff(&lab.folder, Some("stable"), "1").unwrap_err();
    assert!(matches!(error, ReleaseError::NoSuchRelease { .. }), "{error}");
}

/// What a farm of before the second format left: three releases, of which the first has lost its package, as they did then.
fn old_folder() -> Lab {
    let lab = lab_of(4);
    for number in 1..=4 {
        let path = lab.folder.join(format!("releases/{number:04}.json"));
        let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        record["format"] = 1.into();
        record["retired"] = serde_json::json!({ file(2): 3, file(3): 4 });
        record.as_object_mut().unwrap().remove("header");
        fs::write(&path, serde_json::to_string_pretty(&record).unwrap()).unwrap();
    }
    fs::remove_file(lab.folder.join(file(1))).unwrap();
    lab
}

#[test]
fn a_folder_of_an_older_farm_goes_on() {
    let lab = old_folder();
    let told = releases(&lab.folder).unwrap();
    assert_eq!(told.iter().map(|line| line.missing).collect::<Vec<_>>(), [0, 0, 0, 1]);
    assert!(told[0].current);
    let same = [lab.package("dev-libs/shared-1", "s"), lab.package("dev-libs/x-1", "4")];
    assert!(!lab.publish(&same).changed);
    let published = lab.publish(&[lab.package("dev-libs/shared-1", "s"), lab.package("dev-libs/x-1", "1")]);
    assert_eq!(
        (published.added, published.kept),
        (vec!["dev-libs/x-1-5".to_owned()], 1)
    );
    let text = fs::read_to_string(lab.folder.join("releases/0005.json")).unwrap();
    assert!(text.starts_with("{\n  \"format\": 2,"), "{text}");
    assert!(lab.folder.join(file(2)).exists(), "its release is kept now");
}

#[test]
fn an_older_release_of_an_older_farm_is_published_again() {
    let lab = old_folder();
    let header = lab.index().header;
    let done = rollback(&crate::rollback::to(&lab, Some("3")), &mut |_| {}).unwrap();
    assert_eq!((done.from, done.to, done.release), (4, 3, 5));
    for key in ["ARCH", "CHOST", "PROFILE"] {
        assert_eq!(lab.index().header.get(key), header.get(key));
    }
    let error = rollback(&crate::rollback::to(&lab, Some("1")), &mut |_| {}).unwrap_err();
    assert!(matches!(error, ReleaseError::NotWhole { release: 1, .. }), "{error}");
    assert!(error.to_string().contains("x-1-1.gpkg.tar is gone"), "{error}");
}

#[test]
fn what_is_tagged_is_safe_from_older_farms() {
    let lab = old_folder();
    tag(&lab.folder, "stable", "2").unwrap();
    let text = fs::read_to_string(lab.folder.join("releases/0004.json")).unwrap();
    // They look at the newest record, and go on only from one of format 1.
    assert!(text.starts_with("{\n  \"format\": 2,"), "{text}");
    assert!(releases(&lab.folder).unwrap()[0].current);
    assert!(in_force(&lab.folder).is_some());
}
