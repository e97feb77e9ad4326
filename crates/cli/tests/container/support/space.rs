//! A workspace of a test's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use farm_engine::Guard;
use farm_guard_file::{GuardFile, Mode};
use fs_err as fs;
use tempfile::TempDir;

use super::docker::{remove_containers, remove_tags};
use super::ready::{Ground, Ready, ready};
use super::weekly::weekly_parts;
use super::{Output, base_image, copy, edit, example, program as under_test};

/// The base of the example, as its manifest has it.
const HOSTED: &str = "{ hosted: debian, suite: bookworm, portage: 3.0.83, packages: [debugedit, pax-utils] }";

/// A workspace of a test's own; everything it made is gone when it is dropped.
pub(crate) struct FarmSpace {
    folder: TempDir,
    work: PathBuf,
    flavour: String,
}

impl FarmSpace {
    /// A copy of `examples/tiny` on [`base_image`], of which nothing is built yet.
    pub(crate) fn new() -> Self {
        let flavour = own_flavour();
        let (folder, work) = folders();
        prepare(&work, &flavour);
        Self { folder, work, flavour }
    }

    /// A copy of the ready workspace: everything is built. Its flavour is its own, for which reason the binhost, which lies in
    /// a folder of that name, was made once more.
    pub(crate) fn ready() -> Self {
        let space = Self::copy_of(ready(Ground::Hosted)).with_own_flavour(ready(Ground::Hosted));
        space.build(&[]).assert_ran("another flavour", &["binhost"]);
        space
    }

    /// A copy of the ready workspace as it is, which must not make images: their names are the ready workspace's.
    pub(crate) fn moved() -> Self {
        Self::copy_of(ready(Ground::Hosted))
    }

    /// A workspace on [`weekly_base`](super::weekly_base) of which nothing is built yet, with the packages of that base in its overlay. Its manifest
    /// is the test's to write.
    pub(crate) fn weekly() -> Self {
        let space = Self::new();
        for part in weekly_parts() {
            part.write(&space);
        }
        space
    }

    /// The same of which all packages are built: a copy of the ready workspace on that base, with a flavour of its own.
    pub(crate) fn ready_weekly() -> Self {
        let ready = ready(Ground::Weekly);
        Self::copy_of(ready).with_own_flavour(ready)
    }

    fn copy_of(ready: &Ready) -> Self {
        let (folder, work) = folders();
        fs::remove_dir(&work).unwrap();
        copy(&ready.workspace, &work);
        // A copy of a workspace is not the same one to the engine: containers of the other are not to be removed.
        fs::remove_file(work.join(".farm/workspace-id")).unwrap();
        Self {
            folder,
            work,
            flavour: String::new(),
        }
    }

    fn with_own_flavour(mut self, ready: &Ready) -> Self {
        self.flavour = own_flavour();
        let line = |flavour: &str| format!("flavour: {flavour}.");
        self.edit("farms/tiny/farm.yaml", &line(&ready.flavour), &line(&self.flavour));
        self
    }

    /// A path in the workspace.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.work.join(path)
    }

    /// The folder that holds the workspace, and has room for other things of the test.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What distinguishes its images from those of others: `farm/tiny-leaf:FLAVOUR.opt`.
    pub(crate) fn flavour(&self) -> &str {
        &self.flavour
    }

    /// Reads a file of the workspace.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Writes a file of the workspace, and its folders.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Removes a file or folder of the workspace.
    pub(crate) fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    /// Replaces `from`, which must be there, by `to` in a file of the workspace.
    #[track_caller]
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        edit(&self.path(path), from, to);
    }

    /// Changes the mode of a file of the workspace.
    pub(crate) fn chmod(&self, path: &str, mode: u32) {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(self.path(path), permissions).unwrap();
    }

    /// The program, about to be started in the workspace with nothing from outside.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        program(&self.work, self.folder.path(), arguments)
    }

    /// Runs it to its end.
    pub(crate) fn farm(&self, arguments: &[&str]) -> Output {
        run(self.command(arguments))
    }

    /// `farm build tiny --json`, with these arguments besides.
    pub(crate) fn build(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["build", "tiny", "--json"];
        all.extend(arguments);
        self.farm(&all)
    }

    /// What the workspace remembers of all that it built.
    pub(crate) fn guards(&self) -> Vec<Guard> {
        GuardFile::open(&self.path(".farm/guards"), Mode::Read)
            .unwrap()
            .guards
            .all()
    }

    /// The place of an output of a node's newest guard, as farm wrote it.
    pub(crate) fn place(&self, node: &str, role: &str) -> serde_json::Value {
        let guards = self.guards();
        let newest = guards
            .iter()
            .filter(|guard| guard.node == node)
            .max_by_key(|guard| guard.started_ms)
            .unwrap();
        let output = newest.outputs.iter().find(|output| output.role == role).unwrap();
        serde_json::from_str(&output.place).unwrap()
    }

    /// The label of its containers, once anything ran.
    pub(crate) fn label(&self) -> Option<String> {
        // The name, and the folder's inode, which tells a copy from the workspace itself.
        let text = fs::read_to_string(self.path(".farm/workspace-id")).ok()?;
        let id = text.split_whitespace().next()?;
        Some(format!("org.farm.workspace={id}"))
    }
}

impl Drop for FarmSpace {
    fn drop(&mut self) {
        if let Some(label) = self.label() {
            remove_containers(&label);
        }
        if !self.flavour.is_empty() {
            // Images without a name first, which only the guards know of.
            let _ = self
                .command(&["clean"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            remove_tags(&format!("farm/*:{}.*", self.flavour));
        }
    }
}

/// Makes a workspace of `examples/tiny` on [`base_image`].
pub(super) fn prepare(work: &Path, flavour: &str) {
    fs::create_dir_all(work).unwrap();
    let example = example();
    copy(&example.join("profiles"), &work.join("profiles"));
    copy(&example.join("farms"), &work.join("farms"));
    let manifest = work.join("farms/tiny/farm.yaml");
    edit(&manifest, HOSTED, &format!("{{ image: \"{}\" }}", base_image()));
    edit(&manifest, "flavour: amd64.", &format!("flavour: {flavour}."));
}

/// The program, about to be started in a workspace with a home and a folder for temporary files in `folder`.
pub(super) fn program(work: &Path, folder: &Path, arguments: &[&str]) -> Command {
    let (home, temporary) = (folder.join("home"), folder.join("tmp"));
    fs::create_dir_all(&home).unwrap();
    fs::create_dir_all(&temporary).unwrap();
    let mut command = Command::new(under_test::path());
    command
        .args(arguments)
        .current_dir(work)
        .stdin(Stdio::null())
        .env_clear()
        .env("HOME", home)
        .env("TMPDIR", temporary)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if let Some(host) = docker_host() {
        command.env("DOCKER_HOST", host);
    }
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests talk to the engine that their caller talks to"
)]
fn docker_host() -> Option<std::ffi::OsString> {
    std::env::var_os("DOCKER_HOST")
}

/// A prepared command as people type it.
pub(super) fn words(command: &Command) -> String {
    let words = command.get_args().map(|word| word.to_string_lossy());
    std::iter::once("farm".into())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a prepared command to its end.
pub(crate) fn run(mut command: Command) -> Output {
    let words = words(&command);
    let output = command.output().unwrap();
    Output {
        command: words,
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A short path: the name of a socket below it has room for 108 bytes only.
fn folders() -> (TempDir, PathBuf) {
    let folder = tempfile::Builder::new().prefix("ft").tempdir().unwrap();
    let work = folder.path().join("work");
    fs::create_dir(&work).unwrap();
    (folder, work)
}

fn own_flavour() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
