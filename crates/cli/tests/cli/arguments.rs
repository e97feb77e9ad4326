//! Mistakes on the command line: status 2, one sentence, and what was meant.

use crate::space::{Space, assert_run};

#[test]
fn no_command() {
    let ended = Space::new().farm(&[]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("Usage: farm"), "{}", ended.text());
}

#[test]
fn unknown_command() {
    assert_run!(Space::new().farm(&["biuld"]), @"");
}

#[test]
fn unknown_option() {
    assert_run!(Space::new().farm(&["build", "--keep"]), @"");
}

#[test]
fn no_jobs() {
    assert_run!(Space::new().farm(&["build", "-j", "0"]), @"");
}

#[test]
fn no_plan_without_dry_run() {
    assert_run!(Space::new().farm(&["build", "--no-plan"]), @"");
}

#[test]
fn unknown_executor() {
    assert_run!(Space::new().farm(&["build", "--executor", "vm"]), @"");
}

#[test]
fn sandbox_is_not_there_yet() {
    assert_run!(Space::new().farm(&["build", "--executor", "sandbox"]), @"");
}

#[test]
fn publishing_asks_for_unsigned() {
    assert_run!(Space::new().farm(&["publish-pkgs"]), @"");
}

#[test]
fn unknown_format() {
    assert_run!(Space::new().farm(&["graph", "--format", "png"]), @"");
}

#[test]
fn unknown_shell() {
    assert_run!(Space::new().farm(&["completions", "cmd"]), @"");
}

#[test]
fn unknown_manual_page() {
    assert_run!(Space::new().farm(&["man", "biuld"]), @"");
}

#[test]
fn why_of_nothing() {
    assert_run!(Space::new().farm(&["why"]), @"");
}

#[test]
fn log_of_nothing() {
    assert_run!(Space::new().farm(&["log"]), @"");
}

#[test]
fn variable_that_is_not_utf8() {
    use std::os::unix::ffi::OsStrExt as _;
    let space = Space::new();
    let mut command = space.command(&["targets"]);
    command.env("FARM_TYPE", std::ffi::OsStr::from_bytes(b"\xff"));
    assert_run!(space.ended(command), @"");
}

#[test]
fn doctor_without_an_engine() {
    let ended = Space::new().farm(&["doctor"]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert!(ended.stdout.starts_with("executor    none: no docker engine answers"), "{}", ended.text());
    assert!(ended.stderr.contains("nothing can be built"), "{}", ended.text());
}

#[test]
fn a_reader_that_is_gone_is_no_error() {
    let space = Space::new();
    let mut child = space
        .command(&["schema"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = space.end_of(child);
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is() {
    let space = Space::new();
    let mut command = space.command(&["schema"]);
    command.stdout(fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap().into_file());
    command.stderr(std::process::Stdio::piped());
    let ended = space.end_of(command.spawn().unwrap());
    assert_run!(ended, @"");
}
