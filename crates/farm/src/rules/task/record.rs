//! What the last run of a task left in the workspace: only that may farm remove. `.farm/outputs/FARM/task/NAME`, a JSON list of
//! paths relative to the workspace.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;

fn file_of(state: &Path, node: &str) -> PathBuf {
    let mut path = state.join("outputs");
    path.extend(node.split([':', '/']));
    path
}

/// The files that are the node's. None if there is no record, or one that cannot be understood: what is not known to be farm's
/// is treated as somebody else's.
pub(super) fn read(state: &Path, node: &str) -> BTreeSet<String> {
    fs::read(file_of(state, node))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

/// Replaces the record.
pub(super) fn write(state: &Path, node: &str, files: &BTreeSet<String>) -> io::Result<()> {
    let path = file_of(state, node);
    if files.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        };
    }
    let folder = path.parent().unwrap_or(state);
    fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(&serde_json::to_vec(files)?)?;
    farm_store::rename(new.into_temp_path(), &path)
}
