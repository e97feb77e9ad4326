//! What a call of `gpg --verify` found.

use crate::SigningError;
use crate::gpg::Called;

/// Gives the fingerprint of the primary key if there is exactly one signature, it is good, and so is its key. Whether anybody trusts
/// that key is another question.
pub(crate) fn good_signer(called: &Called) -> Result<String, SigningError> {
    let status = &called.status;
    let signer = |keyword: &str| status.word(keyword).map(str::to_owned);
    if let Some(key) = signer("NO_PUBKEY") {
        return Err(SigningError::UnknownKey(key));
    }
    if status.has("BADSIG") {
        return Err(SigningError::BadSignature);
    }
    if let Some(key) = signer("REVKEYSIG") {
        return Err(SigningError::RevokedKey(key));
    }
    if let Some(key) = signer("EXPKEYSIG") {
        return Err(SigningError::ExpiredKey(key));
    }
    if let Some(key) = signer("EXPSIG") {
        return Err(SigningError::ExpiredSignature(key));
    }
    let mut valid = status.all("VALIDSIG");
    let Some(signature) = valid.next() else {
        // Of a text signed in clear no status line tells, of other messages one does.
        return Err(if status.has("UNEXPECTED") || status.says("not a detached signature") {
            SigningError::NotDetached
        } else if status.has("NODATA") || !status.has("ERRSIG") {
            SigningError::NoSignature
        } else {
            SigningError::BadSignature
        });
    };
    if valid.next().is_some() {
        return Err(SigningError::SeveralSignatures);
    }
    if !status.has("GOODSIG") || status.has("ERRSIG") {
        return Err(SigningError::BadSignature);
    }
    if !called.exit.success() {
        return Err(status.trouble());
    }
    // The last word is the fingerprint of the primary key, the first one that of what signed.
    Ok(signature.rsplit(' ').next().unwrap_or_default().to_owned())
}
