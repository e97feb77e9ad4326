//! What a task reads, as it enters its key.

use std::path::{Path, PathBuf};

use farm_engine::{Input, Value};
use farm_store::{FileHasher, FileKind, HashError, TreeError, hash_tree};

/// What the names of those inputs begin with.
const INPUT: &str = "input/";

/// Why an input could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A file.
    #[error(transparent)]
    File(#[from] HashError),
    /// A folder.
    #[error(transparent)]
    Folder(#[from] TreeError),
}

/// The files and links among a task's inputs, by absolute path: a change of one concerns nobody but the tasks that name it.
pub(super) fn owned<'a>(folder: &'a Path, inputs: &'a [Input]) -> impl Iterator<Item = PathBuf> + use<'a> {
    // Folders are known by the digest of all that is in them.
    let leaves = inputs.iter().filter(|input| matches!(input.value, Value::Text(_)));
    leaves.filter_map(input_path).map(|path| folder.join(path))
}

/// The path that an input of [`hash_input`] is of; `None` for every other input of a task.
#[must_use]
pub fn input_path(input: &Input) -> Option<&str> {
    input.name.strip_prefix(INPUT)
}

/// The file, link or folder at `path`, relative to `folder`, as an input called `input/PATH`.
///
/// # Errors
///
/// It is gone, or cannot be read.
pub fn hash_input(hasher: &FileHasher, folder: &Path, path: &str) -> Result<Input, InputError> {
    let full = folder.join(path);
    if full.is_dir() && !full.is_symlink() {
        let listing = hash_tree(&full, &|_| true, hasher)?;
        return Ok(Input::digest(format!("{INPUT}{path}"), listing.digest));
    }
    let found = hasher.hash_owned(&full)?;
    let kind = match (found.kind, found.executable) {
        (FileKind::Symlink, _) => "link",
        (FileKind::File, true) => "program",
        (FileKind::File, false) => "file",
    };
    Ok(Input::text(
        format!("{INPUT}{path}"),
        format!("{kind} {}", found.digest.to_hex()),
    ))
}
