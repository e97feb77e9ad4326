//! Small trees of files in memory: what is rendered, uploaded and hashed.

use std::collections::BTreeMap;

use farm_engine::Digest;

/// One entry of a small tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileNode {
    /// A regular file.
    File {
        /// Its content.
        bytes: Vec<u8>,
        /// Whether it can be executed.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// Its target, as it stands in the link.
        target: String,
    },
}

impl FileNode {
    /// A file that cannot be executed.
    pub fn text(text: impl Into<String>) -> Self {
        Self::File {
            bytes: text.into().into_bytes(),
            executable: false,
        }
    }

    /// A program.
    pub fn program(text: impl Into<String>) -> Self {
        Self::File {
            bytes: text.into().into_bytes(),
            executable: true,
        }
    }

    /// Its content as text; empty for links and for bytes that are no text.
    #[must_use]
    pub fn as_text(&self) -> &str {
        match self {
            Self::File { bytes, .. } => std::str::from_utf8(bytes).unwrap_or_default(),
            Self::Link { .. } => "",
        }
    }

    /// The digest of type, content and executable bit.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        match self {
            Self::File { bytes, executable } => {
                hasher.update(&[b'f', u8::from(*executable)]);
                hasher.update(bytes);
            }
            Self::Link { target } => {
                hasher.update(b"l");
                hasher.update(target.as_bytes());
            }
        }
        hasher.finalize().into()
    }
}

/// Files by path, relative to some root, with forward slashes.
pub type Files = BTreeMap<String, FileNode>;

/// The digest of a whole tree.
#[must_use]
pub fn digest(files: &Files) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for (path, node) in files {
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path.as_bytes());
        hasher.update(node.digest().as_bytes());
    }
    hasher.finalize().into()
}

/// The same files below a folder.
#[must_use]
pub fn below(folder: &str, files: Files) -> Files {
    files
        .into_iter()
        .map(|(path, node)| (format!("{folder}/{path}"), node))
        .collect()
}
