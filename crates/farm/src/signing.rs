//! Who signs: the key that a manifest names, looked for once a run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use farm_engine::{Failure, FailureKind};
use farm_portage::gpkg::Signer;
use farm_publish::ReleaseSigner;
use farm_signing::{ErrorKind, Gpg, SigningError, SigningKey};

use crate::command::FarmError;

/// The keys that were asked for in a run.
#[derive(Debug, Default)]
pub struct Signing {
    gpg: Option<Gpg>,
    found: Mutex<BTreeMap<String, Result<SigningKey, Failure>>>,
}

impl Signing {
    /// Looks for keys with this gpg.
    #[must_use]
    pub fn new(gpg: Gpg) -> Self {
        Self {
            gpg: Some(gpg),
            found: Mutex::default(),
        }
    }

    /// What is called.
    ///
    /// # Errors
    ///
    /// A bug of ours: nobody said what that is.
    pub(crate) fn gpg(&self) -> Result<&Gpg, Failure> {
        let nobody = || Failure::new(FailureKind::Bug, "nobody said which gpg finds keys");
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
        let found_by = |gpg| SigningKey::find(gpg, name).map_err(|error| failure(&error));
        let key = self.gpg().and_then(found_by);
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

/// What is wrong with a key, or with GnuPG, as a failure of a node.
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
