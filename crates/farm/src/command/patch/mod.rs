//! `farm patch`: the source of a package as a git work tree, tried builds of what was changed in it, and user patches in
//! configuration layers.
//!
//! Work trees are what people edit, and no state of farm's: they lie beside `.farm`, and `farm clean` leaves them alone.

mod discard;
mod git;
mod list;
mod planned;
mod prep;
mod save;
mod saved;
mod trial;
mod words;
mod work_tree;

use std::path::Path;

use farm_manifest::{Loaded, Overrides};
use farm_store::DirLock;
use fs_err as fs;

pub use self::discard::{Dropped, patch_drop};
pub use self::list::{Check, PatchLine, PatchList, TreeLine, patch_list};
pub use self::prep::{Prepared, patch_prep};
pub use self::save::{Reach, SaveOptions, Saved, patch_save};
pub use self::trial::{Tried, patch_try};
use super::clean::lock;
use super::{FarmError, Setup};
use crate::workspace::Workspace;

/// Reads a farm's manifest.
fn load(setup: &Setup, workspace: &Workspace, farm: &str, variables: &[(String, String)]) -> Result<Loaded, FarmError> {
    let overrides = Overrides {
        environment: setup.environment.clone(),
        command_line: variables.to_vec(),
    };
    Ok(farm_manifest::load(&workspace.root, farm, &overrides)?)
}

/// Takes the lock of the workspace, so that no other command makes or removes what this one looks at.
fn locked(setup: &Setup, workspace: &Workspace) -> Result<DirLock, FarmError> {
    let state = workspace.state();
    fs::create_dir_all(&state)?;
    fs::write(state.join(".gitignore"), "*\n")?;
    Ok(lock(&state, setup)?)
}

/// Removes the folders from `folder` upwards that are empty, up to and without `top`.
fn remove_empty(folder: &Path, top: &Path) {
    let below = folder.ancestors().take_while(|folder| *folder != top);
    for folder in below {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// A path as people type it in the workspace.
fn shown(workspace: &Workspace, path: &Path) -> String {
    let below = path.strip_prefix(workspace.root.as_std_path()).unwrap_or(path);
    below.display().to_string()
}
