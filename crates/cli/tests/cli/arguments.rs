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
    assert_run!(Space::new().farm(&["biuld"]), @r"
    --- stderr
    error: unrecognized subcommand 'biuld'

      tip: a similar subcommand exists: 'build'

    Usage: farm [OPTIONS] <COMMAND>

    For more information, try '--help'.
    --- status 2
    ");
}

#[test]
fn unknown_option() {
    assert_run!(Space::new().farm(&["build", "--keep"]), @r"
    --- stderr
    error: unexpected argument '--keep' found

      tip: a similar argument exists: '--keep-going'

    Usage: farm build --keep-going [FARM[:TARGET] | TARGET | KEY=VALUE]...

    For more information, try '--help'.
    --- status 2
    ");
}

#[test]
fn no_jobs() {
    assert_run!(Space::new().farm(&["build", "-j", "0"]), @r"
    --- stderr
    error: invalid value '0' for '--jobs <N>': 0 is not in 1..=65535

    For more information, try '--help'.
    --- status 2
    ");
}

#[test]
fn no_plan_without_dry_run() {
    assert_run!(Space::new().farm(&["build", "--no-plan"]), @r"
    --- stderr
    error: the following required arguments were not provided:
      --dry-run

    Usage: farm build --dry-run --no-plan [FARM[:TARGET] | TARGET | KEY=VALUE]...

    For more information, try '--help'.
    --- status 2
    ");
}

#[test]
fn unknown_executor() {
    assert_run!(Space::new().farm(&["build", "--executor", "vm"]), @r"
    --- stderr
    error: invalid value 'vm' for '--executor <EXECUTOR>'
      [possible values: auto, docker, sandbox]

    For more information, try '--help'.
    --- status 2
    ");
}

#[test]
fn sandbox_is_not_there_yet() {
    assert_run!(Space::new().farm(&["build", "--executor", "sandbox"]), @r"
    --- stderr
    error: the sandbox executor is not there yet
    hint: take `--executor auto` or leave it out
    --- status 2
    ");
}

#[test]
fn unknown_format() {
    assert_run!(Space::new().farm(&["graph", "--format", "png"]), @r"
    --- stderr
    error: invalid value 'png' for '--format <FORMAT>'
      [possible values: dot, svg, mermaid, json]

    For more information, try '--help'.
    --- status 2
    ");
}

#[test]
fn unknown_shell() {
    assert_run!(Space::new().farm(&["completions", "cmd"]), @r"
    --- stderr
    error: invalid value 'cmd' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

    For more information, try '--help'.
    --- status 2
    ");
}

#[test]
fn unknown_manual_page() {
    assert_run!(Space::new().farm(&["man", "biuld"]), @r"
    --- stderr
    error: no such command: biuld
    hint: commands: build, publish-pkgs, publish-image, plan, patch, update, binhost, key, distfiles, import, targets, why, graph, log, serve, clean, gc, doctor, debug, schema, completions, man
    --- status 2
    ");
}

#[test]
fn why_of_nothing() {
    assert_run!(Space::new().farm(&["why"]), @r"
    --- stderr
    error: which node? `farm why` needs a target
    hint: `farm targets` lists them
    --- status 2
    ");
}

#[test]
fn log_of_nothing() {
    assert_run!(Space::new().farm(&["log"]), @r"
    --- stderr
    error: which node? `farm log` needs a target
    hint: `farm targets` lists them
    --- status 2
    ");
}

#[test]
fn variable_that_is_not_utf8() {
    use std::os::unix::ffi::OsStrExt as _;
    let space = Space::new();
    let mut command = space.command(&["targets"]);
    command.env("FARM_TYPE", std::ffi::OsStr::from_bytes(b"\xff"));
    assert_run!(space.ended(command), @r"
    --- stderr
    error: the environment variable FARM_TYPE is not UTF-8
    --- status 2
    ");
}

#[test]
fn doctor_without_an_engine() {
    let ended = Space::new().farm(&["doctor"]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert!(
        ended.stdout.starts_with("executor    none: no docker engine answers"),
        "{}",
        ended.text()
    );
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
    command.stdout(
        fs_err::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
            .into_file(),
    );
    command.stderr(std::process::Stdio::piped());
    let ended = space.end_of(command.spawn().unwrap());
    assert_run!(ended, @r"
    --- stderr
    error: cannot write to standard output: No space left on device (os error 28)
    --- status 3
    ");
}
