//! `repo/NAME`: an ebuild repository as one tar in the store, with a listing that says where each file lies in it.
//!
//! A package's build root holds only its own folder, its eclasses and the profiles, never the whole repository: they are read
//! out of the tar by offset.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use farm_engine::{Class, Digest, Failure, FailureKind, Input, NodeSpec, Output, Run};
use farm_image::{Parents, TreeNode, tree_tar};
use farm_store::{Blob, TreeEntryKind, TreeListing};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::base::Tell;
use super::network;
use crate::action::Action;
use crate::context::{Context, chain, executor_failure, io_failure};
use crate::files::FileNode;
use crate::git::git;
use crate::place::{self, Place};
use crate::upload::STAGING;

/// Where a repository comes from, pinned.
#[derive(Debug, Clone, PartialEq)]
pub enum RepoSourcePinned {
    /// An image that holds it at `/var/db/repos/NAME`: `NAME@sha256:…` or an image id.
    Image {
        /// What is pulled.
        reference: String,
    },
    /// A folder, as it was when the graph was made.
    Path {
        /// Where it is.
        folder: PathBuf,
        /// What is in it.
        listing: TreeListing,
    },
    /// A commit of a git repository.
    Git {
        /// What `git` takes.
        url: String,
        /// The commit.
        commit: String,
    },
    /// An archive.
    Archive {
        /// An address or an absolute path.
        url: String,
        /// Its SHA-256, hexadecimal.
        sha256: String,
    },
}

/// What a repository holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct RepoListing {
    /// By path in the repository.
    pub files: BTreeMap<String, RepoFile>,
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoFile {
    /// Digest of its content, or of a link's target.
    pub digest: Digest,
    /// Length of the content.
    pub size: u64,
    /// Where the content begins in the tar.
    pub offset: u64,
    /// Whether it can be executed.
    pub executable: bool,
    /// The target, for a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// The node of a repository.
#[must_use]
pub fn node(farm: &str, name: &str, source: RepoSourcePinned) -> NodeSpec<Action> {
    let input = match &source {
        RepoSourcePinned::Image { reference } => Input::text("image", reference),
        RepoSourcePinned::Path { listing, .. } => Input::digest("tree", listing.digest),
        RepoSourcePinned::Git { commit, .. } => Input::text("commit", commit),
        RepoSourcePinned::Archive { sha256, .. } => Input::text("archive", format!("sha256:{sha256}")),
    };
    let local = matches!(source, RepoSourcePinned::Path { .. });
    NodeSpec {
        name: format!("{farm}:repo/{name}"),
        kind: "repo".to_owned(),
        rule_version: 1,
        class: if local { Class::Plan } else { Class::Prepare },
        inputs: vec![input],
        dependencies: Vec::new(),
        expands: false,
        pools: if local { BTreeMap::new() } else { network() },
        action: Action::Repo {
            name: name.to_owned(),
            source,
        },
    }
}

/// Brings the repository into the store.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    name: &str,
    source: &RepoSourcePinned,
) -> Result<Vec<Output>, Failure> {
    match source {
        RepoSourcePinned::Path { folder, listing } => pack(context, name, folder, listing),
        RepoSourcePinned::Image { reference } => context.with_scratch(|scratch| {
            let executor = context.executor()?;
            let mut progress = Tell { run, name: &spec.name };
            let info = executor
                .pull(reference, &mut progress, &context.cancel)
                .map_err(|error| executor_failure(&error))?;
            let path = format!("/var/db/repos/{name}");
            executor
                .read_path(&info.id, &path, &mut |tar| unpack(tar, scratch))
                .map_err(|error| executor_failure(&error))?;
            pack_folder(context, name, &scratch.join(name))
        }),
        RepoSourcePinned::Git { url, commit } => context.with_scratch(|scratch| {
            let folder = scratch.join(name);
            checkout(context, url, commit, &folder)?;
            pack_folder(context, name, &folder)
        }),
        RepoSourcePinned::Archive { url, sha256 } => context.with_scratch(|scratch| {
            let file = crate::fetcher::archive(context, url, sha256, scratch)?;
            let folder = scratch.join("unpacked");
            fs::create_dir(&folder).map_err(|error| io_failure("unpack an archive", &error))?;
            let opened = fs::File::open(&file).map_err(|error| io_failure("unpack an archive", &error))?;
            let mut reader =
                crate::fetcher::decompressed(opened).map_err(|error| io_failure("unpack an archive", &error))?;
            unpack(&mut *reader, &folder).map_err(|error| io_failure("unpack an archive", &error))?;
            pack_folder(context, name, &repository_root(&folder)?)
        }),
    }
}

fn pack_folder(context: &Context, name: &str, folder: &Path) -> Result<Vec<Output>, Failure> {
    let listing = listing(folder, &farm_store::FileHasher::in_memory())?;
    pack(context, name, folder, &listing)
}

/// What a repository's folder holds. Version control, editors' backups and farm's own state are no part of it.
pub fn listing(folder: &Path, hasher: &farm_store::FileHasher) -> Result<TreeListing, Failure> {
    let filter = |path: &str| {
        farm_store::tree::standard_filter(path) && !path.split('/').any(|name| name == crate::workspace::STATE)
    };
    farm_store::hash_tree(folder, &filter, hasher)
        .map_err(|error| Failure::new(FailureKind::Input, format!("the repository cannot be read: {error}")))
}

/// The folder that is the repository: an archive often has one folder at its top.
fn repository_root(folder: &Path) -> Result<PathBuf, Failure> {
    if folder.join("profiles/repo_name").exists() {
        return Ok(folder.to_owned());
    }
    let entries = fs::read_dir(folder).map_err(|error| io_failure("read an archive", &error))?;
    for entry in entries {
        let path = entry.map_err(|error| io_failure("read an archive", &error))?.path();
        if path.join("profiles/repo_name").exists() {
            return Ok(path);
        }
    }
    Err(Failure::new(
        FailureKind::Input,
        "the archive holds no profiles/repo_name, so it is no ebuild repository",
    ))
}

/// Files and links only, owned by whoever runs farm; nothing outside `folder` can be written.
fn unpack(tar: &mut dyn Read, folder: &Path) -> std::io::Result<()> {
    let mut archive = tar::Archive::new(tar);
    archive.set_preserve_permissions(false);
    archive.set_preserve_mtime(false);
    for entry in archive.entries()? {
        entry?.unpack_in(folder)?;
    }
    Ok(())
}

fn checkout(context: &Context, url: &str, commit: &str, folder: &Path) -> Result<(), Failure> {
    let folder = folder.to_string_lossy().into_owned();
    let steps: [&[&str]; 4] = [
        &["init", "--quiet", &folder],
        &["-C", &folder, "fetch", "--quiet", "--depth=1", url, commit],
        &[
            "-C",
            &folder,
            "-c",
            "advice.detachedHead=false",
            "checkout",
            "--quiet",
            "FETCH_HEAD",
        ],
        &["-C", &folder, "rev-parse", "--verify", "--quiet", commit],
    ];
    for step in steps {
        git(context, url, step)?;
    }
    Ok(())
}

/// Writes the tar and its listing. A file that changed since it was listed is an error: what was hashed is what is built.
fn pack(context: &Context, name: &str, folder: &Path, listing: &TreeListing) -> Result<Vec<Output>, Failure> {
    let mut nodes: BTreeMap<PathBuf, TreeNode<'_>> = BTreeMap::new();
    let mut files = BTreeMap::new();
    let prefix = format!("{STAGING}/repos/{name}");
    nodes.insert(PathBuf::from(&prefix), TreeNode::dir(0o755));
    for entry in &listing.entries {
        let path = PathBuf::from(format!("{prefix}/{}", entry.path));
        match &entry.kind {
            TreeEntryKind::Dir => {
                nodes.insert(path, TreeNode::dir(0o755));
            }
            TreeEntryKind::File {
                digest,
                size,
                executable,
            } => {
                let bytes =
                    fs::read(folder.join(&entry.path)).map_err(|error| io_failure("read a repository", &error))?;
                if blake3::hash(&bytes) != *digest {
                    let message = format!("{} changed while farm was running", entry.path);
                    return Err(Failure::new(FailureKind::Environment, message).hint("run farm again"));
                }
                nodes.insert(path, TreeNode::file(if *executable { 0o755 } else { 0o644 }, bytes));
                files.insert(
                    entry.path.clone(),
                    RepoFile {
                        digest: (*digest).into(),
                        size: *size,
                        offset: 0,
                        executable: *executable,
                        link: None,
                    },
                );
            }
            TreeEntryKind::Symlink { target } => {
                nodes.insert(path, TreeNode::symlink(target));
                let digest = Digest::of(target.as_bytes());
                let link = Some(target.clone());
                files.insert(
                    entry.path.clone(),
                    RepoFile {
                        digest,
                        size: 0,
                        offset: 0,
                        executable: false,
                        link,
                    },
                );
            }
        }
    }
    let failed = |error: std::io::Error| io_failure("keep a repository", &error);
    let mut writer = context.store.writer().map_err(failed)?;
    tree_tar(nodes, Parents::Include, context.epoch, &mut writer)
        .map_err(|error| Failure::new(FailureKind::Environment, chain(&error)))?;
    writer.flush().map_err(failed)?;
    let tar = writer.finish().map_err(failed)?;
    locate(context, &tar, &prefix, &mut files)?;

    let json = serde_json::to_vec(&RepoListing { files })
        .map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?;
    let blobs = [("tar".to_owned(), tar), ("listing".to_owned(), context.keep(&json)?)];
    Ok(vec![
        Place::Blobs { blobs: blobs.into() }.output("tree", listing.digest),
    ])
}

/// Fills in where each file's content begins.
fn locate(context: &Context, tar: &Blob, prefix: &str, files: &mut BTreeMap<String, RepoFile>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| io_failure("read a repository", &error);
    let file = fs::File::open(context.store.path(tar)).map_err(failed)?;
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let offset = entry.raw_file_position();
        let path = entry.path().map_err(failed)?.to_string_lossy().into_owned();
        let path = path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
        if let Some(file) = path.and_then(|path| files.get_mut(path.trim_end_matches('/'))) {
            file.offset = offset;
        }
    }
    Ok(())
}

/// A repository of the store, open for reading single files.
pub struct OpenRepo {
    /// What it holds.
    pub listing: RepoListing,
    /// The tar as a whole.
    pub tar: Blob,
    path: PathBuf,
    store: farm_store::Store,
}

impl OpenRepo {
    /// Opens the repository that a node of this rule made.
    pub fn open(context: &Context, guard: &farm_engine::Guard) -> Result<Self, Failure> {
        let blobs = place::blobs(guard, "tree")?;
        let named = |name: &str| {
            blobs
                .get(name)
                .copied()
                .ok_or_else(|| Failure::new(FailureKind::Bug, format!("a repository without {name}")))
        };
        let tar = named("tar")?;
        let listing = serde_json::from_slice(&context.read(&named("listing")?)?)
            .map_err(|error| Failure::new(FailureKind::Bug, format!("a repository's listing: {error}")))?;
        Ok(Self {
            listing,
            tar,
            path: context.store.path(&tar),
            store: context.store.clone(),
        })
    }

    /// A file of the repository, its content checked against the listing.
    pub fn read(&self, path: &str) -> Result<FileNode, Failure> {
        let missing = || Failure::new(FailureKind::Bug, format!("{path} is not in the repository"));
        let found = self.listing.files.get(path).ok_or_else(missing)?;
        if let Some(target) = &found.link {
            return Ok(FileNode::Link { target: target.clone() });
        }
        let failed = |error: std::io::Error| io_failure("read a repository", &error);
        let mut file = fs::File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(found.offset)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(found.size).read_to_end(&mut bytes).map_err(failed)?;
        if Digest::of(&bytes) != found.digest {
            // What cannot be removed is found damaged again.
            let _ = self.store.remove(&self.tar);
            let message = format!("the store's copy of {path} is damaged");
            return Err(Failure::new(FailureKind::Environment, message).hint("run farm again: it is made anew"));
        }
        Ok(FileNode::File {
            bytes,
            executable: found.executable,
        })
    }
}
