//! A repository that farms here take by git.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::space::Space;

/// A bare repository with an ebuild repository in it, below a folder that a server can serve.
pub(crate) struct Upstream {
    folder: tempfile::TempDir,
}

impl Upstream {
    pub(crate) fn new() -> Self {
        let upstream = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let folder = upstream.folder.path();
        hermetic_git(folder, &["init", "--quiet", "-b", "main", "work"]);
        fs_err::create_dir_all(folder.join("work/profiles")).unwrap();
        fs_err::write(folder.join("work/profiles/repo_name"), "hep\n").unwrap();
        hermetic_git(folder, &["-C", "work", "add", "."]);
        hermetic_git(folder, &["-C", "work", "commit", "--quiet", "-m", "one"]);
        fs_err::create_dir(folder.join("group")).unwrap();
        hermetic_git(folder, &["clone", "--quiet", "--bare", "work", "group/hep.git"]);
        upstream
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn commit(&self) -> String {
        hermetic_git(&self.repository(), &["rev-parse", "main"])
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.path().join("group/hep.git")
    }
}

/// git with nobody's configuration. Returns what it printed.
pub(crate) fn hermetic_git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@example.org")])
        .envs([("GIT_COMMITTER_NAME", "a"), ("GIT_COMMITTER_EMAIL", "a@example.org")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What the farms here start from; nobody asks for it.
const BASE: &str = "base: { image: \"none@sha256:0000000000000000000000000000000000000000000000000000000000000000\" }";

/// A workspace whose farm `f` has one repository, `hep`, from this address, and besides what `more` says.
pub(crate) fn farm(url: &str, more: &str) -> Space {
    let repos = format!("repos: {{ hep: {{ git: {{ url: \"{url}\", branch: main }} }} }}");
    let manifest = format!("farm: f\nbinfarm:\n  {BASE}\n  profile: hep:x\n  {repos}\n{more}");
    Space::with_farm("f", &manifest)
}

/// Writes a program.
pub(crate) fn script(path: &Path, text: &str) {
    fs_err::write(path, format!("#!/bin/sh\n{text}")).unwrap();
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
