//! What can go wrong between farm and a secret key, in sentences that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use farm_portage::gpkg::SignatureError;

/// Whose fault an error is, which decides how a program that uses this crate exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The key that is named, or a signature.
    Input,
    /// GnuPG, its key ring, its agent; the file with the key.
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
    /// The file with the keys, or the one with the passphrase, cannot be read (environment).
    #[error("cannot read the key that signs: {0}")]
    KeyFile(io::Error),
    /// Such a file is open to others than its owner (environment).
    #[error("{} can be read by others (its mode is {mode:04o}), and must be yours alone", file.display())]
    OpenToOthers {
        /// Which one.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file has no keys, or was damaged (input).
    #[error("{} has no OpenPGP key in it, or is damaged", .0.display())]
    NoKeys(PathBuf),
    /// The file has other keys than the one that is wanted (input).
    #[error("there is no key `{name}` in {}, but {}", file.display(), there.join(", "))]
    NotInFile {
        /// What is wanted.
        name: String,
        /// The file with the keys.
        file: PathBuf,
        /// The keys that are in it: fingerprints, with the user ids.
        there: Vec<String>,
    },
    /// What is wrong with a key in a file.
    #[error("{}: {error}", file.display())]
    InFile {
        /// The file with the keys.
        file: PathBuf,
        /// What it is.
        error: Box<Self>,
    },
    /// The key is of a kind with which nothing is signed from a file (input).
    #[error("the key {key} is of the kind {algorithm}, which cannot sign from a file")]
    Unsupported {
        /// The part that would sign.
        key: String,
        /// Its algorithm, or its curve.
        algorithm: String,
    },
    /// The secret key does not belong to its public one (input).
    #[error("the key {0} is damaged: what it signs does not verify")]
    Unsound(String),
    /// The key in the file has a passphrase, and nobody said where that is (environment).
    #[error("the key {0} has a passphrase, and no file with it is named")]
    NoPassphrase(String),
    /// The passphrase in the file is not the key's (environment).
    #[error("the first line of {} is not the passphrase of the key {key}", file.display())]
    WrongPassphrase {
        /// The part that would sign.
        key: String,
        /// The file with the passphrase.
        file: PathBuf,
    },
    /// A text that is to be signed in clear has a carriage return within a line (input).
    #[error("a text with a carriage return within a line cannot be signed in clear")]
    CarriageReturn,
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
    /// The key is there, but it expired, or was revoked (input).
    #[error("it was made by {0}, which has expired or was revoked")]
    DeadKey(String),
    /// The key is there, but nobody said that it is trusted (input).
    #[error("it was made by {0}, which is not trusted")]
    Untrusted(String),
    /// The pipe to GnuPG, a temporary file, or what is to be signed (environment).
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl SigningError {
    /// Tells whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InFile { error, .. } => error.kind(),
            Self::NoGpg { .. }
            | Self::KeyFile(_)
            | Self::OpenToOthers { .. }
            | Self::NoPassphrase(_)
            | Self::WrongPassphrase { .. }
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
            Self::NoGpg { .. } => "install GnuPG: `apt-get install gnupg`, or `emerge app-crypt/gnupg`; to sign, a file with the key is enough (FARM_SIGNING_KEY_FILE)".to_owned(),
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
            Self::InFile { file, error } => return error.hint_in_file(file),
            Self::KeyFile(_) => {
                "FARM_SIGNING_KEY_FILE names it, and FARM_SIGNING_PASSPHRASE_FILE the file with its passphrase".to_owned()
            }
            Self::OpenToOthers { file, .. } => format!(
                "`chmod 600 {}`; where an orchestrator mounts it, that has a setting for its mode (0400)",
                file.display()
            ),
            Self::NoKeys(file) => format!("`gpg --armor --export-secret-keys KEY > {}` writes one", file.display()),
            Self::NotInFile { name, file, .. } => format!(
                "name one of these with `sign:`, or export the other one: `gpg --armor --export-secret-keys {name} >> {}`",
                file.display()
            ),
            Self::NoPassphrase(_) => "put it into a file, and name that with FARM_SIGNING_PASSPHRASE_FILE".to_owned(),
            Self::WrongPassphrase { .. } => "FARM_SIGNING_PASSPHRASE_FILE names the file; only its first line counts".to_owned(),
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

    /// The same where the key is in a file, and what is changed in a key ring must come there again.
    fn hint_in_file(&self, file: &Path) -> Option<String> {
        let export = |key: &str| format!("`gpg --armor --export-secret-keys {key} > {}`", file.display());
        Some(match self {
            Self::Expired(key) => format!(
                "make it last longer where it was made: `gpg --quick-set-expire {key} 2y`; export it again: {}; and give clients its \
                 public key again",
                export(key)
            ),
            Self::NoSecretKey(key) | Self::Unsound(key) => format!("export it with its secret part: {}", export(key)),
            Self::Ambiguous { .. } => "give one of these fingerprints".to_owned(),
            Self::Revoked(_) | Self::CannotSign(_) => "name another key".to_owned(),
            Self::Unsupported { .. } => {
                "keys of Ed25519, RSA, and ECDSA with P-256 or P-384 can; if FARM_SIGNING_KEY_FILE is not set, GnuPG signs"
                    .to_owned()
            }
            _ => return self.hint(),
        })
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
