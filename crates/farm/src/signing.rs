//! Who signs: the key that a manifest names, looked for once a run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use farm_engine::{Failure, FailureKind};
use farm_portage::gpkg::Signer;
use farm_publish::ReleaseSigner;
use farm_signing::{ErrorKind, Gpg, KeySource, SigningError, SigningKey};

use crate::command::FarmError;

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
