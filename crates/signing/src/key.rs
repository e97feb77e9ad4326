//! A key that can sign.

use std::ffi::OsStr;

use crate::colons::{Listed, Part, parse};
use crate::key_name::KeyName;
use crate::sign::SignerAt;
use crate::{Gpg, SigningError};

/// A key of the key ring that can sign now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    pub(crate) gpg: Gpg,
    primary: String,
    part: Part,
    /// When the first of the two expires, in seconds since the epoch.
    expires: Option<u64>,
}

impl SigningKey {
    /// Finds the key that `name` means: a fingerprint or long key id, of the primary key or of a subkey, or the e-mail
    /// address of a user id.
    ///
    /// What signs is the newest subkey that can, else the primary key; with `!` behind its fingerprint or id the very one
    /// that is named. Nothing is signed yet: see [`Self::try_out`].
    ///
    /// # Errors
    /// There is no gpg; no such key, or several; or it cannot sign now, as it has expired say.
    pub fn find(gpg: &Gpg, name: &str) -> Result<Self, SigningError> {
        let wanted = KeyName::parse(name)?;
        let listed = list(gpg, &wanted)?;
        let mut usable: Vec<Self> = listed
            .iter()
            .filter_map(|key| {
                let (primary, part) = (key.parts.first()?, signing_part(key, &wanted)?);
                Some(Self {
                    gpg: gpg.clone(),
                    primary: primary.fingerprint.clone(),
                    part: part.clone(),
                    expires: primary.expires.into_iter().chain(part.expires).min(),
                })
            })
            .collect();
        if usable.len() > 1 {
            return Err(SigningError::Ambiguous {
                name: name.to_owned(),
                fingerprints: usable.into_iter().map(|key| key.primary).collect(),
            });
        }
        match (usable.pop(), listed.first()) {
            (Some(key), _) => Ok(key),
            (None, Some(unusable)) => Err(why_not(unusable, name)),
            (None, None) => Err(missing(gpg, &wanted, name)),
        }
    }

    /// The fingerprint of the primary key, by which verifiers know it, in upper-case hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.primary
    }

    /// The fingerprint of the part that signs.
    pub(crate) fn part(&self) -> &str {
        &self.part.fingerprint
    }

    /// Makes a signature of nothing, to see that it can be done: that the secret key is there, and its passphrase is known or
    /// can be asked for.
    ///
    /// # Errors
    /// It cannot.
    pub fn try_out(&self) -> Result<(), SigningError> {
        self.at(0).sign("--detach-sign", &mut std::io::empty()).map(drop)
    }

    /// Signs as if it were `time` (seconds since the epoch): as near to it as the key was there and had not expired.
    pub fn at(&self, time: u64) -> SignerAt<'_> {
        let last = self.expires.map_or(u64::MAX, |expires| expires.saturating_sub(1));
        SignerAt {
            key: self,
            time: time.min(last).max(self.part.created),
        }
    }

    /// Gives the public key in ASCII armour, without the signatures of others.
    ///
    /// # Errors
    /// gpg failed.
    pub fn public(&self) -> Result<Vec<u8>, SigningError> {
        let arguments = [
            "--armor",
            "--export-options",
            "export-minimal",
            "--export",
            &self.primary,
        ];
        let called = self.gpg.call(&arguments.map(OsStr::new), &mut std::io::empty())?;
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

/// The part of a key that signs: what gpg would take, but by the real time.
fn signing_part<'a>(key: &'a Listed, wanted: &KeyName) -> Option<&'a Part> {
    if let KeyName::Digits { exactly: true, .. } = wanted {
        return key
            .parts
            .iter()
            .find(|part| wanted.is_of(&part.fingerprint) && part.is_usable());
    }
    let (primary, subkeys) = key.parts.split_first()?;
    // A primary key that is dead takes its subkeys with it.
    if primary.is_disabled() || primary.validity.contains(['e', 'r', 'i', 'n']) {
        return None;
    }
    let newest = subkeys
        .iter()
        .filter(|part| part.is_usable())
        .max_by_key(|part| part.created);
    newest.or_else(|| Some(primary).filter(|part| part.is_usable()))
}

/// Why a key that is there cannot sign.
fn why_not(key: &Listed, name: &str) -> SigningError {
    let primary = key.parts.first().cloned().unwrap_or_default();
    let fingerprint = primary.fingerprint.clone();
    let signing = || key.parts.iter().filter(|part| part.signs());
    if primary.is('r') {
        SigningError::Revoked(fingerprint)
    } else if primary.is('e') {
        SigningError::Expired(fingerprint)
    } else if primary.is_disabled() {
        SigningError::Disabled(fingerprint)
    } else if signing().next().is_none() {
        SigningError::CannotSign(fingerprint)
    } else if signing().all(|part| !part.secret) {
        SigningError::NoSecretKey(name.to_owned())
    } else if signing().filter(|part| part.secret).all(|part| part.is('r')) {
        SigningError::Revoked(fingerprint)
    } else if signing().any(|part| part.is('e')) {
        SigningError::Expired(fingerprint)
    } else {
        SigningError::CannotSign(fingerprint)
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
