//! What becomes of the processes of tasks on the host.

use std::io::Read as _;
use std::process::Stdio;

use rustix::process::Signal;

use crate::signals::{pipe, signal, start};
use crate::space::Space;

/// A farm with one task that can say through `started` that it runs, and wait for `go`, to which nobody writes.
fn one_task(run: &str) -> Space {
    let space = Space::new();
    let run = run
        .replace("STARTED", &space.path("started").to_string_lossy())
        .replace("GO", &space.path("go").to_string_lossy());
    space.write(
        "farms/one/farm.yaml",
        &format!("farm: one\ntasks:\n  it:\n    in: host\n    run: |\n      {run}\n    outputs: [out]\n"),
    );
    pipe(&space.path("started"));
    pipe(&space.path("go"));
    space
}

#[test]
fn a_task_that_closed_its_output_can_be_stopped() {
    let space = one_task("exec > own.log 2>&1; echo > STARTED; read x < GO; echo > out");
    let child = start(&space, &["build"]);
    signal(&child, Signal::INT);
    let ended = space.end_of(child);
    assert_eq!(ended.status, Some(130), "{}", ended.text());
}

#[test]
fn a_task_that_closed_its_output_is_waited_for() {
    let space = one_task("exec > own.log 2>&1; (echo x > GO) & read x < GO; echo $x > out");
    let ended = space.farm(&["build"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert_eq!(space.read("farms/one/out"), "x\n");
}

#[test]
fn a_chatty_process_in_the_background_does_not_keep_a_task_alive() {
    let space = one_task("while echo chatter; do :; done & echo > out");
    let ended = space.farm(&["build"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
}

#[test]
fn neither_does_one_in_a_session_of_its_own() {
    let space = one_task("setsid sh -c 'while echo chatter; do :; done' & echo > out");
    let ended = space.farm(&["build"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
}

#[test]
fn a_task_dies_with_the_program() {
    let space = one_task("exec 3> STARTED; echo x >&3; read x < GO; echo > out");
    let mut command = space.command(&["build"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut task = fs_err::File::open(space.path("started")).unwrap();
    task.read_exact(&mut [0; 2]).unwrap();
    // A task may be quicker than farm, which notes whom to end a moment after it has started him.
    while !is_watched(child.id()) {
        std::thread::yield_now();
    }
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    // Ends when the last process that holds the other end is gone.
    task.read_to_end(&mut Vec::new()).unwrap();
    assert!(!space.exists("farms/one/out"));
}

/// Whether a group stands in the table of those that end with this farm.
fn is_watched(farm: u32) -> bool {
    let descriptors = fs_err::read_dir(format!("/proc/{farm}/fd")).unwrap();
    let table = descriptors.map(|entry| entry.unwrap().path()).find(|path| {
        let leads_to = std::fs::read_link(path).unwrap_or_default();
        leads_to.to_string_lossy().contains("farm-groups")
    });
    table.is_some_and(|table| fs_err::read(table).unwrap_or_default().iter().any(u8::is_ascii_digit))
}

#[test]
fn a_program_that_is_not_there() {
    let manifest = "farm: one\ntasks:\n  it: { in: host, run: [no-such-program], outputs: [out] }\n";
    let space = Space::with_farm("one", manifest);
    let ended = space.farm(&["build"]);
    assert_eq!(ended.status, Some(1), "{}", ended.text());
    let said = "no-such-program cannot be run: there is no such program";
    assert!(ended.stderr.contains(said), "{}", ended.text());
}
