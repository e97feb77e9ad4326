//! A server of git's own protocol, with repositories that a test fills.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fs_err as fs;
use tempfile::TempDir;

use super::nginx::free_port;

/// git's daemon on a port of the loopback interface, and work trees of what it serves. Stopped when dropped.
pub(crate) struct GitDaemon {
    folder: TempDir,
    port: u16,
    daemon: Option<Child>,
}

impl GitDaemon {
    /// A server without repositories.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("fg").tempdir().unwrap();
        let mut server = Self {
            folder,
            port: free_port(),
            daemon: None,
        };
        server.start();
        server
    }

    /// Starts it at the address that it had.
    pub(crate) fn start(&mut self) {
        let programs = git(Path::new("/"), &["--exec-path"]);
        let daemon = Command::new(Path::new(&programs).join("git-daemon"))
            .args(["--reuseaddr", "--export-all", "--listen=127.0.0.1"])
            .arg(format!("--port={}", self.port))
            .arg(format!("--base-path={}", self.folder.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.daemon = Some(daemon);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            std::thread::yield_now();
        }
    }

    /// Stops it: nobody listens at its address any more.
    pub(crate) fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    /// The address of a repository.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("git://127.0.0.1:{}/{name}.git", self.port)
    }

    /// Commits files to the branch that is checked out, `main` at first, and returns the commit.
    pub(crate) fn commit(&self, name: &str, files: &[(&str, &str)]) -> String {
        let tree = self.tree(name);
        for (path, text) in files {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.git(name, &["add", "--all"]);
        self.git(name, &["commit", "--quiet", "--message=a change"]);
        self.git(name, &["rev-parse", "HEAD"])
    }

    /// Runs git in the repository, which is made if it is not there.
    pub(crate) fn git(&self, name: &str, words: &[&str]) -> String {
        git(&self.tree(name), words)
    }

    fn tree(&self, name: &str) -> PathBuf {
        // What is served is the folder of the work tree: the daemon finds its .git.
        let tree = self.folder.path().join(format!("{name}.git"));
        if !tree.exists() {
            fs::create_dir(&tree).unwrap();
            git(&tree, &["init", "--quiet", "--initial-branch=main"]);
        }
        tree
    }
}

impl Drop for GitDaemon {
    fn drop(&mut self) {
        self.stop();
    }
}

fn git(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=test", "-c", "user.email=test@localhost"])
        .args(["-c", "protocol.file.allow=always", "-c", "commit.gpgSign=false"])
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {}: {said}", words.join(" "));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
