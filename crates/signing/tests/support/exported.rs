//! Keys that gpg makes, and the files that it exports them to.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(dead_code, reason = "every test program uses another part of it")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use farm_portage::gpkg::{Signer as _, Verifier as _};
use farm_signing::{KeyFile, KeyRing, SigningError, SigningKey};

use crate::support::Keys;

/// 2020-01-02, when the keys of these tests are a day old.
pub(crate) const TIME: u64 = 1_577_923_200;

/// As which gpg makes them.
pub(crate) const MADE: [&str; 2] = ["--faked-system-time", "20200101T000000"];

pub(crate) const UNPROTECTED: [&str; 4] = ["--pinentry-mode", "loopback", "--passphrase", ""];

/// Makes a key of 2020 that does not expire, and gives its fingerprint.
pub(crate) fn make(keys: &Keys, name: &str, algorithm: &str, usage: &str) -> String {
    make_until(keys, name, algorithm, usage, "0")
}

pub(crate) fn make_until(keys: &Keys, name: &str, algorithm: &str, usage: &str, expires: &str) -> String {
    let new = ["--quick-generate-key", name, algorithm, usage, expires];
    keys.run(&[&UNPROTECTED[..], &MADE, &new].concat());
    fingerprints(keys, name)[0].clone()
}

/// The fingerprints of a key and its subkeys.
pub(crate) fn fingerprints(keys: &Keys, name: &str) -> Vec<String> {
    let listed = keys.run(&["--with-colons", "--list-secret-keys", &format!("={name}")]);
    let lines = listed.lines().filter(|line| line.starts_with("fpr:"));
    lines.map(|line| line.split(':').nth(9).unwrap().to_owned()).collect()
}

pub(crate) fn add_subkey(keys: &Keys, primary: &str, algorithm: &str, usage: &str, expires: &str) {
    let add = ["--quick-add-key", primary, algorithm, usage, expires];
    keys.run(&[&UNPROTECTED[..], &add].concat());
}

/// Writes what gpg exports into a file that is the user's alone.
pub(crate) fn export(keys: &Keys, name: &str, how: &[&str]) -> PathBuf {
    let file = keys.home().join(name);
    let output = ["--yes", "--output", file.to_str().unwrap()];
    keys.run(&[&UNPROTECTED[..], &output, how].concat());
    private(&file);
    file
}

pub(crate) fn private(file: &Path) {
    fs_err::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn exported(keys: &Keys) -> PathBuf {
    export(keys, "secret.asc", &["--armor", "--export-secret-keys"])
}

pub(crate) fn find(file: &Path, name: &str) -> Result<SigningKey, SigningError> {
    KeyFile::new(file, None).find(name)
}

/// The error behind the name of the file.
pub(crate) fn error_of(file: &Path, name: &str) -> SigningError {
    match find(file, name).unwrap_err() {
        SigningError::InFile { error, .. } => *error,
        error => error,
    }
}

pub(crate) fn detached(key: &SigningKey, content: &[u8]) -> String {
    String::from_utf8(key.at(TIME).detached(&mut &content[..]).unwrap()).unwrap()
}

pub(crate) fn clear(key: &SigningKey, text: &str) -> String {
    String::from_utf8(key.at(TIME).clear_signed(text).unwrap()).unwrap()
}

pub(crate) const TEXT: &str = "DATA x 1\n- dashed\n-----\nFrom here\nblank at its end \t\n\nnot\tin between\n";

/// Whether gpg takes both kinds of signatures for good ones of this key.
pub(crate) fn verifies(key: &SigningKey) {
    let trusting = Keys::trusting(key);
    let ring = KeyRing::new(&trusting.gpg(), trusting.home());
    for content in [&b""[..], b"content", b"\r\n \n"] {
        let signature = detached(key, content);
        let signer = ring.detached(signature.as_bytes(), &mut &content[..]).unwrap();
        assert_eq!(signer, key.fingerprint());
        assert!(ring.detached(signature.as_bytes(), &mut &b"other"[..]).is_err());
    }
    let message = clear(key, TEXT);
    let (text, signer) = ring.clear_signed(message.as_bytes()).unwrap();
    assert_eq!(signer, key.fingerprint());
    // Blanks at the ends of lines are not signed, and gpg does not give them back.
    assert_eq!(String::from_utf8(text).unwrap(), TEXT.replace(" \t\n", "\n"));
    let changed = message.replace("DATA x", "DATA y");
    assert!(ring.clear_signed(changed.as_bytes()).is_err());
}
