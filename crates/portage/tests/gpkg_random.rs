//! Two hundred random packages go from Portage to this crate and back, with every compressor, signed and not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod gpkg_support;
#[path = "../../signing/tests/support/mod.rs"]
mod keys;
#[path = "xpak_support/trees.rs"]
mod trees;

use std::io::Cursor;

use farm_portage::gpkg::{GpkgError, Limits, Metadata, Reader, Signer};
use farm_portage::normal::{NormalOptions, normalise, stamp};
use farm_signing::KeyRing;
use fs_err as fs;
use gpkg_support::Lab;
use gpkg_support::random::Random;
use keys::Keys;
use serde_json::{Value, json};
use trees::Tree;

const PACKAGES: usize = 200;

const COMPRESSIONS: [&str; 8] = ["bzip2", "gzip", "lz4", "lzip", "lzop", "xz", "zstd", "none"];

const EPOCH: u64 = 1_700_000_000;

/// Every second round of compressors is signed.
fn is_signed(number: usize) -> bool {
    (number / COMPRESSIONS.len()) % 2 == 1
}

/// A package as this crate reads it, and who signed it.
fn read(package: &[u8], ring: &KeyRing) -> ((Tree, Metadata), Vec<String>) {
    let mut reader = Reader::open(Cursor::new(package), Limits::default()).unwrap();
    reader.verify().unwrap();
    let signers = if reader.is_signed() {
        reader.verify_signatures(ring).unwrap().into_iter().collect()
    } else {
        Vec::new()
    };
    let mut entries = Vec::new();
    reader
        .visit_image::<GpkgError>(|entry, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).map_err(GpkgError::Read)?;
            entries.push((entry, bytes));
            Ok(())
        })
        .unwrap();
    ((trees::of(entries), reader.metadata().unwrap()), signers)
}

#[test]
fn random_packages_go_to_portage_and_back() {
    let lab = Lab::new();
    let (keys, key) = Keys::with_key();
    let trusting = Keys::trusting(&key);
    let ring = KeyRing::new(&trusting.gpg(), trusting.home());
    let home = |keys: &Keys| keys.home().to_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let file = |number: usize| folder.path().join(format!("{number}/x.gpkg.tar"));
    let mut random = Random::new(4);
    let (mut work, mut expected) = (Vec::new(), Vec::new());
    for number in 0..PACKAGES {
        let path = folder.path().join(number.to_string());
        expected.push(trees::make(&mut random, &path.join("image"), &path.join("build-info")));
        work.push(json!([path, COMPRESSIONS[number % COMPRESSIONS.len()], false]));
    }
    lab.python("pack_both.py", &[], &Value::from(work).to_string());
    let signed: Vec<String> = (0..PACKAGES)
        .filter(|number| is_signed(*number))
        .map(|number| file(number).to_str().unwrap().to_owned())
        .collect();
    let mut arguments = vec![home(&keys), key.fingerprint().to_owned()];
    arguments.extend(signed);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    lab.python("sign_gpkg.py", &arguments, "");

    // What Portage wrote is read here; what is written here of it, signed the other way round, lies in its place then.
    let (mut work, mut written) = (Vec::new(), Vec::new());
    for (number, expected) in expected.iter().enumerate() {
        let package = fs::read(file(number)).unwrap();
        let (found, signers) = read(&package, &ring);
        let signer = key.fingerprint().to_owned();
        assert_eq!(signers, if is_signed(number) { vec![signer] } else { vec![] });
        assert!(
            found == *expected,
            "package {number}: {found:?} instead of {expected:?}"
        );

        let mut normal = Cursor::new(Vec::new());
        normalise(Cursor::new(&package), &mut normal, &NormalOptions::new(EPOCH)).unwrap();
        let signer = key.at(EPOCH + 9);
        let signer: Option<&dyn Signer> = if is_signed(number) { None } else { Some(&signer) };
        let mut stamped = Cursor::new(Vec::new());
        let report = stamp(Cursor::new(normal.get_ref()), &mut stamped, 3, EPOCH + 9, signer).unwrap();
        assert_eq!(
            read(stamped.get_ref(), &ring).0,
            (expected.0.clone(), report.metadata.clone())
        );
        fs::write(file(number), stamped.get_ref()).unwrap();
        work.push(json!([file(number), signer.is_some()]));
        written.push(trees::told(&(expected.0.clone(), report.metadata)));
    }
    let seen = lab.python("read_gpkg.py", &[&home(&trusting)], &Value::from(work).to_string());
    let seen: Vec<Value> = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen.len(), PACKAGES);
    for (number, (seen, written)) in seen.iter().zip(&written).enumerate() {
        assert!(
            seen == written,
            "Portage sees something else in package {number}: {seen} instead of {written}"
        );
    }
}
