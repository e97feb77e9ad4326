//! The canonical difference of two trees as a layer tar (OCI image specification, "Image Layer Filesystem Changeset").

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::entry::{Entry, EntryKind};
use crate::exclusions::Exclusions;
use crate::index::{Index, groups_of};
use crate::plan::{LayerPlan, counted, plan};
use crate::pyc;
use crate::scan::{Found, scan};
use crate::sha256::{Sha256, Sha256Writer};
use crate::tar_read::TarError;
use crate::tar_write::{Attributes, Body, TarWriter};

/// The prefix of a name that removes the rest of it from the layers below.
pub(crate) const WHITEOUT: &str = ".wh.";
/// The name that hides everything the layers below have in its folder.
pub(crate) const OPAQUE: &str = ".wh..wh..opq";

/// How layers are written.
#[derive(Clone, Debug)]
pub struct LayerOptions<'a> {
    /// What is left out of both trees.
    pub exclusions: &'a Exclusions,
    /// Every time in the layer, in seconds since 1970.
    pub epoch: u64,
    /// A folder for one unnamed temporary file that holds the contents of the stream while it is read.
    pub scratch: &'a Path,
}

/// A finished layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerInfo {
    /// SHA-256 of the uncompressed tar: OCI's diff id.
    pub diff_id: Sha256,
    /// BLAKE3 of the same bytes.
    pub blake3: blake3::Hash,
    /// Their number.
    pub size: u64,
    /// Members of the tar; 0 for a layer that changes nothing.
    pub entries: u64,
}

/// A layer and the root it makes.
#[derive(Clone, Debug)]
pub struct Diff {
    /// The layer that was written.
    pub layer: LayerInfo,
    /// What a root with this layer on top of the lower tree holds. Excluded paths are those of the lower tree.
    pub root: Index,
    /// Extended attributes other than `security.capability` that the stream had and the layer has not.
    pub dropped_xattrs: u64,
}

/// Why no layer could be made.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The stream of the upper tree could not be read.
    #[error(transparent)]
    Read(#[from] TarError),
    /// The scratch file could not be made, written or read (environment).
    #[error("failed to keep contents in {}", folder.display())]
    Scratch {
        /// The scratch folder.
        folder: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The layer could not be written (environment).
    #[error("failed to write a layer")]
    Write(#[source] io::Error),
    /// A file is named as a whiteout, so no layer can hold it (input).
    #[error("`{}` has a name that image layers reserve", .0.display())]
    ReservedName(PathBuf),
}

/// Writes what turns `lower` into the tree that `upper` streams, as a layer.
///
/// Only entries that differ in type, mode, owner, content, link target, capability or hard-link group are written, with the
/// folders above them, whiteouts for what is gone, and opaque folders where nothing of the lower one is left. Members are
/// sorted by path and carry `epoch` as their time; `.pyc` files whose sources are among them are made to agree with it. So the
/// bytes depend on the two trees only.
///
/// The stream is read once. Its contents go through an unnamed file in `scratch`, whole and not just the changed ones: a hard
/// link made to an old file shows up after that file has gone by.
///
/// # Errors
/// See [`LayerError`].
pub fn diff(
    lower: &Index,
    upper: &mut dyn Read,
    options: &LayerOptions<'_>,
    out: &mut dyn Write,
) -> Result<Diff, LayerError> {
    let scratch = |source| LayerError::Scratch {
        folder: options.scratch.to_path_buf(),
        source,
    };
    let unnamed = tempfile::tempfile_in(options.scratch).map_err(scratch)?;
    let mut spool = fs_err::File::from_parts(unnamed, options.scratch);
    let mut offsets: BTreeMap<PathBuf, u64> = BTreeMap::new();
    let mut end = 0;
    let mut spool_failure = None;
    let mut buffer = vec![0; 1 << 17];
    let found = scan(upper, Path::new(""), &mut |path, _, content| {
        offsets.insert(path.to_path_buf(), end);
        end += copy(content, &mut spool, &mut buffer, &mut spool_failure)?;
        Ok(())
    });
    let found: Found = match (found, spool_failure) {
        (Err(_), Some(source)) => return Err(scratch(source)),
        (found, _) => found?,
    };
    let mut tree = counted(lower, &found.index, options.exclusions);
    let mut spooled = |path: &Path| {
        let at = found
            .content_at
            .get(path)
            .and_then(|name| offsets.get(name))
            .copied()
            .unwrap_or(end);
        spool.seek(SeekFrom::Start(at))?;
        spool.try_clone()
    };
    let visible = lower.without(options.exclusions);
    let written = plan(lower, &visible, &tree).entries;
    let compiled = pyc::compiled_from(&tree, &written);
    for path in &compiled {
        if let Some(Entry {
            kind: EntryKind::File { size, digest, .. },
            ..
        }) = tree.entries_mut().get_mut(path)
        {
            let mut hasher = blake3::Hasher::new();
            let content = spooled(path).and_then(|file| pyc::restamped(file.take(*size), options.epoch));
            content
                .and_then(|mut content| io::copy(&mut content, &mut hasher))
                .map_err(scratch)?;
            *digest = hasher.finalize();
        }
    }
    let plan = plan(lower, &visible, &tree);
    let mut content = |path: &Path| -> io::Result<Box<dyn Read>> {
        let file = spooled(path)?;
        Ok(if compiled.contains(path) {
            Box::new(pyc::restamped(file, options.epoch)?)
        } else {
            Box::new(file)
        })
    };
    let layer = write_layer(&plan, &tree, options.epoch, &mut content, out)?;
    let root = root(lower, tree, &plan, options.exclusions);
    Ok(Diff {
        layer,
        root,
        dropped_xattrs: found.dropped_xattrs,
    })
}

/// Writes a whole tree as a layer: [`diff`] against nothing.
///
/// # Errors
/// See [`LayerError`].
pub fn full_layer(tree: &mut dyn Read, options: &LayerOptions<'_>, out: &mut dyn Write) -> Result<Diff, LayerError> {
    diff(&Index::default(), tree, options, out)
}

/// Like [`io::copy`], keeping the writer's failures apart from the reader's.
fn copy(
    content: &mut dyn Read,
    spool: &mut fs_err::File,
    buffer: &mut [u8],
    failure: &mut Option<io::Error>,
) -> io::Result<u64> {
    let mut total = 0;
    loop {
        match content.read(buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => {
                if let Err(error) = spool.write_all(&buffer[..count]) {
                    *failure = Some(error);
                    return Err(io::Error::other("the scratch file cannot be written"));
                }
                total += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn write_layer(
    plan: &LayerPlan,
    upper: &Index,
    epoch: u64,
    content: &mut dyn FnMut(&Path) -> io::Result<Box<dyn Read>>,
    out: &mut dyn Write,
) -> Result<LayerInfo, LayerError> {
    let mut members: BTreeMap<PathBuf, Option<&Entry>> = BTreeMap::new();
    for path in &plan.entries {
        if path
            .file_name()
            .is_some_and(|name| name.as_bytes().starts_with(WHITEOUT.as_bytes()))
        {
            return Err(LayerError::ReservedName(path.clone()));
        }
        members.insert(path.clone(), upper.get(path));
    }
    for path in &plan.whiteouts {
        let mut name = OsString::from(WHITEOUT).into_vec();
        name.extend_from_slice(path.file_name().unwrap_or_default().as_bytes());
        members.insert(path.with_file_name(OsString::from_vec(name)), None);
    }
    let mut tar = TarWriter::new(Sha256Writer::new(io::BufWriter::with_capacity(1 << 16, out)), epoch);
    let mut entries = 0;
    for (path, entry) in members {
        entries += 1;
        match entry {
            Some(entry) => append(&mut tar, &path, entry, None, content).map_err(LayerError::Write)?,
            None => append_mark(&mut tar, &path).map_err(LayerError::Write)?,
        }
        if plan.opaque.contains(&path) {
            entries += 1;
            append_mark(&mut tar, &path.join(OPAQUE)).map_err(LayerError::Write)?;
        }
    }
    let (_, diff_id, blake3, size) = tar.finish().map_err(LayerError::Write)?.finish();
    Ok(LayerInfo {
        diff_id,
        blake3,
        size,
        entries,
    })
}

/// Whiteouts and opaque marks are empty files; nobody looks at their mode.
fn append_mark<W: Write>(tar: &mut TarWriter<W>, path: &Path) -> io::Result<()> {
    tar.append(
        path,
        Attributes::default(),
        Body::File {
            size: 0,
            content: &mut io::empty(),
        },
    )
}

/// Appends an entry of an index as a tar has it: what a file with several names holds is with the first of them.
pub(crate) fn append<W: Write>(
    tar: &mut TarWriter<W>,
    path: &Path,
    entry: &Entry,
    time: Option<u64>,
    content: &mut dyn FnMut(&Path) -> io::Result<Box<dyn Read>>,
) -> io::Result<()> {
    let attributes = Attributes {
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        capability: entry.capability.as_deref(),
        time,
    };
    match &entry.kind {
        EntryKind::File {
            link_group: Some(first),
            ..
        } if first != path => {
            // The capability belongs to the file, which has it from its first name.
            tar.append(
                path,
                Attributes {
                    capability: None,
                    ..attributes
                },
                Body::HardLink { target: first },
            )
        }
        EntryKind::File { size, .. } => tar.append(
            path,
            attributes,
            Body::File {
                size: *size,
                content: &mut content(path)?,
            },
        ),
        EntryKind::Dir => tar.append(path, attributes, Body::Dir),
        EntryKind::Symlink { target } => tar.append(path, attributes, Body::Symlink { target }),
        EntryKind::Fifo => tar.append(path, attributes, Body::Fifo),
        EntryKind::CharDevice { major, minor } => tar.append(
            path,
            attributes,
            Body::CharDevice {
                major: *major,
                minor: *minor,
            },
        ),
        EntryKind::BlockDevice { major, minor } => tar.append(
            path,
            attributes,
            Body::BlockDevice {
                major: *major,
                minor: *minor,
            },
        ),
    }
}

/// The tree with the layer of `plan` on `lower`: `upper`, and what `lower` has at excluded paths whose folders are still there.
fn root(lower: &Index, upper: Index, plan: &LayerPlan, exclusions: &Exclusions) -> Index {
    let mut numbers = BTreeMap::new();
    let mut names = groups_of(upper.entries(), &mut numbers);
    let first_free = numbers.len() as u64;
    let mut entries = upper.into_entries();
    for (path, entry) in lower.iter().filter(|(path, _)| exclusions.excludes(path)) {
        let parent = path.parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() || entries.get(parent).is_some_and(Entry::is_dir) {
            entries.insert(path.to_path_buf(), entry.clone());
        }
    }
    // A name the layer does not write is still the lower tree's file, and shares it with that tree's other names, be they
    // excluded or not.
    names.retain(|path, _| plan.entries.contains(path));
    for (path, number) in groups_of(lower.entries(), &mut BTreeMap::new()) {
        if !plan.entries.contains(&path) && entries.contains_key(&path) {
            names.insert(path, first_free + number);
        }
    }
    Index::from_parts(entries, &names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Parents, TreeNode, tree_tar};

    const EPOCH: u64 = 1_700_000_000;

    fn tar(nodes: Vec<(&str, TreeNode<'_>)>) -> Vec<u8> {
        let mut out = Vec::new();
        let nodes = nodes.into_iter().map(|(path, node)| (path.into(), node)).collect();
        tree_tar(nodes, Parents::Include, 1, &mut out).unwrap();
        out
    }

    fn layer(lower: &Index, upper: &[u8]) -> (Diff, Vec<u8>) {
        let (exclusions, scratch) = (Exclusions::standard(), std::env::temp_dir());
        let options = LayerOptions {
            exclusions: &exclusions,
            epoch: EPOCH,
            scratch: &scratch,
        };
        let mut out = Vec::new();
        (diff(lower, &mut &*upper, &options, &mut out).unwrap(), out)
    }

    fn compiled(time: u64) -> Vec<u8> {
        let mut bytes = b"\xa7\r\r\n\0\0\0\0".to_vec();
        bytes.extend_from_slice(&(time as u32).to_le_bytes());
        bytes.extend_from_slice(b"SIZEcode");
        bytes
    }

    #[test]
    fn compiled_python_agrees_with_the_source_that_will_be_there() {
        let tree = |source: &'static str, old: u64, new: u64| {
            tar(vec![
                ("lib/old.py", TreeNode::file(0o644, source)),
                (
                    "lib/__pycache__/old.cpython-311.pyc",
                    TreeNode::file(0o644, compiled(old)),
                ),
                ("lib/kept.py", TreeNode::file(0o644, "kept")),
                (
                    "lib/__pycache__/kept.cpython-311.pyc",
                    TreeNode::file(0o644, compiled(new)),
                ),
            ])
        };
        // A foreign base keeps the times of its sources, so its compiled files are not touched.
        let base = Index::read(&mut tree("one", 77, 77).as_slice(), Path::new(""))
            .unwrap()
            .index;
        assert_eq!(layer(&base, &tree("one", 77, 77)).0.layer.entries, 0);
        // One whose source is written again follows it, though nobody compiled it anew.
        let (changed, bytes) = layer(&base, &tree("two", 77, 77));
        let members = Index::read(&mut bytes.as_slice(), Path::new("")).unwrap().index;
        let names: Vec<&str> = members
            .iter()
            .filter(|(_, entry)| !entry.is_dir())
            .map(|(path, _)| path.to_str().unwrap())
            .collect();
        assert_eq!(names, ["lib/__pycache__/old.cpython-311.pyc", "lib/old.py"]);
        let digest = |index: &Index, path: &str| match index.get(path).unwrap().kind {
            EntryKind::File { digest, .. } => digest,
            _ => panic!("{path} is no file"),
        };
        assert_eq!(
            digest(&members, "lib/__pycache__/old.cpython-311.pyc"),
            blake3::hash(&compiled(EPOCH))
        );
        assert_eq!(
            digest(&changed.root, "lib/__pycache__/old.cpython-311.pyc"),
            blake3::hash(&compiled(EPOCH))
        );
        // The moment of the compilation does not show.
        assert_eq!(layer(&base, &tree("two", 88, 77)).1, bytes);
    }

    #[test]
    fn the_bytes_of_a_layer_are_fixed() {
        let upper = tar(vec![
            ("bin/tool", TreeNode::file(0o4755, "tool").owned_by(1, 2)),
            ("bin/link", TreeNode::symlink("tool")),
            ("tmp/scratch", TreeNode::file(0o644, "gone")),
            (&format!("d/{}", "n".repeat(150)), TreeNode::file(0o644, "")),
        ]);
        let lower = tar(vec![
            ("d/old", TreeNode::file(0o644, "")),
            ("e/f", TreeNode::file(0o644, "")),
        ]);
        let lower = Index::read(&mut lower.as_slice(), Path::new("")).unwrap().index;
        let (made, _) = layer(&lower, &upper);
        // A change of these is a change of every layer's name: raise the versions of the rules that make layers.
        assert_eq!(
            made.layer.diff_id.to_string(),
            "sha256:51b52053f155cbbe0365d47a710e7ee9a62a2cf6c8df0531658b95bd67174573"
        );
        assert_eq!(
            made.root.digest().to_hex().as_str(),
            "92ddd878c8ac015ea3b64b6315b0189e14ec1b205e0994ce186a5cc45a8907da"
        );
    }

    #[test]
    fn failures_say_whose_they_are() {
        let upper = tar(vec![("f", TreeNode::file(0o644, vec![0; 5000]))]);
        let exclusions = Exclusions::none();
        let try_with = |scratch: &Path, upper: &[u8], out: &mut dyn Write| {
            let options = LayerOptions {
                exclusions: &exclusions,
                epoch: 0,
                scratch,
            };
            full_layer(&mut &*upper, &options, out).map(drop)
        };
        let folder = tempfile::tempdir().unwrap();
        let missing = try_with(&folder.path().join("none"), &upper, &mut Vec::new());
        assert!(matches!(missing, Err(LayerError::Scratch { .. })));
        assert!(matches!(
            try_with(folder.path(), &upper[..2000], &mut Vec::new()),
            Err(LayerError::Read(_))
        ));
        let mut full = [0; 100];
        assert!(matches!(
            try_with(folder.path(), &upper, &mut &mut full[..]),
            Err(LayerError::Write(_))
        ));
    }
}
