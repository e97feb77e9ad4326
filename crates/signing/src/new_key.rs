//! A first key.

use std::ffi::OsStr;

use crate::{Gpg, SigningError, SigningKey};

/// How long a new key can be used, as gpg writes it: two years.
///
/// GLEP 63 asks Gentoo's developers for a date that is not further away than 900 days. A key without one would be good for ever
/// after it was lost; one with a date is made to last longer with a command, and clients are given it again.
pub const EXPIRES_AFTER: &str = "2y";

/// The algorithm.
///
/// GLEP 63 allows RSA of 4096 bits and Ed25519, and whatever GnuPG Portage runs on knows both. Ed25519 signs and verifies
/// faster (a package has three signatures) and without chance by its definition, and its signatures are a fifth as long, which
/// counts where clients fetch the first bytes of a package only to read its metadata. (What getuto makes, RSA of 3072 bits, never
/// leaves its machine.)
const ALGORITHM: &str = "ed25519";

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey<'a> {
    /// Its user id: `NAME`, or `NAME <MAIL>`.
    pub name: &'a str,
    /// Whether it gets a passphrase, for which the agent asks. Without one, whoever can read the key ring can sign; with one,
    /// nobody can who is not there, such as a job at night.
    pub passphrase: bool,
}

impl NewKey<'_> {
    /// Makes it, for signing and nothing else.
    ///
    /// # Errors
    /// There is one of that name, or gpg failed.
    pub fn make(&self, gpg: &Gpg) -> Result<SigningKey, SigningError> {
        let mut arguments = Vec::new();
        if !self.passphrase {
            arguments.extend(["--pinentry-mode", "loopback", "--passphrase", ""]);
        }
        arguments.extend([
            "--quick-generate-key",
            "--",
            self.name,
            ALGORITHM,
            "sign",
            EXPIRES_AFTER,
        ]);
        let arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
        let called = gpg.call(&arguments, &mut std::io::empty())?;
        let made = called
            .status
            .all("KEY_CREATED")
            .next()
            .and_then(|line| line.split(' ').nth(1));
        match made {
            Some(fingerprint) if called.exit.success() => SigningKey::find(gpg, fingerprint),
            _ if called.status.says("already exists") => Err(SigningError::KeyExists(self.name.to_owned())),
            _ => Err(called.status.failure(self.name, gpg.has_terminal())),
        }
    }
}
