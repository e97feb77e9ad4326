//! Public keys of a file, and what they signed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;

use tempfile::TempDir;

use crate::key_ring::signature_file;
use crate::verdict::good_signer;
use crate::{Gpg, SigningError};

/// The keys of one file, in a key ring of their own that is gone with this value: nothing that the user's key ring knows or trusts
/// counts, and nothing is added to it.
#[derive(Debug)]
pub struct PublicKeys {
    gpg: Gpg,
    /// The primary keys.
    fingerprints: BTreeSet<String>,
    /// Holds the key ring.
    _home: TempDir,
}

/// What holds of every call: with these keys and no others, whatever a configuration of the machine says, and without starting a
/// gpg-agent, which would outlive the key ring.
const CONFINED: [&str; 5] = [
    "--no-autostart",
    "--no-auto-key-retrieve",
    "--no-auto-key-locate",
    "--no-auto-check-trustdb",
    "--trust-model=always",
];

impl PublicKeys {
    /// Takes the keys out of `file`, armoured or binary, with what it says of revocations and dates.
    ///
    /// # Errors
    /// There is no gpg, no room for a key ring, or no key.
    pub fn read(gpg: &Gpg, file: &[u8]) -> Result<Self, SigningError> {
        // Only its owner may look into it, which gpg insists on.
        let home = tempfile::Builder::new().prefix("farm-keys").tempdir()?;
        let gpg = gpg.clone().with_home(home.path());
        let mut content = file;
        let called = gpg.call(&arguments(&["--import"]), &mut content)?;
        // REASON FINGERPRINT, once a key.
        let taken = called.status.all("IMPORT_OK");
        let fingerprints: BTreeSet<String> = taken
            .filter_map(|line| Some(line.split(' ').nth(1)?.to_owned()))
            .collect();
        if fingerprints.is_empty() {
            let told = called.status.has("IMPORT_RES") || called.status.has("NODATA");
            return Err(if told {
                SigningError::NoPublicKeys
            } else {
                called.status.trouble()
            });
        }
        Ok(Self {
            gpg,
            fingerprints,
            _home: home,
        })
    }

    /// The fingerprints of the primary keys, sorted.
    pub fn fingerprints(&self) -> impl Iterator<Item = &str> {
        self.fingerprints.iter().map(String::as_str)
    }

    /// Checks a detached signature, armoured or binary, of `content`, which is read once and kept nowhere. Gives the fingerprint of the
    /// primary key of whoever made it.
    ///
    /// `content` need not be read to its end where there is no good signature.
    ///
    /// # Errors
    /// It is none, it does not fit, or its key is not among these or does not hold any more.
    pub fn check(&self, signature: &[u8], content: &mut dyn Read) -> Result<String, SigningError> {
        let file = signature_file(signature)?;
        let mut words = arguments(&["--verify", "--"]);
        words.extend([file.path().as_os_str(), OsStr::new("-")]);
        let fingerprint = good_signer(&self.gpg.call(&words, content)?)?;
        // A signature may bring its key along, which counts for nothing.
        if self.fingerprints.contains(&fingerprint) {
            Ok(fingerprint)
        } else {
            Err(SigningError::UnknownKey(fingerprint))
        }
    }
}

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a OsStr> {
    let words = CONFINED.iter().chain(more).copied();
    words.map(OsStr::new).collect()
}
