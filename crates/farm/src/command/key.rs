//! `farm key new`: a first key, and what clients have to do.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use farm_signing::NewKey;
use fs_err as fs;

use super::{FarmError, Setup};
use crate::signing::client_commands;

/// A key that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOptions {
    /// Its user id.
    pub name: String,
    /// The folder of its key ring; `None`: the user's own.
    pub home: Option<PathBuf>,
    /// Where the public key is written; `None`: a file in the current folder, called after the key.
    pub public: Option<PathBuf>,
    /// Whether it gets a passphrase.
    pub passphrase: bool,
}

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeKey {
    /// In upper-case hexadecimal digits.
    pub fingerprint: String,
    /// Where its public part is.
    pub public: PathBuf,
}

impl MadeKey {
    /// The commands by which a client, as root, comes to trust the key. The public key lies in the current folder there.
    #[must_use]
    pub fn client_commands(&self) -> Vec<String> {
        let file = self.public.file_name().unwrap_or_default().to_string_lossy();
        client_commands(&file, &self.fingerprint)
    }
}

/// Makes a key that signs packages and nothing else, and writes its public part to a file.
///
/// # Errors
///
/// There is such a key or such a file already; or GnuPG failed, or the disk.
pub fn new_key(setup: &Setup, options: &KeyOptions) -> Result<MadeKey, FarmError> {
    let in_current = |path: &Path| setup.current_dir.join(path);
    let wanted = options.public.as_deref().map(in_current);
    if let Some(there) = wanted.as_ref().filter(|path| path.exists()) {
        return Err(exists(there));
    }
    let mut gpg = setup.gpg.clone();
    if let Some(home) = &options.home {
        let home = in_current(home);
        if !home.is_dir() {
            // GnuPG warns of folders that others may look into.
            fs::create_dir_all(&home)?;
            fs::set_permissions(&home, Permissions::from_mode(0o700))?;
        }
        gpg = gpg.with_home(&home);
    }
    let key = NewKey {
        name: &options.name,
        passphrase: options.passphrase,
    }
    .make(&gpg)?;
    let fingerprint = key.fingerprint().to_owned();
    let short = &fingerprint[fingerprint.len().saturating_sub(16)..];
    let public = wanted.unwrap_or_else(|| in_current(Path::new(&format!("binhost-{short}.asc"))));
    let written = key
        .public()
        .map_err(FarmError::from)
        .and_then(|bytes| write_new(&public, &bytes));
    written.map_err(|error| {
        let hint = format!("the key is made: `gpg --armor --export {fingerprint}` prints its public part");
        error.hint(hint)
    })?;
    Ok(MadeKey { fingerprint, public })
}

/// Writes a file that everybody may read, where none is yet.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FarmError> {
    let mut file = match fs::File::options().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(exists(path)),
        file => file?,
    };
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    Ok(())
}

fn exists(path: &Path) -> FarmError {
    FarmError::input(format!("{} is there already", path.display())).hint("name another file with --public")
}
