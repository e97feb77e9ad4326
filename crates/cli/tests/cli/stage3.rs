//! Stage3 archives as bases: what is not signed well is not even looked into.
//!
//! None of the archives here is one. Whoever decompressed them would say so, and nobody does, because the signature comes first.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::serve::Serving;
use crate::space::{Ended, Space};

const LOCK: &str = "farms/f/farm.lock";

/// What begins as an xz archive and is none.
const GARBAGE: &[u8] = b"\xfd7zXZ\0 no archive";

/// A workspace with a key, and a farm whose base is signed by it.
struct Signed {
    space: Space,
    key: String,
}

impl Signed {
    fn new() -> Self {
        let space = Space::with_farm(
            "f",
            "farm: f\nbinfarm:\n  base: { stage3: stage3.tar.xz, keyring: keys.asc }\n  repos: { r: { path: r } }\n  profile: r:p\n",
        );
        space.write("farms/f/r/profiles/repo_name", "r\n");
        let mut signed = Self {
            key: String::new(),
            space,
        };
        signed.key = signed.new_key("Releases <releases@example.org>", &[]);
        signed.export("farms/f/keys.asc", &[&signed.key]);
        fs_err::write(signed.archive(), GARBAGE).unwrap();
        signed.sign(&[]);
        signed
    }

    fn archive(&self) -> PathBuf {
        self.space.path("farms/f/stage3.tar.xz")
    }

    fn signature(&self) -> PathBuf {
        self.space.path("farms/f/stage3.tar.xz.asc")
    }

    /// Runs a program of GnuPG; gives what it printed.
    fn gnupg(&self, program: &str, arguments: &[&str]) -> String {
        let prepared = self.space.command(&[]);
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

    /// Makes a key that lasts for a year; gives its fingerprint.
    fn new_key(&self, name: &str, more: &[&str]) -> String {
        let make = [
            "--batch",
            "--passphrase",
            "",
            "--pinentry-mode",
            "loopback",
            "--quick-generate-key",
        ];
        self.gnupg("gpg", &[more, &make, &[name, "ed25519", "sign", "1y"]].concat());
        let listed = self.gnupg("gpg", &["--batch", "--with-colons", "--list-keys", name]);
        let line = listed
            .lines()
            .find_map(|line| line.strip_prefix("fpr:::::::::"))
            .unwrap();
        line.trim_end_matches(':').to_owned()
    }

    /// Writes the public parts of keys into a file.
    fn export(&self, file: &str, keys: &[&str]) {
        let path = self.space.path(file);
        let out = [
            "--batch",
            "--yes",
            "--armor",
            "--output",
            path.to_str().unwrap(),
            "--export",
        ];
        self.gnupg("gpg", &[&out[..], keys].concat());
    }

    /// Signs the archive, where these arguments do not say otherwise as the manifest expects it.
    fn sign(&self, arguments: &[&str]) {
        let (archive, signature) = (self.archive(), self.signature());
        let out = ["--batch", "--yes", "--output", signature.to_str().unwrap()];
        let usual: &[&str] = if arguments.is_empty() {
            &["--armor", "--local-user", &self.key, "--detach-sign"]
        } else {
            arguments
        };
        self.gnupg("gpg", &[&out[..], usual, &[archive.to_str().unwrap()]].concat());
    }

    fn build(&self) -> Ended {
        self.space.farm(&["build", "f:base"])
    }

    /// The text of a run with fingerprints by name.
    fn said(&self, keys: &[(&str, &str)]) -> String {
        let mut text = self.build().text();
        for (key, name) in keys.iter().copied().chain([(&*self.key, "RELEASES")]) {
            text = text.replace(key, name).replace(&key[24..], name);
        }
        // Nobody took it for anything.
        assert!(!text.contains("xz stream") && !text.contains("unpack"), "{text}");
        assert!(
            !self.space.exists(LOCK),
            "an archive was pinned that is not signed well"
        );
        text
    }
}

impl Drop for Signed {
    fn drop(&mut self) {
        self.gnupg("gpgconf", &["--kill", "all"]);
    }
}

#[test]
fn what_is_not_signed_well_is_not_used() {
    let signed = Signed::new();
    let mut said = String::new();
    let mut note = |what: &str, keys: &[(&str, &str)]| {
        said.push_str(&format!("### {what}\n{}\n", signed.said(keys)));
    };

    let mut bytes = GARBAGE.to_vec();
    bytes[12] ^= 1;
    fs_err::write(signed.archive(), bytes).unwrap();
    note("changed", &[]);
    fs_err::write(signed.archive(), GARBAGE).unwrap();

    fs_err::remove_file(signed.signature()).unwrap();
    note("no signature", &[]);
    fs_err::write(signed.signature(), "").unwrap();
    note("an empty signature", &[]);
    signed.sign(&["--clear-sign"]);
    note("a text signed in clear", &[]);

    // The user's own key ring has it, and trusts it: that is not what was asked.
    let other = signed.new_key("Other <other@example.org>", &[]);
    signed.sign(&["--local-user", &other, "--detach-sign"]);
    note("another key", &[(&other, "OTHER")]);

    let then = ["--faked-system-time", "20200101T000000"];
    let old = signed.new_key("Old <old@example.org>", &then);
    signed.export("farms/f/keys.asc", &[&old]);
    signed.sign(&[&then[..], &["--local-user", &old, "--detach-sign"]].concat());
    note("a key that has expired", &[(&old, "OLD")]);

    signed.export("farms/f/keys.asc", &[&signed.key]);
    signed.sign(&[
        "--local-user",
        &signed.key,
        "--default-sig-expire",
        "seconds=1",
        "--detach-sign",
    ]);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    note("a signature that has expired", &[]);

    signed.sign(&[]);
    let certificate = format!("../home/.gnupg/openpgp-revocs.d/{}.rev", signed.key);
    let certificate = signed.space.path(&certificate);
    let text = fs_err::read_to_string(&certificate).unwrap().replace(":-----", "-----");
    fs_err::write(&certificate, text).unwrap();
    signed.gnupg("gpg", &["--batch", "--import", certificate.to_str().unwrap()]);
    signed.export("farms/f/keys.asc", &[&signed.key]);
    note("a key that was revoked", &[]);

    signed.space.write("farms/f/keys.asc", "no keys\n");
    note("no keys", &[]);
    signed.export("farms/f/keys.asc", &[&other]);
    fs_err::write(signed.signature(), "").unwrap();
    fs_err::remove_file(signed.archive()).unwrap();
    note("no archive", &[]);
    insta::assert_snapshot!("stage3_refused", said);
}

#[test]
fn what_is_signed_well_is_pinned() {
    let signed = Signed::new();
    // It is no archive, but that shows only when it is unpacked, for which there is no engine here.
    let ended = signed.build();
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert!(ended.stderr.contains("engine"), "{}", ended.text());
    let lock = signed.space.read(LOCK);
    assert!(lock.contains("[stage3.\"farms/f/stage3.tar.xz\"]"), "{lock}");
    assert!(lock.contains(&format!("size = {}", GARBAGE.len())), "{lock}");

    // Another archive in its place, signed as well: only `farm update` takes it, and only if it is signed.
    fs_err::write(signed.archive(), [GARBAGE, b"2"].concat()).unwrap();
    signed.sign(&[]);
    assert_eq!(signed.build().status, Some(3));
    assert_eq!(signed.space.read(LOCK), lock);
    fs_err::remove_file(signed.signature()).unwrap();
    let refused = signed.space.farm(&["update", "f"]);
    assert_eq!(refused.status, Some(2), "{}", refused.text());
    assert_eq!(signed.space.read(LOCK), lock);
    signed.sign(&[]);
    let update = signed.space.farm(&["update", "f"]);
    assert!(update.stdout.contains(" -> sha256:"), "{}", update.text());
    assert_ne!(signed.space.read(LOCK), lock);
}

#[test]
fn archives_and_signatures_from_elsewhere() {
    let signed = Signed::new();
    let serving = Serving::start(&signed.space, &["farms/f"]);
    let address = format!("http://{}/stage3.tar.xz", serving.address);
    let manifest = signed.space.read("farms/f/farm.yaml");
    signed.space.write(
        "farms/f/farm.yaml",
        &manifest.replace("stage3.tar.xz", &format!("\"{address}\"")),
    );
    let kept = || -> Vec<String> {
        let folder = signed.space.path(".farm/downloads/stage3");
        let names = fs_err::read_dir(folder).into_iter().flatten();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };

    // What is not good is not kept, not even in part.
    let signature = fs_err::read(signed.signature()).unwrap();
    fs_err::remove_file(signed.signature()).unwrap();
    let missing = signed.build();
    assert_eq!(missing.status, Some(3), "{}", missing.text());
    let said = format!("{address}: its signature is not to be had: {address}.asc: http status: 404");
    assert!(missing.stderr.contains(&said), "{}", missing.text());
    signed.sign(&["--clear-sign"]);
    assert_eq!(signed.build().status, Some(2));
    assert_eq!(kept(), [""; 0]);

    fs_err::write(signed.signature(), signature).unwrap();
    let ended = signed.build();
    assert!(
        ended.stderr.contains(&format!("fetching {address}")),
        "{}",
        ended.text()
    );
    assert!(signed.space.read(LOCK).contains(&address));
    let names = kept();
    assert!(names.len() == 2 && names[1] == format!("{}.sig", names[0]), "{names:?}");
    let archive = format!(".farm/downloads/stage3/{}", names[0]);
    assert_eq!(fs_err::read(signed.space.path(&archive)).unwrap(), GARBAGE);
    serving.stop();
}
