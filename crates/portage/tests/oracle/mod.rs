//! The real Portage as an oracle: one Python process that answers a line for a line.
#![allow(dead_code, reason = "every test program uses another part of it")]

pub(crate) mod described;
pub(crate) mod generate;
pub(crate) mod random;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

/// Asks `answers.py` in the given mode and returns one answer for each question.
pub(crate) fn ask(mode: &str, questions: &[String]) -> Vec<String> {
    let scratch = tempfile::tempdir().expect("a temp folder can be made");
    let input: String = questions.iter().flat_map(|question| [question, "\n"]).collect();
    let answers = lines_of("answers.py", &[mode, text(scratch.path())], input);
    assert_eq!(answers.len(), questions.len(), "one answer a question");
    answers
}

/// The questions that Portage's own tests ask, with Portage's answers: what `vectors.py` prints.
pub(crate) fn vectors() -> Vec<String> {
    lines_of("vectors.py", &[], String::new())
}

/// Runs a program of this folder with Portage's modules, and gives the lines it prints.
fn lines_of(program: &str, arguments: &[&str], input: String) -> Vec<String> {
    let mut child = Command::new("python3")
        .arg("-B")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(program))
        .args(arguments)
        .env("PYTHONPATH", portage())
        .env("PYTHONUTF8", "1")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed for the comparison with the real Portage");
    let mut stdin = child.stdin.take().expect("stdin was piped");
    // Written from a thread of its own: the process answers while it reads, and either pipe can fill up.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the process can be waited for");
    writer
        .join()
        .expect("the writer does not panic")
        .expect("the process reads everything");
    assert!(output.status.success(), "{program} {arguments:?} failed");
    let lines = String::from_utf8(output.stdout).expect("answers are UTF-8");
    lines.lines().map(str::to_owned).collect()
}

/// The folder of the unpacked wheel. Made once for all tests and runs; tests that run side by side may both make it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test takes the wheel from where the caller has it, and has no command line"
)]
fn portage() -> PathBuf {
    const RELEASE: &str = "portage-3.0.83";
    let given = std::env::var_os("FARM_TEST_WHEEL").map(PathBuf::from);
    let name = given
        .as_deref()
        .and_then(Path::file_stem)
        .and_then(|stem| stem.to_str())
        .unwrap_or(RELEASE);
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the folder lies in the target folder")
        .join("test-cache");
    let unpacked = cache.join(name);
    if unpacked.is_dir() {
        return unpacked;
    }
    fs::create_dir_all(&cache).expect("the cache can be made");
    let scratch = tempfile::tempdir_in(&cache).expect("a temp folder can be made");
    let wheel = given.unwrap_or_else(|| {
        let requirement = RELEASE.replace('-', "==");
        python(&[
            "-m",
            "pip",
            "download",
            &requirement,
            "--no-deps",
            "--quiet",
            "-d",
            text(scratch.path()),
        ]);
        scratch.path().join(format!("{RELEASE}-py3-none-any.whl"))
    });
    let fresh = scratch.path().join("unpacked");
    python(&["-m", "zipfile", "-e", text(&wheel), text(&fresh)]);
    if let Err(error) = fs::rename(&fresh, &unpacked) {
        // Another test was faster; what it made is the same.
        assert!(unpacked.is_dir(), "the wheel cannot be put in place: {error}");
    }
    unpacked
}

fn python(arguments: &[&str]) {
    let status = Command::new("python3")
        .args(arguments)
        .stdout(Stdio::null())
        .status()
        .expect("python3 is needed for the comparison with the real Portage");
    assert!(status.success(), "python3 {} failed", arguments.join(" "));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the target folder has a UTF-8 name")
}
