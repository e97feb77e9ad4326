//! `farm clean`: removes what this workspace's farms made, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use farm_engine::EventSink;
use farm_guard_file::{GuardFile, Mode};
use farm_store::{DirLock, Holder, LockError};
use fs_err as fs;

use super::killed::workspace_id;
use super::{FarmError, Setup};
use crate::context::{LABEL, WORKSPACE_LABEL, executor_failure};
use crate::driver::given_names;
use crate::place::Place;
use crate::workspace::Workspace;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CleanReport {
    /// Containers.
    pub containers: usize,
    /// Images, by name or id.
    pub images: Vec<String>,
    /// The state folder, if it was there.
    pub state: Option<std::path::PathBuf>,
}

/// Takes the lock of the workspace whose state is in `state`.
pub(super) fn lock(state: &Path, setup: &Setup) -> Result<DirLock, LockError> {
    let since = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let what = setup.holder.clone();
    DirLock::acquire(&state.join("lock"), &Holder { what, since })
}

/// Removes containers of this workspace, the images its guards speak of, and its state. Task outputs, lock files and what was
/// published stay.
///
/// # Errors
///
/// The environment's: another run is under way, or the engine does not answer although there are images to be removed.
pub fn clean(setup: &Setup, events: &dyn EventSink) -> Result<CleanReport, FarmError> {
    let _ = events;
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let state = workspace.state();
    let mut report = CleanReport::default();
    if !state.exists() {
        return Ok(report);
    }
    let lock = lock(&state, setup)?;
    let guards = GuardFile::open(&state.join("guards"), Mode::Read)?.guards;
    // Two nodes can have made the same image, each with a name of its own.
    let mut images: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for output in guards.all().iter().flat_map(|guard| &guard.outputs) {
        if let Some(Place::Image { id, tag }) = Place::parse(&output.place) {
            images.entry(id.0).or_default().extend(tag);
        }
    }
    for (id, tag) in given_names(&state)? {
        images.entry(id).or_default().insert(tag);
    }
    let id = workspace_id(&state);
    if !images.is_empty() || id.is_some() {
        let connected = (setup.connect)(&std::collections::BTreeMap::new());
        match connected {
            Ok(executor) => {
                let failed = |error| FarmError::from(executor_failure(&error));
                if let Some(id) = &id {
                    report.containers = executor.remove_leftovers(WORKSPACE_LABEL, id).map_err(failed)?;
                }
                for (id, tags) in images {
                    // Pulled images are not farm's, and neither is one that somebody else named.
                    let Some(info) = executor.inspect(&id).map_err(failed)? else {
                        continue;
                    };
                    if info.labels.contains_key(LABEL) && info.tags.iter().all(|name| tags.contains(name)) {
                        executor.remove_image(&id).map_err(failed)?;
                        report.images.push(info.tags.first().cloned().unwrap_or(id));
                    }
                }
            }
            Err(error) if !images.is_empty() => return Err(executor_failure(&error).into()),
            Err(_) => {}
        }
    }
    fs::remove_dir_all(&state)?;
    drop(lock);
    report.state = Some(state);
    Ok(report)
}
