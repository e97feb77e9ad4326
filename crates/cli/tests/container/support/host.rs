//! What only root may set up on the machine: small disks, disks that cannot be written, other users.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::FarmSpace;

/// Runs a program of the system.
///
/// # Panics
///
/// If it fails, with what it said: these tests need root, and say so instead of passing without having looked.
fn system(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {} (needs root): {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Something mounted over a folder; gone when dropped.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// An empty disk of this many KiB, over a folder that is made if it is not there.
    pub(crate) fn disk(folder: &Path, kib: u64) -> Self {
        fs_err::create_dir_all(folder).unwrap();
        let options = format!("size={kib}k,mode=0755");
        system(
            "mount",
            &["-t", "tmpfs", "-o", &options, "farm-test", folder.to_str().unwrap()],
        );
        Self(folder.to_owned())
    }

    /// The folder itself, where nothing can be written.
    pub(crate) fn read_only(folder: &Path) -> Self {
        let path = folder.to_str().unwrap();
        system("mount", &["--bind", path, path]);
        let mounted = Self(folder.to_owned());
        system("mount", &["-o", "remount,bind,ro", path]);
        mounted
    }

    /// Gives the disk another size.
    pub(crate) fn resize(&self, kib: u64) {
        system(
            "mount",
            &["-o", &format!("remount,size={kib}k"), self.0.to_str().unwrap()],
        );
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily, so that a program that a failed test left behind does not keep it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// An ordinary user of the machine; gone when dropped.
pub(crate) struct User {
    name: String,
}

impl User {
    /// A user in these groups besides one of his own.
    pub(crate) fn new(groups: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ft{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let groups = groups.join(",");
        let mut arguments = vec!["--no-create-home", "--user-group", "--shell", "/bin/sh"];
        if !groups.is_empty() {
            arguments.extend(["--groups", &groups]);
        }
        arguments.push(&name);
        system("useradd", &arguments);
        Self { name }
    }

    /// Makes the folder of a space, with all that is in it, the user's.
    pub(crate) fn take(&self, space: &FarmSpace) {
        let owner = format!("{}:", self.name);
        system("chown", &["--recursive", &owner, space.folder().to_str().unwrap()]);
    }

    /// A prepared run of the program as one of this user, with a copy of the program that he can read.
    pub(crate) fn command(&self, space: &FarmSpace, arguments: &[&str]) -> Command {
        let program = space.folder().join("farm");
        if !program.exists() {
            fs_err::copy(env!("CARGO_BIN_EXE_farm"), &program).unwrap();
        }
        let prepared = space.command(arguments);
        let mut command = Command::new("runuser");
        command
            .args(["-u", &self.name, "--"])
            .arg(program)
            .args(arguments)
            .current_dir(prepared.get_current_dir().unwrap())
            .stdin(Stdio::null())
            .env_clear();
        command.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// Every path in a folder that somebody else owns.
    pub(crate) fn not_his(&self, folder: &Path) -> Vec<PathBuf> {
        let output = Command::new("id").args(["-u", &self.name]).output().unwrap();
        let id: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let mut others = Vec::new();
        let mut pending = vec![folder.to_owned()];
        while let Some(path) = pending.pop() {
            let metadata = fs_err::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                pending.extend(fs_err::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            if metadata.uid() != id {
                others.push(path);
            }
        }
        others
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = Command::new("userdel")
            .args(["--force", &self.name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}
