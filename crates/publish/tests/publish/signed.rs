//! Releases that are signed: what is kept, what becomes a new instance, what is made again.

use farm_publish::{in_force, index_digest};
use fs_err as fs;

use crate::support::{EPOCH, Lab, Words, picture, signer_of, visible_signers};

#[test]
fn every_package_is_signed_at_its_build_time() {
    let lab = Lab::new().signed_by("KEY");
    let published = lab.publish(&[lab.package("dev-libs/a-1", "a"), lab.package("dev-libs/b-1", "b")]);
    assert_eq!(published.added, ["dev-libs/a-1-1", "dev-libs/b-1-1"]);
    let shown = visible_signers(&lab.folder);
    assert_eq!(shown.len(), 2);
    assert!(
        shown.values().all(|signer| signer.as_deref() == Some("KEY")),
        "{shown:?}"
    );
    // The index speaks of the files as they are signed.
    for stanza in lab.index().packages {
        let size = fs::metadata(lab.folder.join(&stanza["PATH"])).unwrap().len();
        assert_eq!(stanza["SIZE"], size.to_string());
    }
    let text = String::from_utf8(fs::read(lab.folder.join("dev-libs/a/a-1-1.gpkg.tar")).unwrap());
    let text = text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    assert!(text.contains(&format!("at {EPOCH} (0)")));
    let record = fs::read_to_string(lab.folder.join("releases/0001.json")).unwrap();
    assert_eq!(record.matches("\"signed_by\": \"KEY\"").count(), 2, "{record}");
    let release = in_force(&lab.folder).unwrap();
    assert_eq!(release.signers, [Some("KEY".to_owned())].into());
}

#[test]
fn the_same_key_again_touches_nothing() {
    let lab = Lab::new().signed_by("KEY");
    let candidates = [lab.package("dev-libs/a-1", "a"), lab.package("dev-libs/b-1", "b")];
    lab.publish(&candidates);
    let before = picture(&lab.folder);
    let again = lab.publish(&candidates);
    assert_eq!((again.changed, again.kept), (false, 2));
    assert_eq!(picture(&lab.folder), before);
}

#[test]
fn another_key_or_none_makes_new_instances() {
    let mut lab = Lab::new();
    let candidates = [lab.package("dev-libs/a-1", "a")];
    lab.publish(&candidates);
    for (round, key) in [(2, Some("KEY")), (3, Some("OTHER")), (4, None), (5, Some("KEY"))] {
        lab.signer = None;
        if let Some(key) = key {
            lab = lab.signed_by(key);
        }
        let published = lab.publish(&candidates);
        assert_eq!(published.added, [format!("dev-libs/a-1-{round}")]);
        assert_eq!((published.kept, published.dropped.len()), (0, 1));
        let path = format!("dev-libs/a/a-1-{round}.gpkg.tar");
        assert_eq!(lab.listed(), [(path.clone(), EPOCH + round - 1)]);
        assert_eq!(signer_of(&lab.folder.join(path)).as_deref(), key);
        let signers = in_force(&lab.folder).unwrap().signers;
        assert_eq!(signers, [key.map(str::to_owned)].into());
    }
}

#[test]
fn what_was_lost_is_signed_again_as_it_was() {
    let lab = Lab::new().signed_by("KEY");
    let candidates: Vec<_> = (0..12)
        .map(|number| lab.package(&format!("dev-libs/a-{number}"), &number.to_string()))
        .collect();
    let published = lab.publish(&candidates);
    let whole = picture(&lab.folder);
    for number in [0, 3, 7] {
        fs::remove_file(lab.folder.join(format!("dev-libs/a/a-{number}-1.gpkg.tar"))).unwrap();
    }
    fs::write(lab.folder.join("dev-libs/a/a-9-1.gpkg.tar"), "short").unwrap();
    assert_eq!(in_force(&lab.folder), None);
    let again = lab.publish(&candidates);
    assert_eq!(
        again.restored,
        ["dev-libs/a-0-1", "dev-libs/a-3-1", "dev-libs/a-7-1", "dev-libs/a-9-1"]
    );
    assert_eq!(index_digest(&lab.folder), Some(published.index));
    assert_eq!(picture(&lab.folder), whole);
}

#[test]
fn signatures_that_cannot_be_made_again_make_new_instances() {
    let mut lab = Lab::new();
    lab.signer = Some(Box::new(Words {
        by_chance: true,
        ..Words::of("KEY")
    }));
    let candidates = [lab.package("dev-libs/a-1", "a"), lab.package("dev-libs/b-1", "b")];
    lab.publish(&candidates);
    assert!(!lab.publish(&candidates).changed, "what is there is kept all the same");
    fs::remove_file(lab.folder.join("dev-libs/a/a-1-1.gpkg.tar")).unwrap();
    let published = lab.publish(&candidates);
    assert_eq!(
        (published.added, published.restored.len()),
        (vec!["dev-libs/a-1-2".to_owned()], 0)
    );
    assert!(!lab.folder.join("dev-libs/a/a-1-1.gpkg.tar").exists());
    assert_eq!(index_digest(&lab.folder), Some(published.index));
}

#[test]
fn numbers_do_not_depend_on_who_is_fastest() {
    let variants = |lab: &Lab| -> Vec<_> {
        (0..24)
            .map(|number| lab.package_with("dev-libs/x-1", &"x".repeat(1000 * (24 - number)), &[]))
            .collect()
    };
    let (one, two) = (Lab::new().signed_by("KEY"), Lab::new().signed_by("KEY"));
    one.publish(&variants(&one));
    two.publish(&variants(&two));
    assert_eq!(picture(&one.folder), picture(&two.folder));
}
