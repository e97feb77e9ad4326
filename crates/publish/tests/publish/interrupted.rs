//! A machine that fails between the steps of a publication.

use farm_publish::{TIMESTAMP_STEP, index_digest};
use fs_err as fs;

use crate::support::{EPOCH, Lab, signer_of, visible_signers};

/// Publishes A, and then B as far as `undo` says. Gives the laboratory and both candidates.
fn interrupted(undo: impl FnOnce(&Lab)) -> (Lab, [farm_publish::Candidate; 2]) {
    let lab = Lab::new();
    let candidates = [lab.package("dev-libs/x-1", "A"), lab.package("dev-libs/x-1", "B")];
    lab.publish(&candidates[..1]);
    for name in ["Packages", "Packages.gz"] {
        fs::copy(lab.folder.join(name), lab.path(name)).unwrap();
    }
    lab.publish(&candidates[1..]);
    undo(&lab);
    assert_eq!(index_digest(&lab.folder), None);
    (lab, candidates)
}

fn back(lab: &Lab, name: &str) {
    fs::copy(lab.path(name), lab.folder.join(name)).unwrap();
}

/// The steps at which a publication can end, latest first.
fn before_packages(lab: &Lab) {
    back(lab, "Packages");
}

fn before_both_indexes(lab: &Lab) {
    before_packages(lab);
    back(lab, "Packages.gz");
}

fn after_the_record(lab: &Lab) {
    before_both_indexes(lab);
    fs::remove_file(lab.folder.join("dev-libs/x/x-1-2.gpkg.tar")).unwrap();
}

const STEPS: [fn(&Lab); 3] = [before_packages, before_both_indexes, after_the_record];

#[test]
fn the_next_publication_completes_it() {
    for step in STEPS {
        let (lab, [_, b]) = interrupted(step);
        let published = lab.publish(&[b]);
        assert!(published.changed);
        assert_eq!(index_digest(&lab.folder), Some(published.index));
        assert_eq!(lab.listed(), [("dev-libs/x/x-1-2.gpkg.tar".to_owned(), EPOCH + 1)]);
        // Some clients may have the index that was in force for a moment, so this one must be newer.
        assert_eq!(lab.timestamp(), EPOCH + 2 * TIMESTAMP_STEP);
        assert!(lab.folder.join("dev-libs/x/x-1-1.gpkg.tar").exists());
    }
}

#[test]
fn the_next_publication_may_revert_it() {
    for step in STEPS {
        let (lab, [a, _]) = interrupted(step);
        let published = lab.publish(&[a]);
        assert_eq!(index_digest(&lab.folder), Some(published.index));
        // A client may have B, so A must be newer than it.
        assert_eq!(lab.listed(), [("dev-libs/x/x-1-3.gpkg.tar".to_owned(), EPOCH + 2)]);
        assert_eq!(lab.timestamp(), EPOCH + 2 * TIMESTAMP_STEP);
    }
}

/// Publishes unsigned, and then the same signed as far as `undo` says.
fn interrupted_signing(undo: impl FnOnce(&Lab)) -> (Lab, farm_publish::Candidate) {
    let lab = Lab::new();
    let candidate = lab.package("dev-libs/x-1", "A");
    lab.publish(std::slice::from_ref(&candidate));
    for name in ["Packages", "Packages.gz"] {
        fs::copy(lab.folder.join(name), lab.path(name)).unwrap();
    }
    let lab = lab.signed_by("KEY");
    lab.publish(std::slice::from_ref(&candidate));
    undo(&lab);
    (lab, candidate)
}

#[test]
fn signing_that_was_interrupted_is_completed() {
    for step in STEPS {
        let (lab, candidate) = interrupted_signing(step);
        // The old name shows the old file, and the new one, if it is there, a signed one.
        for (path, signer) in visible_signers(&lab.folder) {
            let is_new = path.ends_with("x-1-2.gpkg.tar");
            assert_eq!(signer.is_some(), is_new, "{}", path.display());
        }
        let published = lab.publish(&[candidate]);
        assert_eq!(index_digest(&lab.folder), Some(published.index));
        assert_eq!(lab.listed(), [("dev-libs/x/x-1-2.gpkg.tar".to_owned(), EPOCH + 1)]);
        let signer = signer_of(&lab.folder.join("dev-libs/x/x-1-2.gpkg.tar"));
        assert_eq!(signer.as_deref(), Some("KEY"));
    }
}
