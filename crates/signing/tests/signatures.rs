//! Signatures: the same twice, and good for whoever trusts the key.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use farm_portage::gpkg::{Signer as _, Verifier as _};
use farm_signing::{KeyRing, SigningKey};
use support::Keys;

/// A time at which keys of this run are there and have not expired.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs() + 10
}

fn detached(key: &SigningKey, time: u64, content: &[u8]) -> Vec<u8> {
    key.at(time).detached(&mut &content[..]).unwrap()
}

fn ring(keys: &Keys) -> KeyRing {
    KeyRing::new(&keys.gpg(), keys.home())
}

/// A key ring with a key of this algorithm, and that key.
fn key_of(algorithm: &str) -> (Keys, SigningKey) {
    let keys = Keys::new();
    let unprotected = ["--pinentry-mode", "loopback", "--passphrase", ""];
    let new = ["--quick-generate-key", "x <x@example.org>", algorithm, "sign", "0"];
    keys.run(&[&unprotected[..], &new[..]].concat());
    let key = SigningKey::find(&keys.gpg(), "x@example.org").unwrap();
    (keys, key)
}

#[test]
fn the_same_bytes_at_the_same_time_have_the_same_signature() {
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let time = now();
    for algorithm in ["ed25519", "rsa2048", "nistp256"] {
        let (keys, key) = key_of(algorithm);
        let trusting = Keys::trusting(&key);
        let signature = detached(&key, time, &content);
        assert!(
            signature.starts_with(b"-----BEGIN PGP SIGNATURE-----\n\n"),
            "{algorithm}"
        );
        let cleared = key.at(time).clear_signed("DATA x 1\n").unwrap();
        assert_eq!(key.at(time).clear_signed("DATA x 1\n").unwrap(), cleared, "{algorithm}");
        // Not in the same second, and by another agent.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        keys.forget();
        assert_eq!(detached(&key, time, &content), signature, "{algorithm}");
        assert_ne!(detached(&key, time + 1, &content), signature, "{algorithm}");

        let fingerprint = ring(&trusting).detached(&signature, &mut &content[..]).unwrap();
        assert_eq!(fingerprint, key.fingerprint());
        let (text, fingerprint) = ring(&trusting).clear_signed(&cleared).unwrap();
        assert_eq!(
            (text.as_slice(), fingerprint.as_str()),
            (&b"DATA x 1\n"[..], key.fingerprint())
        );
    }
}

#[test]
fn no_signature_is_of_a_time_without_its_key() {
    let (_keys, key) = Keys::with_key();
    let trusting = Keys::trusting(&key);
    // Of 1970, when no key of today was there: it tells the key's own time, whatever is asked for.
    let signature = detached(&key, 1, b"content");
    assert_eq!(detached(&key, 2, b"content"), signature);
    ring(&trusting).detached(&signature, &mut &b"content"[..]).unwrap();
    // The key has expired by the year 2100, and gpg would not sign.
    let signature = detached(&key, 4_102_444_800, b"content");
    ring(&trusting).detached(&signature, &mut &b"content"[..]).unwrap();
}

#[test]
fn signatures_that_do_not_count() {
    let (_keys, key) = Keys::with_key();
    let (_others, foreign) = Keys::with_key();
    let trusting = Keys::trusting(&key);
    let refusal = |keys: &Keys, signature: &[u8], content: &[u8]| {
        ring(keys).detached(signature, &mut &content[..]).unwrap_err().message
    };
    let time = now();
    let signature = detached(&key, time, b"content");
    assert!(refusal(&trusting, &signature, b"Content").contains("bad"));
    assert!(refusal(&trusting, b"", b"content").contains("no signature"));
    assert!(refusal(&trusting, b"not a signature", b"content").contains("no signature"));
    let theirs = detached(&foreign, time, b"content");
    assert!(refusal(&trusting, &theirs, b"content").contains("not in the key ring"));
    assert!(refusal(&Keys::knowing(&foreign), &theirs, b"content").contains("not trusted"));

    // A good one with one of somebody else's beside it is not better than none: which of them is meant?
    let both = [signature.clone(), theirs].concat();
    let said = ring(&trusting).detached(&both, &mut &b"content"[..]);
    assert!(said.is_err(), "{said:?}");

    let cleared = key.at(time).clear_signed("DATA x 1\n").unwrap();
    let changed = String::from_utf8(cleared).unwrap().replace("DATA x", "DATA y");
    let error = ring(&trusting).clear_signed(changed.as_bytes()).unwrap_err();
    assert!(error.message.contains("bad"), "{error}");
    let error = ring(&trusting).clear_signed(b"DATA x 1\n").unwrap_err();
    assert!(error.message.contains("no signature"), "{error}");
}

#[test]
fn a_subkey_signs_whatever_the_time() {
    let (keys, key) = Keys::with_key();
    let time = now();
    let before = detached(&key, time, b"content");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let unprotected = ["--pinentry-mode", "loopback", "--passphrase", ""];
    let add = ["--quick-add-key", key.fingerprint(), "ed25519", "sign", "1y"];
    keys.run(&[&unprotected[..], &add[..]].concat());
    let with_subkey = SigningKey::find(&keys.gpg(), key.fingerprint()).unwrap();
    assert_eq!(
        with_subkey.fingerprint(),
        key.fingerprint(),
        "verifiers know the primary key"
    );
    let signature = detached(&with_subkey, 1, b"content");
    assert_ne!(signature, before);
    let trusting = Keys::trusting(&with_subkey);
    let fingerprint = ring(&trusting).detached(&signature, &mut &b"content"[..]).unwrap();
    assert_eq!(fingerprint, key.fingerprint());
    // Whoever wants the primary key says so.
    let exactly = SigningKey::find(&keys.gpg(), &format!("{}!", key.fingerprint())).unwrap();
    assert_eq!(detached(&exactly, time, b"content"), before);
}
