//! The mirror: the local folder in which releases are made that go elsewhere.

mod fetch;
mod pull;
mod push;
mod settled;

use std::fs::FileTimes;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use farm_publish::INDEX_FILES;
use fs_err as fs;

pub use pull::Pulled;
pub use push::Pushed;

use crate::{Address, Remote, RemoteError};

/// A local folder that `farm_publish::publish` publishes to, and that belongs to one remote.
///
/// It need not hold all that the remote holds: package files of earlier releases are only there.
#[derive(Debug, Clone)]
pub struct Mirror {
    folder: PathBuf,
    /// The remote, for people.
    place: String,
}

impl Mirror {
    /// The mirror in `folder` of what is at `address`. Nothing is looked at yet.
    pub fn new(folder: impl Into<PathBuf>, address: &Address) -> Self {
        Self {
            folder: folder.into(),
            place: address.to_string(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the index that clients see at the remote is the mirror's. Costs two small requests; that every package file is still
    /// there is not asked.
    ///
    /// # Errors
    /// The remote cannot be asked, or the mirror cannot be read.
    pub fn is_in_force(&self, remote: &dyn Remote) -> Result<bool, RemoteError> {
        // The compressed one is compared whole, because it is the smaller one and clients ask for it first.
        let [compressed, plain] = INDEX_FILES;
        let (Some(ours), Some(size)) = (self.read(compressed)?, self.size(plain)?) else {
            return Ok(false);
        };
        Ok(remote.get(compressed)?.as_deref() == Some(&*ours) && remote.size(plain)? == Some(size))
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, RemoteError> {
        match fs::read(self.folder.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn size(&self, path: &str) -> Result<Option<u64>, RemoteError> {
        match fs::metadata(self.folder.join(path)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file in one step.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), RemoteError> {
        let target = self.folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let passing = self.folder.join(".farm-pull");
        fs::write(&passing, bytes)?;
        fs::rename(&passing, &target)?;
        Ok(())
    }

    /// Gives a file its time, in seconds since the epoch, whatever time the remote gave it.
    fn set_time(&self, path: &str, time: u64) -> Result<(), RemoteError> {
        let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(time));
        let file = fs::File::options().write(true).open(self.folder.join(path))?;
        Ok(file.set_times(times)?)
    }

    fn remove(&self, path: &str) -> Result<(), RemoteError> {
        match fs::remove_file(self.folder.join(path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes the mirror: what it held is of another history than the remote. Its packages are made again when they are wanted.
    fn forget(&self) -> Result<(), RemoteError> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
