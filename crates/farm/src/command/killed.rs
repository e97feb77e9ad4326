//! What a run that was killed left behind, and its removal by the next one.
//!
//! A run marks the workspace while it is under way. Whoever finds the mark knows that nobody lifted it: under the workspace's
//! lock every container with its label and every scratch folder with its name are leftovers.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use farm_engine::{Event, EventSink, Failure};
use fs_err as fs;

use super::FarmError;
use crate::context::{Context, RUNNING_MARK, WORKSPACE_LABEL, executor_failure};

/// Whether a run is under way, or was killed. The caller holds the workspace's lock, so that it can only be the latter.
pub(super) fn is_marked(state: &Path) -> bool {
    state.join(RUNNING_MARK).exists()
}

/// The mark of a run under way.
pub(super) struct RunningMark {
    path: PathBuf,
    /// The mark was there already, and named an engine: a run was killed that may have left containers.
    after_kill: bool,
}

impl RunningMark {
    /// Cleans up if the last run was killed, and marks the workspace. The caller holds its lock.
    pub(super) fn set(context: &Context, events: &dyn EventSink) -> Result<Self, FarmError> {
        let path = context.state.join(RUNNING_MARK);
        let left = fs::read(&path).ok();
        // Without an engine there were no containers, and none is needed now.
        let after_kill = left.as_ref().is_some_and(|engine| !engine.is_empty());
        if left.is_some() {
            context.store.sweep()?;
            context.sweep_scratch();
        }
        if after_kill && let Ok(count @ 1..) = remove_containers(context) {
            let message = format!("the last run was killed; {count} containers it left are removed");
            events.event(&Event::Note { message });
        }
        if left.is_none() {
            fs::write(&path, "")?;
        }
        Ok(Self { path, after_kill })
    }

    /// Lifts the mark, when nothing of this run is there any more.
    ///
    /// After a kill the engine is looked at once more: it may have been asked for a container that it finished only after the
    /// first look. If it does not answer, the mark stays for the next run.
    pub(super) fn lift(&self, context: &Context) {
        if self.after_kill && remove_containers(context).is_err() {
            return;
        }
        // A mark that stays costs the next run a look.
        let _ = fs::remove_file(&self.path);
    }
}

fn remove_containers(context: &Context) -> Result<usize, Failure> {
    context
        .executor()?
        .remove_leftovers(WORKSPACE_LABEL, &context.workspace_id)
        .map_err(|error| executor_failure(&error))
}

/// The name of the workspace whose state is in `state`, for labels and scratch folders; no key contains it. `None` when it has
/// none yet.
///
/// It is bound to the folder's inode: a workspace that is moved keeps its name, a copy gets one of its own and never takes the
/// containers of the other for its leftovers.
pub(super) fn workspace_id(state: &Path) -> Option<String> {
    let text = fs::read_to_string(state.join("workspace-id")).ok()?;
    let (id, inode) = text.trim_end().split_once(' ')?;
    let here = fs::metadata(state).ok()?.ino();
    (inode.parse() == Ok(here)).then(|| id.to_owned())
}

/// The same; makes a name if there is none.
pub(super) fn workspace_id_or_new(state: &Path) -> Result<String, FarmError> {
    if let Some(id) = workspace_id(state) {
        return Ok(id);
    }
    let inode = fs::metadata(state)?.ino();
    // Two workspaces made in the same nanosecond by the same process number would share a name, but for the inode.
    let seed = format!("{inode} {} {}", std::process::id(), jiff::Timestamp::now());
    let id = farm_engine::Digest::of(seed.as_bytes()).short();
    fs::write(state.join("workspace-id"), format!("{id} {inode}\n"))?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_workspace_keeps_its_name_and_a_copy_gets_another() {
        let folder = tempfile::tempdir().unwrap();
        let [first, moved, copy] = ["first", "moved", "copy"].map(|name| folder.path().join(name));
        fs::create_dir(&first).unwrap();
        assert_eq!(workspace_id(&first), None);
        let id = workspace_id_or_new(&first).unwrap();
        assert_eq!(workspace_id_or_new(&first).unwrap(), id);
        fs::rename(&first, &moved).unwrap();
        assert_eq!(workspace_id(&moved).as_ref(), Some(&id));
        fs::create_dir(&copy).unwrap();
        fs::copy(moved.join("workspace-id"), copy.join("workspace-id")).unwrap();
        assert_eq!(workspace_id(&copy), None);
        assert_ne!(workspace_id_or_new(&copy).unwrap(), id);
    }
}
