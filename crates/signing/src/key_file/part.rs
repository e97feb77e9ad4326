//! A secret part of a key in a file, and what it takes to sign with it.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use pgp::errors::{Error, Result as Made};
use pgp::packet::{SecretKey, SecretSubkey, Signature, SignatureType};
use pgp::types::{
    EcdsaPublicParams, EddsaLegacyPublicParams, KeyDetails, Password, PublicParams, S2kParams, SecretParams,
    StringToKey,
};

use super::first_line;
use super::signature::{armoured, cleared, signature};
use crate::SigningError;

/// A primary key or a subkey, with the secret as the file has it.
pub(crate) struct SecretPart {
    secret: Secret,
    /// The same without a passphrase, once it was unlocked.
    unlocked: Mutex<Option<Arc<Secret>>>,
}

/// The library has a type for each of the two. Both wipe the secret when they are dropped.
#[derive(Clone)]
enum Secret {
    Primary(Box<SecretKey>),
    Subkey(Box<SecretSubkey>),
}

impl SecretPart {
    pub(super) fn primary(key: SecretKey) -> Self {
        Self::new(Secret::Primary(Box::new(key)))
    }

    pub(super) fn subkey(key: SecretSubkey) -> Self {
        Self::new(Secret::Subkey(Box::new(key)))
    }

    fn new(secret: Secret) -> Self {
        Self {
            secret,
            unlocked: Mutex::default(),
        }
    }

    /// In upper-case hexadecimal digits.
    pub(super) fn fingerprint(&self) -> String {
        match &self.secret {
            Secret::Primary(key) => format!("{:X}", key.fingerprint()),
            Secret::Subkey(key) => format!("{:X}", key.fingerprint()),
        }
    }

    /// Whether there is a secret, and not what gpg leaves in its place: a way of protecting it that only gpg knows, of number 101
    /// (`doc/DETAILS` of GnuPG, "GNU extensions to the S2K algorithm").
    pub(super) fn has_secret(&self) -> bool {
        let SecretParams::Encrypted(locked) = self.secret.parameters() else {
            return true;
        };
        match locked.string_to_key_params() {
            S2kParams::Cfb { s2k, .. } | S2kParams::MalleableCfb { s2k, .. } => {
                !matches!(s2k, StringToKey::Private { .. } | StringToKey::Other { .. })
            }
            _ => true,
        }
    }

    /// An error, if this is a kind of key that signs, but not through the library, or not each time the same.
    pub(super) fn unsupported(&self) -> Option<SigningError> {
        let (parameters, algorithm) = match &self.secret {
            Secret::Primary(key) => (key.public_params(), key.algorithm()),
            Secret::Subkey(key) => (key.public_params(), key.algorithm()),
        };
        if !algorithm.can_sign() {
            return None;
        }
        let algorithm = match parameters {
            PublicParams::RSA(_) | PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Ed25519 { .. }) => None,
            PublicParams::ECDSA(EcdsaPublicParams::P256 { .. } | EcdsaPublicParams::P384 { .. }) => None,
            // Its signatures with P-521 have chance in them.
            PublicParams::ECDSA(parameters) => Some(parameters.curve().to_string()),
            PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Unsupported { curve, .. }) => Some(curve.to_string()),
            _ => Some(format!("{algorithm:?}")),
        };
        Some(SigningError::Unsupported {
            key: self.fingerprint(),
            algorithm: algorithm?,
        })
    }

    /// The secret without its passphrase. Asks for the passphrase at most once, and holds others up only meanwhile.
    fn unlocked(&self, passphrase: impl FnOnce() -> Result<Password, SigningError>) -> Result<Arc<Secret>, Locked> {
        let mut unlocked = self.unlocked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret) = &*unlocked {
            return Ok(Arc::clone(secret));
        }
        let mut secret = self.secret.clone();
        if secret.parameters().is_encrypted() {
            let passphrase = passphrase().map_err(Locked::Passphrase)?;
            secret.unlock(&passphrase).map_err(|_| Locked::Wrong)?;
        }
        Ok(Arc::clone(unlocked.insert(Arc::new(secret))))
    }
}

impl Secret {
    fn parameters(&self) -> &SecretParams {
        match self {
            Self::Primary(key) => key.secret_params(),
            Self::Subkey(key) => key.secret_params(),
        }
    }

    fn unlock(&mut self, passphrase: &Password) -> Made<()> {
        match self {
            Self::Primary(key) => key.remove_password(passphrase),
            Self::Subkey(key) => key.remove_password(passphrase),
        }
    }

    fn sign(&self, kind: SignatureType, time: u64, content: &mut dyn Read) -> Made<Signature> {
        match self {
            Self::Primary(key) => signature(&**key, kind, time, content),
            Self::Subkey(key) => signature(&**key, kind, time, content),
        }
    }

    fn verify(&self, signature: &Signature, content: &[u8]) -> Made<()> {
        match self {
            Self::Primary(key) => signature.verify(key.public_key(), content),
            Self::Subkey(key) => signature.verify(key.public_key(), content),
        }
    }
}

/// Why a secret cannot be used.
enum Locked {
    Passphrase(SigningError),
    Wrong,
}

/// A part of a key in a file that can sign once it is unlocked.
#[derive(Clone)]
pub(crate) struct FilePart {
    part: Arc<SecretPart>,
    /// The whole public key in ASCII armour.
    public: Arc<[u8]>,
    file: PathBuf,
    passphrase: Option<PathBuf>,
}

impl FilePart {
    pub(super) fn new(part: Arc<SecretPart>, public: Arc<[u8]>, file: PathBuf, passphrase: Option<PathBuf>) -> Self {
        Self {
            part,
            public,
            file,
            passphrase,
        }
    }

    /// The public key in ASCII armour.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// Signs, and looks whether the public key verifies it: nothing else tells whether a secret without a passphrase is whole.
    pub(crate) fn try_out(&self, time: u64) -> Result<(), SigningError> {
        let secret = self.unlocked()?;
        let made = secret.sign(SignatureType::Binary, time, &mut std::io::empty());
        made.and_then(|signature| secret.verify(&signature, b""))
            .map_err(|_| self.unsound())
    }

    /// Makes a detached signature of all that `content` gives, in ASCII armour.
    pub(crate) fn detached(&self, time: u64, content: &mut dyn Read) -> Result<Vec<u8>, SigningError> {
        self.sign(SignatureType::Binary, time, content)
    }

    /// Signs a text in clear.
    pub(crate) fn clear_signed(&self, time: u64, text: &str) -> Result<Vec<u8>, SigningError> {
        cleared(text, |mut signed| self.sign(SignatureType::Text, time, &mut signed))
    }

    fn sign(&self, kind: SignatureType, time: u64, content: &mut dyn Read) -> Result<Vec<u8>, SigningError> {
        let made = self
            .unlocked()?
            .sign(kind, time, content)
            .and_then(|signature| armoured(&signature));
        made.map_err(|error| match error {
            Error::IO { source, .. } => SigningError::Io(source),
            _ => self.unsound(),
        })
    }

    fn unlocked(&self) -> Result<Arc<Secret>, SigningError> {
        let passphrase = || match &self.passphrase {
            Some(file) => Ok(Password::from(first_line(file)?.as_slice())),
            None => Err(SigningError::NoPassphrase(self.part.fingerprint())),
        };
        self.part.unlocked(passphrase).map_err(|locked| match locked {
            Locked::Passphrase(error) => error,
            Locked::Wrong => SigningError::WrongPassphrase {
                key: self.part.fingerprint(),
                file: self.passphrase.clone().unwrap_or_default(),
            },
        })
    }

    fn unsound(&self) -> SigningError {
        SigningError::InFile {
            file: self.file.clone(),
            error: Box::new(SigningError::Unsound(self.part.fingerprint())),
        }
    }
}

/// The part is what its fingerprint says.
impl PartialEq for FilePart {
    fn eq(&self, other: &Self) -> bool {
        (self.part.fingerprint(), &self.file) == (other.part.fingerprint(), &other.file)
    }
}

impl Eq for FilePart {}

/// Without the secret.
impl fmt::Debug for FilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePart")
            .field("fingerprint", &self.part.fingerprint())
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
