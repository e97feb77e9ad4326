//! Key rings of tests, in folders of their own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(dead_code, reason = "every test program uses another part of it")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use farm_signing::{Gpg, NewKey, SigningKey};
use tempfile::TempDir;

/// A key ring; its agent ends when it is dropped.
pub(crate) struct Keys {
    // Short, since the name of the agent's socket has room for 108 bytes.
    home: TempDir,
}

impl Keys {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::Builder::new().prefix("fk").tempdir().unwrap(),
        }
    }

    /// One with a key as farm makes it, and that key.
    pub(crate) fn with_key() -> (Self, SigningKey) {
        let keys = Self::new();
        let key = keys.make("Farm Test <farm@example.org>");
        (keys, key)
    }

    /// One that trusts the public part of this key, and has nothing else.
    pub(crate) fn trusting(key: &SigningKey) -> Self {
        let keys = Self::knowing(key);
        keys.gpg_fed(
            &["--import-ownertrust"],
            format!("{}:6:\n", key.fingerprint()).as_bytes(),
        );
        // Whoever verifies writes nothing, so that it is worked out now what this means.
        keys.run(&["--check-trustdb"]);
        keys
    }

    /// One that has the public part of this key, and trusts nobody.
    pub(crate) fn knowing(key: &SigningKey) -> Self {
        let keys = Self::new();
        keys.gpg_fed(&["--import"], &key.public().unwrap());
        keys
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What signs with it: no terminal, nothing of the caller's environment.
    pub(crate) fn gpg(&self) -> Gpg {
        let path = ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into());
        Gpg::new("gpg", BTreeMap::from([path])).with_home(self.home())
    }

    /// Makes a key without a passphrase.
    pub(crate) fn make(&self, name: &str) -> SigningKey {
        let new = NewKey {
            name,
            passphrase: false,
        };
        new.make(&self.gpg()).unwrap()
    }

    /// Exports a secret key that has no passphrase to a file that is the user's alone.
    pub(crate) fn export_secret(&self, name: &str) -> PathBuf {
        let file = self.home().join("secret.asc");
        let output = ["--yes", "--output", file.to_str().unwrap()];
        self.run(&[&output[..], &["--armor", "--export-secret-keys", name]].concat());
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    /// Runs gpg itself, which must succeed; gives what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.gpg_fed(arguments, b"")
    }

    /// The same with something to read.
    pub(crate) fn gpg_fed(&self, arguments: &[&str], input: &[u8]) -> String {
        let file = self.home().join("input");
        fs_err::write(&file, input).unwrap();
        let output = self
            .command("gpg")
            .args(["--batch", "--no-tty"])
            .args(arguments)
            .stdin(fs_err::File::open(&file).unwrap().into_file())
            .output()
            .unwrap();
        succeeded(arguments, &output)
    }

    /// Has the agent forget passphrases.
    pub(crate) fn forget(&self) {
        let output = self.command("gpg-connect-agent").args(["reloadagent", "/bye"]).output();
        succeeded(&["reloadagent"], &output.unwrap());
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GNUPGHOME", self.home())
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = self.command("gpgconf").args(["--kill", "all"]).status();
    }
}

fn succeeded(what: &[&str], output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
