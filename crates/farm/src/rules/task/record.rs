//! What a task left in the workspace: only that may farm remove.
//!
//! That is what the newest guard of its node says, unless `.farm/outputs/FARM/task/NAME` is there, a JSON list of paths relative to
//! the workspace. It is written when the files of the newest guard go away to make room for a run, and is gone once that has
//! ended well: a file that somebody puts there after a failure is not farm's. (An earlier farm kept such a list for every task.)

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use farm_engine::{GuardStore, Key, Output};
use fs_err as fs;

use crate::place::{KeptFile, Place};

fn file_of(state: &Path, node: &str) -> PathBuf {
    let mut path = state.join("outputs");
    path.extend(node.split([':', '/']));
    path
}

/// The files that are the node's, by path relative to the workspace. `found` is what a guard says that was just looked up, by key:
/// if it is the newest, it is not read again.
pub(super) fn ours<'a>(
    state: &Path,
    node: &str,
    guards: &dyn GuardStore,
    found: Option<(&Key, impl Iterator<Item = &'a String>)>,
) -> BTreeSet<String> {
    match fs::read(file_of(state, node)) {
        // What cannot be understood is not known to be farm's, and treated as somebody else's.
        Ok(bytes) => return serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return BTreeSet::new(),
        Err(_) => {}
    }
    match found {
        Some((key, files)) if guards.is_newest(node, key) => files.cloned().collect(),
        _ => guards
            .newest(node)
            .and_then(|guard| files(&guard.outputs).ok())
            .map(|files| files.into_keys().collect())
            .unwrap_or_default(),
    }
}

/// The files that outputs of a task consist of, by path relative to the workspace. The error is the role of an output of which
/// nobody knows where it is.
pub(super) fn files(outputs: &[Output]) -> Result<BTreeMap<String, KeptFile>, String> {
    let mut all = BTreeMap::new();
    for output in outputs {
        match Place::parse(&output.place) {
            Some(Place::Files { files, folder }) => {
                let folder = Path::new(&folder);
                all.extend(
                    files
                        .into_iter()
                        .map(|(path, file)| (folder.join(path).to_string_lossy().into_owned(), file)),
                );
            }
            Some(Place::Nowhere) => {}
            _ => return Err(output.role.clone()),
        }
    }
    Ok(all)
}

/// From now on nothing that lies there is the node's, whatever guards say.
pub(super) fn disown(state: &Path, node: &str) -> io::Result<()> {
    let path = file_of(state, node);
    let folder = path.parent().unwrap_or(state);
    fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(b"[]")?;
    farm_store::rename(new.into_temp_path(), &path)
}

/// From now on the node's files are those of its newest guard.
pub(super) fn trust_guards(state: &Path, node: &str) -> io::Result<()> {
    match fs::remove_file(file_of(state, node)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
