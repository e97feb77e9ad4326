//! Which part of which key signs, by the rules of gpg but by the real time, wherever the keys are.

use crate::SigningError;
use crate::colons::{Listed, Part};
use crate::key_name::KeyName;

/// What signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The fingerprint of the primary key.
    pub(crate) primary: String,
    pub(crate) part: Part,
    /// When the first of the two expires, in seconds since the epoch.
    pub(crate) expires: Option<u64>,
}

/// Chooses among the keys that `name` means: the newest subkey that can sign, else the primary key; with `!` behind its fingerprint or
/// id the very one that is named. `None` if no key is listed.
///
/// # Errors
/// Several keys can sign, or none of those that are listed, and why.
pub(crate) fn choose(listed: &[Listed], wanted: &KeyName, name: &str) -> Result<Option<Chosen>, SigningError> {
    let mut usable: Vec<Chosen> = listed
        .iter()
        .filter_map(|key| {
            let (primary, part) = (key.parts.first()?, signing_part(key, wanted)?);
            Some(Chosen {
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
        (Some(chosen), _) => Ok(Some(chosen)),
        (None, Some(unusable)) => Err(why_not(unusable, wanted, name)),
        (None, None) => Ok(None),
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
fn why_not(key: &Listed, wanted: &KeyName, name: &str) -> SigningError {
    let primary = key.parts.first().cloned().unwrap_or_default();
    let fingerprint = primary.fingerprint.clone();
    let exactly = matches!(wanted, KeyName::Digits { exactly: true, .. });
    let is_meant = |part: &&Part| !exactly || wanted.is_of(&part.fingerprint);
    let signing = || key.parts.iter().filter(is_meant).filter(|part| part.signs());
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
