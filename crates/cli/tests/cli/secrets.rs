//! Credentials for git: a server that wants a password, an sshd that wants a key, and what may be seen of either.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::git_server::GitServer;
use crate::space::Space;

/// What the farms here start from; nobody asks for it.
const BASE: &str = "base: { image: \"none@sha256:0000000000000000000000000000000000000000000000000000000000000000\" }";

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
fn hermetic_git(folder: &Path, arguments: &[&str]) -> String {
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

/// A farm with one repository, from this address.
fn farm(url: &str, secrets: &str) -> Space {
    Space::with_farm(
        "f",
        &format!(
            "farm: f\nbinfarm:\n  {BASE}\n  profile: hep:x\n  repos: {{ hep: {{ git: {{ url: \"{url}\", branch: main }} }} }}\n{secrets}"
        ),
    )
}

#[test]
fn a_repository_that_everybody_may_read() {
    let upstream = Upstream::new();
    let server = GitServer::serve(upstream.folder());
    let space = farm(&server.url("group/hep.git"), "");
    let ended = space.farm(&["build", "f:repo/hep"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert!(space.read("farms/f/farm.lock").contains(&upstream.commit()));
    assert!(server.requests().iter().all(|request| request.authorization.is_none()));
}
