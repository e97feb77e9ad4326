//! Compiled Python files, which hold the time of their source.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Cursor, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::index::Index;

/// The compiled files of `tree` whose source is among `written`, and the other names of the same files.
///
/// What a layer writes has the epoch as its time, so what was compiled from it must say the epoch too. A source that the layer
/// leaves alone keeps its time, and so must what was compiled from it.
pub(crate) fn compiled_from(tree: &Index, written: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let mut groups = BTreeSet::new();
    let mut found = BTreeSet::new();
    for (path, entry) in tree.iter() {
        if source_of(path).is_some_and(|source| written.contains(&source)) {
            found.insert(path.to_path_buf());
            groups.extend(entry.link_group());
        }
    }
    let linked = tree
        .iter()
        .filter(|(_, entry)| entry.link_group().is_some_and(|group| groups.contains(group)));
    found.extend(linked.map(|(path, _)| path.to_path_buf()));
    found
}

/// Where Python looks for the source of a compiled file (PEP 3147): `x.py` for `__pycache__/x.cpython-311.opt-1.pyc`, and for
/// `x.pyc` beside it.
fn source_of(path: &Path) -> Option<PathBuf> {
    if path.extension() != Some(OsStr::new("pyc")) {
        return None;
    }
    let folder = path.parent()?;
    if folder.file_name() == Some(OsStr::new("__pycache__")) {
        let name = path.file_name()?.as_bytes().split(|byte| *byte == b'.').next()?;
        Some(folder.with_file_name(OsStr::from_bytes(name)).with_extension("py"))
    } else {
        Some(path.with_extension("py"))
    }
}

/// Reads a compiled Python file with the time of its source set to `epoch`.
///
/// A `.pyc` that is validated by time (flags 0; PEP 552: magic, flags, time, size, 4 bytes each) and disagrees with its source
/// is stale, and Python compiles the source at every start. Files validated by hash, or not at all, pass unchanged.
pub fn restamped<R: Read>(mut content: R, epoch: u64) -> io::Result<impl Read> {
    let mut head = Vec::with_capacity(16);
    content.by_ref().take(16).read_to_end(&mut head)?;
    if head.len() == 16 && head[2..8] == [b'\r', b'\n', 0, 0, 0, 0] {
        // Python itself keeps the lower 32 bits.
        head[8..12].copy_from_slice(&(epoch as u32).to_le_bytes());
    }
    Ok(Cursor::new(head).chain(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        restamped(bytes, 0x0102_0304).unwrap().read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn only_the_time_of_a_timestamp_pyc_changes() {
        assert_eq!(
            through(b"\xa7\r\r\n\0\0\0\0TTTTSSSSbody"),
            b"\xa7\r\r\n\0\0\0\0\x04\x03\x02\x01SSSSbody"
        );
        for same in [
            &b"\xa7\r\r\n\x03\0\0\0HHHHHHHHbody"[..],
            b"text that is no pyc at all",
            b"short",
            b"",
        ] {
            assert_eq!(through(same), same);
        }
    }

    #[test]
    fn sources_are_where_python_looks() {
        for (compiled, source) in [
            ("a/__pycache__/x.cpython-311.pyc", Some("a/x.py")),
            ("a/__pycache__/x.cpython-311.opt-2.pyc", Some("a/x.py")),
            ("a/x.pyc", Some("a/x.py")),
            ("a/x.py", None),
        ] {
            assert_eq!(
                source_of(Path::new(compiled)).as_deref(),
                source.map(Path::new),
                "{compiled}"
            );
        }
    }
}
