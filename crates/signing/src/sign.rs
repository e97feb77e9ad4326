//! Making signatures.

use std::ffi::OsStr;
use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use farm_portage::gpkg::{SignatureError, Signer};

use crate::key::Holder;
use crate::{Gpg, SigningError, SigningKey};

/// A key, and the time that its signatures tell.
#[derive(Debug, Clone, Copy)]
pub struct SignerAt<'a> {
    pub(crate) key: &'a SigningKey,
    /// Seconds since the epoch.
    pub(crate) time: u64,
}

impl SignerAt<'_> {
    /// Has gpg sign as Portage has it (`checksum_helper` in `portage/gpkg.py`), in the way that `--detach-sign` or
    /// `--clear-sign` says.
    pub(crate) fn call(&self, gpg: &Gpg, way: &str, content: &mut dyn Read) -> Result<Vec<u8>, SigningError> {
        wait_until_past(self.time);
        // The very part that was found: at another time gpg might choose another one.
        let user = format!("{}!", self.key.part());
        // `!`: time stands still.
        let time = format!("{}!", self.time);
        let arguments = [
            "--armor",
            "--no-emit-version",
            "--no-comments",
            // With a time that is not the real one nothing may be written into the key ring.
            "--no-auto-check-trustdb",
            "--faked-system-time",
            &time,
            "--digest-algo",
            "SHA512",
            "--local-user",
            &user,
            way,
        ];
        let called = gpg.call(&arguments.map(OsStr::new), content)?;
        if called.exit.success() && called.status.has("SIG_CREATED") {
            return Ok(called.output);
        }
        Err(called.status.failure(self.key.fingerprint(), gpg.has_terminal()))
    }
}

/// Waits while it is this second, or the one before.
///
/// Asked for the present second, gpg lets its time run on (`gnupg_set_time` in its `common/gettime.c`), so that a signature might
/// tell the next one. In practice that is the second in which a key was made.
fn wait_until_past(time: u64) {
    let is_now = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.is_ok_and(|since| (time.saturating_sub(1)..=time).contains(&since.as_secs()))
    };
    while is_now() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Signer for SignerAt<'_> {
    fn detached(&self, content: &mut dyn Read) -> Result<Vec<u8>, SignatureError> {
        Ok(match &self.key.holder {
            Holder::GnuPg(gpg) => self.call(gpg, "--detach-sign", content)?,
            Holder::File(part) => part.detached(self.time, content)?,
        })
    }

    fn clear_signed(&self, text: &str) -> Result<Vec<u8>, SignatureError> {
        Ok(match &self.key.holder {
            Holder::GnuPg(gpg) => self.call(gpg, "--clear-sign", &mut text.as_bytes())?,
            Holder::File(part) => part.clear_signed(self.time, text)?,
        })
    }
}
