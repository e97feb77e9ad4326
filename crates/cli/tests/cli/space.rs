//! A workspace of a test's own, and the program run in it with nothing from outside.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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

    /// Builds what is up to date until farm has noted that. It does not trust files of this very moment, so that takes a few runs.
    pub(crate) fn settle(&self) {
        for _ in 0..100 {
            if self.exists(".farm/settled") {
                return;
            }
            let ended = self.farm(&["build"]);
            assert!(ended.stderr.contains("nothing to do"), "{}", ended.text());
        }
        panic!("nothing was noted");
    }

    /// Waits for a command that was started with both outputs piped.
    pub(crate) fn end_of(&self, child: Child) -> Ended {
        let output = child.wait_with_output().unwrap();
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

/// Compares a run with a snapshot; durations, moments and whole keys are not compared.
macro_rules! assert_run {
    ($ended:expr, @$snapshot:literal) => {
        insta::with_settings!({filters => vec![
            (r"\d+(\.\d)? (s|min|h)( \d\d (s|min))?\b", "TIME"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "DATE"),
            (r#""(ms|expected_ms|began_ms|took_ms|used_ms|last_ms)":\d+"#, r#""$1":0"#),
            (r"\b[0-9a-f]{64}\b", "KEY"),
        ]}, {
            insta::assert_snapshot!($ended.text(), @$snapshot);
        });
    };
}
pub(crate) use assert_run;
