//! A bare repository on its way to a build root.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use farm_engine::Failure;
use farm_image::TreeNode;
use fs_err as fs;

use crate::context::{Context, io_failure};
use crate::git::git;

/// Where a fetched object is kept until it has its names.
const KEPT: &str = "refs/farm/";

/// A repository that is filled, and what it stands for.
pub(super) struct Repository {
    folder: PathBuf,
    /// The addresses under which builds look for it.
    pub(super) uris: BTreeSet<String>,
}

impl Repository {
    /// An empty one. `id` is an object that it will have: by its length git knows the kind of ids.
    pub(super) fn new(context: &Context, folder: &Path, uris: &[String], id: &str) -> Result<Self, Failure> {
        let kind = if id.len() == 64 { "sha256" } else { "sha1" };
        let path = folder.to_string_lossy();
        let format = format!("--object-format={kind}");
        let words = ["init", "--quiet", "--bare", "--template=", &format, "--", &path];
        git(context, &path, &words)?;
        let repository = Self {
            folder: folder.to_owned(),
            uris: uris.iter().cloned().collect(),
        };
        // Whoever fetches from here asks for objects, not for names.
        repository.git(context, &path, &["config", "uploadpack.allowAnySHA1InWant", "true"])?;
        Ok(repository)
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs git in it; `remote` is who git talks to.
    pub(super) fn git(&self, context: &Context, remote: &str, words: &[&str]) -> Result<String, Failure> {
        let folder = format!("--git-dir={}", self.folder.display());
        // One pack, whatever came, and nothing that goes on in the background.
        let mut all = vec![
            folder.as_str(),
            "-c",
            "fetch.unpackLimit=1",
            "-c",
            "gc.auto=0",
            "-c",
            "maintenance.auto=false",
        ];
        all.extend(words);
        git(context, remote, &all)
    }

    /// The same where git talks to nobody.
    pub(super) fn ask(&self, context: &Context, words: &[&str]) -> Result<String, Failure> {
        self.git(context, &self.folder.to_string_lossy(), words)
    }

    /// Whether it has this commit, or a tag that stands for one.
    pub(super) fn has(&self, context: &Context, id: &str) -> bool {
        let object = format!("{id}^{{commit}}");
        self.ask(context, &["cat-file", "-e", &object]).is_ok()
    }

    /// Fetches what `from` has under this name or id, with its history and without tags.
    pub(super) fn fetch(&self, context: &Context, from: &str, refspec: &str) -> Result<(), Failure> {
        let words = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--",
            from,
            refspec,
        ];
        self.git(context, from, &words).map(drop)
    }

    /// Fetches an object by its id.
    pub(super) fn fetch_id(&self, context: &Context, from: &str, id: &str) -> Result<(), Failure> {
        self.fetch(context, from, &format!("+{id}:{KEPT}{id}"))
    }

    /// Gives an object these names, and HEAD.
    pub(super) fn name(&self, context: &Context, id: &str, names: &[String]) -> Result<(), Failure> {
        let commit = self.ask(context, &["rev-parse", "--verify", &format!("{id}^{{commit}}")])?;
        self.ask(context, &["update-ref", "--no-deref", "HEAD", &commit])?;
        for name in names {
            // A branch is of commits, whatever it was called upstream.
            let object = if name.starts_with("refs/heads/") { &commit } else { id };
            self.ask(context, &["update-ref", name, object])?;
        }
        Ok(())
    }

    /// Its files, below `place`.
    pub(super) fn nodes(&self, place: &Path) -> Result<BTreeMap<PathBuf, TreeNode<'static>>, Failure> {
        let failed = |error: std::io::Error| io_failure("read a fetched repository", &error);
        let mut nodes = BTreeMap::new();
        let mut folders = vec![(self.folder.clone(), place.to_owned())];
        while let Some((folder, place)) = folders.pop() {
            nodes.insert(place.clone(), TreeNode::dir(0o755));
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let place = place.join(entry.file_name());
                let metadata = entry.metadata().map_err(failed)?;
                if metadata.is_dir() {
                    folders.push((entry.path(), place));
                } else if entry.file_name() != "FETCH_HEAD" {
                    let file = fs::File::open(entry.path()).map_err(failed)?;
                    nodes.insert(place, TreeNode::reader(0o644, metadata.len(), file));
                }
            }
        }
        Ok(nodes)
    }
}
