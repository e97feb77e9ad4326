//! Bringing package files to the mirror: those that cannot be made again from farm's own packages.

use std::collections::BTreeSet;

use farm_publish::{PackageFile, archived_client_files, client_archives, packages_of_all};
use fs_err as fs;

use super::Mirror;
use crate::{Remote, RemoteError};

impl Mirror {
    /// Brings those of `files` to the mirror that it does not have with their size, and compares each with its record. Gives how many
    /// came.
    ///
    /// # Errors
    /// The remote cannot be asked, does not have a file, or has another one under its name.
    pub fn fetch(&self, remote: &dyn Remote, files: &[PackageFile]) -> Result<usize, RemoteError> {
        let mut lacking = Vec::new();
        for file in files {
            if self.size(&file.path)? != Some(file.size) {
                lacking.push(file);
            }
        }
        if lacking.is_empty() {
            return Ok(0);
        }
        let paths: Vec<String> = lacking.iter().map(|file| file.path.clone()).collect();
        remote.download(&self.folder, &paths)?;
        for file in &lacking {
            self.check(file)?;
        }
        Ok(lacking.len())
    }

    /// Brings all that the releases at the remote list to this mirror, as it is there: whoever looks at it then sees what clients see. The
    /// mirror must be new, and pulled.
    ///
    /// # Errors
    /// The remote cannot be asked, or the mirror cannot be written. That a file is missing or damaged is none.
    pub fn fetch_all(&self, remote: &dyn Remote) -> Result<usize, RemoteError> {
        let files = packages_of_all(&self.folder)?;
        let mut paths: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
        for archive in client_archives(&self.folder)? {
            paths.extend(archived_client_files(&self.folder, &archive).into_keys());
        }
        let paths: Vec<String> = paths.into_iter().collect();
        let came = remote.download(&self.folder, &paths)?;
        for file in &files {
            if self.size(&file.path)?.is_some() {
                self.set_time(&file.path, file.mtime)?;
            }
        }
        Ok(came)
    }

    /// Compares a file that came with its record, and gives it its time. One that is another is removed.
    fn check(&self, file: &PackageFile) -> Result<(), RemoteError> {
        let path = self.folder.join(&file.path);
        let damaged = |reason: &str| RemoteError::Damaged {
            place: format!("{}/{}", self.place, file.path),
            reason: reason.to_owned(),
        };
        if self.size(&file.path)?.is_none() {
            return Err(damaged("it is gone"));
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs::File::open(&path)?)?;
        if hasher.finalize() != file.digest {
            self.remove(&file.path)?;
            return Err(damaged("it is not what was put there"));
        }
        self.set_time(&file.path, file.mtime)
    }
}
