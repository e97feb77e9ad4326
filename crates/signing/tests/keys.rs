//! Which keys can sign, and what is said of those that cannot.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use farm_signing::{ErrorKind, Gpg, NewKey, SigningError, SigningKey};
use support::Keys;

fn error_of(keys: &Keys, name: &str) -> SigningError {
    SigningKey::find(&keys.gpg(), name).unwrap_err()
}

#[test]
fn a_new_key_is_found_by_all_its_names() {
    let (keys, key) = Keys::with_key();
    key.try_out().unwrap();
    let fingerprint = key.fingerprint().to_owned();
    assert_eq!(fingerprint.len(), 40);
    let id = &fingerprint[24..];
    for name in [
        fingerprint.clone(),
        fingerprint.to_lowercase(),
        format!("0x{id}"),
        format!("{id}!"),
        "farm@example.org".to_owned(),
        "<farm@example.org>".to_owned(),
    ] {
        assert_eq!(SigningKey::find(&keys.gpg(), &name).unwrap(), key, "{name}");
    }
    // gpg by itself would find the address in one that only contains it.
    assert!(matches!(error_of(&keys, "arm@example.org"), SigningError::NoSuchKey(_)));
    assert!(farm_signing::is_name_of(id, &fingerprint));
    assert!(!farm_signing::is_name_of("farm@example.org", &fingerprint));
}

#[test]
fn a_new_key_signs_only_and_expires() {
    let (keys, key) = Keys::with_key();
    let listed = keys.run(&["--with-colons", "--fixed-list-mode", "--list-keys", key.fingerprint()]);
    let public: Vec<&str> = listed
        .lines()
        .find(|line| line.starts_with("pub:"))
        .unwrap()
        .split(':')
        .collect();
    // Ed25519 is number 22; `c` is what makes it a primary key.
    assert_eq!(
        (public[3], public[11].to_lowercase().as_str()),
        ("22", "scsc"),
        "{listed}"
    );
    let (made, expires): (u64, u64) = (public[5].parse().unwrap(), public[6].parse().unwrap());
    assert!((729..=731).contains(&((expires - made) / 86_400)), "{listed}");
    assert!(!listed.contains("\nsub:"), "{listed}");
    let again = NewKey {
        name: "Farm Test <farm@example.org>",
        passphrase: false,
    };
    let error = again.make(&keys.gpg()).unwrap_err();
    assert!(matches!(error, SigningError::KeyExists(_)), "{error}");
    assert_eq!(error.kind(), ErrorKind::Input);
}

#[test]
fn keys_that_are_not_there() {
    let (keys, key) = Keys::with_key();
    let error = error_of(&keys, &"A".repeat(40));
    assert!(matches!(error, SigningError::NoSuchKey(_)), "{error}");
    assert!(error.hint().unwrap().contains("farm key new"));
    assert!(matches!(error_of(&keys, "some words"), SigningError::BadName(_)));
    let public_only = Keys::trusting(&key);
    let error = error_of(&public_only, key.fingerprint());
    assert!(matches!(error, SigningError::NoSecretKey(_)), "{error}");
    // A key ring that was never used.
    let nowhere = keys.gpg().with_home(&keys.home().join("nothing"));
    let error = SigningKey::find(&nowhere, key.fingerprint()).unwrap_err();
    assert!(
        matches!(error, SigningError::NoSuchKey(_) | SigningError::Home(_)),
        "{error}"
    );
}

#[test]
fn one_name_of_several_keys() {
    let (keys, first) = Keys::with_key();
    let second = keys.make("Somebody Else <other@example.org>");
    keys.run(&["--quick-add-uid", second.fingerprint(), "Farm Test <farm@example.org>"]);
    let error = error_of(&keys, "farm@example.org");
    let SigningError::Ambiguous { fingerprints, .. } = &error else {
        panic!("{error}")
    };
    let mut both = [first.fingerprint().to_owned(), second.fingerprint().to_owned()];
    both.sort();
    let mut found = fingerprints.clone();
    found.sort();
    assert_eq!(found, both);
    // One that cannot sign any more is no second meaning.
    keys.run(&["--yes", "--quick-set-expire", second.fingerprint(), "seconds=1"]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(
        SigningKey::find(&keys.gpg(), "farm@example.org").unwrap().fingerprint(),
        first.fingerprint()
    );
    let error = error_of(&keys, second.fingerprint());
    assert!(matches!(error, SigningError::Expired(_)), "{error}");
}

#[test]
fn keys_that_cannot_sign() {
    let keys = Keys::new();
    let unprotected = ["--pinentry-mode", "loopback", "--passphrase", ""];
    let make = |more: &[&str]| {
        let arguments: Vec<&str> = unprotected.iter().chain(more).copied().collect();
        keys.run(&arguments)
    };
    // A year after 2020 is over, whenever this runs.
    make(&[
        "--faked-system-time",
        "20200101T000000",
        "--quick-generate-key",
        "old <old@example.org>",
        "ed25519",
        "sign",
        "1y",
    ]);
    let error = error_of(&keys, "old@example.org");
    assert!(matches!(error, SigningError::Expired(_)), "{error}");
    assert!(error.hint().unwrap().contains("--quick-set-expire"));

    make(&[
        "--quick-generate-key",
        "cert <cert@example.org>",
        "ed25519",
        "cert",
        "1y",
    ]);
    let error = error_of(&keys, "cert@example.org");
    assert!(matches!(error, SigningError::CannotSign(_)), "{error}");
    // With a subkey that can, it can.
    let listed = keys.run(&["--with-colons", "--list-secret-keys", "cert@example.org"]);
    let primary = listed
        .lines()
        .find_map(|line| line.strip_prefix("fpr:::::::::"))
        .unwrap();
    let primary = primary.trim_end_matches(':');
    make(&["--quick-add-key", primary, "ed25519", "sign", "1y"]);
    let key = SigningKey::find(&keys.gpg(), "cert@example.org").unwrap();
    assert_eq!(key.fingerprint(), primary);
    key.try_out().unwrap();

    let revoked = keys.make("revoked <revoked@example.org>");
    let certificate = keys
        .home()
        .join(format!("openpgp-revocs.d/{}.rev", revoked.fingerprint()));
    // A colon in it keeps people from importing it by mistake.
    let text = fs_err::read_to_string(certificate)
        .unwrap()
        .replace(":-----BEGIN", "-----BEGIN");
    let file = keys.home().join("revoke");
    fs_err::write(&file, text).unwrap();
    keys.run(&["--import", file.to_str().unwrap()]);
    let error = error_of(&keys, "revoked@example.org");
    assert!(matches!(error, SigningError::Revoked(_)), "{error}");
}

#[test]
fn a_passphrase_and_nobody_to_ask() {
    let keys = Keys::new();
    keys.run(&[
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "secret",
        "--quick-generate-key",
        "locked <locked@example.org>",
        "ed25519",
        "sign",
        "1y",
    ]);
    keys.forget();
    let key = SigningKey::find(&keys.gpg(), "locked@example.org").unwrap();
    let error = key.try_out().unwrap_err();
    assert!(matches!(error, SigningError::NoTerminal(_)), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert!(error.hint().unwrap().contains("--change-passphrase"));
}

#[test]
fn gnupg_that_is_not_there_or_cannot_work() {
    let missing = Gpg::new("/nowhere/gpg", BTreeMap::new());
    let error = SigningKey::find(&missing, "farm@example.org").unwrap_err();
    assert!(matches!(error, SigningError::NoGpg { .. }), "{error}");
    assert!(error.hint().unwrap().contains("apt-get install gnupg"));

    let (keys, key) = Keys::with_key();
    let deep = keys.home().join("d".repeat(100));
    fs_err::create_dir(&deep).unwrap();
    fs_err::set_permissions(&deep, std::fs::Permissions::from_mode(0o700)).unwrap();
    let far = keys.gpg().with_home(&deep);
    let new = NewKey {
        name: "far away",
        passphrase: false,
    };
    // Where the system has a folder for sockets, gpg takes that one, and the path does not matter.
    if let Err(error) = new.make(&far) {
        assert!(matches!(error, SigningError::Agent(_)), "{error:?}");
    }
    // A folder that is a file.
    let file = keys.home().join("file");
    fs_err::write(&file, "").unwrap();
    let error = SigningKey::find(&keys.gpg().with_home(&file), key.fingerprint()).unwrap_err();
    assert!(matches!(error, SigningError::Home(_)), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Environment);
}
