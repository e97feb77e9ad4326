//! Keys, and who may publish without one.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::space::{Ended, Space};

/// A workspace whose GnuPG is its own; the agent ends with it.
struct Keyed(Space);

impl Keyed {
    fn new(sign: &str) -> Self {
        let manifest = format!(
            "farm: f\ntasks: {{ t: {{ in: host, run: 'true' }} }}\npublish:\n  pkgs: {{ to: \"file:///srv/pkgs\"{sign} }}\n"
        );
        Self(Space::with_farm("f", &manifest))
    }

    fn farm(&self, arguments: &[&str]) -> Ended {
        self.0.farm(arguments)
    }

    /// Makes a key with farm, and gives its fingerprint.
    fn key(&self, more: &[&str]) -> String {
        let ended = self.farm(&[&["key", "new", "--no-passphrase"], more].concat());
        assert_eq!(ended.status, Some(0), "{}", ended.text());
        let line = ended.stdout.lines().find_map(|line| line.strip_prefix("sign: "));
        line.unwrap().to_owned()
    }

    /// Runs a program of GnuPG in the same home.
    fn gnupg(&self, program: &str, arguments: &[&str]) -> String {
        let prepared = self.0.command(&[]);
        let environment = prepared.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let output = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Keyed {
    fn drop(&mut self) {
        self.gnupg("gpgconf", &["--kill", "all"]);
    }
}

/// The text of a run with the fingerprint and its last half by names.
fn without_key(ended: &Ended, fingerprint: &str) -> String {
    ended
        .text()
        .replace(fingerprint, "FINGERPRINT")
        .replace(&fingerprint[24..], "KEYID")
}

#[test]
fn a_key_comes_with_all_that_is_to_be_done() {
    let keyed = Keyed::new("");
    let ended = keyed.farm(&["key", "new", "--no-passphrase", "Hep <hep@example.org>"]);
    let fingerprint = ended
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("sign: "))
        .unwrap()
        .to_owned();
    insta::assert_snapshot!("key_new", without_key(&ended, &fingerprint));
    let public = keyed.0.path(&format!("binhost-{}.asc", &fingerprint[24..]));
    let text = fs_err::read_to_string(&public).unwrap();
    assert!(text.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{text}");
    assert_eq!(fs_err::metadata(&public).unwrap().permissions().mode() & 0o777, 0o644);

    let again = keyed.farm(&["key", "new", "--no-passphrase", "Hep <hep@example.org>"]);
    insta::assert_snapshot!(again.text(), @r"
    --- stderr
    error: there is a key for `Hep <hep@example.org>` already
    hint: give the new one another name, or use the one that is there
    --- status 2
    ");
}

#[test]
fn a_key_ring_and_a_file_of_ones_choice() {
    let keyed = Keyed::new("");
    let made = keyed.farm(&[
        "key",
        "new",
        "--no-passphrase",
        "--home",
        "keys",
        "--public",
        "public.asc",
    ]);
    assert_eq!(made.status, Some(0), "{}", made.text());
    assert!(made.stdout.contains("GNUPGHOME=keys"), "{}", made.text());
    let mode = fs_err::metadata(keyed.0.path("keys")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    // What is there stays, and no key is made.
    let again = keyed.farm(&[
        "key",
        "new",
        "Other Name",
        "--no-passphrase",
        "--home",
        "keys",
        "--public",
        "public.asc",
    ]);
    insta::assert_snapshot!(again.text(), @r"
    --- stderr
    error: $SPACE/workspace/public.asc is there already
    hint: name another file with --public
    --- status 2
    ");
    let home = keyed.0.path("keys");
    let home = home.to_str().unwrap();
    let listed = keyed.gnupg("gpg", &["--homedir", home, "--with-colons", "--list-secret-keys"]);
    assert_eq!(
        listed.matches("\nsec:").count() + usize::from(listed.starts_with("sec:")),
        1,
        "{listed}"
    );
    keyed.gnupg("gpgconf", &["--homedir", home, "--kill", "all"]);
}

#[test]
fn somebody_must_say_who_signs() {
    insta::assert_snapshot!(Keyed::new("").farm(&["publish-pkgs"]).text(), @r"
    --- stderr
    error: f names no key that signs its packages, and stock Portage refuses unsigned ones by default
    hint: name one: `publish: { pkgs: { sign: KEY } }` in its manifest (`farm key new` makes one); or say --unsigned, and set `verify-signature = false` in the clients' binrepos.conf
    --- status 2
    ");
    insta::assert_snapshot!(Keyed::new(", sign: hep@example.org").farm(&["publish-pkgs", "--unsigned"]).text(), @r"
    --- stderr
    error: farms/f/farm.yaml:4: the manifest has hep@example.org sign, and the command line says --unsigned
    hint: leave out one of the two: --unsigned, or `sign:`
    --- status 2
    ");
}

#[test]
fn a_key_that_cannot_sign_is_told_of_before_anything_runs() {
    let missing = Keyed::new(", sign: hep@example.org");
    insta::assert_snapshot!(missing.farm(&["publish-pkgs"]).text(), @r"
    --- stderr
    error: farms/f/farm.yaml:4: there is no secret key `hep@example.org` in the key ring
    hint: `gpg --list-secret-keys` lists what there is; `farm key new` makes a key; GNUPGHOME names another key ring
    --- status 2
    ");
    assert!(!missing.0.exists(".farm"), "nothing is written either");
    let words = Keyed::new(", sign: the group's key");
    insta::assert_snapshot!(words.farm(&["publish-pkgs"]).text(), @r"
    --- stderr
    error: farms/f/farm.yaml:4: `the group's key` names no key: a fingerprint, a key id of 16 digits, or an e-mail address does
    hint: `gpg --list-secret-keys` prints the fingerprints; give one of them
    --- status 2
    ");

    let old = Keyed::new(", sign: old@example.org");
    let unprotected = ["--batch", "--pinentry-mode", "loopback", "--passphrase", ""];
    let generate = ["--quick-generate-key", "old <old@example.org>", "ed25519", "sign"];
    let then = ["--faked-system-time", "20200101T000000"];
    old.gnupg("gpg", &[&unprotected[..], &then, &generate, &["1y"]].concat());
    let ended = old.farm(&["publish-pkgs", "-n"]);
    assert_eq!(ended.status, Some(2), "{}", ended.text());
    assert!(
        ended.stderr.contains("has expired") && ended.stderr.contains("--quick-set-expire"),
        "{}",
        ended.text()
    );
}

#[test]
fn a_passphrase_that_nobody_can_be_asked_for() {
    let keyed = Keyed::new(", sign: locked@example.org");
    let secret = ["--batch", "--pinentry-mode", "loopback", "--passphrase", "secret"];
    let generate = [
        "--quick-generate-key",
        "locked <locked@example.org>",
        "ed25519",
        "sign",
        "1y",
    ];
    keyed.gnupg("gpg", &[&secret[..], &generate].concat());
    keyed.gnupg("gpg-connect-agent", &["reloadagent", "/bye"]);
    let ended = keyed.farm(&["publish-pkgs"]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert!(
        ended.stderr.contains("no terminal") && ended.stderr.contains("--change-passphrase"),
        "{}",
        ended.text()
    );
    // Who only looks is asked for nothing.
    let dry = keyed.farm(&["publish-pkgs", "-n"]);
    assert!(!dry.stderr.contains("no terminal"), "{}", dry.text());
}

#[test]
fn a_key_that_can_sign_is_no_obstacle() {
    let keyed = Keyed::new(", sign: hep@example.org");
    keyed.key(&["hep <hep@example.org>"]);
    let ended = keyed.farm(&["publish-pkgs"]);
    // This farm has no packages, which is the next thing to be said.
    assert!(!ended.stderr.contains("hep@example.org"), "{}", ended.text());
}

/// Makes a key, exports it to the file `secret.asc` with this mode, and gives its fingerprint.
fn in_file(keyed: &Keyed, mode: u32) -> String {
    let fingerprint = keyed.key(&["hep <hep@example.org>"]);
    let secret = keyed.gnupg("gpg", &["--batch", "--armor", "--export-secret-keys", &fingerprint]);
    keyed.0.write("secret.asc", &secret);
    fs_err::set_permissions(keyed.0.path("secret.asc"), Permissions::from_mode(mode)).unwrap();
    fingerprint
}

/// Publishes with the key that is in the file `secret.asc`, where there is no gpg.
fn with_file(keyed: &Keyed, more: &[(&str, &str)]) -> Ended {
    let mut command = keyed.0.command(&["publish-pkgs"]);
    command
        .env("PATH", "/nowhere")
        .env("FARM_SIGNING_KEY_FILE", "secret.asc");
    command.envs(more.iter().copied());
    keyed.0.ended(command)
}

#[test]
fn a_key_file_needs_no_gpg() {
    let keyed = Keyed::new(", sign: other@example.org");
    let fingerprint = in_file(&keyed, 0o600);
    let other = with_file(&keyed, &[]);
    insta::assert_snapshot!(without_key(&other, &fingerprint), @r"
    --- stderr
    error: farms/f/farm.yaml:4: there is no key `other@example.org` in $SPACE/workspace/secret.asc, but FINGERPRINT (hep <hep@example.org>)
    hint: name one of these with `sign:`, or export the other one: `gpg --armor --export-secret-keys other@example.org >> $SPACE/workspace/secret.asc`
    --- status 2
    ");
    assert!(!keyed.0.exists(".farm"), "nothing is written either");
    let manifest = keyed.0.read("farms/f/farm.yaml").replace("other@", "hep@");
    keyed.0.write("farms/f/farm.yaml", &manifest);
    let ended = with_file(&keyed, &[]);
    // This farm has no packages, which is the next thing to be said.
    assert!(
        !ended.stderr.contains("hep@example.org") && !ended.stderr.contains("gpg"),
        "{}",
        ended.text()
    );
    // Without the file, gpg is asked.
    let without = with_file(&keyed, &[("FARM_SIGNING_KEY_FILE", "")]);
    assert!(without.stderr.contains("cannot run gpg"), "{}", without.text());
}

#[test]
fn a_key_file_that_is_not_fit() {
    let keyed = Keyed::new(", sign: hep@example.org");
    in_file(&keyed, 0o644);
    insta::assert_snapshot!(with_file(&keyed, &[]).text(), @r"
    --- stderr
    error: farms/f/farm.yaml:4: $SPACE/workspace/secret.asc can be read by others (its mode is 0644), and must be yours alone
    hint: `chmod 600 $SPACE/workspace/secret.asc`; where an orchestrator mounts it, that has a setting for its mode (0400)
    --- status 3
    ");
    insta::assert_snapshot!(with_file(&keyed, &[("FARM_SIGNING_KEY_FILE", "nowhere")]).text(), @r"
    --- stderr
    error: farms/f/farm.yaml:4: cannot read the key that signs: failed to open file `$SPACE/workspace/nowhere`: No such file or directory (os error 2)
    hint: FARM_SIGNING_KEY_FILE names it, and FARM_SIGNING_PASSPHRASE_FILE the file with its passphrase
    --- status 3
    ");
    keyed.0.write("secret.asc", "no key\n");
    fs_err::set_permissions(keyed.0.path("secret.asc"), Permissions::from_mode(0o600)).unwrap();
    insta::assert_snapshot!(with_file(&keyed, &[]).text(), @r"
    --- stderr
    error: farms/f/farm.yaml:4: $SPACE/workspace/secret.asc has no OpenPGP key in it, or is damaged
    hint: `gpg --armor --export-secret-keys KEY > $SPACE/workspace/secret.asc` writes one
    --- status 2
    ");
}

#[test]
fn a_key_file_with_a_passphrase() {
    let keyed = Keyed::new(", sign: locked@example.org");
    let secret = ["--batch", "--pinentry-mode", "loopback", "--passphrase", "a secret"];
    let generate = ["--quick-generate-key", "locked@example.org", "ed25519", "sign", "1y"];
    keyed.gnupg("gpg", &[&secret[..], &generate].concat());
    let export = ["--armor", "--export-secret-keys", "locked@example.org"];
    let exported = keyed.gnupg("gpg", &[&secret[..], &export].concat());
    for (name, text) in [
        ("secret.asc", exported.as_str()),
        ("right", "a secret\n"),
        ("wrong", "secret\n"),
    ] {
        keyed.0.write(name, text);
        fs_err::set_permissions(keyed.0.path(name), Permissions::from_mode(0o600)).unwrap();
    }
    let none = with_file(&keyed, &[]);
    assert_eq!(none.status, Some(3), "{}", none.text());
    assert!(none.stderr.contains("FARM_SIGNING_PASSPHRASE_FILE"), "{}", none.text());
    let wrong = with_file(&keyed, &[("FARM_SIGNING_PASSPHRASE_FILE", "wrong")]);
    assert_eq!(wrong.status, Some(3), "{}", wrong.text());
    assert!(
        wrong.stderr.contains("is not the passphrase") && !wrong.stderr.contains("secret\n"),
        "{}",
        wrong.text()
    );
    let right = with_file(&keyed, &[("FARM_SIGNING_PASSPHRASE_FILE", "right")]);
    assert!(!right.stderr.contains("passphrase"), "{}", right.text());
    // Who only looks needs none.
    let mut command = keyed.0.command(&["publish-pkgs", "-n"]);
    command.env("FARM_SIGNING_KEY_FILE", "secret.asc");
    let dry = keyed.0.ended(command);
    assert!(!dry.stderr.contains("passphrase"), "{}", dry.text());
}
