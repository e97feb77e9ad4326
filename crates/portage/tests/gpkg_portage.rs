//! Packages that Portage built become equal bytes, and Portage accepts what this crate wrote.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod gpkg_support;

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use farm_portage::gpkg::{EntryKind, GpkgError, Limits, Reader, folded};
use farm_portage::normal::{NormalError, NormalOptions, NormalReport, normalise, stamp};
use fs_err as fs;
use gpkg_support::{Lab, RICH};
use serde_json::Value;

const EPOCH: u64 = 1_700_000_000;

fn normal(package: &[u8]) -> (Vec<u8>, NormalReport) {
    let mut out = Cursor::new(Vec::new());
    let report = normalise(Cursor::new(package), &mut out, &NormalOptions::new(EPOCH)).unwrap();
    assert_eq!(report.size, out.get_ref().len() as u64);
    (out.into_inner(), report)
}

/// Gives type, mode, link target and digest of every entry, in the words of `inspect_gpkg.py`.
fn image(package: &[u8]) -> BTreeMap<String, Value> {
    let mut reader = Reader::open(Cursor::new(package), Limits::default()).unwrap();
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    reader
        .visit_image::<GpkgError>(|entry, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).unwrap();
            let digest = sha256(&bytes);
            let value = match &entry.kind {
                EntryKind::Directory => serde_json::json!({"type": 0o040_000, "mode": entry.mode}),
                EntryKind::Symlink { target } => {
                    serde_json::json!({"type": 0o120_000, "mode": 0o777, "target": target})
                }
                EntryKind::File => serde_json::json!({
                    "type": 0o100_000, "mode": entry.mode, "links": 1, "mtime": entry.mtime, "sha256": digest
                }),
                EntryKind::HardLink { target } => {
                    let mut value = found[target].clone();
                    value["links"] = 2.into();
                    found.insert(target.clone(), value.clone());
                    value
                }
            };
            if !entry.path.is_empty() {
                found.insert(entry.path, value);
            }
            Ok(())
        })
        .unwrap();
    found
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Lets Portage verify and unpack a package, and compares with what this crate reads in it.
fn assert_portage_agrees(lab: &Lab, package: &[u8], prefix: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.gpkg.tar");
    fs::write(&file, package).unwrap();
    let unpacked = folder.path().join("image");
    let arguments = [file.to_str().unwrap(), prefix, unpacked.to_str().unwrap()];
    let seen: Value = serde_json::from_str(&lab.python("inspect_gpkg.py", &arguments, "")).unwrap();

    let mut reader = Reader::open(Cursor::new(package), Limits::default()).unwrap();
    reader.verify().unwrap();
    assert_eq!(reader.prefix(), prefix);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let metadata: BTreeMap<_, _> = reader
        .metadata()
        .unwrap()
        .iter()
        .map(|(key, value)| (key.clone(), Value::from(hex(value))))
        .collect();
    assert_eq!(serde_json::to_value(metadata).unwrap(), seen["metadata"]);
    assert_eq!(serde_json::to_value(image(package)).unwrap(), seen["image"]);
}

#[test]
fn builds_of_one_package_have_one_normal_form() {
    let lab = Lab::new();
    let ebuild = lab.ebuild("rich-1", RICH);
    let first = lab.build(&ebuild, &[]);
    let second = lab.build(&ebuild, &[("MAKEOPTS", "-j7"), ("BUILD_ID", "3")]);
    assert_ne!(first, second);
    let ((a, report), (b, again)) = (normal(&first), normal(&second));
    let differing = |key: &&String| report.metadata.get(*key) != again.metadata.get(*key);
    assert_eq!(
        report.metadata.keys().filter(differing).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert!(a == b, "the normal forms differ outside of the metadata");
    assert_eq!((report.interface, report.payload), (again.interface, again.payload));
    assert!(report.warnings.is_empty());
    for key in ["BUILD_TIME", "BUILD_ID", "REPO_REVISIONS", "USER_PATCHES"] {
        assert!(!report.metadata.contains_key(key), "{key}");
    }

    let (c, third) = normal(&a);
    assert!(a == c, "normalising is not idempotent");
    assert_eq!((report.interface, report.payload), (third.interface, third.payload));

    assert_portage_agrees(&lab, &a, "rich-1");
    let mut stamped = Cursor::new(Vec::new());
    let stamp_report = stamp(Cursor::new(&a), &mut stamped, 5, EPOCH + 9, None).unwrap();
    assert_eq!(folded(&stamp_report.metadata, "BUILD_TIME"), (EPOCH + 9).to_string());
    assert_portage_agrees(&lab, stamped.get_ref(), "rich-1-5");
    let (unstamped, _) = normal(stamped.get_ref());
    assert!(a == unstamped, "a stamped package has another normal form");

    // A comment is in the package (the ebuild's copy), and nobody who builds with it can see it.
    let commented = lab.build(
        &lab.ebuild("rich-1", &RICH.replace("# The comment", "# Another comment")),
        &[],
    );
    let (_, commented) = normal(&commented);
    assert_eq!(report.interface, commented.interface);
    assert_ne!(report.payload, commented.payload);
    // What postinst does is seen.
    let other = lab.build(
        &lab.ebuild("rich-1", &RICH.replace("einfo \"postinst\"", "einfo \"other\"")),
        &[],
    );
    let (_, other) = normal(&other);
    assert_ne!(report.interface, other.interface);
    // The saved environment keeps everything else, the text inside functions included.
    let mut text = String::new();
    bzip2::read::BzDecoder::new(&report.metadata["environment.bz2"][..])
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains("\ndeclare -x GNUMAKEFLAGS=\"inside\"\n"));
    assert!(!text.contains("--load-average") && !text.contains("PORTAGE_COMPRESSION_COMMAND"));
    assert!(text.contains("declare -- MULTI=") && text.contains("declare -x SOURCE_DATE_EPOCH="));
}

#[test]
fn every_compression_of_portages_writer_is_read() {
    let lab = Lab::new();
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path().join("root");
    let long = root.join("d".repeat(90)).join("e".repeat(90)).join("f".repeat(90));
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("g".repeat(120)), "content").unwrap();
    fs::write(root.join("häß lich"), vec![7; 300_000]).unwrap();
    fs::hard_link(root.join("häß lich"), root.join("zweiter")).unwrap();
    std::os::unix::fs::symlink("t".repeat(130), root.join("link")).unwrap();
    let metadata = serde_json::json!({"CATEGORY": "app-misc\n", "PF": "x-1\n", "SLOT": "0\n"}).to_string();
    let mut normals = Vec::new();
    for compression in ["none", "bzip2", "gzip", "lz4", "lzip", "lzop", "xz", "zstd"] {
        let file = tree.path().join(format!("{compression}.gpkg.tar"));
        let arguments = [
            file.to_str().unwrap(),
            "app-misc/x-1",
            compression,
            root.to_str().unwrap(),
        ];
        lab.python("pack_gpkg.py", &arguments, &metadata);
        let package = fs::read(&file).unwrap();
        assert_portage_agrees(&lab, &package, "x-1");
        normals.push(normal(&package).0);
    }
    assert!(normals.windows(2).all(|pair| pair[0] == pair[1]));
    assert_portage_agrees(&lab, &normals[0], "x-1");
}

#[test]
fn a_fifo_is_reported() {
    let lab = Lab::new();
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path().join("root");
    fs::create_dir(&root).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(root.join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    let file = tree.path().join("x.gpkg.tar");
    let arguments = [file.to_str().unwrap(), "app-misc/x-1", "zstd", root.to_str().unwrap()];
    lab.python("pack_gpkg.py", &arguments, "{\"PF\": \"x-1\"}");
    let error = normalise(
        fs::File::open(file).unwrap(),
        Cursor::new(Vec::new()),
        &NormalOptions::new(EPOCH),
    );
    let Err(NormalError::Gpkg(GpkgError::SpecialFile { path, kind: "FIFO" })) = error else {
        panic!("{error:?}");
    };
    assert_eq!(path, "pipe");
}
