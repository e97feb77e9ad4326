//! XPAKs of the real Portage are read, become what GPKGs of the same build become, and are refused where Portage refuses.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod gpkg_support;
#[path = "xpak_support/trees.rs"]
mod trees;
mod xpak_support;

use std::io::Cursor;
use std::path::Path;

use farm_portage::binpkg::{BinpkgFormat, HEAD, TAIL};
use farm_portage::gpkg::{GpkgError, Limits, Metadata, metadata_tar};
use farm_portage::normal::{NormalError, NormalOptions, NormalReport, Warning, normalise, normalise_xpak};
use fs_err as fs;
use gpkg_support::random::Random;
use gpkg_support::{Lab, RICH};
use serde_json::{Value, json};
use trees::Tree;
use xpak_support::{bzip2, finish, gzip, package, raw_entry, read_all, segment, xz, zstd};

const COMPRESSIONS: [&str; 8] = ["bzip2", "gzip", "lz4", "lzip", "lzop", "xz", "zstd", "none"];

fn options() -> NormalOptions {
    NormalOptions::new(1_700_000_000)
}

fn normal_gpkg(bytes: &[u8]) -> (Vec<u8>, NormalReport) {
    let mut out = Cursor::new(Vec::new());
    let report = normalise(Cursor::new(bytes), &mut out, &options()).unwrap();
    (out.into_inner(), report)
}

fn try_normal_xpak(bytes: &[u8]) -> Result<(Vec<u8>, NormalReport), NormalError> {
    let mut out = Cursor::new(Vec::new());
    let report = normalise_xpak(Cursor::new(bytes), &mut out, tempfile::tempfile().unwrap(), &options())?;
    Ok((out.into_inner(), report))
}

fn normal_xpak(bytes: &[u8]) -> (Vec<u8>, NormalReport) {
    try_normal_xpak(bytes).unwrap()
}

/// Metadata and image as this crate reads them.
fn read(bytes: &[u8]) -> (Tree, Metadata) {
    let (entries, metadata) = read_all(bytes, Limits::default()).unwrap();
    (trees::of(entries), metadata)
}

/// Lets Portage unpack XPAKs; `Null` where it does not.
fn extracted(lab: &Lab, files: &[&Path]) -> Vec<Value> {
    let answers = lab.python("extract_xpak.py", &[], &json!(files).to_string());
    serde_json::from_str(&answers).unwrap()
}

#[test]
fn one_build_has_one_normal_form_in_both_formats() {
    let lab = Lab::new();
    let ebuild = lab.ebuild("rich-1", RICH);
    // Where a build finds `gtar`.
    let bin = lab.path("bin");
    let path = ("PREROOTPATH", bin.to_str().unwrap());
    let gpkg = lab.build(&ebuild, &[path]);
    let (expected, report) = normal_gpkg(&gpkg);
    for compression in ["bzip2", "zstd"] {
        let xpak = lab.build(
            &ebuild,
            &[path, ("BINPKG_FORMAT", "xpak"), ("BINPKG_COMPRESS", compression)],
        );
        let (found, other) = normal_xpak(&xpak);
        let differing = |key: &&String| report.metadata.get(*key) != other.metadata.get(*key);
        let keys = report.metadata.keys().chain(other.metadata.keys());
        assert_eq!(keys.filter(differing).collect::<Vec<_>>(), Vec::<&String>::new());
        assert!(found == expected, "the normal forms differ outside of the metadata");
        assert_eq!((report.interface, report.payload), (other.interface, other.payload));
        assert_eq!(other.warnings, []);
        // The normal form is a GPKG like every other.
        assert!(normal_gpkg(&found).0 == expected);
    }
}

#[test]
fn random_packages_of_portage_are_read_and_converted() {
    let lab = Lab::new();
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(78);
    let mut work = Vec::new();
    let mut expected = Vec::new();
    for number in 0..200 {
        let path = folder.path().join(number.to_string());
        expected.push(trees::make(&mut random, &path.join("image"), &path.join("build-info")));
        work.push(json!([
            path,
            COMPRESSIONS[number % COMPRESSIONS.len()],
            random.chance(50)
        ]));
    }
    lab.python("pack_both.py", &[], &Value::from(work).to_string());
    let files: Vec<_> = (0..200)
        .map(|number| folder.path().join(format!("{number}/x.xpak")))
        .collect();
    let seen = extracted(&lab, &files.iter().map(std::path::PathBuf::as_path).collect::<Vec<_>>());
    for ((file, expected), seen) in files.iter().zip(&expected).zip(&seen) {
        let xpak = fs::read(file).unwrap();
        let found = read(&xpak);
        assert!(
            found == *expected,
            "{}: {found:?} instead of {expected:?}",
            file.display()
        );
        assert!(
            trees::told(&found) == *seen,
            "Portage sees something else in {}",
            file.display()
        );
        let gpkg = fs::read(file.with_extension("gpkg.tar")).unwrap();
        let ((a, gpkg), (b, xpak)) = (normal_gpkg(&gpkg), normal_xpak(&xpak));
        assert!(a == b, "the normal forms of {} differ", file.display());
        assert_eq!((gpkg.interface, gpkg.payload), (xpak.interface, xpak.payload));
        assert_eq!((gpkg.warnings, xpak.warnings), (vec![], vec![]));
    }
}

/// What is before and after the streams, and what is not a stream: this crate takes what Portage takes, and gets the
/// same.
#[test]
fn what_portage_cannot_unpack_is_refused() {
    let mut tar = Vec::new();
    raw_entry(&mut tar, "./", tar::EntryType::Directory, "", b"");
    raw_entry(&mut tar, "./a", tar::EntryType::Regular, "", b"content");
    let whole = finish(tar.clone());
    let (first, second) = whole.split_at(700);
    let mut images = Vec::new();
    for pack in [bzip2, gzip, xz, zstd, <[u8]>::to_vec] {
        images.push(pack(&whole));
        images.push([pack(first), pack(second)].concat());
        images.push(pack(&tar));
        images.push(pack(&[&whole[..], b"garbage"].concat()));
        for rest in [
            &b"garbage"[..],
            b"\0",
            b"\0\0\0\0",
            b"\0\0\0\0\0x",
            b"B",
            b"BZh9",
            b"BZh9 is not a stream",
            b"\x1f\x8b",
            b"\x50\x2a\x4d\x18\0\0\0\0",
        ] {
            images.push([&pack(&whole), rest].concat());
        }
        let packed = pack(&whole);
        for cut in [1, 4, 9, packed.len() / 2] {
            images.push(packed[..packed.len() - cut].to_vec());
        }
    }
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &whole).unwrap();
    images.push(encoder.finish().unwrap());
    images.extend([
        b"".to_vec(),
        b"garbage".to_vec(),
        vec![0; 511],
        vec![0; 512],
        vec![0; 1024],
    ]);

    let lab = Lab::new();
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (number, image) in images.iter().enumerate() {
        let file = folder.path().join(format!("{number}.xpak"));
        fs::write(&file, package(image, &segment(&[("PF", b"x-1\n")]))).unwrap();
        files.push(file);
    }
    let seen = extracted(&lab, &files.iter().map(std::path::PathBuf::as_path).collect::<Vec<_>>());
    let mut taken = 0;
    for ((file, image), seen) in files.iter().zip(&images).zip(&seen) {
        let bytes = fs::read(file).unwrap();
        let result = read_all(&bytes, Limits::default());
        let start = image[..image.len().min(8)].escape_ascii();
        let end = image[image.len().saturating_sub(24)..].escape_ascii();
        assert_eq!(result.is_ok(), !seen.is_null(), "{start} … {end}: {result:?}");
        if result.is_ok() {
            taken += 1;
            assert_eq!(trees::told(&read(&bytes)), *seen, "{start} … {end}");
        }
    }
    assert!((20..images.len() - 20).contains(&taken), "{taken} of {}", images.len());
}

#[test]
fn what_a_gpkg_cannot_carry_is_told() {
    let lab = Lab::new();
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    fs::create_dir(&image).unwrap();
    fs::create_dir(folder.path().join("build-info")).unwrap();
    fs::write(folder.path().join("build-info/PF"), "x-1\n").unwrap();
    fs::write(image.join("file"), "content").unwrap();
    let set =
        "import os, sys; os.setxattr(sys.argv[1], 'user.farm', b'x'); os.setxattr(sys.argv[1], 'user.empty', b'')";
    let status = std::process::Command::new("python3")
        .args(["-c", set])
        .arg(image.join("file"))
        .status()
        .unwrap();
    assert!(status.success());
    lab.python("pack_both.py", &[], &json!([[folder.path(), "zstd", true]]).to_string());
    let (a, report) = normal_xpak(&fs::read(folder.path().join("x.xpak")).unwrap());
    let lost = |path: &str, name: &str| Warning::ExtendedAttribute {
        path: path.to_owned(),
        name: name.to_owned(),
    };
    assert_eq!(report.warnings, [lost("file", "user.empty"), lost("file", "user.farm")]);
    let (b, _) = normal_gpkg(&fs::read(folder.path().join("x.gpkg.tar")).unwrap());
    assert!(a == b);

    let mut builder = tar::Builder::new(Vec::new());
    let capability = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    builder
        .append_pax_extensions([("SCHILY.xattr.security.capability", &capability[..])])
        .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    builder.append_data(&mut header, "ping", &[][..]).unwrap();
    let bytes = package(&bzip2(&builder.into_inner().unwrap()), &segment(&[("PF", b"x-1\n")]));
    assert_eq!(normal_xpak(&bytes).1.warnings, [lost("ping", "security.capability")]);

    // Portage installs a FIFO from an XPAK, and refuses it in a GPKG.
    let mut tar = Vec::new();
    raw_entry(&mut tar, "./pipe", tar::EntryType::Fifo, "", b"");
    let error = try_normal_xpak(&package(&bzip2(&finish(tar)), &segment(&[("PF", b"x-1\n")])));
    assert!(matches!(
        error,
        Err(NormalError::Gpkg(GpkgError::SpecialFile { kind: "FIFO", .. }))
    ));
}

#[test]
fn formats_are_told_apart_as_portage_does() {
    let lab = Lab::new();
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("image")).unwrap();
    fs::create_dir(tree.join("build-info")).unwrap();
    fs::write(tree.join("build-info/PF"), "x-1\n").unwrap();
    lab.python("pack_both.py", &[], &json!([[tree, "zstd", false]]).to_string());
    let gpkg = fs::read(tree.join("x.gpkg.tar")).unwrap();
    let xpak = fs::read(tree.join("x.xpak")).unwrap();
    let trailer = &xpak[xpak.len() - TAIL..];
    let mut cases = vec![
        (gpkg.clone(), Some(BinpkgFormat::Gpkg)),
        (xpak.clone(), Some(BinpkgFormat::Xpak)),
        ([&gpkg[..], &xpak].concat(), Some(BinpkgFormat::Gpkg)),
        ([&[1; 92][..], b"/gpkg-1\0", trailer].concat(), Some(BinpkgFormat::Gpkg)),
        ([&[1; 93][..], b"/gpkg-1\0", trailer].concat(), Some(BinpkgFormat::Xpak)),
        ([&b"gpkg-1\0"[..], &[1; 93]].concat(), None),
        ([&b"/gpkg-1"[..], &[1; 93]].concat(), None),
        (trailer.to_vec(), Some(BinpkgFormat::Xpak)),
        (xpak[..xpak.len() - 1].to_vec(), None),
        ([&xpak[..], b"\0"].concat(), None),
        (metadata_tar(&Metadata::new(), 0), None),
        (vec![b'S'; 999], None),
        (b"STOP".to_vec(), None),
        (Vec::new(), None),
    ];
    for at in 0..TAIL {
        let mut bytes = xpak.clone();
        let position = bytes.len() - TAIL + at;
        bytes[position] ^= 1;
        cases.push((bytes, ((8..12).contains(&at)).then_some(BinpkgFormat::Xpak)));
    }
    let mut files = Vec::new();
    for (number, (bytes, expected)) in cases.iter().enumerate() {
        let head = &bytes[..bytes.len().min(HEAD)];
        let tail = &bytes[bytes.len().saturating_sub(TAIL)..];
        assert_eq!(BinpkgFormat::sniff(head, tail), *expected, "case {number}");
        // What is more than it needs does not matter.
        assert_eq!(BinpkgFormat::sniff(bytes, bytes), *expected, "case {number}");
        let file = folder.path().join(number.to_string());
        fs::write(&file, bytes).unwrap();
        files.push(file);
    }
    let answers = lab.python("binpkg_formats.py", &[], &json!(files).to_string());
    let answers: Vec<Option<String>> = serde_json::from_str(&answers).unwrap();
    for (number, ((_, expected), answer)) in cases.iter().zip(answers).enumerate() {
        let name = expected.map(|format| match format {
            BinpkgFormat::Gpkg => "gpkg",
            BinpkgFormat::Xpak => "xpak",
        });
        assert_eq!(answer.as_deref(), name, "case {number}");
    }
}
