//! Farm is killed before each of the calls by which it changes a file, one after the other. The next run must finish, and run
//! nothing that was recorded.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use farm_guard_file::{GuardFile, Mode};

use crate::space::Space;

const MANIFEST: &str = "
farm: f
tasks:
  a: { in: host, inputs: [in], run: 'read x < in; echo a $x > a', outputs: [a] }
  b: { in: host, inputs: [a], run: 'read x < a; echo b $x > b', outputs: [b] }
";

/// Every call that changes what is on the disk. Opening is one, as it makes files.
const CALLS: &str = "openat,write,pwrite64,ftruncate,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,\
                     copy_file_range,chmod,fchmod,fchmodat";

fn space() -> Space {
    let space = Space::with_farm("f", MANIFEST);
    space.write("farms/f/in", "one\n");
    space
}

/// Runs `farm build` and kills it before the call with this number, counted thread by thread; in all threads, or in the first
/// alone. Gives whether it came so far.
fn killed_at(space: &Space, number: usize, all_threads: bool) -> bool {
    let farm = space.command(&["build", "-j1"]);
    let mut command = Command::new("strace");
    if all_threads {
        command.arg("-f");
    }
    let status = command
        .args(["-qq", "-o", "/dev/null", "-e"])
        .arg(format!("trace={CALLS}"))
        .arg("-e")
        .arg(format!("inject={CALLS}:signal=KILL:when={number}"))
        .arg(farm.get_program())
        .args(farm.get_args())
        .current_dir(space.path(""))
        .env_clear()
        .envs(farm.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace is installed by scripts/setup --tests");
    // Whoever traces a process dies the same death.
    let killed = status.signal() == Some(9);
    assert!(
        killed || status.code().is_some_and(|code| code <= 3),
        "{number}: {status:?}"
    );
    killed || status.code() != Some(0)
}

fn recorded(space: &Space) -> BTreeSet<String> {
    let file = GuardFile::open(&space.path(".farm/guards"), Mode::Read).unwrap();
    file.guards.all().into_iter().map(|guard| guard.node).collect()
}

/// Kills at one call after the other, and lets the next run finish, until a run comes to its end. Gives how often it was killed.
fn kill_everywhere(all_threads: bool, change: impl Fn(&Space)) -> usize {
    for number in 1.. {
        let space = space();
        change(&space);
        let before = recorded(&space);
        if !killed_at(&space, number, all_threads) {
            return number - 1;
        }
        let done: BTreeSet<String> = recorded(&space).difference(&before).cloned().collect();
        let ended = space.farm(&["build", "--json"]);
        assert_eq!(ended.status, Some(0), "{number}: {}", ended.text());
        for event in ended.json_lines() {
            let name = event["name"].as_str().unwrap_or_default();
            let again = event["result"] == "built" && done.contains(name);
            assert!(
                !again,
                "{number}: {name} was recorded, and runs again: {}",
                ended.text()
            );
        }
        assert_eq!(
            space.read("farms/f/b"),
            "b a ".to_owned() + &space.read("farms/f/in"),
            "{number}"
        );
        let ended = space.farm(&["build"]);
        assert!(ended.stderr.contains("nothing to do"), "{number}: {}", ended.text());
        assert!(!space.path(".farm/running").exists(), "{number}");
    }
    unreachable!("the numbers do not end")
}

/// So many calls a build of two tasks makes at least; fewer kills mean that nobody was killed.
const AT_LEAST: usize = 20;

#[test]
fn killed_before_any_change_of_a_first_build() {
    assert!(kill_everywhere(false, |_| ()) > AT_LEAST);
    assert!(kill_everywhere(true, |_| ()) > AT_LEAST);
}

#[test]
fn killed_before_any_change_of_a_build_after_an_edit() {
    let edit = |space: &Space| {
        assert_eq!(space.farm(&["build"]).status, Some(0));
        space.write("farms/f/in", "two\n");
    };
    assert!(kill_everywhere(false, edit) > AT_LEAST);
    assert!(kill_everywhere(true, edit) > AT_LEAST);
}
