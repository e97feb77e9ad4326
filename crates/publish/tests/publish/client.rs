//! `client/`: what clients need besides packages.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use farm_publish::{
    Candidate, ErrorKind, RELEASES_FOR_CLIENTS, ReleaseError, TIMESTAMP_STEP, audit, in_force, prune, rollback,
};
use fs_err as fs;

use crate::rollback::to;
use crate::support::{EPOCH, Lab, Reading, picture};

const ONE: &[(&str, &str)] = &[("README", "one\n"), ("profile/parent", "0001-x\n"), ("sets/a", "x/y\n")];
const TWO: &[(&str, &str)] = &[("README", "two\n"), ("profile/parent", "0001-x\n"), ("key.asc", "k\n")];

/// The files of `client/`, its archive apart, and what is in them.
fn there(lab: &Lab) -> BTreeMap<String, String> {
    let seen = picture(&lab.folder.join("client"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    seen.into_iter()
        .filter(|(path, _)| path.as_os_str() != "client.tar.gz")
        .filter_map(|(path, seen)| Some((path.to_str().unwrap().to_owned(), text(seen.content?))))
        .collect()
}

fn as_map(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

/// The archives that releases keep.
fn archives(lab: &Lab) -> Vec<PathBuf> {
    let seen = picture(&lab.folder.join("releases/client"));
    let files = seen.into_iter().filter(|(_, seen)| seen.content.is_some());
    files.map(|(path, _)| path).collect()
}

fn faults(lab: &Lab) -> Vec<String> {
    let faults = audit(&lab.folder, &Reading, &mut |_, _| {}).unwrap().faults.into_iter();
    faults.map(|fault| format!("{}: {}", fault.path, fault.fault)).collect()
}

/// Two releases of one package, with client files of their own.
fn lab() -> (Lab, Vec<Candidate>) {
    let mut lab = Lab::new();
    let packages = vec![lab.package("dev-libs/x-1", "x")];
    lab.has_client_files(ONE);
    lab.publish(&packages);
    lab.has_client_files(TWO);
    lab.publish(&packages);
    (lab, packages)
}

#[test]
fn they_are_there_one_by_one_and_in_an_archive() {
    let mut lab = Lab::new();
    lab.has_client_files(ONE);
    lab.publish(&[lab.package("dev-libs/x-1", "x")]);
    assert_eq!(there(&lab), as_map(ONE));
    for (path, seen) in picture(&lab.folder) {
        let wanted = if seen.content.is_some() { 0o644 } else { 0o2775 };
        assert_eq!(seen.mode, wanted, "{}", path.display());
        assert!(
            seen.content.is_none() || seen.mtime == EPOCH as i64,
            "{}",
            path.display()
        );
    }
    let archive = lab.folder.join("client/client.tar.gz");
    let bytes = fs::read(&archive).unwrap();
    let kept = lab
        .folder
        .join(format!("releases/client/{}.tar.gz", blake3::hash(&bytes)));
    assert_eq!(fs::read(kept).unwrap(), bytes);
    // What tar makes of it is the folder.
    let status = Command::new("tar")
        .arg("-xzf")
        .arg(&archive)
        .current_dir(lab.path(""))
        .status()
        .unwrap();
    assert!(status.success());
    let unpacked = picture(&lab.path("client"));
    for (path, text) in ONE {
        assert_eq!(unpacked[&PathBuf::from(path)].content.as_deref(), Some(text.as_bytes()));
        let metadata = fs::metadata(lab.path("client").join(path)).unwrap();
        assert_eq!(
            (metadata.mtime(), metadata.permissions().mode() & 0o777),
            (EPOCH as i64, 0o644)
        );
    }
    // Another folder, another day: the same bytes.
    let mut other = Lab::new();
    other.has_client_files(ONE);
    other.publish(&[other.package("a/b-1", "other")]);
    assert_eq!(fs::read(other.folder.join("client/client.tar.gz")).unwrap(), bytes);
}

#[test]
fn the_same_again_writes_nothing() {
    let (lab, packages) = lab();
    let before = picture(&lab.folder);
    assert!(!lab.publish(&packages).changed);
    assert_eq!(picture(&lab.folder), before);
    assert_eq!(faults(&lab), [""; 0]);
}

#[test]
fn other_files_alone_are_a_release_with_the_same_packages() {
    let (mut lab, packages) = lab();
    assert_eq!(there(&lab), as_map(TWO), "sets/a is gone, and its folder");
    assert!(!lab.folder.join("client/sets").exists());
    assert_eq!(lab.timestamp(), EPOCH + TIMESTAMP_STEP);
    assert_eq!(lab.listed(), [("dev-libs/x/x-1-1.gpkg.tar".to_owned(), EPOCH)]);
    assert_eq!(archives(&lab).len(), 2);
    // What both have was not touched.
    let mtime = |path: &str| fs::metadata(lab.folder.join(path)).unwrap().mtime() as u64;
    assert_eq!(mtime("client/profile/parent"), EPOCH);
    assert_eq!(mtime("client/README"), EPOCH + TIMESTAMP_STEP);
    lab.client = None;
    assert!(lab.publish(&packages).changed);
    assert!(!lab.folder.join("client").exists());
    assert_eq!(faults(&lab), [""; 0]);
}

#[test]
fn an_archive_stays_whoever_compressed_it() {
    let mut lab = Lab::new();
    let packages = [lab.package("dev-libs/x-1", "x")];
    lab.has_client_files(ONE);
    lab.publish(&packages);
    // As another version of farm would have made it.
    let archive = lab.folder.join("releases/client").join(&archives(&lab)[0]);
    let status = Command::new("sh")
        .args(["-c", "gunzip < \"$1\" | gzip -1n > \"$2/new\"", "sh"])
        .arg(&archive)
        .arg(lab.path(""))
        .status()
        .unwrap();
    assert!(status.success());
    let bytes = fs::read(lab.path("new")).unwrap();
    let digest = blake3::hash(&bytes).to_string();
    let former = blake3::hash(&fs::read(&archive).unwrap()).to_string();
    assert_ne!(digest, former);
    fs::rename(
        lab.path("new"),
        lab.folder.join(format!("releases/client/{digest}.tar.gz")),
    )
    .unwrap();
    fs::remove_file(archive).unwrap();
    fs::write(lab.folder.join("client/client.tar.gz"), &bytes).unwrap();
    let record = lab.folder.join("releases/0001.json");
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains(&former));
    fs::write(&record, text.replace(&former, &digest)).unwrap();
    assert_eq!(faults(&lab), [""; 0]);
    assert!(!lab.publish(&packages).changed);
}

#[test]
fn a_rollback_brings_the_former_files_back() {
    let (lab, _) = lab();
    let done = rollback(&to(&lab, None), &mut |_| {}).unwrap();
    assert_eq!((done.to, done.release, done.published.kept), (1, 3, 1));
    assert_eq!(there(&lab), as_map(ONE));
    assert_eq!(archives(&lab).len(), 2, "releases 1 and 3 have the same");
    assert_eq!(faults(&lab), [""; 0]);
    // Without its archive, a release cannot be published again.
    let damaged = lab.folder.join("releases/client").join(&archives(&lab)[0]);
    let other = lab.folder.join("releases/client").join(&archives(&lab)[1]);
    for path in [damaged, other] {
        fs::write(path, "no archive").unwrap();
    }
    assert_eq!(faults(&lab).len(), 2);
    let before = picture(&lab.folder);
    let error = rollback(&to(&lab, Some("2")), &mut |_| {}).unwrap_err();
    assert!(matches!(&error, ReleaseError::NotWhole { release: 2, faults } if faults[0].ends_with("is damaged")));
    assert_eq!(picture(&lab.folder), before);
}

#[test]
fn archives_go_with_the_last_release_that_has_them() {
    let (mut lab, packages) = lab();
    let foreign = lab.folder.join("releases/client/somebodys");
    fs::write(&foreign, "else").unwrap();
    let [first, second] = [0, 1].map(|at| archives(&lab)[at].clone());
    for number in 0..RELEASES_FOR_CLIENTS {
        lab.has_client_files(&[("README", &number.to_string())]);
        lab.publish(&packages);
    }
    let listed = prune(&lab.folder, 1, true).unwrap();
    let pruned = prune(&lab.folder, 1, false).unwrap();
    assert_eq!(listed, pruned);
    assert_eq!(pruned.releases, [1]);
    assert_eq!(pruned.files.len(), 1);
    assert!(pruned.bytes > 0);
    // The digest decides which of the names is first.
    let gone = PathBuf::from(pruned.files[0].trim_start_matches("releases/client/"));
    assert!(gone == first || gone == second);
    assert!(!archives(&lab).contains(&gone));
    assert_eq!(
        archives(&lab).len(),
        1 + 2 + 1,
        "two new ones, the second, and somebody's"
    );
    assert!(foreign.exists());
    assert_eq!(faults(&lab), ["releases/client/somebodys: no release has it"]);
}

#[test]
fn what_is_damaged_is_named_and_made_whole() {
    let (lab, packages) = lab();
    let whole = picture(&lab.folder);
    fs::write(lab.folder.join("client/README"), "changed").unwrap();
    fs::remove_file(lab.folder.join("client/key.asc")).unwrap();
    fs::write(lab.folder.join("client/notes"), "somebody's").unwrap();
    let found = faults(&lab);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("client/README: it is not what release 2 has in releases/client/"));
    assert_eq!(
        found[1..],
        [
            "client/key.asc: it is not there",
            "client/notes: release 2 does not have it"
        ]
    );
    assert_eq!(in_force(&lab.folder), None);
    let mended = lab.publish(&packages);
    assert_eq!((mended.changed, mended.kept, mended.added.len()), (true, 1, 0));
    assert!(in_force(&lab.folder).is_some());
    // What farm did not put there stays.
    fs::remove_file(lab.folder.join("client/notes")).unwrap();
    assert_eq!(picture(&lab.folder), whole);

    let kept = fs::read(lab.folder.join("client/client.tar.gz")).unwrap();
    let archive = format!("releases/client/{}.tar.gz", blake3::hash(&kept));
    fs::write(lab.folder.join(&archive), "no archive").unwrap();
    assert_eq!(
        faults(&lab),
        [format!(
            "{archive}: it is damaged; release 2 has its client files there"
        )]
    );
    assert!(lab.publish(&packages).changed);
    assert_eq!(picture(&lab.folder), whole);
}

#[test]
fn a_folder_of_before_there_were_any_gets_them() {
    let mut lab = Lab::new();
    let packages = [lab.package("dev-libs/x-1", "x")];
    lab.publish(&packages);
    assert!(!lab.folder.join("client").exists());
    assert_eq!(faults(&lab), [""; 0]);
    lab.has_client_files(ONE);
    assert!(lab.publish(&packages).changed);
    assert_eq!(there(&lab), as_map(ONE));
    // And back to a release that had none.
    rollback(&to(&lab, Some("1")), &mut |_| {}).unwrap();
    assert!(!lab.folder.join("client").exists());
    assert_eq!(faults(&lab), [""; 0]);
}

#[test]
fn a_failure_leaves_the_former_ones() {
    let (mut lab, mut packages) = lab();
    let before = there(&lab);
    lab.has_client_files(&[("README", "three\n"), ("new", "file\n")]);
    packages.push(lab.package("dev-libs/y-1", "y"));
    // While the packages are written, somebody puts a folder where the index goes: until then, everything succeeds.
    let index = lab.folder.join("Packages");
    let mut in_the_way = |_: &str| {
        fs::rename(&index, lab.path("aside")).unwrap();
        fs::create_dir_all(index.join("x")).unwrap();
    };
    let error = lab.publish_watched(&packages, &mut in_the_way).unwrap_err();
    assert!(error.to_string().contains("Packages"), "{error}");
    assert_eq!(there(&lab), before);
    assert_eq!(archives(&lab).len(), 2);
    fs::remove_dir_all(&index).unwrap();
    fs::rename(lab.path("aside"), &index).unwrap();
    assert_eq!(faults(&lab), [""; 0]);
    assert!(in_force(&lab.folder).is_some());
}

#[test]
fn paths_that_lead_elsewhere_are_the_callers_fault() {
    for path in ["../README", "client.tar.gz", "a//b", "/etc/passwd", ".hidden"] {
        let mut lab = Lab::new();
        let packages = [lab.package("dev-libs/x-1", "x")];
        lab.has_client_files(&[(path, "x")]);
        let error = lab.try_publish(&packages).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Bug, "{path}: {error}");
        assert!(!lab.folder.join("Packages").exists());
    }
}

#[test]
fn an_archive_that_a_kept_release_has_stays() {
    let (mut lab, packages) = lab();
    // Release 3 has what release 1 has, which is forgotten.
    for files in [ONE, TWO] {
        lab.has_client_files(files);
        lab.publish(&packages);
    }
    let pruned = prune(&lab.folder, 1, false).unwrap();
    assert_eq!((pruned.releases, pruned.files), (vec![1], Vec::new()));
    assert_eq!(archives(&lab).len(), 2);
    assert_eq!(faults(&lab), [""; 0]);
}
