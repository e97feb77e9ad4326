//! Keys in files: which of them sign, with what bytes, and what is said of the others. gpg makes the keys, and verifies.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use farm_portage::gpkg::{Signer as _, Verifier as _};
use farm_signing::{ErrorKind, KeyFile, KeyRing, SigningError, SigningKey};
use pgp::composed::{Deserializable as _, SignedSecretKey};
use pgp::packet::SubpacketType;
use pgp::ser::Serialize as _;
use support::Keys;

/// 2020-01-02, when the keys of these tests are a day old.
const TIME: u64 = 1_577_923_200;

/// As which gpg makes them.
const MADE: [&str; 2] = ["--faked-system-time", "20200101T000000"];

const UNPROTECTED: [&str; 4] = ["--pinentry-mode", "loopback", "--passphrase", ""];

/// Makes a key of 2020 that does not expire, and gives its fingerprint.
fn make(keys: &Keys, name: &str, algorithm: &str, usage: &str) -> String {
    make_until(keys, name, algorithm, usage, "0")
}

fn make_until(keys: &Keys, name: &str, algorithm: &str, usage: &str, expires: &str) -> String {
    let new = ["--quick-generate-key", name, algorithm, usage, expires];
    keys.run(&[&UNPROTECTED[..], &MADE, &new].concat());
    fingerprints(keys, name)[0].clone()
}

/// The fingerprints of a key and its subkeys.
fn fingerprints(keys: &Keys, name: &str) -> Vec<String> {
    let listed = keys.run(&["--with-colons", "--list-secret-keys", &format!("={name}")]);
    let lines = listed.lines().filter(|line| line.starts_with("fpr:"));
    lines.map(|line| line.split(':').nth(9).unwrap().to_owned()).collect()
}

fn add_subkey(keys: &Keys, primary: &str, algorithm: &str, usage: &str, expires: &str) {
    let add = ["--quick-add-key", primary, algorithm, usage, expires];
    keys.run(&[&UNPROTECTED[..], &add].concat());
}

/// Writes what gpg exports into a file that is the user's alone.
fn export(keys: &Keys, name: &str, how: &[&str]) -> PathBuf {
    let file = keys.home().join(name);
    let output = ["--yes", "--output", file.to_str().unwrap()];
    keys.run(&[&UNPROTECTED[..], &output, how].concat());
    private(&file);
    file
}

fn private(file: &Path) {
    fs_err::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn exported(keys: &Keys) -> PathBuf {
    export(keys, "secret.asc", &["--armor", "--export-secret-keys"])
}

fn find(file: &Path, name: &str) -> Result<SigningKey, SigningError> {
    KeyFile::new(file, None).find(name)
}

/// The error behind the name of the file.
fn error_of(file: &Path, name: &str) -> SigningError {
    match find(file, name).unwrap_err() {
        SigningError::InFile { error, .. } => *error,
        error => error,
    }
}

fn detached(key: &SigningKey, content: &[u8]) -> String {
    String::from_utf8(key.at(TIME).detached(&mut &content[..]).unwrap()).unwrap()
}

fn clear(key: &SigningKey, text: &str) -> String {
    String::from_utf8(key.at(TIME).clear_signed(text).unwrap()).unwrap()
}

const TEXT: &str = "DATA x 1\n- dashed\n-----\nFrom here\nblank at its end \t\n\nnot\tin between\n";

/// Whether gpg takes both kinds of signatures for good ones of this key.
fn verifies(key: &SigningKey) {
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
