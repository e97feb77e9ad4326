//! A folder of this machine in the place of a live ebuild's repository (`live:` of the manifest).
//!
//! What counts are the files that git would take: all but those that it is told to ignore, whether they are committed or not. Of these a
//! commit is made that is the same for the same files.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use farm_engine::{Failure, FailureKind};
use farm_store::{FileHasher, TreeEntryKind, TreeListing, hash_tree};
use fs_err as fs;

use super::repository::Repository;
use super::{LiveData, quoted};
use crate::context::{Context, io_failure};
use crate::git::{MISLEADING, git};

/// Files by which git knows a folder's repository; they lie where `git rev-parse --git-path` says.
const DECIDING: [&str; 3] = ["index", "info/exclude", "config"];

/// Who made the commit.
const AUTHOR: &str = "farm <farm@localhost>";

/// A folder as it was when the graph was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkout {
    /// Where it is.
    pub folder: PathBuf,
    /// Its files and links.
    pub listing: TreeListing,
}

impl Checkout {
    /// Looks at a folder. Everything that decides which files count, and what is in them, is told to the witness before it is read.
    ///
    /// # Errors
    ///
    /// The input's: there is no file; the environment's: git does not want to look there, or a file cannot be read.
    pub fn look(context: &Context, folder: &Path, hasher: &FileHasher) -> Result<Self, Failure> {
        let ignored = Ignored::new(context, folder, hasher);
        ignored.ask_about("", folder)?;
        let filter = |path: &str| ignored.keeps(path);
        let listing = hash_tree(folder, &filter, hasher).map_err(|error| {
            Failure::new(
                FailureKind::Input,
                format!("{} cannot be read: {error}", folder.display()),
            )
        })?;
        // A file that says what is ignored may have changed before it was looked at.
        ignored.settle()?;
        let is_file = |kind: &TreeEntryKind| !matches!(kind, TreeEntryKind::Dir);
        let entries: Vec<_> = listing
            .entries
            .into_iter()
            .filter(|entry| is_file(&entry.kind))
            .collect();
        if entries.is_empty() {
            let message = format!("{} holds no file that counts", folder.display());
            return Err(Failure::new(FailureKind::Input, message).hint("it is empty, or git ignores all that is in it"));
        }
        Ok(Self {
            folder: folder.to_owned(),
            listing: TreeListing::new(entries),
        })
    }

    /// The folder as people write it.
    pub(super) fn shown(&self) -> String {
        self.folder.display().to_string()
    }

    /// A repository with one commit of these files, under every name that the ebuild asks for.
    pub(super) fn repository(&self, context: &Context, data: &LiveData, scratch: &Path) -> Result<Repository, Failure> {
        let repository = Repository::new(context, &scratch.join("checkout.git"), &data.source.uris, "")?;
        let script = scratch.join("import");
        self.write_import(context, &script)
            .map_err(|error| self.changed_or(io_failure("read a checkout", &error)))?;
        import(&repository, &script)?;
        let commit = repository.ask(context, &["rev-parse", "--verify", "refs/farm/checkout"])?;
        repository.name(context, &commit, &data.refs())?;
        Ok(repository)
    }

    /// What `git fast-import` reads. A file that changed since it was hashed is an error: what was hashed is what is built.
    fn write_import(&self, context: &Context, script: &Path) -> std::io::Result<()> {
        let mut out = std::io::BufWriter::new(fs::File::create(script)?);
        let message = "local checkout\n";
        write!(
            out,
            "commit refs/farm/checkout\ncommitter {AUTHOR} {} +0000\ndata {}\n{message}",
            context.epoch,
            message.len()
        )?;
        for entry in &self.listing.entries {
            let (mode, bytes) = match &entry.kind {
                TreeEntryKind::Dir => continue,
                TreeEntryKind::Symlink { target } => ("120000", target.clone().into_bytes()),
                TreeEntryKind::File { digest, executable, .. } => {
                    let bytes = fs::read(self.folder.join(&entry.path))?;
                    if blake3::hash(&bytes) != *digest {
                        let message = format!("{} changed while farm was running", entry.path);
                        return Err(std::io::Error::other(message));
                    }
                    (if *executable { "100755" } else { "100644" }, bytes)
                }
            };
            writeln!(out, "M {mode} inline {}\ndata {}", quoted(&entry.path), bytes.len())?;
            out.write_all(&bytes)?;
            out.write_all(b"\n")?;
        }
        out.write_all(b"done\n")?;
        out.flush()
    }

    fn changed_or(&self, failure: Failure) -> Failure {
        if failure.message.contains("changed while") {
            failure.hint("run farm again")
        } else {
            failure
        }
    }
}

/// Has git make the commit. (It is no matter of credentials, and it reads much.)
fn import(repository: &Repository, script: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| io_failure("make a commit of a checkout", &error);
    let mut command = Command::new("git");
    for name in MISLEADING {
        command.env_remove(name);
    }
    let output = command
        .arg(format!("--git-dir={}", repository.folder().display()))
        .args(["-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", "--done"])
        .stdin(Stdio::from(fs::File::open(script).map_err(failed)?.into_parts().0))
        .output()
        .map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(
        FailureKind::Environment,
        format!("git fast-import: {}", words.trim()),
    ))
}

/// What git ignores in a folder, and in the repositories that lie in it.
struct Ignored<'a> {
    context: &'a Context,
    folder: &'a Path,
    hasher: &'a FileHasher,
    found: RefCell<Found>,
}

#[derive(Default)]
struct Found {
    /// Paths, relative to the folder.
    ignored: BTreeSet<String>,
    /// Repositories that were asked, relative to the folder with a slash behind, and what they answered.
    asked: Vec<(String, String)>,
    /// The first that went wrong.
    failed: Option<Failure>,
}

impl<'a> Ignored<'a> {
    fn new(context: &'a Context, folder: &'a Path, hasher: &'a FileHasher) -> Self {
        Self {
            context,
            folder,
            hasher,
            found: RefCell::default(),
        }
    }

    /// Whether a path counts. A folder that is a repository of its own is asked about what is in it.
    fn keeps(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name == ".git" || self.found.borrow().ignored.contains(path) {
            return false;
        }
        // Where submodules come from matters no more: their files are among the others.
        if name == ".gitmodules" {
            return false;
        }
        let inner = self.folder.join(path);
        if fs::symlink_metadata(inner.join(".git")).is_ok()
            && let Err(failure) = self.ask_about(&format!("{path}/"), &inner)
        {
            self.found.borrow_mut().failed.get_or_insert(failure);
        }
        true
    }

    /// Asks git what it ignores in a folder, if that is in a repository at all.
    fn ask_about(&self, prefix: &str, folder: &Path) -> Result<(), Failure> {
        let witness = self.hasher.witness();
        let mut top = None;
        for above in folder.ancestors() {
            witness.look(&above.join(".git"));
            if fs::symlink_metadata(above.join(".git")).is_ok() {
                top = Some(above);
                break;
            }
        }
        let Some(top) = top else { return Ok(()) };
        for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(top)) {
            witness.look(&above.join(".gitignore"));
        }
        let shown = folder.display().to_string();
        let mut words = vec!["-C", &shown, "rev-parse"];
        words.extend(DECIDING.iter().flat_map(|path| ["--git-path", path]));
        for path in git(self.context, &shown, &words)?.lines() {
            witness.look(&folder.join(path));
        }
        let answer = self.list(folder)?;
        let mut found = self.found.borrow_mut();
        let paths = answer.split('\0').filter(|path| !path.is_empty());
        found
            .ignored
            .extend(paths.map(|path| format!("{prefix}{}", path.trim_end_matches('/'))));
        found.asked.push((prefix.to_owned(), answer));
        Ok(())
    }

    /// What a repository ignores; of a folder that is ignored as a whole, only the folder. What only this user ignores everywhere does not
    /// count: the same files are the same package on every machine.
    fn list(&self, folder: &Path) -> Result<String, Failure> {
        let shown = folder.display().to_string();
        let words = [
            "-C",
            &shown,
            "-c",
            "core.excludesFile=/dev/null",
            "ls-files",
            "-z",
            "--others",
            "--ignored",
            "--exclude-standard",
            "--directory",
        ];
        git(self.context, &shown, &words)
    }

    /// Asks again, now that everything was looked at.
    fn settle(&self) -> Result<(), Failure> {
        let found = self.found.borrow();
        if let Some(failure) = &found.failed {
            return Err(failure.clone());
        }
        for (prefix, answer) in &found.asked {
            let folder = self.folder.join(prefix);
            if self.list(&folder)? != *answer {
                let message = format!(
                    "what git ignores in {} changed while farm was running",
                    folder.display()
                );
                return Err(Failure::new(FailureKind::Environment, message).hint("run farm again"));
            }
        }
        Ok(())
    }
}
