//! Where a stage3 archive comes from, and the check that comes before anything else is done with it.
//!
//! Whoever gets a [`Verified`] archive has it open: what is unpacked is read from the very file whose bytes were signed, whatever
//! becomes of its name meanwhile.

use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use farm_engine::{Failure, FailureKind};
use farm_executor::CancelToken;
use farm_image::Sha256;
use farm_manifest::Loaded;
use farm_manifest::model::Stage3Base;
use farm_signing::{ErrorKind, PublicKeys, SigningError};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::context::{Context, io_failure};
use crate::fetcher;

/// The folder of the workspace's state that keeps what came from elsewhere: archives by their SHA-256, with their signatures. Only such
/// whose signature was good.
const KEPT: &str = "downloads/stage3";

/// How files begin that are not there as a whole.
const PART: &str = "part-";

/// More bytes than any signature has.
const LARGEST_SIGNATURE: u64 = 1 << 20;

const MISSING_SIGNATURE: &str = "a stage3 is used only if its signature is good: `signature:` names where it is";

/// An archive as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage3Source {
    /// An address, or a path relative to the workspace.
    pub archive: String,
    /// The same of its detached signature.
    pub signature: String,
    /// The file of the keys, for messages.
    pub keyring: String,
    /// What that file holds.
    pub keys: Vec<u8>,
    /// The proxy of all fetches, if the manifest names one.
    pub proxy: Option<String>,
}

/// What an archive was when it was pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage3Pin {
    /// Of the file as it is, compressed.
    pub digest: Sha256,
    /// Its length in bytes.
    pub size: u64,
}

/// An archive whose signature is good.
#[derive(Debug)]
pub struct Verified {
    /// Open, at its beginning.
    pub file: fs::File,
    /// What was signed.
    pub pin: Stage3Pin,
    /// Fingerprint of the primary key that signed it.
    pub signer: String,
}

impl Stage3Source {
    /// The source that a manifest names as its base.
    #[must_use]
    pub fn of(base: &Stage3Base, loaded: &Loaded) -> Self {
        Self {
            archive: base.archive.value.clone(),
            signature: base.signature(),
            keyring: base.keyring.value.to_string(),
            keys: loaded.keyring.clone().unwrap_or_default(),
            proxy: loaded.farm.distfiles.proxy.as_ref().map(|proxy| proxy.value.clone()),
        }
    }

    /// Gets the archive and checks its signature. `pin` says what it has to be, where that is known.
    ///
    /// # Errors
    ///
    /// The input's: a file that is not there, a signature that is not good, keys of which none signed it. The environment's: an address
    /// out of reach, an archive that is another one than was pinned, gpg.
    pub fn verified(
        &self,
        context: &Context,
        pin: Option<&Stage3Pin>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Verified, Failure> {
        // First what is small: nobody shall wait for the archive to learn that there is no signature.
        let keys = PublicKeys::read(context.signing.gpg()?, &self.keys).map_err(|error| self.refused(&error))?;
        let (signature, fetched) = self.signature(context, pin)?;
        let mut archive = self.open(context, pin, progress)?;
        progress(&format!("checking the signature of {}", self.archive));
        let mut content = Hashing::new(archive.file(), &context.cancel);
        let signer = keys
            .check(&signature, &mut content)
            .map_err(|error| self.refused(&error))?;
        let found = content
            .finish()
            .map_err(|error| io_failure("read an archive", &error))?;
        if let Some(pin) = pin.filter(|pin| **pin != found) {
            let message = format!("{} is {} and not {}", self.archive, found.digest, pin.digest);
            return Err(
                Failure::new(FailureKind::Environment, message).hint("if that is meant to be, run `farm update`")
            );
        }
        if fetched {
            keep_signature(context, &found, &signature).map_err(|error| io_failure("keep a signature", &error))?;
        }
        let file = archive
            .keep(context, &found)
            .map_err(|error| io_failure("keep an archive", &error))?;
        Ok(Verified {
            file,
            pin: found,
            signer,
        })
    }

    /// The signature, and whether it came from elsewhere now. One that was kept serves where its address is out of reach.
    fn signature(&self, context: &Context, pin: Option<&Stage3Pin>) -> Result<(Vec<u8>, bool), Failure> {
        let address = &self.signature;
        let read = |path: &Path| -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            fs::File::open(path)?.take(LARGEST_SIGNATURE).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        if let Some(path) = local(context, address) {
            context.hasher.witness().look(&path);
            return match read(&path) {
                Ok(bytes) => Ok((bytes, false)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let message = format!("{} has no signature: there is no file {address}", self.archive);
                    Err(Failure::new(FailureKind::Input, message).hint(MISSING_SIGNATURE))
                }
                Err(error) => Err(io_failure("read a signature", &error)),
            };
        }
        let target = part(context).map_err(|error| io_failure("keep a signature", &error))?;
        match fetcher::download(context, address, self.proxy.as_deref(), target.path()) {
            Ok(()) => {
                let bytes = read(target.path()).map_err(|error| io_failure("read a signature", &error))?;
                Ok((bytes, true))
            }
            Err(why) => {
                let kept = pin.and_then(|pin| read(&kept(context, pin).with_extension("sig")).ok());
                kept.map(|bytes| (bytes, false)).ok_or_else(|| {
                    let message = format!("{}: its signature is not to be had: {address}: {why}", self.archive);
                    Failure::new(FailureKind::Environment, message).hint(MISSING_SIGNATURE)
                })
            }
        }
    }

    fn open(
        &self,
        context: &Context,
        pin: Option<&Stage3Pin>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Opened, Failure> {
        let failed = |error: io::Error| io_failure("read an archive", &error);
        if let Some(path) = local(context, &self.archive) {
            context.hasher.witness().look(&path);
            return match fs::File::open(&path) {
                Ok(file) => Ok(Opened::There(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let message = format!("there is no file {}, which should be a stage3 archive", self.archive);
                    Err(Failure::new(FailureKind::Input, message)
                        .hint("the path is relative to the folder of the manifest"))
                }
                Err(error) => Err(failed(error)),
            };
        }
        if let Some(pin) = pin
            && let Some(file) = open_kept(context, pin).map_err(failed)?
        {
            return Ok(Opened::There(file));
        }
        progress(&format!("fetching {}", self.archive));
        let part = part(context).map_err(|error| io_failure("keep an archive", &error))?;
        fetcher::download(context, &self.archive, self.proxy.as_deref(), part.path()).map_err(|why| {
            let message = format!("{} is not to be had: {why}", self.archive);
            Failure::new(FailureKind::Environment, message).hint("check the address and the network")
        })?;
        let file = fs::File::open(part.path()).map_err(failed)?;
        Ok(Opened::Fetched { file, part })
    }

    /// What is wrong with the keys or the signature, in a sentence, and what to do about it.
    fn refused(&self, error: &SigningError) -> Failure {
        let Self {
            archive,
            signature,
            keyring,
            ..
        } = self;
        if error.kind() == ErrorKind::Environment {
            let failure = Failure::new(
                FailureKind::Environment,
                format!("the signature of {archive} cannot be checked: {error}"),
            );
            return match error.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            };
        }
        let (message, hint) = match error {
            SigningError::NoPublicKeys => (
                format!("{keyring}: {error}"),
                "put public keys there, as `gpg --export` gives them; Gentoo's come with sec-keys/openpgp-keys-gentoo-release"
                    .to_owned(),
            ),
            SigningError::NoSignature => (
                format!("{archive} is not used: {signature} holds no signature"),
                MISSING_SIGNATURE.to_owned(),
            ),
            SigningError::NotDetached => (
                format!("{archive} is not used: {signature} is something else than a detached signature"),
                "Gentoo's detached signatures are called as the archive with .asc behind".to_owned(),
            ),
            SigningError::BadSignature => (
                format!("{archive} is not used: it is not what was signed, its signature is bad"),
                "get archive and signature again, both of one release; if that does not help, somebody changed one of them".to_owned(),
            ),
            SigningError::UnknownKey(key) => (
                format!("{archive} is not used: it is signed by the key {key}, which is not in {keyring}"),
                format!("if you trust that key, add it to {keyring}; Gentoo's come with sec-keys/openpgp-keys-gentoo-release"),
            ),
            SigningError::ExpiredKey(key) => (
                format!("{archive} is not used: it is signed by the key {key}, which has expired according to {keyring}"),
                format!("keys are made to last longer: get today's for {keyring}, or take a newer archive"),
            ),
            SigningError::RevokedKey(key) => (
                format!("{archive} is not used: it is signed by the key {key}, which was revoked"),
                "take an archive that another key signed: nobody knows who has this one".to_owned(),
            ),
            SigningError::ExpiredSignature(key) => (
                format!("{archive} is not used: its signature, made by the key {key}, has expired"),
                "take a newer archive".to_owned(),
            ),
            other => (
                format!("{archive} is not used: {other}"),
                "name the one signature that counts in `signature:`".to_owned(),
            ),
        };
        Failure::new(FailureKind::Input, message).hint(hint)
    }
}

/// An archive that is open, and not known to be any good.
enum Opened {
    /// A file of the user's, or one that was kept.
    There(fs::File),
    /// One that came from elsewhere now; gone with this value unless it is kept.
    Fetched {
        file: fs::File,
        part: tempfile::NamedTempFile,
    },
}

impl Opened {
    fn file(&mut self) -> &mut fs::File {
        match self {
            Self::There(file) | Self::Fetched { file, .. } => file,
        }
    }

    /// The open file at its beginning. What came from elsewhere is kept as what it is.
    fn keep(self, context: &Context, pin: &Stage3Pin) -> io::Result<fs::File> {
        let mut file = match self {
            Self::There(file) => file,
            Self::Fetched { file, part } => {
                file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
                farm_store::rename(part.into_temp_path(), &kept(context, pin))?;
                file
            }
        };
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }
}

/// The file that an address means, if it means one.
fn local(context: &Context, address: &str) -> Option<PathBuf> {
    match address.strip_prefix("file://") {
        Some(path) => Some(PathBuf::from(path)),
        None if address.contains("://") => None,
        None => Some(context.workspace.join(address)),
    }
}

/// Where an archive is kept that came from elsewhere.
fn kept(context: &Context, pin: &Stage3Pin) -> PathBuf {
    context.state.join(KEPT).join(pin.digest.to_hex())
}

/// Opens a kept archive that still is what it was.
fn open_kept(context: &Context, pin: &Stage3Pin) -> io::Result<Option<fs::File>> {
    let path = kept(context, pin);
    let mut file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if Hashing::new(&mut file, &context.cancel).finish()? != *pin {
        fs::remove_file(&path)?;
        return Ok(None);
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(Some(file))
}

fn keep_signature(context: &Context, pin: &Stage3Pin, signature: &[u8]) -> io::Result<()> {
    let mut file = part(context)?;
    file.write_all(signature)?;
    farm_store::rename(file.into_temp_path(), &kept(context, pin).with_extension("sig"))
}

/// A file for what is on its way.
fn part(context: &Context) -> io::Result<tempfile::NamedTempFile> {
    let folder = context.state.join(KEPT);
    fs::create_dir_all(&folder)?;
    tempfile::Builder::new().prefix(PART).tempfile_in(folder)
}

/// Removes what killed runs had on its way. The caller holds the lock of the workspace whose state is in `state`.
pub(crate) fn sweep_parts(state: &Path) {
    let Ok(entries) = fs::read_dir(state.join(KEPT)) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PART) {
            // What cannot be removed takes room and does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Takes SHA-256 and length of what is read through it.
pub(super) struct Hashing<'a> {
    content: &'a mut fs::File,
    cancel: &'a CancelToken,
    sha256: sha2::Sha256,
    size: u64,
}

impl<'a> Hashing<'a> {
    pub(super) fn new(content: &'a mut fs::File, cancel: &'a CancelToken) -> Self {
        Self {
            content,
            cancel,
            sha256: sha2::Sha256::new(),
            size: 0,
        }
    }

    /// Reads what is left, and says what it all was.
    pub(super) fn finish(mut self) -> io::Result<Stage3Pin> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(Stage3Pin {
            digest: Sha256::from_bytes(self.sha256.finalize().into()),
            size: self.size,
        })
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let count = self.content.read(buffer)?;
        self.sha256.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}
