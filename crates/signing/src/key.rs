//! A key that can sign.

use std::ffi::OsStr;

use crate::choice::{Chosen, choose};
use crate::colons::{Listed, parse};
use crate::key_file::FilePart;
use crate::key_name::KeyName;
use crate::sign::SignerAt;
use crate::{Gpg, KeyFile, SigningError};

/// Where secret keys are.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// In the key ring of the user's GnuPG.
    GnuPg(Gpg),
    /// In a file.
    File(KeyFile),
}

impl KeySource {
    /// Finds the key that `name` means; see [`SigningKey::find`] and [`KeyFile::find`].
    ///
    /// # Errors
    /// As theirs.
    pub fn find(&self, name: &str) -> Result<SigningKey, SigningError> {
        match self {
            Self::GnuPg(gpg) => SigningKey::find(gpg, name),
            Self::File(file) => file.find(name),
        }
    }
}

/// A key that can sign now, wherever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    pub(crate) holder: Holder,
    chosen: Chosen,
}

/// Who has the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    GnuPg(Gpg),
    File(FilePart),
}

impl SigningKey {
    pub(crate) fn new(holder: Holder, chosen: Chosen) -> Self {
        Self { holder, chosen }
    }

    /// Finds the key of the key ring that `name` means: a fingerprint or long key id, of the primary key or of a subkey, or the e-mail
    /// address of a user id.
    ///
    /// What signs is the newest subkey that can, else the primary key; with `!` behind its fingerprint or id the very one
    /// that is named. Nothing is signed yet: see [`Self::try_out`].
    ///
    /// # Errors
    /// There is no gpg; no such key, or several; or it cannot sign now, as it has expired say.
    pub fn find(gpg: &Gpg, name: &str) -> Result<Self, SigningError> {
        let wanted = KeyName::parse(name)?;
        match choose(&list(gpg, &wanted)?, &wanted, name)? {
            Some(chosen) => Ok(Self::new(Holder::GnuPg(gpg.clone()), chosen)),
            None => Err(missing(gpg, &wanted, name)),
        }
    }

    /// The fingerprint of the primary key, by which verifiers know it, in upper-case hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.chosen.primary
    }

    /// The fingerprint of the part that signs.
    pub(crate) fn part(&self) -> &str {
        &self.chosen.part.fingerprint
    }

    /// Makes a signature of nothing, to see that it can be done: that the secret key is there, and its passphrase is known or
    /// can be asked for.
    ///
    /// # Errors
    /// It cannot.
    pub fn try_out(&self) -> Result<(), SigningError> {
        let now = self.at(0);
        match &self.holder {
            Holder::GnuPg(gpg) => now.call(gpg, "--detach-sign", &mut std::io::empty()).map(drop),
            Holder::File(part) => part.try_out(now.time),
        }
    }

    /// Signs as if it were `time` (seconds since the epoch): as near to it as the key was there and had not expired.
    pub fn at(&self, time: u64) -> SignerAt<'_> {
        let last = self
            .chosen
            .expires
            .map_or(u64::MAX, |expires| expires.saturating_sub(1));
        SignerAt {
            key: self,
            time: time.min(last).max(self.chosen.part.created),
        }
    }

    /// Gives the public key in ASCII armour, without the signatures of others.
    ///
    /// # Errors
    /// gpg failed.
    pub fn public(&self) -> Result<Vec<u8>, SigningError> {
        let gpg = match &self.holder {
            Holder::GnuPg(gpg) => gpg,
            Holder::File(part) => return Ok(part.public().to_vec()),
        };
        let arguments = [
            "--armor",
            "--export-options",
            "export-minimal",
            "--export",
            self.fingerprint(),
        ];
        let called = gpg.call(&arguments.map(OsStr::new), &mut std::io::empty())?;
        if called.exit.success() && !called.output.is_empty() {
            Ok(called.output)
        } else {
            Err(called.status.trouble())
        }
    }
}

/// Whether a name says by itself that it is the key with this primary fingerprint. Of an e-mail address, or the id of a
/// subkey, only gpg can tell.
pub fn is_name_of(name: &str, fingerprint: &str) -> bool {
    KeyName::parse(name).is_ok_and(|wanted| wanted.is_of(fingerprint))
}

fn list(gpg: &Gpg, wanted: &KeyName) -> Result<Vec<Listed>, SigningError> {
    let query = wanted.query();
    let arguments = ["--with-colons", "--fixed-list-mode", "--list-secret-keys", "--", &query];
    let called = gpg.call(&arguments.map(OsStr::new), &mut std::io::empty())?;
    if called.exit.success() || called.status.says("No secret key") {
        Ok(parse(&String::from_utf8_lossy(&called.output)))
    } else {
        Err(called.status.trouble())
    }
}

/// Tells a key of which the secret part is missing from one that is not there at all.
fn missing(gpg: &Gpg, wanted: &KeyName, name: &str) -> SigningError {
    let query = wanted.query();
    let arguments = ["--with-colons", "--list-keys", "--", &query];
    match gpg.call(&arguments.map(OsStr::new), &mut std::io::empty()) {
        Ok(called) if called.exit.success() => SigningError::NoSecretKey(name.to_owned()),
        _ => SigningError::NoSuchKey(name.to_owned()),
    }
}
