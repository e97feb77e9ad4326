//! What a terminal shows: a picture of the run that is erased at the end.

use std::io::Read as _;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::space::Space;

/// Runs the program in a terminal made by util-linux's `script`, until `until` has been shown; then lets the task go on.
/// Returns everything the terminal got.
fn in_terminal(space: &Space, until: &str, environment: &[(&str, &str)]) -> String {
    let go = space.path("go");
    mknodat(CWD, &go, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let manifest = format!(
        "farm: slow\ntasks:\n  wait: {{ in: host, run: 'read x < {}; echo > wait.out', outputs: [wait.out] }}\n",
        go.display()
    );
    space.write("farms/slow/farm.yaml", &manifest);
    let program = space.command(&[]);
    let mut command = Command::new("script");
    command.args([
        "-qec",
        &format!("{} build", program.get_program().display()),
        "/dev/null",
    ]);
    command
        .env_clear()
        .current_dir(space.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("TERM", "xterm").envs(environment.iter().copied());
    let mut child = command.spawn().unwrap();
    let mut terminal = child.stdout.take().unwrap();
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&shown).contains(until) {
        let length = terminal.read(&mut buffer).unwrap();
        assert!(length > 0, "it ended too soon: {}", String::from_utf8_lossy(&shown));
        shown.extend_from_slice(&buffer[..length]);
    }
    fs_err::write(go, "\n").unwrap();
    terminal.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}

#[test]
fn a_picture_that_is_erased() {
    let space = Space::new();
    let shown = in_terminal(&space, "slow:task/wait", &[]);
    assert!(shown.contains("0 of 1 done, 1 running"), "{shown:?}");
    assert!(shown.contains("\x1b[32m"), "in colour: {shown:?}");
    let (_, end) = shown.rsplit_once("\x1b[J").unwrap();
    assert!(end.starts_with("1 built in ") && !end.contains("running"), "{shown:?}");
}

#[test]
fn a_picture_without_colour() {
    let space = Space::new();
    let shown = in_terminal(&space, "slow:task/wait", &[("NO_COLOR", "1")]);
    assert!(shown.contains("\x1b[2A") && !shown.contains("\x1b[3"), "{shown:?}");
}

#[test]
fn lines_where_pictures_cannot_be_drawn() {
    let space = Space::new();
    let shown = in_terminal(&space, "start  slow:task/wait (never built)", &[("TERM", "dumb")]);
    assert!(!shown.contains('\x1b'), "{shown:?}");
}
