//! Which binhosts lie below a folder.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::path;

/// How many folders deep binhosts are looked for: farm, flavour, and one that somebody put above.
const DEPTH: usize = 3;

/// The paths of URLs of all binhosts below `root`, or of `root` itself, without slashes at their ends: of folders that hold a
/// `Packages`. Those that cannot be read, that are hidden or lie behind symlinks are not among them, and none within another.
///
/// # Errors
///
/// `root` cannot be read.
pub fn binhosts(root: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut pending = vec![(PathBuf::new(), 0)];
    fs::read_dir(root)?;
    while let Some((folder, depth)) = pending.pop() {
        if fs::metadata(root.join(&folder).join("Packages")).is_ok_and(|there| there.is_file()) {
            found.push(path::of(&folder));
            continue;
        }
        if depth == DEPTH {
            continue;
        }
        let Ok(entries) = fs::read_dir(root.join(&folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            let is_hidden = path::is_hidden(entry.file_name().as_encoded_bytes());
            if !is_hidden && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push((folder.join(entry.file_name()), depth + 1));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_hold_an_index() {
        let space = tempfile::tempdir().unwrap();
        let index = |folder: &str| {
            let folder = space.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("Packages"), "").unwrap();
        };
        for folder in ["b/x y", "b/x y/inner", "a", ".hidden/a", "1/2/3", "1/2/4/5"] {
            index(folder);
        }
        assert_eq!(binhosts(space.path()).unwrap(), ["/1/2/3", "/a", "/b/x%20y"]);
        assert_eq!(binhosts(&space.path().join("a")).unwrap(), [""]);
        assert!(binhosts(&space.path().join("none")).is_err());
    }
}
