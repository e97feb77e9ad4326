//! Who makes and checks the signatures of a package: the caller. This crate knows only which two kinds there are.

use std::io::Read;

use super::ErrorKind;

/// Makes OpenPGP signatures in ASCII armour, as `FEATURES=binpkg-signing` has them made.
pub trait Signer {
    /// Makes a detached signature of everything that `content` gives.
    ///
    /// `content` must be read to its end: whoever calls copies it on the way.
    ///
    /// # Errors
    /// There is no signature, whatever the reason.
    fn detached(&self, content: &mut dyn Read) -> Result<Vec<u8>, SignatureError>;

    /// Gives `text` with a signature in clear around it (RFC 4880, section 7).
    ///
    /// # Errors
    /// There is no signature, whatever the reason.
    fn clear_signed(&self, text: &str) -> Result<Vec<u8>, SignatureError>;
}

/// Checks OpenPGP signatures: that they are good, and made by a key that the caller trusts.
pub trait Verifier {
    /// Checks a detached signature of everything that `content` gives, which must be read to its end.
    ///
    /// Gives the fingerprint of the primary key that it belongs to.
    ///
    /// # Errors
    /// The signature is bad, its key unknown or not trusted, or nothing could be found out.
    fn detached(&self, signature: &[u8], content: &mut dyn Read) -> Result<String, SignatureError>;

    /// Checks a text that was signed in clear, and gives what was signed beside the fingerprint of the primary key.
    ///
    /// # Errors
    /// As for [`Self::detached`].
    fn clear_signed(&self, text: &[u8]) -> Result<(Vec<u8>, String), SignatureError>;
}

/// Why a signature was not made, or does not count. What it means is known to whoever implements [`Signer`] or
/// [`Verifier`]; it comes through here as sentences for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SignatureError {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}
