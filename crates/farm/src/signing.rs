//! Who signs: the key that a manifest names, looked for once a run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use farm_engine::{Failure, FailureKind};
use farm_portage::gpkg::Signer;
use farm_publish::ReleaseSigner;
use farm_signing::{ErrorKind, Gpg, KeySource, SigningError, SigningKey};

use crate::command::FarmError;

/// Where Portage keeps the keys that it trusts (BINPKG_GPG_VERIFY_GPG_HOME in its make.globals).
const CLIENT_KEYS: &str = "/etc/portage/gnupg";

/// The commands by which a client, as root, comes to trust the key with this fingerprint, whose public part is in `file`.
///
/// `getuto` makes the folder with a key of its own where there is none; on machines without it a folder will do. gpg verifies
/// as nobody (GPG_VERIFY_USER_DROP), who must be able to read the keys and the trust, and nothing else there.
#[must_use]
pub fn client_commands(file: &str, fingerprint: &str) -> Vec<String> {
    let gpg = format!("gpg --homedir {CLIENT_KEYS} --batch");
    vec![
        format!("if command -v getuto; then getuto; else mkdir -p {CLIENT_KEYS}; fi"),
        format!("chmod 755 {CLIENT_KEYS}"),
        format!("{gpg} --import {file}"),
        format!("echo {fingerprint}:6: | {gpg} --import-ownertrust"),
        format!("{gpg} --check-trustdb"),
        format!("chmod a+r {CLIENT_KEYS}/pubring.kbx {CLIENT_KEYS}/trustdb.gpg"),
    ]
}

/// The keys that were asked for in a run.
#[derive(Debug, Default)]
pub struct Signing {
    gpg: Option<Gpg>,
    source: Option<KeySource>,
    found: Mutex<BTreeMap<String, Result<SigningKey, Failure>>>,
}

impl Signing {
    /// Looks for keys that sign in `source`; `gpg` checks signatures.
    #[must_use]
    pub fn new(gpg: Gpg, source: KeySource) -> Self {
        Self {
            gpg: Some(gpg),
            source: Some(source),
            found: Mutex::default(),
        }
    }

    /// What checks signatures.
    ///
    /// # Errors
    ///
    /// A bug of ours: nobody said what that is.
    pub(crate) fn gpg(&self) -> Result<&Gpg, Failure> {
        let nobody = || Failure::new(FailureKind::Bug, "nobody said which gpg checks signatures");
        self.gpg.as_ref().ok_or_else(nobody)
    }

    /// The key that a manifest names. Said once, remembered for the run.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot sign now.
    pub fn key(&self, name: &str) -> Result<SigningKey, Failure> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found.get(name) {
            return known.clone();
        }
        let source = self.source.as_ref();
        let key = source.map_or_else(
            || Err(Failure::new(FailureKind::Bug, "nobody said where keys are")),
            |source| source.find(name).map_err(|error| failure(&error)),
        );
        found.insert(name.to_owned(), key.clone());
        key
    }
}

/// A key as the publisher wants it.
#[derive(Debug)]
pub(crate) struct PackageSigner(pub(crate) SigningKey);

impl PackageSigner {
    /// The public key, as clients get it.
    ///
    /// # Errors
    ///
    /// gpg fails.
    pub(crate) fn public(&self) -> Result<Vec<u8>, Failure> {
        self.0.public().map_err(|error| failure(&error))
    }
}

impl ReleaseSigner for PackageSigner {
    fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }

    fn at(&self, time: u64) -> Box<dyn Signer + '_> {
        Box::new(self.0.at(time))
    }
}

/// What is wrong with a key, its file or GnuPG, as a failure of a node.
fn failure(error: &SigningError) -> Failure {
    let failure = Failure::new(kind(error), error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The same as the error of a command.
impl From<SigningError> for FarmError {
    fn from(error: SigningError) -> Self {
        failure(&error).into()
    }
}

fn kind(error: &SigningError) -> FailureKind {
    match error.kind() {
        ErrorKind::Input => FailureKind::Input,
        ErrorKind::Environment => FailureKind::Environment,
    }
}
