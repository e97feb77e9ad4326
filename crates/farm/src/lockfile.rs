//! `farm.lock`: what names became. Meant to be committed; `farm update` moves it, a build only adds what is missing.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use farm_hosted::HostedLock;
use fs_err as fs;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::rules::stage3::Stage3Pin;

/// The format this version reads and writes.
const VERSION: u32 = 1;

const HEADER: &str = "# What names became when this farm was last updated. Written by farm; `farm update` moves it.\n";

/// What the names in one manifest became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FarmLock {
    version: u32,
    /// Image references to manifest digests (`sha256:…`), or to an image id where no registry serves the name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// `URL#BRANCH` (or `URL`) to commits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub git: BTreeMap<String, String>,
    /// Archive addresses to SHA-256, hexadecimal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub archives: BTreeMap<String, String>,
    /// Repositories of live ebuilds, `URI#HEAD` or `URI#refs/…`, to commits; of an annotated tag, to the tag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub live: BTreeMap<String, String>,
    /// Stage3 archives by address or path. Of each the signature was good when it was pinned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stage3: BTreeMap<String, Stage3Pin>,
    /// Hosted bases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosted: Vec<HostedLock>,
}

impl Default for FarmLock {
    fn default() -> Self {
        Self {
            version: VERSION,
            images: BTreeMap::new(),
            git: BTreeMap::new(),
            archives: BTreeMap::new(),
            live: BTreeMap::new(),
            stage3: BTreeMap::new(),
            hosted: Vec::new(),
        }
    }
}

/// A lock file that cannot be used.
#[derive(Debug, Error)]
pub enum LockFileError {
    /// It cannot be read or written. Environment.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is not what farm writes. Input.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer farm wrote it. Environment.
    #[error("{path} was written by a newer farm (format {found}, this one knows {VERSION})")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
    },
}

impl FarmLock {
    /// Reads the lock file; one that is not there is empty.
    pub fn read(path: &Path) -> Result<Self, LockFileError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let malformed = |reason: String| LockFileError::Malformed {
            path: path.display().to_string(),
            reason,
        };
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| malformed(error.to_string()))?;
        let found = table
            .get("version")
            .and_then(toml::Value::as_integer)
            .unwrap_or_default();
        if found > i64::from(VERSION) {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(LockFileError::Newer {
                path: path.display().to_string(),
                found,
            });
        }
        toml::from_str(&text).map_err(|error| malformed(error.to_string()))
    }

    /// Its text: sorted, the same for the same content.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Maps of strings and lists of plain records always have a TOML form.
        HEADER.to_owned() + &toml::to_string_pretty(self).unwrap_or_default()
    }

    /// Replaces the file in one step.
    pub fn write(&self, path: &Path) -> Result<(), LockFileError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(self.to_text().as_bytes())?;
        file.as_file().sync_data()?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
        farm_store::rename(file.into_temp_path(), path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_its_file_and_refuses_a_newer_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("farm.lock");
        assert_eq!(FarmLock::read(&path).unwrap(), FarmLock::default());
        let mut lock = FarmLock::default();
        lock.images.insert("gentoo/portage:1".into(), "sha256:00".into());
        let pin = Stage3Pin {
            digest: farm_image::Sha256::of(b"an archive"),
            size: 10,
        };
        lock.stage3.insert("https://example.org/stage3.tar.xz".into(), pin);
        lock.write(&path).unwrap();
        assert_eq!(FarmLock::read(&path).unwrap(), lock);
        fs::write(&path, "version = 9\nfuture = 1\n").unwrap();
        assert!(matches!(
            FarmLock::read(&path),
            Err(LockFileError::Newer { found: 9, .. })
        ));
        fs::write(&path, "version = 1\nnonsense = 1\n").unwrap();
        assert!(matches!(FarmLock::read(&path), Err(LockFileError::Malformed { .. })));
    }
}
