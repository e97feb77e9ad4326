//! A run that is stopped, and one that finds the workspace in use. Named pipes say when the other side is where it should be.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use crate::space::{Space, assert_run};

pub(crate) fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// A farm whose first task says through `started` that it runs, and waits until somebody writes to `go`.
pub(crate) fn waiting() -> Space {
    let space = Space::new();
    let (started, go) = (space.path("started"), space.path("go"));
    let manifest = format!(
        r#"
farm: slow
tasks:
  quick: {{ in: host, run: 'echo > quick.out', outputs: [quick.out] }}
  wait: {{ in: host, inputs: [quick.out], run: 'echo > {}; read x < {}; echo > wait.out', outputs: [wait.out] }}
  after: {{ in: host, inputs: [wait.out], run: 'echo > after.out', outputs: [after.out] }}
"#,
        started.display(),
        go.display()
    );
    space.write("farms/slow/farm.yaml", &manifest);
    pipe(&started);
    pipe(&go);
    space
}

pub(crate) fn start(space: &Space, arguments: &[&str]) -> Child {
    let child = space
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Opens only when the task opens the other end.
    fs_err::File::open(space.path("started"))
        .unwrap()
        .read_to_end(&mut Vec::new())
        .unwrap();
    child
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

pub(crate) fn release(space: &Space) {
    fs_err::OpenOptions::new()
        .write(true)
        .open(space.path("go"))
        .unwrap()
        .write_all(b"\n")
        .unwrap();
}

#[test]
fn interrupted() {
    let space = waiting();
    let child = start(&space, &["build"]);
    signal(&child, Signal::INT);
    assert_run!(space.end_of(child), @r"
    --- stderr
    start  slow:task/quick (never built)
    built  slow:task/quick in TIME
    start  slow:task/wait (never built)
    stopping; once more to give up at once
    skipped:
      slow:task/wait: the run was stopped
      slow:task/after: the run was stopped
    built:
      slow:task/quick
    stopped; what is finished is kept
    1 built, 2 skipped in TIME
    --- status 130
    ");
    // What was finished is kept.
    let child = start(&space, &["build"]);
    release(&space);
    assert_run!(space.end_of(child), @r"
    --- stderr
    start  slow:task/wait (never built)
    built  slow:task/wait in TIME
    start  slow:task/after (never built)
    built  slow:task/after in TIME
    2 built, 1 cached in TIME
    --- status 0
    ");
}

#[test]
fn terminated() {
    let space = waiting();
    let child = start(&space, &["build", "--json"]);
    signal(&child, Signal::TERM);
    let ended = space.end_of(child);
    assert_eq!(ended.status, Some(143), "{}", ended.text());
    let last = ended.json_lines().pop().unwrap();
    assert_eq!(
        (&last["event"], &last["interrupted"]),
        (&"build-finished".into(), &true.into())
    );
}

/// An engine that takes connections and never answers holds a run up where it cannot look for signals.
#[test]
fn interrupted_twice() {
    let manifest = r#"
farm: boxed
binfarm:
  base: { image: "farm.invalid/stage3:1" }
  repos: { gentoo: { path: tree } }
  profile: gentoo:default
subjects: { s: { packages: { app-misc/a: {} } } }
"#;
    let space = Space::with_farm("boxed", manifest);
    space.write("farms/boxed/tree/profiles/repo_name", "gentoo\n");
    let socket = space.path("engine.sock");
    let engine = UnixListener::bind(&socket).unwrap();
    let mut command = space.command(&["build"]);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let connection = engine.accept().unwrap();
    signal(&child, Signal::INT);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "stopping; once more to give up at once\n");
    signal(&child, Signal::INT);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(130), ""));
    drop(connection);
}

#[test]
fn the_second_run_says_who_holds_the_workspace() {
    let space = waiting();
    let first = start(&space, &["build"]);
    let second = space.farm(&["build", "-k"]);
    assert_eq!(second.status, Some(3), "{}", second.text());
    assert!(second.stderr.contains("farm build"), "{}", second.text());
    // Looking is allowed meanwhile.
    assert_eq!(space.farm(&["why", "task/after"]).status, Some(0));
    release(&space);
    assert_eq!(space.end_of(first).status, Some(0));
}
