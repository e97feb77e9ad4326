//! Signed packages: what is signed here Portage verifies, what Portage signs is verified here, and both refuse the same.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod gpkg_support;
#[path = "../../signing/tests/support/mod.rs"]
mod keys;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _};
use std::path::PathBuf;

use farm_portage::gpkg::{
    ContainerWriter, EntryKind, ErrorKind, GpkgError, ImageEntry, Limits, MemberDigests, Metadata, Reader,
    SignatureError, Signer, sign,
};
use farm_portage::normal::{NormalError, stamp};
use farm_signing::{KeyFile, KeyRing, SigningKey};
use fs_err as fs;
use gpkg_support::Lab;
use keys::Keys;

const EPOCH: u64 = 1_700_000_000;

const MEMBERS: [&str; 6] = [
    "gpkg-1",
    "metadata.tar.zst",
    "metadata.tar.zst.sig",
    "image.tar.zst",
    "image.tar.zst.sig",
    "Manifest",
];

/// A package in normal form with one file.
fn plain() -> Vec<u8> {
    let metadata: Metadata = [("CATEGORY", "app-misc"), ("PF", "x-1"), ("SLOT", "0"), ("EAPI", "8")]
        .map(|(key, value)| (key.to_owned(), format!("{value}\n").into_bytes()))
        .into();
    let entry = |path: &str, kind: EntryKind, size: u64| ImageEntry {
        path: path.to_owned(),
        mode: if kind == EntryKind::File { 0o644 } else { 0o755 },
        kind,
        uid: 0,
        gid: 0,
        uname: "root".to_owned(),
        gname: "root".to_owned(),
        size,
        mtime: 0,
        xattrs: BTreeMap::new(),
    };
    let content: Vec<u8> = (0..60_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), "x-1", EPOCH).unwrap();
    writer.metadata(&metadata).unwrap();
    writer
        .image(|image| {
            image.entry(&entry("", EntryKind::Directory, 0), &mut std::io::empty())?;
            image.entry(&entry("file", EntryKind::File, content.len() as u64), &mut &content[..])
        })
        .unwrap();
    writer.finish().unwrap().0.into_inner()
}

fn stamped(signer: Option<&dyn Signer>) -> Result<Vec<u8>, NormalError> {
    let mut sink = Cursor::new(Vec::new());
    let report = stamp(Cursor::new(plain()), &mut sink, 3, EPOCH + 9, signer)?;
    assert_eq!(report.size, sink.get_ref().len() as u64);
    Ok(sink.into_inner())
}

fn signed_by(key: &SigningKey) -> Vec<u8> {
    stamped(Some(&key.at(EPOCH + 9))).unwrap()
}

/// What this crate says of a package, for whoever has this key ring.
fn verdict(keys: &Keys, package: &[u8]) -> Result<BTreeSet<String>, GpkgError> {
    let ring = KeyRing::new(&keys.gpg(), keys.home());
    Reader::open(Cursor::new(package), Limits::default())?.verify_signatures(&ring)
}

/// What Portage says of packages, for whoever has this key ring: `None` for good ones.
fn portage_verdicts(lab: &Lab, keys: &Keys, packages: &[Vec<u8>]) -> Vec<Option<String>> {
    let files: Vec<PathBuf> = (0..packages.len())
        .map(|n| lab.path(&format!("tmp/{n}.gpkg.tar")))
        .collect();
    for (file, package) in files.iter().zip(packages) {
        fs::write(file, package).unwrap();
    }
    let mut arguments = vec![keys.home().to_str().unwrap()];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    serde_json::from_str(&lab.python("verify_gpkg.py", &arguments, "")).unwrap()
}

/// The members of a container with their bytes.
fn members(package: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(package);
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (path.split_once('/').unwrap().1.to_owned(), bytes)
        })
        .collect()
}

/// A container of these members, whatever they say.
fn container(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, format!("x-1-3/{name}"), bytes.as_slice())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

/// The text of a `Manifest` of these members.
fn manifest(members: &[(String, Vec<u8>)]) -> String {
    let mut text = String::new();
    for (name, bytes) in members.iter().filter(|(name, _)| name != "Manifest") {
        let mut digests = MemberDigests::default();
        digests.update(bytes);
        let entry = digests.entry();
        let words = entry.digests.iter().map(|(digest, value)| format!(" {digest} {value}"));
        text += &format!("DATA {name} {}{}\n", entry.size, words.collect::<String>());
    }
    text
}

#[test]
fn portage_verifies_what_is_signed_here() {
    let lab = Lab::new();
    let (_keys, key) = Keys::with_key();
    let trusting = Keys::trusting(&key);
    let package = signed_by(&key);
    assert_eq!(
        members(&package)
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        MEMBERS
    );
    assert_eq!(
        portage_verdicts(&lab, &trusting, std::slice::from_ref(&package)),
        [None]
    );
    assert_eq!(
        verdict(&trusting, &package).unwrap(),
        [key.fingerprint().to_owned()].into()
    );
    assert!(
        package == signed_by(&key),
        "the same package signed at the same time is another one"
    );

    // Signing what is stamped gives the same as stamping with a signer, and so does signing it again with another key first.
    let mut again = Cursor::new(Vec::new());
    let size = sign(Cursor::new(stamped(None).unwrap()), &mut again, &key.at(EPOCH + 9)).unwrap();
    assert_eq!(size, again.get_ref().len() as u64);
    assert!(*again.get_ref() == package);
    let (_others, other) = Keys::with_key();
    let mut back = Cursor::new(Vec::new());
    sign(Cursor::new(signed_by(&other)), &mut back, &key.at(EPOCH + 9)).unwrap();
    assert!(back.into_inner() == package);
}

#[test]
fn portage_verifies_what_a_key_file_signs() {
    let lab = Lab::new();
    let (keys, by_ring) = Keys::with_key();
    let trusting = Keys::trusting(&by_ring);
    let file = keys.export_secret(by_ring.fingerprint());
    let by_file = KeyFile::new(file, None).find(by_ring.fingerprint()).unwrap();
    let package = signed_by(&by_file);
    assert_eq!(
        portage_verdicts(&lab, &trusting, std::slice::from_ref(&package)),
        [None]
    );
    assert_eq!(
        verdict(&trusting, &package).unwrap(),
        [by_file.fingerprint().to_owned()].into()
    );
    assert!(package == signed_by(&by_ring), "gpg signs it otherwise");
}

/// A line of `Manifest` with its digests in order. Portage takes their names out of a Python set, whose order differs from process
/// to process.
fn digests_sorted(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let kept = if words[0] == "DATA" { 3 } else { words.len() };
    let (head, digests) = words.split_at(kept);
    let mut digests: Vec<&[&str]> = digests.chunks(2).collect();
    digests.sort_unstable();
    [head, &digests.concat()].concat().join(" ")
}

#[test]
fn what_portage_signs_is_verified_here_and_has_the_same_form() {
    let lab = Lab::new();
    let (keys, key) = Keys::with_key();
    let trusting = Keys::trusting(&key);
    let file = lab.path("tmp/theirs.gpkg.tar");
    fs::write(&file, stamped(None).unwrap()).unwrap();
    let arguments = [keys.home().to_str().unwrap(), key.fingerprint(), file.to_str().unwrap()];
    lab.python("sign_gpkg.py", &arguments, "");
    let theirs = fs::read(&file).unwrap();
    assert_eq!(
        verdict(&trusting, &theirs).unwrap(),
        [key.fingerprint().to_owned()].into()
    );

    let ours = signed_by(&key);
    let names = |package: &[u8]| -> Vec<String> { members(package).into_iter().map(|(name, _)| name).collect() };
    assert_eq!(names(&theirs), names(&ours));
    // `Manifest` names the same members in the same order, with the same digests of all that is no signature.
    let lines = |package: &[u8]| -> Vec<String> {
        let text = String::from_utf8(members(package).pop().unwrap().1).unwrap();
        let lines = text.lines().map(|line| match line.split_once(".sig ") {
            Some((name, _)) => format!("{name}.sig"),
            None => digests_sorted(line),
        });
        lines
            .take_while(|line| line != "-----BEGIN PGP SIGNATURE-----")
            .collect()
    };
    assert_eq!(lines(&theirs), lines(&ours));
    // The signatures differ in nothing but their time: they are as long, and armoured alike.
    for ((name, theirs), (_, ours)) in members(&theirs).iter().zip(&members(&ours)) {
        assert_eq!(theirs.len(), ours.len(), "{name}");
    }
}

/// A package that nobody may take, and how it came about.
fn damaged(key: &SigningKey, foreign: &SigningKey) -> Vec<(String, Vec<u8>)> {
    let good = members(&signed_by(key));
    let mut found = Vec::new();
    let mut add = |what: String, members: &[(String, Vec<u8>)]| found.push((what, container(members)));
    for (at, (name, bytes)) in good.iter().enumerate().filter(|(_, (_, bytes))| !bytes.is_empty()) {
        let mut changed = good.clone();
        // In the middle: of an armoured signature that is within the signature itself.
        let byte = &mut changed[at].1[bytes.len() / 2];
        *byte = if *byte == b'A' { b'B' } else { b'A' };
        add(format!("a byte of {name}"), &changed);
    }
    let without =
        |name: &str| -> Vec<(String, Vec<u8>)> { good.iter().filter(|(found, _)| found != name).cloned().collect() };
    for name in ["metadata.tar.zst.sig", "image.tar.zst.sig"] {
        add(format!("{name} removed"), &without(name));
        // By somebody who can have a Manifest signed, such as an older farm with a bug.
        let mut rest = without(name);
        let text = manifest(&rest);
        rest.last_mut().unwrap().1 = key.at(EPOCH).clear_signed(&text).unwrap();
        add(format!("{name} never there"), &rest);
    }
    let mut unsigned_manifest = good.clone();
    unsigned_manifest.last_mut().unwrap().1 = manifest(&good).into_bytes();
    add("the signature of Manifest removed".to_owned(), &unsigned_manifest);
    let mut other_text = good.clone();
    let mut changed = other_text.clone();
    changed[3].1[10] ^= 1;
    other_text[3] = changed[3].clone();
    let signature = String::from_utf8(good.last().unwrap().1.clone()).unwrap();
    let (head, tail) = (
        signature.find("DATA").unwrap(),
        signature.find("-----BEGIN PGP SIGNATURE").unwrap(),
    );
    let forged = format!("{}{}{}", &signature[..head], manifest(&changed), &signature[tail..]);
    other_text.last_mut().unwrap().1 = forged.into_bytes();
    add("an image that Manifest was changed for".to_owned(), &other_text);
    found.push(("a foreign key".to_owned(), signed_by(foreign)));
    found.push(("no signature".to_owned(), stamped(None).unwrap()));
    found
}

#[test]
fn what_must_be_refused_is() {
    let lab = Lab::new();
    let (_keys, key) = Keys::with_key();
    let (_others, foreign) = Keys::with_key();
    let trusting = Keys::trusting(&key);
    // That containers are made by the test itself changes nothing.
    let good = container(&members(&signed_by(&key)));
    assert_eq!(portage_verdicts(&lab, &trusting, std::slice::from_ref(&good)), [None]);
    verdict(&trusting, &good).unwrap();

    let damaged = damaged(&key, &foreign);
    let packages: Vec<Vec<u8>> = damaged.iter().map(|(_, package)| package.clone()).collect();
    let theirs = portage_verdicts(&lab, &trusting, &packages);
    for ((what, package), theirs) in damaged.iter().zip(theirs) {
        assert!(theirs.is_some(), "Portage takes it: {what}");
        let error = verdict(&trusting, package).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{what}: {error}");
    }
    // A key that is there, and that nobody trusts.
    let knowing = Keys::knowing(&key);
    assert!(portage_verdicts(&lab, &knowing, std::slice::from_ref(&good))[0].is_some());
    let error = verdict(&knowing, &good).unwrap_err();
    assert!(error.to_string().contains("not trusted"), "{error}");
    assert!(matches!(
        verdict(&trusting, &stamped(None).unwrap()),
        Err(GpkgError::Unsigned { member }) if member == "Manifest"
    ));
}

/// Signs with a word, as far as it reads.
struct Words {
    /// How many bytes it reads of a member; `None`: all.
    reads: Option<u64>,
}

impl Signer for Words {
    fn detached(&self, content: &mut dyn std::io::Read) -> Result<Vec<u8>, SignatureError> {
        let read = match self.reads {
            Some(bytes) => std::io::copy(&mut content.take(bytes), &mut std::io::sink()),
            None => std::io::copy(content, &mut std::io::sink()),
        };
        let failed = |error: std::io::Error| SignatureError {
            kind: ErrorKind::Environment,
            message: error.to_string(),
            hint: None,
        };
        read.map(|_| b"signed\n".to_vec()).map_err(failed)
    }

    fn clear_signed(&self, text: &str) -> Result<Vec<u8>, SignatureError> {
        Ok(format!("signed {text}").into_bytes())
    }
}

#[test]
fn a_signature_of_half_a_member_is_none() {
    let all = Words { reads: None };
    assert_eq!(members(&stamped(Some(&all)).unwrap())[2].1, b"signed\n");
    let half = Words { reads: Some(100) };
    let error = stamped(Some(&half)).unwrap_err();
    assert!(error.to_string().contains("did not read all of it"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Environment);
}

#[test]
fn a_damaged_image_is_not_signed() {
    let mut package = plain();
    let at = package
        .windows(13)
        .position(|window| window == b"image.tar.zst")
        .unwrap();
    package[at.next_multiple_of(512) + 1000] ^= 1;
    for signer in [None, Some(&Words { reads: None } as &dyn Signer)] {
        let error = stamp(Cursor::new(&package), Cursor::new(Vec::new()), 1, EPOCH, signer).unwrap_err();
        assert!(
            matches!(&error, NormalError::Gpkg(GpkgError::Mismatch { member, .. }) if member == "image.tar.zst"),
            "{error}"
        );
    }
}

#[test]
fn a_disk_that_fails_is_not_the_signers_fault() {
    /// Has room for so many bytes.
    struct Small(Cursor<Vec<u8>>, usize);
    impl std::io::Write for Small {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0.get_ref().len() + bytes.len() > self.1 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    impl std::io::Seek for Small {
        fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
            self.0.seek(to)
        }
    }
    let small = Small(Cursor::new(Vec::new()), 20_000);
    let error = stamp(Cursor::new(plain()), small, 1, EPOCH, Some(&Words { reads: None })).unwrap_err();
    assert!(matches!(error, NormalError::Gpkg(GpkgError::Write(_))), "{error}");
}
