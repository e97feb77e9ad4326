//! Where packages are published to.

use std::path::{Path, PathBuf};

use farm_remote::Address;

use crate::command::FarmError;
use crate::rules::publish_remote;

/// The folder that an address means, if it means one.
pub fn local_folder(to: &str, workspace: &Path) -> Option<PathBuf> {
    match to.strip_prefix("file://") {
        Some(path) => Some(workspace.join(path)),
        None if !to.contains("://") => Some(workspace.join(to)),
        None => None,
    }
}

/// The folder that `to` and a flavour mean for publishing: the one that clients read; or the mirror, in the workspace's state, of what
/// is at the address.
///
/// # Errors
///
/// The user's: the address is none.
pub fn published_to(
    to: &str,
    flavour: &str,
    workspace: &Path,
    state: &Path,
) -> Result<(PathBuf, Option<Address>), FarmError> {
    if let Some(folder) = local_folder(to, workspace) {
        return Ok((folder.join(flavour), None));
    }
    let address = Address::parse(to).map_err(|error| FarmError::input(error.to_string()).hint(error.hint()))?;
    let address = address.join(flavour);
    let mirrors = state.join(publish_remote::MIRRORS);
    Ok((mirrors.join(address.folder_name()), Some(address)))
}
