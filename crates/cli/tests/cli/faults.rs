//! A disk that is full, and a folder that may not be written: each of the calls by which farm changes a file fails, one after the
//! other. Farm says so in a sentence that names the file, and the next run finishes what this one began.

use std::process::{Child, Command, Stdio};

use crate::crash::{edited, finishes, recorded, space};
use crate::inject::{CHANGES, Injected, Injection, farm_with};
use crate::space::{Ended, Space};

/// Whether a call that went wrong was about a message, which then nobody could read.
fn is_message(call: &str) -> bool {
    call.contains("write(1<") || call.contains("write(2<")
}

/// A run in which a call failed does without it, or says in a sentence what failed with which file.
fn is_honest(space: &Space, run: &Injected, cause: &str, what: &str) {
    let said = &run.ended.stderr;
    match run.ended.status {
        Some(0) => {}
        Some(3) => {
            let root = space.path("");
            let names = said.contains(&*root.parent().unwrap().to_string_lossy());
            let unheard = run.calls.iter().any(|call| is_message(call));
            assert!(
                (said.contains(cause) && names) || unheard,
                "{what}: {}",
                run.ended.text()
            );
        }
        // The program of a step met the same fate.
        Some(1) => assert!(said.contains("it ended with status"), "{what}: {}", run.ended.text()),
        _ => panic!("{what}: {}", run.ended.text()),
    }
}

/// Lets one call after the other fail, of each kind as many as there are. Gives how many runs failed.
fn fail_everywhere(error: &str, cause: &str, all_threads: bool, change: impl Fn(&Space)) -> usize {
    let mut failed = 0;
    for call in CHANGES {
        for number in 1.. {
            let space = space();
            change(&space);
            let before = recorded(&space);
            let injection = Injection {
                call,
                number,
                what: &format!("error={error}"),
                all_threads,
            };
            let run = farm_with(&space, &["build", "-j1"], injection);
            if run.calls.is_empty() {
                break;
            }
            let what = format!("{error} at {call} {number}: {}", run.calls.join("\n"));
            is_honest(&space, &run, cause, &what);
            failed += usize::from(run.ended.status != Some(0));
            finishes(&space, &before, &what);
        }
    }
    failed
}

#[test]
fn a_full_disk_at_any_change_of_a_first_build() {
    assert!(fail_everywhere("ENOSPC", "No space left on device", false, |_| ()) > 10);
    assert!(fail_everywhere("ENOSPC", "No space left on device", true, |_| ()) > 20);
}

#[test]
fn a_full_disk_at_any_change_after_an_edit() {
    assert!(fail_everywhere("ENOSPC", "No space left on device", true, edited) > 10);
}

#[test]
fn a_folder_that_may_not_be_written_at_any_change() {
    assert!(fail_everywhere("EROFS", "Read-only file system", true, |_| ()) > 20);
}

/// Runs a shell script in a mount namespace of its own, where `.farm` is an empty file system with these options, and `farm` is the
/// program. `None` where nobody may mount.
fn on_small_disk(space: &Space, options: &str, script: &str) -> Option<Ended> {
    fs_err::create_dir(space.path(".farm")).unwrap();
    let farm = space.command(&[]);
    let mount = format!(
        "mount -t tmpfs -o {options} farm .farm || exit 99\nfarm() {{ '{}' \"$@\"; }}\n",
        farm.get_program().display()
    );
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--map-root-user", "sh", "-c", &(mount + script)])
        .current_dir(space.path(""))
        .env_clear()
        .envs(farm.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = space.ended(command);
    let is_allowed = ended.status != Some(99) && !ended.stderr.contains("unshare: ");
    is_allowed.then_some(ended)
}

#[test]
fn a_disk_that_is_really_full_is_said_and_enough_room_is_enough() {
    let mut failed = 0;
    let rooms = (4..30).map(|inodes| format!("nr_inodes={inodes}"));
    let rooms = rooms.chain((2..14).map(|pages| format!("size={}k", 4 * pages)));
    for room in rooms {
        let space = space();
        let script = "farm build -j1; echo first $?\nmount -o remount,size=8m,nr_inodes=1000 .farm\n\
                      farm build >&2; echo second $?\nfarm build 2>&1 | grep -c 'nothing to do'";
        let Some(ended) = on_small_disk(&space, &room, script) else {
            // Continuous integration in a container without the right to mount; the calls that fail are tested all the same.
            return;
        };
        let what = format!("{room}: {}", ended.text());
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(lines[1..], ["second 0", "1"], "{what}");
        if lines[0] != "first 0" {
            failed += 1;
            assert_eq!(lines[0], "first 3", "{what}");
            assert!(ended.stderr.contains("No space left on device"), "{what}");
        }
        assert_eq!(space.read("farms/f/b"), "b a one\n", "{what}");
    }
    assert!(failed > 10, "{failed}");
}

#[test]
fn a_workspace_that_may_only_be_read_is_said() {
    let space = space();
    let script = "farm build -j1 || exit\necho two > farms/f/in\nmount -o remount,ro .farm\nfarm build; echo first $?\n\
                  farm why task/b >&2; echo why $?\nmount -o remount,rw .farm\nfarm build >&2; echo second $?";
    if let Some(ended) = on_small_disk(&space, "size=1m", script) {
        assert_eq!(ended.stdout, "first 3\nwhy 0\nsecond 0\n", "{}", ended.text());
        assert!(ended.stderr.contains("Read-only file system"), "{}", ended.text());
        assert_eq!(space.read("farms/f/b"), "b a two\n");
    }
}

const SLOW: &str = "
farm: f
tasks:
  slow: { in: host, run: 'echo > begun; until [ -e go ]; do sleep 0.02; done; echo slow > slow', outputs: [slow] }
  quick: { in: host, run: 'echo quick > quick', outputs: [quick] }
";

/// Starts a build of the slow task, and waits until that is under way.
fn begin(space: &Space) -> Child {
    let mut command = space.command(&["build", "task/slow"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !space.exists("farms/f/begun") {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child
}

#[test]
fn the_second_of_two_writers_learns_who_is_the_first() {
    let space = Space::with_farm("f", SLOW);
    let first = begin(&space);
    for arguments in [["build", "task/quick"], ["gc", "--dry-run"]] {
        let ended = space.farm(&arguments);
        assert_eq!(ended.status, Some(3), "{}", ended.text());
        let holder = format!("held by process {} (", first.id());
        assert!(ended.stderr.contains(&holder), "{}", ended.text());
        assert!(ended.stderr.contains("build task/slow) since "), "{}", ended.text());
    }
    space.write("farms/f/go", "");
    assert_eq!(space.end_of(first).status, Some(0));
}

#[test]
fn two_writers_at_once_lose_nothing() {
    let space = Space::with_farm("f", SLOW);
    let first = begin(&space);
    fs_err::remove_file(space.path(".farm/lock")).unwrap();
    let ended = space.farm(&["build", "task/quick"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    space.write("farms/f/go", "");
    let ended = space.end_of(first);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    let ended = space.farm(&["build"]);
    assert!(ended.stderr.contains("nothing to do"), "{}", ended.text());
}

#[test]
fn a_damaged_guard_file_is_said_once_and_costs_what_was_damaged() {
    let space = space();
    assert_eq!(space.farm(&["build"]).status, Some(0));
    let guards = space.path(".farm/guards");
    let mut bytes = fs_err::read(&guards).unwrap();
    // In the JSON of the first.
    bytes[400] ^= 1;
    fs_err::write(&guards, bytes).unwrap();
    let ended = space.farm(&["build", "--json"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    let built = |event: &serde_json::Value| event["result"] == "built";
    let names: Vec<String> = ended
        .json_lines()
        .iter()
        .filter(|event| built(event))
        .map(|event| event["name"].to_string())
        .collect();
    assert_eq!(names, ["\"f:task/a\""], "{}", ended.text());
    assert!(ended.text().contains(".farm/guards is damaged: "), "{}", ended.text());
    assert!(ended.text().contains("(f:task/a)"), "{}", ended.text());
    let ended = space.farm(&["build"]);
    assert!(
        ended.stderr.contains("nothing to do") && !ended.stderr.contains("damaged"),
        "{}",
        ended.text()
    );
}
