//! git as a program, cut off from the user's configuration: whatever hooks, signatures and line ends somebody set, a difference is the
//! same.

use std::path::Path;
use std::process::Command;

use super::super::FarmError;

/// Variables with which git would work elsewhere, or otherwise.
const MISLEADING: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIFF_OPTS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
];

/// What configuration decides where no command line says otherwise.
const SETTINGS: &[&str] = &[
    "advice.addEmbeddedRepo=false",
    "commit.gpgSign=false",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "core.excludesFile=/dev/null",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    "gc.auto=0",
];

/// A repository, by its work tree.
pub(super) struct Git<'a> {
    folder: &'a Path,
    index: Option<&'a Path>,
}

impl<'a> Git<'a> {
    /// The repository in this folder.
    pub(super) fn at(folder: &'a Path) -> Self {
        Self { folder, index: None }
    }

    /// The same with another index, so that what the user staged stays as it is.
    pub(super) fn with_index(self, index: &'a Path) -> Self {
        Self {
            index: Some(index),
            ..self
        }
    }

    /// Runs git and returns what it printed.
    ///
    /// # Errors
    ///
    /// The environment's: git is not there, or says no, with its words.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, FarmError> {
        let mut command = Command::new("git");
        for name in MISLEADING {
            command.env_remove(name);
        }
        command
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "farm")
                .env(format!("GIT_{who}_EMAIL"), "farm@localhost");
        }
        if let Some(index) = self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        command.arg("-C").arg(self.folder);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let output = command.args(arguments).output().map_err(|error| {
            FarmError::environment(format!("git cannot be run: {error}")).hint("work trees of patches need git")
        })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let what = arguments.first().copied().unwrap_or_default();
        Err(FarmError::environment(format!(
            "git {what} in {}: {}",
            self.folder.display(),
            words.trim()
        )))
    }

    /// The same, as one line of text.
    pub(super) fn line(&self, arguments: &[&str]) -> Result<String, FarmError> {
        let output = self.run(arguments)?;
        Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
    }
}
