//! Small and large things as tar streams for the executor.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use farm_executor::TarSource;
use farm_image::{Parents, TreeNode, tree_tar};
use farm_store::{Blob, Store};

use crate::context::{Context, chain};
use crate::files::{FileNode, Files};

/// Where everything farm brings into a container lies until a script puts it in its place.
pub const STAGING: &str = ".farm";

#[derive(Clone)]
enum Content {
    Node(FileNode),
    Blob { blob: Blob, executable: bool },
}

/// A tree to be unpacked at `/`: owned by root, 0644 or 0755, its large files read from the store while it is sent.
#[derive(Clone)]
pub struct Upload {
    nodes: BTreeMap<String, Content>,
    folders: Vec<String>,
    store: Store,
    epoch: u64,
    parents: Parents,
}

impl Upload {
    /// An empty tree below [`STAGING`], or anywhere else that does not exist in the root.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self {
            nodes: BTreeMap::new(),
            folders: Vec::new(),
            store: context.store.clone(),
            epoch: context.epoch,
            parents: Parents::Include,
        }
    }

    /// Lays the tree over one that is there: folders that are not part of it keep mode and owner.
    #[must_use]
    pub fn over_existing(mut self) -> Self {
        self.parents = Parents::Omit;
        self
    }

    /// Adds files below `folder`, relative to `/`; empty for `/` itself.
    #[must_use]
    pub fn files(mut self, folder: &str, files: Files) -> Self {
        for (path, node) in files {
            let path = if folder.is_empty() {
                path
            } else {
                format!("{folder}/{path}")
            };
            self.nodes.insert(path, Content::Node(node));
        }
        self
    }

    /// Adds one file whose content is in the store.
    #[must_use]
    pub fn blob(mut self, path: impl Into<String>, blob: Blob) -> Self {
        self.nodes.insert(
            path.into(),
            Content::Blob {
                blob,
                executable: false,
            },
        );
        self
    }

    /// As [`Self::blob`], a file that can be executed.
    #[must_use]
    pub fn program(mut self, path: impl Into<String>, blob: Blob) -> Self {
        self.nodes.insert(path.into(), Content::Blob { blob, executable: true });
        self
    }

    /// Adds a folder that is to be there even if nothing is in it.
    #[must_use]
    pub fn folder(mut self, path: impl Into<String>) -> Self {
        self.folders.push(path.into());
        self
    }
}

impl TarSource for Upload {
    fn open(&self) -> std::io::Result<Box<dyn Read + Send>> {
        let (reader, mut writer) = std::io::pipe()?;
        let failure = Arc::new(Mutex::new(None));
        let told = Arc::clone(&failure);
        let upload = self.clone();
        std::thread::spawn(move || {
            let written = upload.open_nodes().and_then(|nodes| {
                tree_tar(nodes, upload.parents, upload.epoch, &mut writer)
                    .map_err(|error| std::io::Error::other(chain(&error)))
            });
            // The slot is filled before the pipe is closed, which happens when this thread ends.
            *told.lock().unwrap_or_else(PoisonError::into_inner) = written.err();
        });
        Ok(Box::new(Piped { reader, failure }))
    }
}

/// The reading end of a tar that another thread writes; its end is an error if the writer failed.
struct Piped {
    reader: std::io::PipeReader,
    failure: Arc<Mutex<Option<std::io::Error>>>,
}

impl Read for Piped {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if read == 0
            && !buffer.is_empty()
            && let Some(error) = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            return Err(error);
        }
        Ok(read)
    }
}

impl Upload {
    fn open_nodes(&self) -> std::io::Result<BTreeMap<PathBuf, TreeNode<'static>>> {
        let mut nodes = BTreeMap::new();
        for path in &self.folders {
            nodes.insert(PathBuf::from(path), TreeNode::dir(0o755));
        }
        for (path, content) in &self.nodes {
            let node = match content {
                Content::Node(FileNode::File { bytes, executable }) => {
                    TreeNode::file(if *executable { 0o755 } else { 0o644 }, bytes.clone())
                }
                Content::Node(FileNode::Link { target }) => TreeNode::symlink(target.clone()),
                Content::Blob { blob, executable } => {
                    let reader = LazyBlob {
                        store: self.store.clone(),
                        blob: *blob,
                        reader: None,
                    };
                    TreeNode::reader(if *executable { 0o755 } else { 0o644 }, blob.size, reader)
                }
            };
            nodes.insert(PathBuf::from(path), node);
        }
        Ok(nodes)
    }
}

/// Opens its blob on the first read: a tree of thousands of files must not hold thousands of descriptors.
struct LazyBlob {
    store: Store,
    blob: Blob,
    reader: Option<Box<dyn Read>>,
}

impl Read for LazyBlob {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.reader.is_none() {
            self.reader = Some(Box::new(
                self.store.open_blob(&self.blob).map_err(std::io::Error::other)?,
            ));
        }
        let read = self
            .reader
            .as_mut()
            .map_or(Ok(0), |reader| reader.read(buffer))
            .inspect_err(|error| {
                if farm_store::corrupt_blob(error).is_some() {
                    // A damaged blob is made anew by the next run.
                    let _ = self.store.remove(&self.blob);
                }
            })?;
        if read == 0 {
            self.reader = None;
        }
        Ok(read)
    }
}

/// A tar of the store, checked while it is sent.
struct BlobTar {
    store: Store,
    blob: Blob,
}

impl TarSource for BlobTar {
    fn open(&self) -> std::io::Result<Box<dyn Read + Send>> {
        let reader = self.store.open_blob(&self.blob).map_err(std::io::Error::other)?;
        Ok(Box::new(reader))
    }
}

/// A tar of the store as an upload.
#[must_use]
pub fn tar(store: &Store, blob: &Blob) -> Box<dyn TarSource> {
    Box::new(BlobTar {
        store: store.clone(),
        blob: *blob,
    })
}
