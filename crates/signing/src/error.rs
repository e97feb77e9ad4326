//! What can go wrong between farm and GnuPG, in sentences that say what to do.

use std::io;
use std::path::PathBuf;

use farm_portage::gpkg::SignatureError;

/// Whose fault an error is, which decides how a program that uses this crate exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The key that is named, or a signature.
    Input,
    /// GnuPG, its key ring, its agent.
    Environment,
}

/// Why there is no key, or no signature, or none that counts.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// GnuPG is not there (environment).
    #[error("cannot run {}: {error}", program.display())]
    NoGpg {
        /// What was called.
        program: PathBuf,
        /// Why it did not start.
        error: io::Error,
    },
    /// What should name a key cannot (input).
    #[error("`{0}` names no key: a fingerprint, a key id of 16 digits, or an e-mail address does")]
    BadName(String),
    /// The key ring has no such key (input).
    #[error("there is no secret key `{0}` in the key ring")]
    NoSuchKey(String),
    /// The key ring has the public key only (input).
    #[error("of the key `{0}` only the public part is here: the secret one is missing")]
    NoSecretKey(String),
    /// Several keys that can sign have this name (input).
    #[error("`{name}` names several keys: {}", .fingerprints.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// The primary keys.
        fingerprints: Vec<String>,
    },
    /// The key has expired (input).
    #[error("the key {0} has expired")]
    Expired(String),
    /// The key was revoked (input).
    #[error("the key {0} was revoked")]
    Revoked(String),
    /// The key was disabled in this key ring (input).
    #[error("the key {0} is disabled")]
    Disabled(String),
    /// The key is not one that signs, and has no subkey that does (input).
    #[error("the key {0} cannot sign")]
    CannotSign(String),
    /// A key of this name is there already (input).
    #[error("there is a key for `{0}` already")]
    KeyExists(String),
    /// The key has a passphrase, and nobody can be asked for it (environment).
    #[error("the key {0} has a passphrase, and there is no terminal to ask for it")]
    NoTerminal(String),
    /// The passphrase was wrong, or whoever was asked for it did not give it (environment).
    #[error("the passphrase of the key {0} was not given, or is wrong")]
    Passphrase(String),
    /// GnuPG cannot use its own folder: it is not there, belongs to somebody else, or is locked (environment).
    #[error("GnuPG cannot use its home folder: {0}")]
    Home(String),
    /// The agent, which has the secret keys, cannot be started or reached (environment).
    #[error("GnuPG cannot reach its agent: {0}")]
    Agent(String),
    /// Anything else, in GnuPG's own words (environment).
    #[error("gpg failed: {0}")]
    Failed(String),
    /// There is no signature where one must be (input).
    #[error("there is no signature")]
    NoSignature,
    /// The signature was made of something else (input).
    #[error("the signature is bad: what it was made of was changed")]
    BadSignature,
    /// Nobody here has the key (input).
    #[error("it was made by {0}, which is not in the key ring")]
    UnknownKey(String),
    /// What should be a detached signature is OpenPGP data of another kind, such as a text that is signed in clear (input).
    #[error("it is something else than a detached signature")]
    NotDetached,
    /// There are several signatures, so that nobody knows which of them is meant (input).
    #[error("there are several signatures")]
    SeveralSignatures,
    /// The key is there, but it has expired (input).
    #[error("it was made by {0}, a key that has expired")]
    ExpiredKey(String),
    /// The key is there, but it was revoked (input).
    #[error("it was made by {0}, a key that was revoked")]
    RevokedKey(String),
    /// The signature itself was to hold for a time that is over (input).
    #[error("the signature, made by {0}, has expired")]
    ExpiredSignature(String),
    /// What should be public keys has none that can be used (input).
    #[error("there is no OpenPGP public key in it")]
    NoKeys,
    /// The key is there, but nobody said that it is trusted (input).
    #[error("it was made by {0}, which is not trusted")]
    Untrusted(String),
    /// The pipe to GnuPG, or a temporary file (environment).
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl SigningError {
    /// Tells whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoGpg { .. }
            | Self::NoTerminal(_)
            | Self::Passphrase(_)
            | Self::Home(_)
            | Self::Agent(_)
            | Self::Failed(_)
            | Self::Io(_) => ErrorKind::Environment,
            _ => ErrorKind::Input,
        }
    }

    /// Says what to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoGpg { .. } => "install GnuPG: `apt-get install gnupg`, or `emerge app-crypt/gnupg`".to_owned(),
            Self::BadName(_) | Self::Ambiguous { .. } => {
                "`gpg --list-secret-keys` prints the fingerprints; give one of them".to_owned()
            }
            Self::NoSuchKey(_) => {
                "`gpg --list-secret-keys` lists what there is; `farm key new` makes a key; GNUPGHOME names another key ring"
                    .to_owned()
            }
            Self::NoSecretKey(_) => "import it: `gpg --import` with the secret key from where it was made".to_owned(),
            Self::Expired(key) => format!(
                "make it last longer: `gpg --quick-set-expire {key} 2y`, and give clients its public key again"
            ),
            Self::Revoked(_) | Self::CannotSign(_) => "name another key; `farm key new` makes one".to_owned(),
            Self::Disabled(key) => format!("enable it: `gpg --edit-key {key} enable save`"),
            Self::KeyExists(_) => "give the new one another name, or use the one that is there".to_owned(),
            Self::NoTerminal(key) => format!(
                "unlock it where there is a terminal and let the agent remember it (default-cache-ttl in gpg-agent.conf), or take the \
                 passphrase away: `gpg --change-passphrase {key}`"
            ),
            Self::Passphrase(_) => "run farm again, and give the passphrase when it is asked for".to_owned(),
            Self::Home(_) => {
                "make it yours and nobody else's (chmod 700), or name another folder with GNUPGHOME".to_owned()
            }
            Self::Agent(_) => {
                "try `gpg-connect-agent /bye`; the path of GNUPGHOME must have less than about 90 characters".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

impl From<SigningError> for SignatureError {
    fn from(error: SigningError) -> Self {
        Self {
            kind: match error.kind() {
                ErrorKind::Input => farm_portage::gpkg::ErrorKind::Input,
                ErrorKind::Environment => farm_portage::gpkg::ErrorKind::Environment,
            },
            hint: error.hint(),
            message: error.to_string(),
        }
    }
}
