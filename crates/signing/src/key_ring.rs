//! Checking signatures against a key ring, by the rules of Portage.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::path::Path;

use farm_portage::gpkg::{SignatureError, Verifier};

use crate::gpg::Called;
use crate::verdict::good_signer;
use crate::{Gpg, SigningError};

/// The keys that somebody trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing {
    gpg: Gpg,
}

impl KeyRing {
    /// The key ring in this folder, such as Portage's `/etc/portage/gnupg`.
    pub fn new(gpg: &Gpg, home: &Path) -> Self {
        Self {
            gpg: gpg.clone().with_home(home),
        }
    }

    /// The user's own, where this gpg finds it.
    pub fn of_user(gpg: &Gpg) -> Self {
        Self { gpg: gpg.clone() }
    }

    /// Calls gpg as BINPKG_GPG_VERIFY_BASE_COMMAND does, with `more` for PORTAGE's `[SIGNATURE]`.
    fn verify(&self, more: &[&OsStr], content: &mut dyn Read) -> Result<(Called, String), SigningError> {
        let mut arguments = ["--no-auto-check-trustdb", "--verify"].map(OsStr::new).to_vec();
        arguments.extend(more);
        let called = self.gpg.call(&arguments, content)?;
        let fingerprint = judge(&called)?;
        Ok((called, fingerprint))
    }
}

impl Verifier for KeyRing {
    fn detached(&self, signature: &[u8], content: &mut dyn Read) -> Result<String, SignatureError> {
        let file = signature_file(signature).map_err(SigningError::from)?;
        let more = [file.path().as_os_str(), OsStr::new("-")];
        let (_, fingerprint) = self.verify(&more, content)?;
        Ok(fingerprint)
    }

    fn clear_signed(&self, text: &[u8]) -> Result<(Vec<u8>, String), SignatureError> {
        let more = ["--output", "-", "-"].map(OsStr::new);
        let mut content = text;
        let (called, fingerprint) = self.verify(&more, &mut content)?;
        Ok((called.output, fingerprint))
    }
}

/// Puts a signature where gpg can read it beside what was signed, which comes by the pipe.
pub(crate) fn signature_file(signature: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(signature)?;
    file.flush()?;
    Ok(file)
}

/// Gives the fingerprint of the primary key if its signature is the only one and good, and the key is trusted.
///
/// gpg ends well for keys that nobody trusts, too, so what counts are the status lines that Portage looks for (GOODSIG, and
/// TRUST_ULTIMATE or TRUST_FULLY; `_check_gpg_status` in `portage/gpkg.py`). That there is one signature only is
/// stricter than Portage, where one may be good and another one trusted.
fn judge(called: &Called) -> Result<String, SigningError> {
    let fingerprint = good_signer(called)?;
    let status = &called.status;
    if status.has("TRUST_ULTIMATE") || status.has("TRUST_FULLY") {
        Ok(fingerprint)
    } else {
        Err(SigningError::Untrusted(fingerprint))
    }
}
