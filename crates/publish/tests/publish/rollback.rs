//! Older releases that are published again.

use farm_publish::{ReleaseError, ReleaseSigner, Rollback, TIMESTAMP_STEP, in_force, releases, rollback, tag};
use fs_err as fs;

use crate::support::{EPOCH, Lab, picture, signer_of};

pub(crate) fn to<'a>(lab: &'a Lab, release: Option<&'a str>) -> Rollback<'a> {
    Rollback {
        folder: &lab.folder,
        to: release,
        deny: &lab.deny,
        private: lab.private,
        signer: lab.signer.as_deref().map(|signer| signer as &dyn ReleaseSigner),
    }
}

fn back(lab: &Lab, release: Option<&str>) -> farm_publish::RolledBack {
    rollback(&to(lab, release), &mut |_| {}).unwrap()
}

/// Publishes A and then B, with a package that stays; gives both releases.
fn two_releases(lab: &Lab) -> [Vec<farm_publish::Candidate>; 2] {
    let stays = lab.package("dev-libs/y-1", "y");
    let a = vec![
        lab.package("dev-libs/x-1", "A"),
        stays.clone(),
        lab.package("dev-libs/z-1", "z"),
    ];
    let b = vec![lab.package("dev-libs/x-1", "B"), stays];
    lab.publish(&a);
    lab.publish(&b);
    [a, b]
}

#[test]
fn the_release_before_comes_back_as_a_new_one() {
    let lab = Lab::new();
    two_releases(&lab);
    let done = back(&lab, None);
    assert_eq!((done.from, done.to, done.release), (2, 1, 3));
    assert_eq!(done.published.added, ["dev-libs/x-1-3", "dev-libs/z-1-2"]);
    assert_eq!(done.published.kept, 1);
    assert_eq!(done.published.dropped, ["dev-libs/x-1-2"]);
    assert_eq!(
        lab.listed(),
        [
            ("dev-libs/x/x-1-3.gpkg.tar".to_owned(), EPOCH + 2),
            ("dev-libs/y/y-1-1.gpkg.tar".to_owned(), EPOCH),
            ("dev-libs/z/z-1-2.gpkg.tar".to_owned(), EPOCH + 1),
        ]
    );
    assert_eq!(lab.timestamp(), EPOCH + 2 * TIMESTAMP_STEP);
    assert!(in_force(&lab.folder).is_some());
}

#[test]
fn it_is_what_publishing_those_packages_again_gives() {
    let (one, two) = (Lab::new(), Lab::new());
    two_releases(&one);
    let [a, _] = two_releases(&two);
    back(&one, None);
    two.publish(&a);
    assert_eq!(picture(&one.folder), picture(&two.folder));
}

#[test]
fn back_and_forth_by_number_and_tag() {
    let lab = Lab::new();
    lab.publish_each("dev-libs/x-1", &["A", "B"]);
    tag(&lab.folder, "good", "1").unwrap();
    assert_eq!(back(&lab, Some("good")).release, 3);
    // The one before is B again.
    let done = back(&lab, None);
    assert_eq!((done.to, done.release), (2, 4));
    assert_eq!(back(&lab, Some("1")).release, 5);
    assert_eq!(lab.listed(), [("dev-libs/x/x-1-5.gpkg.tar".to_owned(), EPOCH + 4)]);
    // What is in force already is not published again.
    for same in ["current", "5", "3"] {
        let before = picture(&lab.folder);
        let done = back(&lab, Some(same));
        assert_eq!((done.published.changed, done.release), (false, 5));
        assert_eq!(picture(&lab.folder), before);
    }
    let error = rollback(&to(&lab, Some("7")), &mut |_| {}).unwrap_err();
    assert!(matches!(error, ReleaseError::NoSuchRelease { .. }), "{error}");
}

#[test]
fn a_publication_after_it_does_what_it_is_asked_for() {
    let lab = Lab::new();
    let [_, b] = two_releases(&lab);
    let published = in_force(&lab.folder).unwrap();
    back(&lab, None);
    // This is how a farm knows that what it published is not there any more.
    assert_ne!(in_force(&lab.folder).unwrap().index, published.index);
    let again = lab.publish(&b);
    assert_eq!((again.added, again.kept), (vec!["dev-libs/x-1-4".to_owned()], 1));
    assert_eq!(lab.listed()[0], ("dev-libs/x/x-1-4.gpkg.tar".to_owned(), EPOCH + 3));
}

#[test]
fn the_header_comes_back_too() {
    let lab = Lab::new();
    lab.publish_each("dev-libs/x-1", &["A", "B"]);
    let record = lab.folder.join("releases/0001.json");
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains("\"CHOST\": \"x86_64-pc-linux-gnu\""), "{text}");
    fs::write(
        &record,
        text.replace("x86_64-pc-linux-gnu", "aarch64-unknown-linux-gnu"),
    )
    .unwrap();
    back(&lab, None);
    assert_eq!(lab.index().header["CHOST"], "aarch64-unknown-linux-gnu");
    assert_eq!(lab.index().header["PACKAGES"], "1");
}

#[test]
fn what_is_signed_is_signed_again() {
    let mut lab = Lab::new().signed_by("KEY");
    two_releases(&lab);
    let signer = lab.signer.take();
    let before = picture(&lab.folder);
    let error = rollback(&to(&lab, None), &mut |_| {}).unwrap_err();
    assert!(matches!(&error, ReleaseError::NeedsKey(key) if key == "KEY"), "{error}");
    assert_eq!(picture(&lab.folder), before);
    lab.signer = signer;
    back(&lab, None);
    for (path, _) in lab.listed() {
        assert_eq!(signer_of(&lab.folder.join(path)).as_deref(), Some("KEY"));
    }
    assert_eq!(in_force(&lab.folder).unwrap().signers, [Some("KEY".to_owned())].into());
}

#[test]
fn damaged_packages_are_not_published_under_a_new_name() {
    let lab = Lab::new();
    two_releases(&lab);
    let path = lab.folder.join("dev-libs/x/x-1-1.gpkg.tar");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() / 2;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::remove_file(lab.folder.join("dev-libs/z/z-1-1.gpkg.tar")).unwrap();
    let before = picture(&lab.folder);
    let error = rollback(&to(&lab, None), &mut |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("x-1-1.gpkg.tar is damaged"), "{text}");
    assert!(text.contains("z-1-1.gpkg.tar is gone"), "{text}");
    assert_eq!(picture(&lab.folder), before);
}

#[test]
fn what_is_denied_meanwhile_stays_out() {
    let mut lab = Lab::new();
    let denied = lab.package_with("dev-libs/eula-1", "e", &[("LICENSE", "EULA")]);
    lab.publish(&[lab.package("dev-libs/x-1", "A"), denied]);
    lab.publish(&[lab.package("dev-libs/x-1", "B")]);
    lab.deny = vec![farm_publish::Deny::License("EULA".to_owned())];
    let done = back(&lab, None);
    assert_eq!(done.published.refused.len(), 1);
    assert_eq!(lab.listed().len(), 1);
    lab.private = true;
    assert_eq!(back(&lab, Some("1")).published.added, ["dev-libs/eula-1-2"]);
}

#[test]
fn clients_that_lag_behind_find_their_packages() {
    let lab = Lab::new();
    lab.publish_each("dev-libs/x-1", &["A", "B", "C"]);
    for _ in 0..3 {
        back(&lab, None);
    }
    assert!(
        releases(&lab.folder)
            .unwrap()
            .iter()
            .all(|release| release.missing == 0)
    );
}
