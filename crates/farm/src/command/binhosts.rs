//! `farm serve`: where the local binhosts of a workspace are.

use std::path::PathBuf;

use super::{FarmError, Setup};
use crate::rules::publish_pkgs::LOCAL_BINHOSTS;
use crate::workspace::Workspace;

/// The folder that holds the local binhosts of all farms of the workspace, `FARM/FLAVOUR/` each.
///
/// # Errors
///
/// The user's: there is no workspace, or no binhost was built in it yet.
pub fn local_binhosts(setup: &Setup) -> Result<PathBuf, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let folder = workspace.state().join(LOCAL_BINHOSTS);
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(FarmError::input("no binhost was built in this workspace yet")
        .hint("`farm build FARM:binhost` builds one; or name the folder to serve"))
}
