//! A workspace of a test's own, and the program run in it with nothing from outside.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A temporary workspace. Home and temporary folders are inside, next to it.
pub(crate) struct Space {
    folder: TempDir,
}

/// What a run of the program left.
#[must_use = "compare it with a snapshot, or look at its status"]
pub(crate) struct Ended {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: Option<i32>,
    root: PathBuf,
}

impl Space {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "tmp", "workspace"] {
            fs_err::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// A workspace with one farm.
    pub(crate) fn with_farm(name: &str, manifest: &str) -> Self {
        let space = Self::new();
        space.write(&format!("farms/{name}/farm.yaml"), manifest);
        space
    }

    /// Another one with the same files.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        let status = Command::new("cp")
            .args(["-a", "--"])
            .arg(self.path("."))
            .arg(copy.path(""))
            .status();
        assert!(status.unwrap().success());
        copy
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("workspace").join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The program, about to be started in the workspace. No engine can be reached, whatever this machine has.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let root = self.folder.path();
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("farm"));
        command
            .args(arguments)
            .current_dir(root.join("workspace"))
            .stdin(Stdio::null())
            .env_clear()
            .env("HOME", root.join("home"))
            .env("TMPDIR", root.join("tmp"))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env(
                "DOCKER_HOST",
                format!("unix://{}", root.join("no-engine.sock").display()),
            );
        command
    }

    /// Runs it to its end.
    pub(crate) fn farm(&self, arguments: &[&str]) -> Ended {
        self.ended(self.command(arguments))
    }

    /// Runs a prepared command to its end.
    pub(crate) fn ended(&self, mut command: Command) -> Ended {
        self.end_of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Builds what is up to date until farm has noted all of it. It does not trust files of this very moment, so that takes a few runs.
    pub(crate) fn settle(&self) {
        let noted = || {
            let entries = fs_err::read_dir(self.path(".farm/settled")).ok()?;
            let inodes = entries.map(|entry| std::os::unix::fs::DirEntryExt::ino(&entry.unwrap()));
            Some(inodes.collect::<std::collections::BTreeSet<u64>>())
        };
        let mut before = noted();
        for _ in 0..100 {
            let ended = self.farm(&["build"]);
            assert!(ended.stderr.contains("nothing to do"), "{}", ended.text());
            let after = noted();
            // Who has nothing to look at writes nothing.
            if after.is_some() && after == before {
                return;
            }
            before = after;
        }
        panic!("nothing was noted");
    }

    /// Waits for a command that was started with both outputs piped.
    pub(crate) fn end_of(&self, child: Child) -> Ended {
        self.ended_with(child.wait_with_output().unwrap())
    }

    /// What a run left that has ended.
    pub(crate) fn ended_with(&self, output: Output) -> Ended {
        Ended {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code(),
            root: self.folder.path().to_owned(),
        }
    }
}

impl Ended {
    /// Everything at once, without what differs from run to run.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, content) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !content.is_empty() {
                let end = if content.ends_with('\n') {
                    ""
                } else {
                    "[no line feed]\n"
                };
                text.push_str(&format!("--- {name}\n{content}{end}"));
            }
        }
        text.push_str(&format!(
            "--- status {}\n",
            self.status.map_or("none".to_owned(), |code| code.to_string())
        ));
        without_folder(&text, &self.root)
    }

    /// The lines of standard output as JSON.
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn without_folder(text: &str, root: &Path) -> String {
    let canonical = fs_err::canonicalize(root).unwrap();
    text.replace(&*canonical.to_string_lossy(), "$SPACE")
        .replace(&*root.to_string_lossy(), "$SPACE")
}

/// Compares a run with a snapshot; times, durations, whole keys and farm's version are not compared.
macro_rules! assert_run {
    ($ended:expr, @$snapshot:literal) => {
        insta::with_settings!({filters => vec![
            (r"\d+(\.\d)? (s|min|h)( \d\d (s|min))?\b", "TIME"),
            (r#""(ms|\w+_ms)":\d+"#, r#""$1":0"#),
            (concat!(r"\b", env!("CARGO_PKG_VERSION"), r"\b"), "VERSION"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "WHEN"),
            (r"\b[0-9a-f]{64}\b", "KEY"),
        ]}, {
            insta::assert_snapshot!($ended.text(), @$snapshot);
        });
    };
}
pub(crate) use assert_run;
