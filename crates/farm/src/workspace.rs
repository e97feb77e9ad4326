//! The workspace: the folder that holds `farms/`, and farm's own state in it.

use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::command::FarmError;

/// The folder in a workspace where all state lives.
pub const STATE: &str = ".farm";

/// The folder that holds `farms/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Where it is, absolute.
    pub root: Utf8PathBuf,
    /// The farm in whose folder the user is, if in any.
    pub here: Option<String>,
}

impl Workspace {
    /// The workspace at `given`, or the nearest one at or above `current`.
    ///
    /// # Errors
    ///
    /// The user's: there is none.
    pub fn find(given: Option<&Path>, current: &Path) -> Result<Self, FarmError> {
        let start = given.unwrap_or(current);
        let start = fs::canonicalize(start).map_err(|_| {
            FarmError::input(format!("there is no folder {}", start.display()))
                .hint("say where the workspace is with -C FOLDER")
        })?;
        let found = if given.is_some() {
            Some(start.as_path()).filter(|folder| folder.join("farms").is_dir())
        } else {
            start.ancestors().find(|folder| folder.join("farms").is_dir())
        };
        let Some(root) = found else {
            let message = format!(
                "there is no workspace at {} or above: no folder `farms`",
                start.display()
            );
            return Err(FarmError::input(message).hint("make farms/NAME/farm.yaml, or say where with -C FOLDER"));
        };
        let root = Utf8Path::from_path(root)
            .ok_or_else(|| FarmError::input(format!("the path {} is not UTF-8", root.display())))?
            .to_owned();
        let here = fs::canonicalize(current).ok().and_then(|current| {
            let below = current.strip_prefix(root.join("farms")).ok()?.to_owned();
            below
                .components()
                .next()
                .map(|name| name.as_os_str().to_string_lossy().into_owned())
        });
        Ok(Self { root, here })
    }

    /// Where farm's state lives.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join(STATE).into_std_path_buf()
    }

    /// The names of its farms, sorted.
    pub fn farms(&self) -> Result<Vec<String>, FarmError> {
        Ok(farm_manifest::farm_names(&self.root)?)
    }

    /// A farm's lock file.
    #[must_use]
    pub fn lock_file(&self, farm: &str) -> PathBuf {
        self.root.join("farms").join(farm).join("farm.lock").into_std_path_buf()
    }
}
