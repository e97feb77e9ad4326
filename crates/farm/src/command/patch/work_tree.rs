//! The source of one package as a git work tree: what was changed in it since farm made it, or since the last change was saved.
//!
//! The ref `refs/farm/base` is what differences are told from, so that people may commit, branch and stash as they like. What is different
//! is all that git would add: tracked files, and new ones that the source's own `.gitignore` does not leave out.

use std::io::Read;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use farm_portage::cpv::Cpv;
use fs_err as fs;

use super::super::FarmError;
use super::git::Git;
use super::remove_empty;
use super::words::Named;
use crate::workspace::Workspace;

/// The folder of all work trees, in the workspace.
const FOLDER: &str = "patch-work";
/// What differences are told from.
const BASE: &str = "refs/farm/base";
/// What a work tree that is being made is called until it is there.
const UNFINISHED: &str = ".prep-";

/// The source's own attributes decide nothing: line ends stay, nothing is expanded, and text is told from its bytes.
const ATTRIBUTES: &str = "* -text -ident -filter -working-tree-encoding !eol !diff !merge\n";

/// The source of a package, to be edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WorkTree {
    /// Where it is.
    pub(super) folder: PathBuf,
    /// `CATEGORY/PF`, with `@SUBJECT` where there are several.
    pub(super) name: String,
    pub(super) cpv: Cpv,
    /// Without a subslot.
    pub(super) slot: String,
}

/// What was changed in a work tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// As `git diff` has it, without renames.
    pub(super) text: Vec<u8>,
    /// New files that the source's `.gitignore` leaves out.
    pub(super) ignored: Vec<String>,
    /// What is in the difference and in no user patch: files that are no text, and repositories.
    pub(super) unfit: Vec<String>,
}

impl Difference {
    /// The text, if there is one and a user patch can hold it.
    ///
    /// # Errors
    ///
    /// The user's, with the files that are in the way.
    pub(super) fn patch(self, tree: &WorkTree) -> Result<Vec<u8>, FarmError> {
        if !self.unfit.is_empty() {
            let message = format!("a user patch cannot hold what is no text: {}", self.unfit.join(", "));
            return Err(FarmError::input(message).hint(
                "Portage applies user patches with patch(1); bring such files by the ebuild, or remove them here",
            ));
        }
        if self.text.is_empty() {
            let message = format!("nothing is changed in {}", tree.folder.display());
            let error = FarmError::input(message);
            return Err(if self.ignored.is_empty() {
                error.hint("edit something there")
            } else {
                error.hint(format!(
                    "the source's .gitignore leaves out what is new there: {}",
                    self.ignored.join(", ")
                ))
            });
        }
        Ok(self.text)
    }
}

/// The folder of a farm's work trees.
fn folder_of(workspace: &Workspace, farm: &str) -> PathBuf {
    workspace.root.as_std_path().join(FOLDER).join(farm)
}

impl WorkTree {
    /// The work trees of a farm, sorted by name.
    pub(super) fn all(workspace: &Workspace, farm: &str) -> Result<Vec<Self>, FarmError> {
        let mut found = Vec::new();
        for category in entries(&folder_of(workspace, farm))? {
            for folder in entries(&category)? {
                found.extend(Self::open(&folder)?);
            }
        }
        Ok(found)
    }

    /// The only work tree of a farm that a word means.
    ///
    /// # Errors
    ///
    /// The user's: there is none, or there are several.
    pub(super) fn find(workspace: &Workspace, farm: &str, word: &str) -> Result<Self, FarmError> {
        let all = Self::all(workspace, farm)?;
        let known: Vec<String> = all.iter().map(|tree| tree.name.clone()).collect();
        let mut meant: Vec<Self> = all.into_iter().filter(|tree| tree.is(word)).collect();
        match (meant.pop(), meant.is_empty()) {
            (Some(tree), true) => Ok(tree),
            (None, _) => {
                let message = format!("{farm} has no work tree of {word}");
                let hint = format!("`farm patch prep {farm} {word}` makes one");
                Err(FarmError::input(message).hint(if known.is_empty() {
                    hint
                } else {
                    format!("{hint}; there is {}", known.join(", "))
                }))
            }
            (Some(tree), false) => {
                let mut names: Vec<String> = meant.into_iter().map(|tree| tree.name).collect();
                names.push(tree.name);
                Err(
                    FarmError::input(format!("`{word}` means several work trees: {}", names.join(", ")))
                        .hint("name one"),
                )
            }
        }
    }

    fn is(&self, word: &str) -> bool {
        let named = Named {
            name: &self.name,
            cpv: &self.cpv,
            slot: &self.slot,
        };
        named.is(word)
    }

    /// The work tree of a package that has this name in the plan, wherever it is or would be.
    pub(super) fn of(workspace: &Workspace, farm: &str, name: &str, cpv: Cpv, slot: &str) -> Self {
        Self {
            folder: folder_of(workspace, farm).join(name),
            name: name.to_owned(),
            cpv,
            slot: slot.to_owned(),
        }
    }

    /// The work tree in this folder; `None` if it is none.
    fn open(folder: &Path) -> Result<Option<Self>, FarmError> {
        if !folder.join(".git").is_dir() {
            return Ok(None);
        }
        let Ok(text) = Git::at(folder).line(&["config", "--local", "--get-regexp", "^farm\\."]) else {
            return Ok(None);
        };
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        let (Some(name), Some(cpv), Some(slot)) = (value("farm.package"), value("farm.cpv"), value("farm.slot")) else {
            return Ok(None);
        };
        let Ok(cpv) = Cpv::parse(&cpv) else { return Ok(None) };
        Ok(Some(Self {
            folder: folder.to_owned(),
            name,
            cpv,
            slot,
        }))
    }

    /// Makes it of the source: a tar of one folder, `source`. What was there is replaced. Returns how many entries were left out,
    /// because git takes them for its own or knows nothing like them.
    ///
    /// # Errors
    ///
    /// The environment's. Nothing is there then that was not before.
    pub(super) fn make(&self, workspace: &Workspace, tar: &mut dyn Read) -> Result<usize, FarmError> {
        let top = workspace.root.as_std_path().join(FOLDER);
        let parent = self.folder.parent().unwrap_or(&top);
        fs::create_dir_all(parent)?;
        // Whoever keeps the workspace in git does not want other repositories in it.
        fs::write(top.join(".gitignore"), "*\n")?;
        for left in fs::read_dir(parent)?.flatten() {
            if left.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_dir_all(left.path())?;
            }
        }
        let unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(parent)?;
        let left_out = unpack(tar, unfinished.path())?;
        let source = unfinished.path().join("source");
        self.commit_all(&source)?;
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::rename(&source, &self.folder)?;
        Ok(left_out)
    }

    fn commit_all(&self, source: &Path) -> Result<(), FarmError> {
        let git = Git::at(source);
        git.run(&["-c", "init.defaultBranch=main", "init", "--quiet", "--template="])?;
        fs::create_dir_all(source.join(".git/info"))?;
        fs::write(source.join(".git/info/attributes"), ATTRIBUTES)?;
        let cpv = self.cpv.to_string();
        for (key, value) in [
            ("farm.package", &self.name),
            ("farm.cpv", &cpv),
            ("farm.slot", &self.slot),
        ] {
            git.run(&["config", "--local", key, value])?;
        }
        // What src_prepare made belongs to the start, even if the source's .gitignore leaves it out.
        git.run(&["add", "--force", "--all"])?;
        let message = format!("{cpv} as its ebuild leaves it after src_prepare");
        git.run(&["commit", "--quiet", "--allow-empty", "--no-verify", "-m", &message])?;
        git.run(&["update-ref", BASE, "HEAD"])?;
        Ok(())
    }

    /// What is different from the base now.
    pub(super) fn difference(&self) -> Result<Difference, FarmError> {
        self.staged(|git| {
            let text = git.run(&[
                "diff",
                "--cached",
                "--no-color",
                "--no-ext-diff",
                "--no-textconv",
                "--no-renames",
                "--full-index",
                "--unified=3",
                "--diff-algorithm=myers",
                "--src-prefix=a/",
                "--dst-prefix=b/",
                BASE,
                "--",
            ])?;
            let counts = git.run(&["diff", "--cached", "--no-renames", "--numstat", "-z", BASE, "--"])?;
            let modes = git.run(&["diff", "--cached", "--no-renames", "--raw", "-z", BASE, "--"])?;
            let ignored = git.run(&[
                "ls-files",
                "--others",
                "--ignored",
                "--exclude-standard",
                "--directory",
                "-z",
            ])?;
            let mut unfit = binary_files(&counts);
            unfit.extend(repositories(&modes));
            Ok(Difference {
                text,
                ignored: fields(&ignored),
                unfit,
            })
        })
    }

    /// Whether anything would be lost with it: changes, new files, commits, stashes.
    pub(super) fn has_unsaved(&self) -> Result<bool, FarmError> {
        let difference = self.difference()?;
        if !difference.text.is_empty() || !difference.ignored.is_empty() {
            return Ok(true);
        }
        let commits = Git::at(&self.folder).line(&["rev-list", "--max-count=1", "HEAD", "--all", "--not", BASE])?;
        Ok(!commits.is_empty())
    }

    /// The changes were saved as a patch of this name: what is there now is what further ones are told from.
    pub(super) fn saved(&self, patch: &str) -> Result<(), FarmError> {
        let tree = self.staged(|git| git.line(&["write-tree"]))?;
        let git = Git::at(&self.folder);
        let head = git.line(&["rev-parse", "--verify", "HEAD"])?;
        let base = git.line(&["rev-parse", "--verify", BASE])?;
        let message = format!("saved as {patch}");
        let mut arguments = vec!["commit-tree", &tree, "-m", &message, "-p", &head];
        if base != head {
            arguments.extend(["-p", &base]);
        }
        let commit = git.line(&arguments)?;
        git.run(&["update-ref", "HEAD", &commit])?;
        git.run(&["update-ref", BASE, &commit])?;
        git.run(&["reset", "--quiet"])?;
        Ok(())
    }

    /// Does something with everything staged, in an index of farm's own.
    fn staged<T>(&self, action: impl FnOnce(&Git<'_>) -> Result<T, FarmError>) -> Result<T, FarmError> {
        let index = self.folder.join(".git/farm-index");
        let git = Git::at(&self.folder).with_index(&index);
        git.run(&["read-tree", BASE])?;
        git.run(&["add", "--all"])?;
        let done = action(&git);
        // It is made anew every time.
        let _ = fs::remove_file(&index);
        done
    }

    /// Removes it, and folders that are empty without it.
    pub(super) fn remove(&self, workspace: &Workspace) -> Result<(), FarmError> {
        fs::remove_dir_all(&self.folder)?;
        let top = workspace.root.as_std_path().join(FOLDER);
        if let Some(parent) = self.folder.parent() {
            remove_empty(parent, &top);
        }
        Ok(())
    }
}

/// The folders in a folder, sorted; none if it is not there. What farm is making is none yet.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, FarmError> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    let mut found = Vec::new();
    for entry in read {
        let entry = entry?;
        let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        if !unfinished && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Unpacks a source so that the user can edit all of it; nothing outside `folder` can be written. Returns how many entries were left out.
fn unpack(tar: &mut dyn Read, folder: &Path) -> Result<usize, FarmError> {
    let mut archive = tar::Archive::new(tar);
    archive.set_preserve_permissions(false);
    let mut left_out = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        let path = entry.path()?.into_owned();
        let known = kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_hard_link();
        let of_git = path.components().any(|part| part.as_os_str() == ".git");
        if !known || of_git || !entry.unpack_in(folder)? {
            left_out += 1;
            continue;
        }
        if kind.is_file() || kind.is_dir() {
            let path = folder.join(path);
            let mode = fs::symlink_metadata(&path)?.permissions().mode() & 0o777;
            let more = if kind.is_dir() { 0o700 } else { 0o600 };
            fs::set_permissions(&path, std::fs::Permissions::from_mode(mode | more))?;
        }
    }
    Ok(left_out)
}

/// The fields of a list that ends each of them with a zero byte.
fn fields(list: &[u8]) -> Vec<String> {
    let fields = list.split(|byte| *byte == 0).filter(|field| !field.is_empty());
    fields
        .map(|field| String::from_utf8_lossy(field).into_owned())
        .collect()
}

/// The files of a `--numstat` that are no text.
fn binary_files(counts: &[u8]) -> Vec<String> {
    let files = fields(counts);
    let binary = files.iter().filter_map(|line| line.strip_prefix("-\t-\t"));
    binary.map(str::to_owned).collect()
}

/// The repositories in a `--raw`.
fn repositories(modes: &[u8]) -> Vec<String> {
    let fields = fields(modes);
    let pairs = fields.chunks_exact(2);
    let repository = |meta: &str| meta.split(' ').nth(1) == Some("160000");
    pairs
        .filter(|pair| repository(&pair[0]))
        .map(|pair| pair[1].clone())
        .collect()
}

#[cfg(test)]
mod tests;
