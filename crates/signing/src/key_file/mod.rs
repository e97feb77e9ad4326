//! Secret keys in a file, as `gpg --export-secret-keys` writes them, for whoever has no key ring.

mod certificate;
mod packets;
mod part;
mod signature;

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use fs_err as fs;
use zeroize::Zeroizing;

use crate::choice::choose;
use crate::key::Holder;
use crate::key_name::KeyName;
use crate::{SigningError, SigningKey};
use certificate::Certificate;
pub(crate) use part::FilePart;

/// A file with secret keys, and one with the passphrase of those that have one.
///
/// Both are read when they are needed first, and once: they may be pipes, or be removed as soon as that was done. Clones share what was
/// read.
#[derive(Clone)]
pub struct KeyFile {
    path: PathBuf,
    passphrase: Option<PathBuf>,
    read: Arc<Mutex<Option<Arc<Vec<Certificate>>>>>,
}

/// Nothing of what was read is shown, whoever asks.
impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl KeyFile {
    /// The keys in the file `path`, in ASCII armour or without it; of those that are protected, the first line of `passphrase` is the
    /// passphrase. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>, passphrase: Option<PathBuf>) -> Self {
        Self {
            path: path.into(),
            passphrase,
            read: Arc::default(),
        }
    }

    /// Finds the key that `name` means, by the same rules as [`SigningKey::find`]. Its passphrase is not needed yet.
    ///
    /// # Errors
    /// The file cannot be read, or others can read it, too; it has no such key, or several; or the key cannot sign now, as it has
    /// expired say.
    pub fn find(&self, name: &str) -> Result<SigningKey, SigningError> {
        let wanted = KeyName::parse(name)?;
        let certificates = self.certificates()?;
        let now = now();
        let mut found = Vec::new();
        let mut listed = Vec::new();
        for certificate in certificates.iter().filter(|certificate| certificate.is_named(&wanted)) {
            found.push(certificate);
            listed.push(certificate.listed(now));
        }
        let in_file = |error: SigningError| SigningError::InFile {
            file: self.path.clone(),
            error: Box::new(error),
        };
        let chosen = choose(&listed, &wanted, name).map_err(|error| match error {
            // Of a curve that the library does not know, it cannot check what the key says of itself.
            SigningError::CannotSign(_) => in_file(found.iter().find_map(|key| key.unsupported()).unwrap_or(error)),
            error => in_file(error),
        })?;
        let Some(chosen) = chosen else {
            return Err(SigningError::NotInFile {
                name: name.to_owned(),
                file: self.path.clone(),
                there: certificates.iter().map(Certificate::title).collect(),
            });
        };
        // What `choose` takes is among the parts that have a secret.
        let part = found
            .iter()
            .find_map(|certificate| certificate.part(&chosen.part.fingerprint))
            .ok_or_else(|| in_file(SigningError::NoSecretKey(name.to_owned())))?;
        if let Some(error) = part.unsupported() {
            return Err(in_file(error));
        }
        let public = found
            .iter()
            .find(|certificate| certificate.fingerprint() == chosen.primary)
            .map(|certificate| Arc::clone(&certificate.public));
        let holder = Holder::File(FilePart::new(
            Arc::clone(part),
            public.unwrap_or_default(),
            self.path.clone(),
            self.passphrase.clone(),
        ));
        Ok(SigningKey::new(holder, chosen))
    }

    fn certificates(&self) -> Result<Arc<Vec<Certificate>>, SigningError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(certificates) = &*read {
            return Ok(Arc::clone(certificates));
        }
        let bytes = secret_file(&self.path)?;
        let keys = packets::keys(&bytes).ok_or_else(|| SigningError::NoKeys(self.path.clone()))?;
        let certificates = Arc::new(each_once(keys.into_iter().map(Certificate::new)));
        Ok(Arc::clone(read.insert(certificates)))
    }
}

/// Of a key that was exported to the file several times the last one counts, unless it has no secret any more.
fn each_once(all: impl Iterator<Item = Certificate>) -> Vec<Certificate> {
    let mut certificates: Vec<Certificate> = Vec::new();
    for later in all {
        let fingerprint = later.fingerprint();
        match certificates
            .iter_mut()
            .find(|earlier| earlier.fingerprint() == fingerprint)
        {
            Some(earlier) if later.has_secret() || !earlier.has_secret() => *earlier = later,
            Some(_) => {}
            None => certificates.push(later),
        }
    }
    certificates
}

/// Reads a file that nobody else may read.
///
/// As ssh does it with its keys (`sshkey_perm_ok` in `authfile.c`): a file of the user's own that is open to others is refused, because
/// whoever put it there can close it; of somebody else's, such as a secret that an orchestrator mounts as root's, it is that one's
/// business.
fn secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SigningError> {
    let mut file = fs::File::open(path).map_err(SigningError::KeyFile)?;
    let metadata = file.metadata().map_err(SigningError::KeyFile)?;
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    if is_own && metadata.mode() & 0o077 != 0 {
        return Err(SigningError::OpenToOthers {
            file: path.to_owned(),
            mode: metadata.mode() & 0o777,
        });
    }
    // With room for all of it, so that no copy is left behind by a buffer that grew. (A pipe does not tell.)
    let room = usize::try_from(metadata.len()).unwrap_or(0).clamp(1 << 12, 1 << 24) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.read_to_end(&mut bytes).map_err(SigningError::KeyFile)?;
    Ok(bytes)
}

/// Reads the first line of a file, without its end.
fn first_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, SigningError> {
    let mut line = secret_file(path)?;
    let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
    let end = end - usize::from(end > 0 && line[..end].ends_with(b"\r"));
    line.truncate(end);
    Ok(line)
}

/// Seconds since the epoch.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
