//! Compiled Python modules whose sources get another time.
//!
//! A `.pyc` (Python's import system, PEP 552) starts with four bytes of magic, four of flags, and eight that say which
//! source it is of: time and size (flags 0), or a hash (flags 1 or 3). Debian's scripts make the first kind, or the
//! checked hash kind when SOURCE_DATE_EPOCH is set. Once all times of a root are clamped, the first kind is stale at
//! every start; the checked kind is right but has each source read and hashed. Time and size of the clamped source
//! are as quick as Python gets, and still notice a source that somebody edits.

use std::collections::BTreeMap;

use crate::error::BuildError;
use crate::tree::{Content, Entry, Kind, Tree};

/// Bytes before the marshalled code.
const HEADER: usize = 16;

/// Stamps every `.pyc` in the tree whose source is there with the source's size and the time `epoch`.
pub(crate) fn stamp(tree: &mut Tree, epoch: u64) -> Result<(), BuildError> {
    let sources: BTreeMap<String, u64> = tree
        .iter()
        .filter(|(path, _)| path.ends_with(".pyc"))
        .filter_map(|(path, _)| {
            let source = source_of(path)?;
            match &tree.get(&source)?.kind {
                Kind::File(content) => Some((path.to_owned(), content.size())),
                Kind::Hardlink(first) => match &tree.get(first)?.kind {
                    Kind::File(content) => Some((path.to_owned(), content.size())),
                    _ => None,
                },
                _ => None,
            }
        })
        .collect();
    for (path, size) in sources {
        let Some(entry) = tree.get(&path).cloned() else {
            continue;
        };
        let Kind::File(_) = entry.kind else { continue };
        let Some(bytes) = tree.bytes(&path)? else { continue };
        if let Some(stamped) = stamped(bytes, epoch, size) {
            tree.insert(
                &path,
                Entry {
                    kind: Kind::File(Content::Bytes(stamped)),
                    ..entry
                },
            );
        }
    }
    Ok(())
}

/// The source that Python looks at for a `.pyc` (PEP 3147): `DIR/__pycache__/NAME.TAG.pyc` is of `DIR/NAME.py`, where
/// TAG may have an optimisation level (`cpython-311.opt-1`).
pub(crate) fn source_of(path: &str) -> Option<String> {
    let (directory, file) = path.rsplit_once('/')?;
    let directory = directory.strip_suffix("__pycache__")?;
    let (name, _tag) = file.strip_suffix(".pyc")?.split_once(".cpython-")?;
    Some(format!("{directory}{name}.py"))
}

/// The file with another header; `None` if it is none of the three kinds.
fn stamped(mut bytes: Vec<u8>, epoch: u64, source_size: u64) -> Option<Vec<u8>> {
    let flags = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    if bytes.len() < HEADER || !matches!(flags, 0 | 1 | 3) {
        return None;
    }
    // Both numbers are kept modulo 2³².
    bytes[4..8].copy_from_slice(&[0; 4]);
    bytes[8..12].copy_from_slice(&epoch.to_le_bytes()[..4]);
    bytes[12..16].copy_from_slice(&source_size.to_le_bytes()[..4]);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_found() {
        assert_eq!(source_of("a/__pycache__/os.cpython-311.pyc").unwrap(), "a/os.py");
        assert_eq!(source_of("a/__pycache__/os.cpython-311.opt-2.pyc").unwrap(), "a/os.py");
        assert_eq!(source_of("__pycache__/x.y.cpython-311.pyc").unwrap(), "x.y.py");
        assert_eq!(source_of("a/os.pyc"), None);
    }

    #[test]
    fn every_kind_becomes_time_and_size() {
        for flags in [0_u8, 1, 3] {
            let mut bytes = vec![0xa7, 0x0d, 0x0d, 0x0a, flags, 0, 0, 0];
            bytes.extend([9; 8]);
            bytes.extend(b"code");
            let stamped = stamped(bytes, 0x6553_f100, 0x0102).unwrap();
            assert_eq!(stamped[..8], [0xa7, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0]);
            assert_eq!(stamped[8..16], [0x00, 0xf1, 0x53, 0x65, 0x02, 0x01, 0, 0]);
            assert_eq!(&stamped[16..], b"code");
        }
        assert_eq!(stamped(vec![0; 8], 0, 0), None);
        assert_eq!(stamped(vec![7; 16], 0, 0), None);
    }
}
