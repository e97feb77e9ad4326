//! Signatures of keys in files: the bytes are gpg's, and so is the choice of what signs. gpg makes the keys, and verifies.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/exported.rs"]
mod exported_keys;
mod support;

use exported_keys::{
    MADE, TEXT, UNPROTECTED, add_subkey, clear, detached, error_of, export, exported, find, fingerprints, make,
    make_until, private, verifies,
};
use farm_portage::gpkg::Signer as _;
use farm_signing::{ErrorKind, SigningError, SigningKey};
use pgp::composed::{Deserializable as _, SignedSecretKey};
use pgp::packet::SubpacketType;
use pgp::ser::Serialize as _;
use support::Keys;
#[test]
fn gpg_verifies_what_a_file_signs_and_makes_the_same() {
    for algorithm in ["ed25519", "rsa3072", "nistp256", "nistp384"] {
        let keys = Keys::new();
        let fingerprint = make(&keys, "a@example.org", algorithm, "sign");
        let file = exported(&keys);
        let key = find(&file, "a@example.org").unwrap();
        key.try_out().unwrap();
        assert_eq!(key.fingerprint(), fingerprint);
        verifies(&key);

        let by_gpg = SigningKey::find(&keys.gpg(), "a@example.org").unwrap();
        assert_eq!(by_gpg.fingerprint(), key.fingerprint());
        let again = find(&file, &fingerprint).unwrap();
        for content in [&b""[..], b"content", &[7; 100_000]] {
            let signature = detached(&key, content);
            assert_eq!(detached(&again, content), signature, "{algorithm}: not the same twice");
            assert_eq!(
                detached(&by_gpg, content),
                signature,
                "{algorithm}: not as gpg makes it"
            );
        }
        for text in [TEXT, "", "no end of line", "\n\n", "a\r\nb\r\n"] {
            let message = clear(&key, text);
            assert_eq!(clear(&again, text), message, "{algorithm}: not the same twice");
            assert_eq!(clear(&by_gpg, text), message, "{algorithm}: {text:?}");
        }
        let public = |key: &SigningKey| String::from_utf8(key.public().unwrap()).unwrap();
        assert_eq!(public(&key), public(&by_gpg), "{algorithm}");
    }
}

/// One number in 256 begins with a byte of zeros, which is not written.
#[test]
fn short_numbers_are_written_as_gpg_writes_them() {
    for algorithm in ["ed25519", "rsa2048", "nistp256"] {
        let keys = Keys::new();
        make(&keys, "a@example.org", algorithm, "sign");
        let key = find(&exported(&keys), "a@example.org").unwrap();
        let by_gpg = SigningKey::find(&keys.gpg(), "a@example.org").unwrap();
        // The length of the packet is told by the first bytes, `iHUE` if no number is short.
        let usual = detached(&key, b"0").lines().nth(2).unwrap()[..8].to_owned();
        let mut short = (0_u32..).filter_map(|n| {
            let content = n.to_le_bytes();
            let signature = detached(&key, &content);
            let first = signature.lines().nth(2)?;
            (first.len() >= 8 && first[..8] != usual).then_some((content, signature))
        });
        for (content, signature) in short.by_ref().take(3) {
            assert_eq!(detached(&by_gpg, &content), signature, "{algorithm}");
        }
    }
}

#[test]
fn a_key_has_all_its_names_and_its_newest_subkey_signs() {
    let keys = Keys::new();
    let primary = make(&keys, "Farm <farm@example.org>", "ed25519", "cert");
    let file = exported(&keys);
    assert!(matches!(error_of(&file, &primary), SigningError::CannotSign(_)));
    add_subkey(&keys, &primary, "ed25519", "sign", "0");
    add_subkey(&keys, &primary, "cv25519", "encr", "0");
    let file = exported(&keys);
    let subkey = fingerprints(&keys, "Farm <farm@example.org>")[1].clone();
    let key = find(&file, &primary).unwrap();
    for name in [
        primary.to_lowercase(),
        format!("0x{}", &primary[24..]),
        subkey.clone(),
        format!("{subkey}!"),
        "FARM@example.org".to_owned(),
        "<farm@example.org>".to_owned(),
    ] {
        let found = find(&file, &name).unwrap();
        assert_eq!((found.fingerprint(), &found), (primary.as_str(), &key), "{name}");
    }
    let by_gpg = SigningKey::find(&keys.gpg(), &primary).unwrap();
    assert_eq!(detached(&key, b"content"), detached(&by_gpg, b"content"));
    verifies(&key);
    // The primary key cannot, and was named and nothing else.
    assert!(matches!(
        error_of(&file, &format!("{primary}!")),
        SigningError::CannotSign(_)
    ));
    assert!(matches!(
        error_of(&file, "arm@example.org"),
        SigningError::NotInFile { .. }
    ));
    assert!(matches!(error_of(&file, "some words"), SigningError::BadName(_)));

    // Of several, the newest does, wherever it stands.
    let several = Keys::new();
    let primary = make(&several, "c@example.org", "ed25519", "cert");
    for made in ["20210101T000000", "20230101T000000", "20220101T000000"] {
        let add = [
            "--faked-system-time",
            made,
            "--quick-add-key",
            &primary,
            "ed25519",
            "sign",
            "0",
        ];
        several.run(&[&UNPROTECTED[..], &add].concat());
    }
    let newest = fingerprints(&several, "c@example.org")[2].clone();
    let file = exported(&several);
    assert_eq!(
        find(&file, &primary).unwrap(),
        find(&file, &format!("{newest}!")).unwrap()
    );

    // Where both can, the subkey does, unless somebody says otherwise.
    let both = Keys::new();
    let primary = make(&both, "b@example.org", "ed25519", "sign");
    add_subkey(&both, &primary, "ed25519", "sign", "0");
    let file = exported(&both);
    for name in [primary.clone(), format!("{primary}!")] {
        let by_gpg = SigningKey::find(&both.gpg(), &name).unwrap();
        assert_eq!(
            detached(&find(&file, &name).unwrap(), b"x"),
            detached(&by_gpg, b"x"),
            "{name}"
        );
    }
    let (subkey, exactly) = (
        find(&file, &primary).unwrap(),
        find(&file, &format!("{primary}!")).unwrap(),
    );
    assert_ne!(subkey, exactly);
}

/// Whoever binds somebody else's subkey to a key of his own could claim its signatures, were it not asked.
#[test]
fn a_subkey_must_agree_to_belong_to_the_key() {
    let keys = Keys::new();
    let primary = make(&keys, "a@example.org", "ed25519", "cert");
    add_subkey(&keys, &primary, "ed25519", "sign", "0");
    let binary = fs_err::read(export(&keys, "secret.gpg", &["--export-secret-keys"])).unwrap();
    let mut key = SignedSecretKey::from_bytes(&binary[..]).unwrap();
    let binding = &mut key.secret_subkeys[0].signatures[0];
    let unhashed = &binding.config().unwrap().unhashed_subpackets;
    let agreed = unhashed
        .iter()
        .position(|subpacket| subpacket.typ() == SubpacketType::EmbeddedSignature);
    let file = keys.home().join("other.gpg");
    let write = |key: &SignedSecretKey| {
        fs_err::write(&file, key.to_bytes().unwrap()).unwrap();
        private(&file);
    };
    binding.unhashed_subpacket_remove(agreed.unwrap()).unwrap();
    write(&key);
    assert!(matches!(error_of(&file, &primary), SigningError::CannotSign(_)));
    // What the library writes is a key as long as nothing is missing.
    write(&SignedSecretKey::from_bytes(&binary[..]).unwrap());
    find(&file, &primary).unwrap().try_out().unwrap();
}

/// Whether key ring and file come to the same: what signs, or what is said instead.
fn comes_to_the_same(keys: &Keys, name: &str) {
    let by_gpg = SigningKey::find(&keys.gpg(), name);
    let file = exported(keys);
    match (by_gpg, find(&file, name)) {
        (Ok(by_gpg), Ok(by_file)) => {
            assert_eq!(by_gpg.fingerprint(), by_file.fingerprint(), "{name}");
            assert_eq!(detached(&by_gpg, b"x"), detached(&by_file, b"x"), "{name}");
        }
        (Err(by_gpg), Err(SigningError::InFile { error, .. })) => {
            assert_eq!(by_gpg.to_string(), error.to_string(), "{name}");
        }
        (by_gpg, by_file) => panic!("{name}: {by_gpg:?}, but {by_file:?}"),
    }
}

#[test]
fn what_signs_is_what_gpg_would_take() {
    let keys = Keys::new();
    let at = |made: &str, more: &[&str]| keys.run(&[&UNPROTECTED[..], &["--faked-system-time", made], more].concat());
    let key = |name: &str, usage: &str, expires: &str| {
        at(
            "20200101T000000",
            &["--quick-generate-key", name, "ed25519", usage, expires],
        );
        fingerprints(&keys, name)[0].clone()
    };
    let subkey = |primary: &str, usage: &str, made: &str, expires: &str| {
        let algorithm = if usage == "encr" { "cv25519" } else { "ed25519" };
        at(made, &["--quick-add-key", primary, algorithm, usage, expires]);
    };
    // Each name is an address of its own; what it has, the code says.
    key("only@example.org", "sign", "0");
    let old_subkey = key("old-subkey@example.org", "sign", "0");
    subkey(&old_subkey, "sign", "20200102T000000", "1y");
    let dead_primary = key("dead-primary@example.org", "sign", "1y");
    subkey(&dead_primary, "sign", "20200102T000000", "0");
    // gpg puts the new end in the place of the old one, but a key that was fetched again has both.
    let before = |primary: &str| export(&keys, &format!("{primary}.asc"), &["--armor", "--export", primary]);
    let longer = key("longer@example.org", "sign", "1y");
    let mut older = vec![before(&longer)];
    keys.run(&[&UNPROTECTED[..], &["--quick-set-expire", &longer, "0"]].concat());
    let shorter = key("shorter@example.org", "sign", "0");
    older.push(before(&shorter));
    at("20200110T000000", &["--quick-set-expire", &shorter, "1m"]);
    let subkey_longer = key("subkey-longer@example.org", "cert", "0");
    subkey(&subkey_longer, "sign", "20200102T000000", "1m");
    older.push(before(&subkey_longer));
    at("20200103T000000", &["--quick-set-expire", &subkey_longer, "0", "*"]);
    let others = key("other-uses@example.org", "cert", "0");
    subkey(&others, "auth", "20200102T000000", "0");
    subkey(&others, "encr", "20200103T000000", "0");
    let two_names = key("two@example.org", "sign", "0");
    at("20200110T000000", &["--quick-add-uid", &two_names, "names@example.org"]);
    at(
        "20200111T000000",
        &["--quick-revoke-uid", &two_names, "two@example.org"],
    );
    let revoked_subkey = key("revoked-subkey@example.org", "sign", "0");
    subkey(&revoked_subkey, "sign", "20200102T000000", "0");
    let revoke = [
        &UNPROTECTED[..],
        &["--yes", "--command-fd", "0", "--edit-key", &revoked_subkey],
    ]
    .concat();
    keys.gpg_fed(&revoke, b"key 1\nrevkey\ny\n0\n\ny\nsave\n");
    let listed = keys.run(&["--with-colons", "--list-keys", &revoked_subkey]);
    assert!(listed.contains("\nsub:r:"), "{listed}");

    for file in &older {
        keys.run(&["--import", file.to_str().unwrap()]);
    }
    for name in [
        "only",
        "old-subkey",
        "dead-primary",
        "longer",
        "shorter",
        "subkey-longer",
        "other-uses",
        "names",
        "revoked-subkey",
    ] {
        comes_to_the_same(&keys, &format!("{name}@example.org"));
    }
    for primary in [
        old_subkey,
        dead_primary,
        shorter,
        subkey_longer,
        others,
        two_names,
        revoked_subkey,
    ] {
        comes_to_the_same(&keys, &primary);
        comes_to_the_same(&keys, &format!("{primary}!"));
    }
}

#[test]
fn keys_that_are_over() {
    let keys = Keys::new();
    // A year after 2020 is over, whenever this runs.
    let old = make_until(&keys, "old@example.org", "ed25519", "sign", "1y");
    let file = exported(&keys);
    let error = find(&file, &old).unwrap_err();
    assert!(error.hint().unwrap().contains("export it again"), "{error}");
    assert!(matches!(error_of(&file, &old), SigningError::Expired(key) if key == old));
    // Made to last longer, it can; until it is exported again, the file cannot know.
    keys.run(&[&UNPROTECTED[..], &["--quick-set-expire", &old, "0"]].concat());
    assert!(find(&file, &old).is_err());
    let key = find(&exported(&keys), &old).unwrap();
    verifies(&key);

    let subkeys = make(&keys, "sub@example.org", "ed25519", "cert");
    let add = ["--quick-add-key", &subkeys, "ed25519", "sign", "1y"];
    keys.run(&[&UNPROTECTED[..], &MADE, &add].concat());
    assert!(matches!(error_of(&exported(&keys), &subkeys), SigningError::Expired(_)));

    let revoked = make(&keys, "revoked@example.org", "ed25519", "sign");
    let certificate = keys.home().join(format!("openpgp-revocs.d/{revoked}.rev"));
    let text = fs_err::read_to_string(certificate)
        .unwrap()
        .replace(":-----BEGIN", "-----BEGIN");
    let import = keys.home().join("revoke");
    fs_err::write(&import, text).unwrap();
    keys.run(&["--import", import.to_str().unwrap()]);
    let file = exported(&keys);
    let error = find(&file, &revoked).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(
        matches!(error_of(&file, "revoked@example.org"), SigningError::Revoked(_)),
        "{error}"
    );
}

#[test]
fn no_signature_is_of_a_time_without_its_key() {
    let keys = Keys::new();
    make_until(&keys, "a@example.org", "ed25519", "sign", "2100-01-01");
    let key = find(&exported(&keys), "a@example.org").unwrap();
    let by_gpg = SigningKey::find(&keys.gpg(), "a@example.org").unwrap();
    for time in [0, 1_577_836_799, 4_102_444_800, 5_000_000_000] {
        let of = |key: &SigningKey| key.at(time).detached(&mut &b"x"[..]).unwrap();
        assert_eq!(of(&key), of(&by_gpg), "{time}");
    }
}

#[test]
fn keys_of_kinds_that_sign_differently_each_time_or_not_at_all() {
    let keys = Keys::new();
    for (curve, named) in [
        ("brainpoolP256r1", "brainpool"),
        ("nistp521", "521"),
        ("secp256k1", "256k1"),
    ] {
        let primary = make(&keys, &format!("{curve}@example.org"), curve, "sign");
        let file = exported(&keys);
        let error = find(&file, &primary).unwrap_err();
        assert!(error.to_string().to_lowercase().contains(named), "{error}");
        assert!(error.hint().unwrap().contains("Ed25519"));
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(matches!(error_of(&file, &primary), SigningError::Unsupported { .. }));
    }
}

#[test]
fn many_sign_at_once() {
    let keys = Keys::new();
    make(&keys, "a@example.org", "rsa2048", "sign");
    let key = find(&exported(&keys), "a@example.org").unwrap();
    let alone: Vec<String> = (0..16_u8).map(|n| detached(&key, &[n; 1000])).collect();
    let together: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..16_u8)
            .map(|n| {
                scope.spawn({
                    let key = &key;
                    move || detached(key, &[n; 1000])
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}
