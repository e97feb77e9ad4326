//! What a release is: instances, stamps, modes, what stays and what goes.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, symlink};

use farm_portage::atom::{Atom, AtomSyntax};
use farm_portage::gpkg::{Limits, Reader, folded};
use farm_publish::{Deny, ErrorKind, PublishError, TIMESTAMP_STEP, index_digest};
use fs_err as fs;

use crate::support::{EPOCH, Lab, picture};

#[test]
fn a_release_is_complete_and_names_its_packages() {
    let lab = Lab::new();
    assert_eq!(index_digest(&lab.folder), None);
    let published = lab.publish(&[lab.package("dev-libs/b-2", "b"), lab.package("dev-libs/a-1-r3", "a")]);
    assert!(published.changed);
    assert_eq!(published.added, ["dev-libs/a-1-r3-1", "dev-libs/b-2-1"]);
    assert_eq!((published.kept, published.dropped.len()), (0, 0));
    assert_eq!(index_digest(&lab.folder), Some(published.index));
    assert_eq!(
        lab.listed(),
        [
            ("dev-libs/a/a-1-r3-1.gpkg.tar".to_owned(), EPOCH),
            ("dev-libs/b/b-2-1.gpkg.tar".to_owned(), EPOCH)
        ]
    );

    let file = fs::File::open(lab.folder.join("dev-libs/a/a-1-r3-1.gpkg.tar")).unwrap();
    let mut reader = Reader::open(file, Limits::default()).unwrap();
    reader.verify().unwrap();
    assert_eq!(reader.prefix(), "a-1-r3-1");
    let metadata = reader.metadata().unwrap();
    assert_eq!(folded(&metadata, "BUILD_ID"), "1");
    assert_eq!(folded(&metadata, "BUILD_TIME"), EPOCH.to_string());

    let plain = fs::read(lab.folder.join("Packages")).unwrap();
    let mut unpacked = Vec::new();
    let gz = fs::File::open(lab.folder.join("Packages.gz")).unwrap();
    flate2::read::GzDecoder::new(gz).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    assert_eq!(blake3::hash(&plain), published.index);
}

#[test]
fn the_same_again_touches_nothing() {
    let lab = Lab::new();
    let candidates = [lab.package("dev-libs/a-1", "a"), lab.package("dev-libs/b-2", "b")];
    let first = lab.publish(&candidates);
    let before = picture(&lab.folder);
    let inode = fs::metadata(lab.folder.join("Packages")).unwrap().ino();
    let folder_mtime = fs::metadata(&lab.folder).unwrap().mtime_nsec();
    let mut told = Vec::new();
    let reversed = [candidates[1].clone(), candidates[0].clone(), candidates[1].clone()];
    let again = lab
        .publish_watched(&reversed, &mut |line| told.push(line.to_owned()))
        .unwrap();
    assert!(!again.changed);
    assert_eq!((again.index, again.kept, again.added.len()), (first.index, 2, 0));
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(picture(&lab.folder), before);
    assert_eq!(fs::metadata(lab.folder.join("Packages")).unwrap().ino(), inode);
    assert_eq!(fs::metadata(&lab.folder).unwrap().mtime_nsec(), folder_mtime);
}

#[test]
fn two_folders_are_equal_byte_for_byte() {
    let publish = || {
        let lab = Lab::new();
        for content in ["one", "two", "one"] {
            lab.publish(&[lab.package("dev-libs/a-1", content), lab.package("dev-libs/b-1", "b")]);
        }
        picture(&lab.folder)
    };
    assert_eq!(publish(), publish());
}

#[test]
fn what_is_reverted_comes_back_as_a_newer_instance() {
    let lab = Lab::new();
    let (a, b) = (lab.package("dev-libs/x-1", "A"), lab.package("dev-libs/x-1", "B"));
    let other = lab.package("dev-libs/y-1", "y");
    let mut timestamps = vec![0];
    for (round, candidate) in [&a, &b, &a].into_iter().enumerate() {
        let published = lab.publish(&[candidate.clone(), other.clone()]);
        let id = round as u64 + 1;
        assert!(published.added.contains(&format!("dev-libs/x-1-{id}")));
        assert_eq!(published.kept, usize::from(round > 0));
        if round > 0 {
            assert_eq!(published.dropped, [format!("dev-libs/x-1-{round}")]);
        }
        assert_eq!(
            lab.listed(),
            [
                (format!("dev-libs/x/x-1-{id}.gpkg.tar"), EPOCH + id - 1),
                ("dev-libs/y/y-1-1.gpkg.tar".to_owned(), EPOCH)
            ]
        );
        assert!(lab.timestamp() > *timestamps.last().unwrap());
        timestamps.push(lab.timestamp());
    }
}

#[test]
fn variants_of_one_version_are_listed_side_by_side() {
    let lab = Lab::new();
    let with = lab.package_with("dev-libs/x-1", "x", &[("IUSE", "ssl"), ("USE", "ssl")]);
    let without = lab.package_with("dev-libs/x-1", "x", &[("IUSE", "ssl"), ("USE", "")]);
    lab.publish(&[with.clone(), without.clone()]);
    let uses: BTreeSet<String> = lab
        .index()
        .packages
        .iter()
        .map(|stanza| stanza["USE"].clone())
        .collect();
    assert_eq!(uses, ["".to_owned(), "ssl".to_owned()].into());
    let times: BTreeSet<u64> = lab.listed().into_iter().map(|(_, time)| time).collect();
    assert_eq!(times.len(), 2);
    assert!(!lab.publish(&[without, with]).changed);
}

#[test]
fn modes_are_exact_under_any_umask() {
    let lab = Lab::new();
    let candidates = [lab.package("dev-libs/a-1", "a")];
    // The umask is the process's; nothing that other tests check hangs on it.
    let former = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    lab.publish(&candidates);
    rustix::process::umask(former);
    for folder in [lab.path("pub"), lab.folder.clone()] {
        assert_eq!(fs::metadata(folder).unwrap().mode() & 0o7777, 0o2775);
    }
    let seen = picture(&lab.folder);
    assert_eq!(seen.len(), 8, "{:?}", seen.keys());
    for (path, seen) in seen {
        let wanted = if seen.content.is_some() { 0o644 } else { 0o2775 };
        assert_eq!(seen.mode, wanted, "{}", path.display());
    }
    let timestamp = i64::try_from(lab.timestamp()).unwrap();
    for (name, mtime) in [
        ("Packages", timestamp),
        ("Packages.gz", timestamp),
        ("dev-libs/a/a-1-1.gpkg.tar", i64::try_from(EPOCH).unwrap()),
    ] {
        assert_eq!(fs::metadata(lab.folder.join(name)).unwrap().mtime(), mtime, "{name}");
    }
}

#[test]
fn what_may_not_be_passed_on_is_left_out() {
    let mut lab = Lab::new();
    let candidates = [
        lab.package("dev-libs/free-1", "f"),
        lab.package_with("sci-libs/oracle-1", "o", &[("RESTRICT", "bindist mirror")]),
        lab.package_with("sci-libs/gpl-1", "g", &[("LICENSE", "AGPL-3"), ("SLOT", "3")]),
        lab.package_with("sci-libs/slotted-1", "s", &[("SLOT", "3/4")]),
    ];
    lab.deny = vec![
        Deny::License("AGPL-3".to_owned()),
        Deny::Package(Atom::parse("sci-libs/slotted:3", AtomSyntax::USER).unwrap()),
    ];
    let published = lab.publish(&candidates);
    assert_eq!(published.added, ["dev-libs/free-1-1"]);
    let refused: Vec<&str> = published.refused.iter().map(|refused| refused.cpv.as_str()).collect();
    assert_eq!(refused, ["sci-libs/gpl-1", "sci-libs/oracle-1", "sci-libs/slotted-1"]);
    assert!(published.refused[1].reason.contains("bindist"));

    // A rule that comes later takes what was published out again, for the index tells enough of it.
    lab.deny
        .push(Deny::Package(Atom::parse("dev-libs/free", AtomSyntax::USER).unwrap()));
    let published = lab.publish(&candidates);
    assert_eq!((published.refused.len(), published.dropped.len()), (4, 1));
    assert_eq!(lab.listed(), []);

    lab.private = true;
    assert_eq!(lab.publish(&candidates).added.len(), 4);

    lab.deny = vec![Deny::License("@EULA".to_owned())];
    let error = lab.try_publish(&candidates).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Bug);
}

#[test]
fn lost_and_damaged_packages_are_made_again() {
    let lab = Lab::new();
    let candidates = [lab.package("dev-libs/a-1", "a"), lab.package("dev-libs/b-1", "b")];
    lab.publish(&candidates);
    let published = lab.publish(&[candidates[0].clone(), lab.package("dev-libs/b-1", "c")]);
    let whole = picture(&lab.folder);
    fs::remove_file(lab.folder.join("dev-libs/a/a-1-1.gpkg.tar")).unwrap();
    fs::write(lab.folder.join("dev-libs/b/b-1-2.gpkg.tar"), "short").unwrap();
    assert_eq!(index_digest(&lab.folder), None);
    let again = lab.publish(&[candidates[0].clone(), lab.package("dev-libs/b-1", "c")]);
    assert!(again.changed);
    assert_eq!(again.restored, ["dev-libs/a-1-1", "dev-libs/b-1-2"]);
    assert_eq!(again.index, published.index);
    assert_eq!(index_digest(&lab.folder), Some(published.index));
    assert_eq!(picture(&lab.folder), whole);
}

#[test]
fn a_damaged_index_is_replaced_by_a_newer_one() {
    let lab = Lab::new();
    let candidates = [lab.package("dev-libs/a-1", "a")];
    for damage in ["", "not an index", "TIMESTAMP: 1800000000\nVERSION: 0\n\n"] {
        lab.publish(&candidates);
        let before = lab.timestamp();
        fs::write(lab.folder.join("Packages"), damage).unwrap();
        assert_eq!(index_digest(&lab.folder), None);
        let published = lab.publish(&candidates);
        assert_eq!((published.kept, published.added.len()), (1, 0));
        assert!(lab.timestamp() > before);
        assert_eq!(index_digest(&lab.folder), Some(published.index));
    }
    assert_eq!(lab.timestamp(), 1_800_000_000 + TIMESTAMP_STEP);
    // Without the index every package is read again, which finds damage that the size does not tell.
    fs::remove_file(lab.folder.join("Packages.gz")).unwrap();
    let package = lab.folder.join("dev-libs/a/a-1-1.gpkg.tar");
    let whole = fs::read(&package).unwrap();
    fs::write(&package, vec![0; whole.len()]).unwrap();
    assert_eq!(index_digest(&lab.folder), None);
    let published = lab.publish(&candidates);
    assert_eq!(published.restored, ["dev-libs/a-1-1"]);
    assert_eq!(fs::read(&package).unwrap(), whole);
    assert_eq!(index_digest(&lab.folder), Some(published.index));
}

#[test]
fn a_folder_of_another_publisher_is_taken_over_without_removing_its_files() {
    let lab = Lab::new();
    let theirs = "PACKAGES: 2\nTIMESTAMP: 1750000000\nVERSION: 0\n\n\
        BUILD_ID: 4\nBUILD_TIME: 1740000000\nCPV: dev-libs/a-1\nPATH: dev-libs/a/a-1-4.gpkg.tar\n\n\
        BUILD_ID: 1\nBUILD_TIME: 1\nCPV: dev-libs/z-1\nPATH: ../../packages\n\n";
    fs::create_dir_all(lab.folder.join("dev-libs/a")).unwrap();
    fs::write(lab.folder.join("Packages"), theirs).unwrap();
    for id in [4, 9] {
        fs::write(lab.folder.join(format!("dev-libs/a/a-1-{id}.gpkg.tar")), "theirs").unwrap();
    }
    lab.publish(&[lab.package("dev-libs/a-1", "a")]);
    assert_eq!(lab.listed(), [("dev-libs/a/a-1-10.gpkg.tar".to_owned(), 1_740_000_001)]);
    assert_eq!(lab.timestamp(), 1_750_000_000 + TIMESTAMP_STEP);
    for round in 0..5 {
        lab.publish(&[lab.package("dev-libs/a-1", &round.to_string())]);
    }
    assert!(lab.folder.join("dev-libs/a/a-1-4.gpkg.tar").exists());
    assert!(lab.path("packages").exists());
}

#[test]
fn a_link_to_a_folder_will_do_and_a_file_will_not() {
    let mut lab = Lab::new();
    fs::create_dir(lab.path("real")).unwrap();
    symlink(lab.path("real"), lab.path("link")).unwrap();
    lab.folder = lab.path("link");
    lab.publish(&[lab.package("dev-libs/a-1", "a")]);
    assert!(lab.path("real/Packages").exists());
    assert!(fs::symlink_metadata(lab.path("link")).unwrap().is_symlink());

    fs::write(lab.path("file"), "text").unwrap();
    for path in ["file", "file/opt"] {
        lab.folder = lab.path(path);
        let error = lab.try_publish(&[]).unwrap_err();
        assert!(matches!(error, PublishError::NotAFolder(_)), "{error}");
        assert_eq!(error.kind(), ErrorKind::Environment);
    }
    assert_eq!(fs::read_to_string(lab.path("file")).unwrap(), "text");
}
