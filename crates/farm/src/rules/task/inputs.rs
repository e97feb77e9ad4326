//! What a task reads, as it enters its key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use farm_engine::{Input, Value};
use farm_store::{FileHasher, FileKind, HashError, TreeError, hash_tree};

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
pub(super) fn owned<'a>(
    folder: &'a Path,
    inputs: &'a BTreeMap<String, Input>,
) -> impl Iterator<Item = PathBuf> + use<'a> {
    // Folders are known by the digest of all that is in them.
    let leaves = inputs.iter().filter(|(_, input)| matches!(input.value, Value::Text(_)));
    leaves.map(|(path, _)| folder.join(path))
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
        return Ok(Input::digest(format!("input/{path}"), listing.digest));
    }
    let found = hasher.hash_owned(&full)?;
    let kind = match (found.kind, found.executable) {
        (FileKind::Symlink, _) => "link",
        (FileKind::File, true) => "program",
        (FileKind::File, false) => "file",
    };
    Ok(Input::text(
        format!("input/{path}"),
        format!("{kind} {}", found.digest.to_hex()),
    ))
}
