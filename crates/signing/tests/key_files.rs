//! Files with keys: what is read, and what is said of those that are damaged, open, protected or have other keys.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/exported.rs"]
mod exported_keys;
mod support;

use std::os::unix::fs::PermissionsExt as _;

use exported_keys::{
    MADE, UNPROTECTED, add_subkey, detached, error_of, export, exported, find, make, make_until, private, verifies,
};
use farm_portage::gpkg::Verifier as _;
use farm_signing::{ErrorKind, KeyFile, KeyRing, SigningError};
use support::Keys;
#[test]
fn a_passphrase_comes_from_a_file() {
    let keys = Keys::new();
    let protected = ["--pinentry-mode", "loopback", "--passphrase", "a secret"];
    let new = ["--quick-generate-key", "a@example.org", "ed25519", "sign", "0"];
    keys.run(&[&protected[..], &MADE, &new].concat());
    let file = keys.home().join("secret.gpg");
    let export = [
        "--output",
        file.to_str().unwrap(),
        "--export-secret-keys",
        "a@example.org",
    ];
    keys.run(&[&protected[..], &export].concat());
    private(&file);

    // Without it the key is there, and cannot sign.
    let key = find(&file, "a@example.org").unwrap();
    let error = key.try_out().unwrap_err();
    assert!(matches!(error, SigningError::NoPassphrase(_)), "{error}");
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert!(error.hint().unwrap().contains("FARM_SIGNING_PASSPHRASE_FILE"));

    let passphrase = keys.home().join("passphrase");
    let with = |text: &str| {
        fs_err::write(&passphrase, text).unwrap();
        private(&passphrase);
        KeyFile::new(&file, Some(passphrase.clone()))
            .find("a@example.org")
            .unwrap()
    };
    for wrong in ["", "a secret \n", "another", "\na secret"] {
        let error = with(wrong).try_out().unwrap_err();
        assert!(
            matches!(error, SigningError::WrongPassphrase { .. }),
            "{wrong:?}: {error}"
        );
        assert!(!format!("{error} {error:?}").contains("a secret"), "{error:?}");
    }
    for right in ["a secret", "a secret\n", "a secret\r\n", "a secret\nand more\n"] {
        let key = with(right);
        key.try_out().unwrap();
        verifies(&key);
    }
    // Both are read once: they may go.
    let source = KeyFile::new(&file, Some(passphrase.clone()));
    let signature = detached(&source.find("a@example.org").unwrap(), b"x");
    fs_err::remove_file(&passphrase).unwrap();
    fs_err::remove_file(&file).unwrap();
    let again = source.clone().find("a@example.org").unwrap();
    assert_eq!(detached(&again, b"x"), signature);
}

#[test]
fn several_keys_in_one_file() {
    let keys = Keys::new();
    let first = make(&keys, "a@example.org", "ed25519", "sign");
    let second = make(&keys, "b@example.org", "rsa2048", "sign");
    let one_block = exported(&keys);
    let alone = |name: &str| {
        let file = export(&keys, "one.asc", &["--armor", "--export-secret-keys", name]);
        fs_err::read_to_string(file).unwrap()
    };
    let blocks = keys.home().join("blocks.asc");
    fs_err::write(
        &blocks,
        format!("# ours\n{}\n{}", alone(&first), alone(&second).replace('\n', "\r\n")),
    )
    .unwrap();
    private(&blocks);
    let binary = export(&keys, "secret.gpg", &["--export-secret-keys"]);
    for file in [&one_block, &blocks, &binary] {
        assert_eq!(find(file, "a@example.org").unwrap().fingerprint(), first);
        verifies(&find(file, &second).unwrap());
        let error = find(file, &"A".repeat(40)).unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, SigningError::NotInFile { .. }), "{said}");
        assert!(
            said.contains(&format!("{first} (a@example.org)")) && said.contains(&second),
            "{said}"
        );
    }
    // A name of both.
    keys.run(&[&UNPROTECTED[..], &["--quick-add-uid", &second, "a@example.org"]].concat());
    let file = exported(&keys);
    let SigningError::Ambiguous { fingerprints, .. } = error_of(&file, "a@example.org") else {
        panic!();
    };
    assert_eq!(fingerprints.len(), 2);
    // One that cannot sign any more is no second meaning.
    keys.run(&["--yes", "--quick-set-expire", &second, "seconds=1"]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(find(&exported(&keys), "a@example.org").unwrap().fingerprint(), first);
}

#[test]
fn a_key_that_is_there_several_times() {
    let keys = Keys::new();
    let primary = make_until(&keys, "a@example.org", "ed25519", "sign", "1y");
    let text = |how: &str| {
        let file = export(&keys, "one.asc", &["--armor", how, &primary]);
        fs_err::read_to_string(file).unwrap()
    };
    let old = text("--export-secret-keys");
    keys.run(&[&UNPROTECTED[..], &["--quick-set-expire", &primary, "0"]].concat());
    let (new, public) = (text("--export-secret-keys"), text("--export"));
    let file = keys.home().join("several.asc");
    let found = |blocks: &[&String]| {
        fs_err::write(&file, blocks.iter().map(|block| block.as_str()).collect::<String>()).unwrap();
        private(&file);
        find(&file, "a@example.org").is_ok()
    };
    assert!(found(&[&old, &new]) && found(&[&new, &new]) && found(&[&public, &new, &public]));
    assert!(!found(&[&new, &old]) && !found(&[&public, &public]));
}

#[test]
fn a_key_of_which_the_secret_is_elsewhere() {
    let keys = Keys::new();
    let primary = make(&keys, "a@example.org", "ed25519", "sign");
    add_subkey(&keys, &primary, "ed25519", "sign", "0");
    // As people keep it on machines that sign: the primary key is at home.
    let file = export(&keys, "subkeys.asc", &["--armor", "--export-secret-subkeys", &primary]);
    let key = find(&file, &primary).unwrap();
    key.try_out().unwrap();
    verifies(&key);
    assert!(matches!(
        error_of(&file, &format!("{primary}!")),
        SigningError::NoSecretKey(_)
    ));

    let alone = Keys::new();
    let primary = make(&alone, "b@example.org", "ed25519", "sign");
    let stub = export(&alone, "subkeys.asc", &["--armor", "--export-secret-subkeys", &primary]);
    assert!(matches!(error_of(&stub, &primary), SigningError::NoSecretKey(_)));
    let public = export(&alone, "public.asc", &["--armor", "--export", &primary]);
    let error = find(&public, "b@example.org").unwrap_err();
    assert!(error.hint().unwrap().contains("--export-secret-keys"), "{error}");
    assert!(matches!(
        error_of(&public, "b@example.org"),
        SigningError::NoSecretKey(_)
    ));
}

#[test]
fn files_that_are_no_keys() {
    let keys = Keys::new();
    let primary = make(&keys, "a@example.org", "ed25519", "sign");
    let text = fs_err::read(exported(&keys)).unwrap();
    let binary = fs_err::read(export(&keys, "secret.gpg", &["--export-secret-keys"])).unwrap();
    let file = keys.home().join("other");
    let error = |bytes: &[u8]| {
        fs_err::write(&file, bytes).unwrap();
        private(&file);
        find(&file, &primary).map(|key| key.try_out())
    };
    for (what, bytes) in [
        ("nothing", &b""[..]),
        ("text", b"some text\n"),
        (
            "an SSH key",
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n",
        ),
        ("text cut off", &text[..text.len() - 30]),
        ("packets cut off", &binary[..binary.len() - 1]),
        ("packets cut off early", &binary[..20]),
        (
            "a signature",
            b"-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n",
        ),
        (
            "bad armour",
            b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n!!!!\n-----END PGP PRIVATE KEY BLOCK-----\n",
        ),
    ] {
        let error = error(bytes).unwrap_err();
        assert!(matches!(error, SigningError::NoKeys(_)), "{what}: {error}");
        assert_eq!(error.kind(), ErrorKind::Input);
    }
    // Within a user id, which may have any length.
    let name = binary.windows(13).position(|bytes| bytes == b"a@example.org").unwrap();
    let cut_off = error(&binary[..name + 4]).unwrap_err();
    assert!(matches!(cut_off, SigningError::NoKeys(_)), "{cut_off}");
    // Whatever byte is changed, no key comes of it whose signatures do not verify.
    let trusting = Keys::trusting(&find(&exported(&keys), &primary).unwrap());
    let ring = KeyRing::new(&trusting.gpg(), trusting.home());
    let mut refused = 0;
    for at in (0..binary.len()).step_by(3) {
        let mut changed = binary.clone();
        changed[at] ^= 0x11;
        match error(&changed) {
            Ok(Ok(())) => {
                let signature = detached(&find(&file, &primary).unwrap(), b"x");
                ring.detached(signature.as_bytes(), &mut &b"x"[..]).unwrap();
            }
            Ok(Err(_)) | Err(_) => refused += 1,
        }
    }
    assert!(refused > binary.len() / 3 / 2, "{refused} of {}", binary.len() / 3);
    let error = find(&keys.home().join("nowhere"), &primary).unwrap_err();
    assert!(matches!(error, SigningError::KeyFile(_)), "{error}");
    assert!(error.to_string().contains("nowhere") && error.kind() == ErrorKind::Environment);
}

#[test]
fn a_secret_that_does_not_belong_to_its_public_key() {
    let keys = Keys::new();
    let primary = make(&keys, "a@example.org", "ed25519", "sign");
    let mut binary = fs_err::read(export(&keys, "secret.gpg", &["--export-secret-keys"])).unwrap();
    // The first packet ends with the 32 bytes of the secret and their sum, which stays what it was.
    let end = 2 + usize::from(binary[1]);
    let secret = &mut binary[end - 24..end - 2];
    let (more, less) = (
        secret.iter().position(|byte| *byte < 255),
        secret.iter().rposition(|byte| *byte > 0),
    );
    secret[more.unwrap()] += 1;
    secret[less.unwrap()] -= 1;
    let file = keys.home().join("damaged.gpg");
    fs_err::write(&file, &binary).unwrap();
    private(&file);
    let error = find(&file, &primary).unwrap().try_out().unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    assert!(error.hint().unwrap().contains("--export-secret-keys"));
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let keys = Keys::new();
    let primary = make(&keys, "a@example.org", "ed25519", "sign");
    let file = exported(&keys);
    for mode in [0o640, 0o604, 0o660] {
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = find(&file, &primary).unwrap_err();
        assert!(matches!(error, SigningError::OpenToOthers { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
        assert!(error.hint().unwrap().contains("chmod 600"));
        assert_eq!(error.kind(), ErrorKind::Environment);
    }
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    find(&file, &primary).unwrap();
    // What somebody else owns is that one's business, as far as one is root and can try.
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    if std::os::unix::fs::chown(&file, Some(65_534), None).is_ok() {
        find(&file, &primary).unwrap();
    }
}

#[test]
fn nothing_that_is_shown_has_the_secret() {
    let keys = Keys::new();
    let primary = make(&keys, "a@example.org", "nistp256", "sign");
    let file = KeyFile::new(exported(&keys), None);
    let key = file.find(&primary).unwrap();
    key.try_out().unwrap();
    let shown = format!("{file:?} {key:?}");
    assert!(shown.contains(&primary), "{shown}");
    for word in ["Plain", "Secret", "ECDSA", "P256"] {
        assert!(!shown.contains(word), "{shown}");
    }
}
