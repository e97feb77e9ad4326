//! A fresh clone in a temporary folder, and the farm program that works in it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Ended, ended, output, show};
use crate::{Outcome, failed};

/// The flavour that is built without asking.
pub(crate) const OPT: &str = "amd64.opt";
/// The other flavour.
pub(crate) const DBG: &str = "amd64.dbg";

/// Where the acceptance works.
pub(crate) struct Lab {
    /// The program.
    program: PathBuf,
    /// Holds everything; empty once it was decided to keep it.
    folder: RefCell<Option<TempDir>>,
    /// The path of that.
    path: PathBuf,
}

impl Lab {
    /// Builds the program and copies the files of the checkout at `root`, as git knows them.
    pub(crate) fn new(root: &Path) -> Outcome<Self> {
        show(Command::new("cargo").current_dir(root).args([
            "build",
            "--release",
            "--locked",
            "--package",
            "farm-cli",
        ]))?;
        let folder = tempfile::Builder::new()
            .prefix("farm-acceptance-")
            .tempdir()
            .map_err(failed)?;
        let path = folder.path().to_owned();
        let lab = Self {
            program: program(root)?,
            folder: RefCell::new(Some(folder)),
            path,
        };
        copy(root, &lab.workspace())?;
        Ok(lab)
    }

    /// The clone.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.path.join("clone")
    }

    /// The farm's own binhost of a flavour.
    pub(crate) fn binhost(&self, flavour: &str) -> PathBuf {
        self.workspace().join(".farm/binhost/hepfarm").join(flavour)
    }

    /// Where packages are published.
    pub(crate) fn published(&self) -> PathBuf {
        self.path.join("published")
    }

    /// A file or folder beside the clone.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The program, in the clone.
    pub(crate) fn farm(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.workspace()).args(words);
        command
    }

    /// The README's first command, with the program that is built already.
    pub(crate) fn first_command(&self) -> Command {
        let mut command = Command::new(self.workspace().join("scripts/hepfarm"));
        command.arg("--program").arg(&self.program);
        command
    }

    /// Runs the program, which must succeed, and counts how its nodes ended.
    pub(crate) fn counts(&self, words: &[&str]) -> Outcome<Counts> {
        let Ended { code, stdout, stderr } = ended(self.farm(words).arg("--json"))?;
        if code != 0 {
            return Err(format!("farm {} ended with status {code}:\n{stderr}", words.join(" ")));
        }
        let mut counts = None;
        for line in stdout.lines() {
            let event: Value = serde_json::from_str(line).map_err(|error| format!("no JSON: {line}: {error}"))?;
            if event["event"] == "build-finished" {
                let count = |name: &str| {
                    event[name]
                        .as_u64()
                        .ok_or_else(|| format!("no count of {name}: {line}"))
                };
                counts = Some(Counts {
                    built: count("built")?,
                    cached: count("cached")?,
                });
            }
        }
        counts.ok_or_else(|| format!("farm {} did not say how it ended", words.join(" ")))
    }

    /// Leaves the folder where it is, for somebody to look at.
    pub(crate) fn keep(&self) -> PathBuf {
        self.folder.take().map_or_else(|| self.path.clone(), TempDir::keep)
    }
}

/// How the nodes of a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Their action ran.
    pub(crate) built: u64,
    /// They were up to date.
    pub(crate) cached: u64,
}

/// The program that cargo built, wherever its target folder is.
fn program(root: &Path) -> Outcome<PathBuf> {
    let text = output(Command::new("cargo").current_dir(root).args([
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--locked",
    ]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let target = metadata["target_directory"]
        .as_str()
        .ok_or("cargo names no target folder")?;
    Ok(Path::new(target).join("release/farm"))
}

/// Copies what git has of `root`, and what it would take: a clone as it will be.
fn copy(root: &Path, clone: &Path) -> Outcome {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let files = output(Command::new("git").current_dir(root).args(list))?;
    for name in files.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), clone.join(name));
        let Ok(found) = fs::symlink_metadata(&from) else {
            continue;
        };
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        if found.is_symlink() {
            let target = fs::read_link(&from).map_err(failed)?;
            fs::os::unix::fs::symlink(target, to).map_err(failed)?;
        } else {
            fs::copy(&from, &to).map_err(failed)?;
        }
    }
    Ok(())
}
