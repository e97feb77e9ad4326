//! Small trees for uploads.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::tar_read::normalise;
use crate::tar_write::{Attributes, Body, TarWriter};

/// Where the content of a file comes from.
pub enum FileSource<'a> {
    /// Held in memory.
    Bytes(Vec<u8>),
    /// Read when it is written.
    Reader {
        /// How many bytes the reader gives.
        size: u64,
        /// The content.
        content: Box<dyn Read + 'a>,
    },
}

impl fmt::Debug for FileSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes in memory", bytes.len()),
            Self::Reader { size, .. } => write!(f, "a reader of {size} bytes"),
        }
    }
}

/// One path of a tree to be uploaded.
#[derive(Debug)]
pub struct TreeNode<'a> {
    mode: u32,
    uid: u32,
    gid: u32,
    kind: NodeKind<'a>,
}

#[derive(Debug)]
enum NodeKind<'a> {
    File(FileSource<'a>),
    Dir,
    Symlink(OsString),
}

impl<'a> TreeNode<'a> {
    /// A file of root's with `mode`, its content in memory.
    pub fn file(mode: u32, content: impl Into<Vec<u8>>) -> Self {
        Self::of(mode, NodeKind::File(FileSource::Bytes(content.into())))
    }

    /// A file of root's with `mode`, its `size` bytes read when the tar is written.
    pub fn reader(mode: u32, size: u64, content: impl Read + 'a) -> Self {
        Self::of(
            mode,
            NodeKind::File(FileSource::Reader {
                size,
                content: Box::new(content),
            }),
        )
    }

    /// A folder of root's with `mode`.
    pub fn dir(mode: u32) -> Self {
        Self::of(mode, NodeKind::Dir)
    }

    /// A symlink of root's.
    pub fn symlink(target: impl Into<OsString>) -> Self {
        Self::of(0o777, NodeKind::Symlink(target.into()))
    }

    /// The same for another owner.
    #[must_use]
    pub fn owned_by(self, uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..self }
    }

    fn of(mode: u32, kind: NodeKind<'a>) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
            kind,
        }
    }
}

/// What to do with the folders above the paths given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parents {
    /// Folders that are not among the nodes are written as root's with mode 0755: for a tree that stands alone.
    Include,
    /// Only the nodes are written: for a tree laid over one whose folders keep their mode and owner.
    Omit,
}

/// Why a tree could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TreeTarError {
    /// A path is empty or holds `..` (a bug of the caller's).
    #[error("`{}` is no path within a tree", .0.display())]
    Path(PathBuf),
    /// Two paths are the same, or one lies below another that is no folder (a bug of the caller's).
    #[error("`{}` collides with another path of the tree", .0.display())]
    Collision(PathBuf),
    /// A content could not be read or the tar not written (environment).
    #[error("failed to write `{}` of a tree", path.display())]
    Io {
        /// The member, empty at the end of the archive.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// Writes `nodes` as a tar: sorted, times at `epoch`, the same bytes for the same nodes. Keys are paths, absolute or not.
///
/// # Errors
/// See [`TreeTarError`].
pub fn tree_tar(
    nodes: BTreeMap<PathBuf, TreeNode<'_>>,
    parents: Parents,
    epoch: u64,
    out: &mut dyn Write,
) -> Result<(), TreeTarError> {
    let mut members: BTreeMap<PathBuf, TreeNode<'_>> = BTreeMap::new();
    for (given, node) in nodes {
        let path = normalise(&given)
            .filter(|path| !path.as_os_str().is_empty())
            .ok_or(TreeTarError::Path(given))?;
        if members.contains_key(&path) {
            return Err(TreeTarError::Collision(path));
        }
        members.insert(path, node);
    }
    let mut missing: BTreeSet<PathBuf> = BTreeSet::new();
    for path in members.keys() {
        for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            match members.get(above) {
                Some(TreeNode {
                    kind: NodeKind::Dir, ..
                }) => {}
                Some(_) => return Err(TreeTarError::Collision(path.clone())),
                None => {
                    missing.insert(above.to_path_buf());
                }
            }
        }
    }
    if parents == Parents::Include {
        members.extend(missing.into_iter().map(|path| (path, TreeNode::dir(0o755))));
    }
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| TreeTarError::Io { path, source }
    };
    let mut tar = TarWriter::new(io::BufWriter::with_capacity(1 << 16, out), epoch);
    for (path, node) in members {
        let attributes = Attributes {
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            capability: None,
            time: None,
        };
        let body_of = |tar: &mut TarWriter<_>| match node.kind {
            NodeKind::Dir => tar.append(&path, attributes, Body::Dir),
            NodeKind::Symlink(target) => tar.append(&path, attributes, Body::Symlink { target: &target }),
            NodeKind::File(FileSource::Bytes(bytes)) => tar.append(
                &path,
                attributes,
                Body::File {
                    size: bytes.len() as u64,
                    content: &mut bytes.as_slice(),
                },
            ),
            NodeKind::File(FileSource::Reader { size, mut content }) => tar.append(
                &path,
                attributes,
                Body::File {
                    size,
                    content: &mut content,
                },
            ),
        };
        body_of(&mut tar).map_err(failed(&path))?;
    }
    tar.finish().map_err(failed(Path::new("")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EntryKind, Index};

    fn written(nodes: Vec<(&str, TreeNode<'_>)>, parents: Parents) -> Result<Vec<u8>, TreeTarError> {
        let mut out = Vec::new();
        let nodes = nodes.into_iter().map(|(path, node)| (path.into(), node)).collect();
        tree_tar(nodes, parents, 1_700_000_000, &mut out)?;
        Ok(out)
    }

    #[test]
    fn nodes_arrive_with_mode_and_owner() {
        let nodes = || {
            vec![
                (
                    "/etc/portage/make.conf",
                    TreeNode::file(0o640, "x\n").owned_by(250, 251),
                ),
                ("var/cache/binpkgs", TreeNode::dir(0o2775)),
                ("etc/link", TreeNode::symlink("a//b/")),
                ("etc/stream", TreeNode::reader(0o755, 3, &b"abc"[..])),
            ]
        };
        let tar = written(nodes(), Parents::Include).unwrap();
        assert_eq!(tar, written(nodes(), Parents::Include).unwrap());
        let index = Index::read(&mut tar.as_slice(), Path::new("")).unwrap().index;
        let conf = index.get("etc/portage/make.conf").unwrap();
        assert_eq!((conf.mode, conf.uid, conf.gid), (0o640, 250, 251));
        assert_eq!(index.get("etc/portage").unwrap().mode, 0o755);
        assert_eq!(index.get("var/cache/binpkgs").unwrap().mode, 0o2775);
        assert_eq!(
            index.get("etc/link").unwrap().kind,
            EntryKind::Symlink { target: "a//b/".into() }
        );
        let kind = EntryKind::File {
            size: 3,
            digest: blake3::hash(b"abc"),
            link_group: None,
        };
        assert_eq!(index.get("etc/stream").unwrap().kind, kind);
        // GNU tar is the reader that everybody else is measured by.
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("t.tar"), &tar).unwrap();
        let listed = std::process::Command::new("tar")
            .arg("-tvf")
            .arg(folder.path().join("t.tar"))
            .env("TZ", "UTC")
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("-rw-r----- 250/251 "), "{listed}");
        assert!(listed.contains("2023-11-14 22:13 etc/portage/make.conf\n"), "{listed}");
    }

    #[test]
    fn without_parents_only_the_nodes_are_written() {
        let tar = written(vec![("root/.bashrc", TreeNode::file(0o644, ""))], Parents::Omit).unwrap();
        assert_eq!(tar.len(), 512 + 1024);
    }

    #[test]
    fn impossible_trees_are_errors() {
        let file = || TreeNode::file(0o644, "");
        assert!(matches!(
            written(vec![("a/../b", file())], Parents::Omit),
            Err(TreeTarError::Path(_))
        ));
        assert!(matches!(
            written(vec![("/", file())], Parents::Omit),
            Err(TreeTarError::Path(_))
        ));
        assert!(matches!(
            written(vec![("a", file()), ("a/b", file())], Parents::Omit),
            Err(TreeTarError::Collision(_))
        ));
        assert!(matches!(
            written(vec![("a", file()), ("/a", file())], Parents::Omit),
            Err(TreeTarError::Collision(_))
        ));
        let short = TreeNode::reader(0o644, 5, &b"abc"[..]);
        assert!(matches!(
            written(vec![("a", short)], Parents::Omit),
            Err(TreeTarError::Io { .. })
        ));
    }
}
