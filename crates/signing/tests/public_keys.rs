//! Files that are signed, checked by the keys of another file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use std::io::Read;

use farm_portage::gpkg::Signer as _;
use farm_signing::{PublicKeys, SigningError, SigningKey};
use support::Keys;

const CONTENT: &[u8] = b"a stage";

/// Long ago: every key that was made then for a year has expired.
const LONG_AGO: &str = "20200101T000000";

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn check(keys: &PublicKeys, signature: &[u8]) -> Result<String, SigningError> {
    keys.check(signature, &mut &CONTENT[..])
}

/// The keys that a file of this content has, read by somebody whose own key ring is empty.
fn of_file(file: &[u8]) -> PublicKeys {
    PublicKeys::read(&Keys::new().gpg(), file).unwrap()
}

fn signed(key: &SigningKey) -> Vec<u8> {
    key.at(now() + 10).detached(&mut &CONTENT[..]).unwrap()
}

/// What gpg makes of the content with these arguments.
fn made(keys: &Keys, arguments: &[&str]) -> Vec<u8> {
    let (content, out) = (keys.home().join("content"), keys.home().join("out"));
    fs_err::write(&content, CONTENT).unwrap();
    let (content, out) = (content.to_str().unwrap(), out.to_str().unwrap());
    keys.run(&[&["--yes", "--output", out], arguments, &[content]].concat());
    fs_err::read(out).unwrap()
}

/// Counts what was read of it.
struct Counted(u64);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(usize::try_from((5 << 20) - self.0).unwrap());
        buffer[..count].fill(7);
        self.0 += count as u64;
        Ok(count)
    }
}

#[test]
fn the_keys_of_the_file_and_no_others_count() {
    let (signer, key) = Keys::with_key();
    let (_others, other) = Keys::with_key();
    let signature = signed(&key);
    let armoured = of_file(&key.public().unwrap());
    assert_eq!(check(&armoured, &signature).unwrap(), key.fingerprint());
    assert_eq!(armoured.fingerprints().collect::<Vec<_>>(), [key.fingerprint()]);

    // Keys and signatures in binary, and one key among others.
    let binary = of_file(&exported(&signer));
    assert_eq!(check(&binary, &signature).unwrap(), key.fingerprint());
    let plain = made(&signer, &["--detach-sign"]);
    assert_ne!(plain.first(), Some(&b'-'));
    assert_eq!(check(&binary, &plain).unwrap(), key.fingerprint());
    let several = of_file(&[other.public().unwrap(), key.public().unwrap()].concat());
    assert_eq!(several.fingerprints().count(), 2);
    assert_eq!(check(&several, &signature).unwrap(), key.fingerprint());

    // The user's own key ring has the key, and trusts it.
    let foreign = PublicKeys::read(&Keys::trusting(&key).gpg(), &other.public().unwrap()).unwrap();
    assert!(matches!(check(&foreign, &signature), Err(SigningError::UnknownKey(_))));
}

fn exported(keys: &Keys) -> Vec<u8> {
    let out = keys.home().join("exported");
    keys.run(&["--yes", "--output", out.to_str().unwrap(), "--export"]);
    fs_err::read(out).unwrap()
}

#[test]
fn what_is_large_goes_by() {
    let (_signer, key) = Keys::with_key();
    let signature = key.at(now() + 10).detached(&mut Counted(0)).unwrap();
    let keys = of_file(&key.public().unwrap());
    let mut content = Counted(0);
    keys.check(&signature, &mut content).unwrap();
    assert_eq!(content.0, 5 << 20);
}

#[test]
fn what_is_no_good_signature() {
    let (signer, key) = Keys::with_key();
    let keys = of_file(&key.public().unwrap());
    let signature = signed(&key);
    let changed = keys.check(&signature, &mut &b"a Stage"[..]);
    assert!(matches!(changed, Err(SigningError::BadSignature)), "{changed:?}");
    let cut = keys.check(&signature, &mut &CONTENT[1..]);
    assert!(matches!(cut, Err(SigningError::BadSignature)), "{cut:?}");
    for none in [&b""[..], b"words", CONTENT] {
        let error = check(&keys, none);
        assert!(matches!(error, Err(SigningError::NoSignature)), "{error:?}");
    }
    // These are signed well, and are no signatures of something else.
    for way in ["--clear-sign", "--sign"] {
        let error = check(&keys, &made(&signer, &[way]));
        assert!(matches!(error, Err(SigningError::NotDetached)), "{way}: {error:?}");
    }
    let error = check(&keys, &key.public().unwrap());
    assert!(matches!(error, Err(SigningError::NotDetached)), "{error:?}");
    let (_others, other) = Keys::with_key();
    let both = of_file(&[other.public().unwrap(), key.public().unwrap()].concat());
    let binary = |keys: &Keys| made(keys, &["--detach-sign"]);
    let twice = [binary(&signer), binary(&signer)].concat();
    let error = check(&both, &twice);
    assert!(matches!(error, Err(SigningError::SeveralSignatures)), "{error:?}");
}

#[test]
fn keys_and_signatures_that_do_not_hold_any_more() {
    let keys = Keys::new();
    let unprotected = ["--pinentry-mode", "loopback", "--passphrase", ""];
    let then = ["--faked-system-time", LONG_AGO];
    let new = ["--quick-generate-key", "x <x@example.org>", "ed25519", "sign", "1y"];
    keys.run(&[&then[..], &unprotected, &new].concat());
    let signature = made(&keys, &[&then[..], &["--detach-sign"]].concat());
    let error = check(&of_file(&exported(&keys)), &signature);
    assert!(matches!(error, Err(SigningError::ExpiredKey(_))), "{error:?}");

    let (keys, key) = Keys::with_key();
    let short = made(&keys, &["--default-sig-expire", "seconds=1", "--detach-sign"]);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let of_keys = of_file(&exported(&keys));
    let error = check(&of_keys, &short);
    assert!(matches!(error, Err(SigningError::ExpiredSignature(_))), "{error:?}");

    // Revoked: by a file of keys of after that. One of before cannot know.
    let signature = signed(&key);
    let certificate = keys.home().join(format!("openpgp-revocs.d/{}.rev", key.fingerprint()));
    let text = fs_err::read_to_string(&certificate).unwrap().replace(":-----", "-----");
    fs_err::write(&certificate, text).unwrap();
    keys.run(&["--import", certificate.to_str().unwrap()]);
    assert_eq!(check(&of_keys, &signature).unwrap(), key.fingerprint());
    let error = check(&of_file(&exported(&keys)), &signature);
    assert!(matches!(error, Err(SigningError::RevokedKey(_))), "{error:?}");
}

#[test]
fn files_without_keys_and_machines_without_gpg() {
    let gpg = Keys::new().gpg();
    for none in [&b""[..], b"not keys", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n"] {
        let error = PublicKeys::read(&gpg, none);
        assert!(matches!(error, Err(SigningError::NoPublicKeys)), "{error:?}");
    }
    let missing = farm_signing::Gpg::new("/nowhere/gpg", [].into());
    assert!(matches!(
        PublicKeys::read(&missing, b""),
        Err(SigningError::NoGpg { .. })
    ));
}

#[test]
fn no_agent_stays() {
    let (_signer, key) = Keys::with_key();
    let keys = of_file(&key.public().unwrap());
    check(&keys, &signed(&key)).unwrap();
    let home = format!("{keys:?}");
    let home = home.split('"').find(|part| part.contains("farm-keys")).unwrap();
    let sockets: Vec<_> = fs_err::read_dir(home)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("S."))
        .collect();
    assert!(sockets.is_empty(), "{sockets:?}");
    drop(keys);
    assert!(!std::path::Path::new(home).exists());
}
