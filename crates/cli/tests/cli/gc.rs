//! `farm gc`.

use farm_engine::{Clock, GuardStore as _, SystemClock};
use farm_guard_file::{GuardFile, Mode};

use crate::inject::{CHANGES, Injection, farm_with};
use crate::space::{Space, assert_run};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

struct At(u64);

impl Clock for At {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

/// A task that was built from eight inputs, 40 days ago: three of them are forgotten. The ninth has just been built.
fn old() -> Space {
    let space = Space::with_farm(
        "f",
        "
farm: f
tasks:
  a: { in: host, inputs: [in], run: 'read x < in; echo a $x > a', outputs: [a] }
",
    );
    for number in 1..=8 {
        space.write("farms/f/in", &format!("{number}\n"));
        assert_eq!(space.farm(&["build"]).status, Some(0));
    }
    let path = space.path(".farm/guards");
    let mut guards = GuardFile::open(&path, Mode::Read).unwrap().guards.all();
    guards.sort_by_key(|guard| guard.started_ms);
    fs_err::remove_file(&path).unwrap();
    let then = At(SystemClock.now_ms() - 40 * DAY_MS);
    let file = GuardFile::open_with_clock(&path, Mode::Write, Box::new(then))
        .unwrap()
        .guards;
    for guard in guards {
        file.record(guard).unwrap();
    }
    drop(file);
    space.write("farms/f/in", "9\n");
    assert_eq!(space.farm(&["build"]).status, Some(0));
    space
}

fn blobs(space: &Space) -> usize {
    let folders = fs_err::read_dir(space.path(".farm/store/blobs")).unwrap();
    folders
        .map(|folder| fs_err::read_dir(folder.unwrap().path()).unwrap().count())
        .sum()
}

/// No guard is there without what it speaks of.
fn guards_have_their_blobs(space: &Space, what: &str) {
    let file = GuardFile::open(&space.path(".farm/guards"), Mode::Read).unwrap().guards;
    for guard in file.all() {
        let output = guard.outputs.iter().find(|output| output.role == "a").unwrap();
        let place: serde_json::Value = serde_json::from_str(&output.place).unwrap();
        let files = place["files"].as_object().unwrap();
        for file in files.values() {
            let digest = file["blob"]["digest"].as_str().unwrap();
            let blob = format!(".farm/store/blobs/{}/{}", &digest[..2], &digest[2..]);
            assert!(space.exists(&blob), "{what}: {blob} of {}", guard.key);
        }
    }
}

/// The last five are there, as outputs that come back without a run.
fn five_come_back(space: &Space, what: &str) {
    for number in 5..=9 {
        space.write("farms/f/in", &format!("{number}\n"));
        let ended = space.farm(&["build", "--json"]);
        assert_eq!(ended.status, Some(0), "{what}: {}", ended.text());
        let ran = ended.json_lines().iter().any(|event| event["result"] == "built");
        assert!(!ran, "{what}, {number}: {}", ended.text());
        assert_eq!(space.read("farms/f/a"), format!("a {number}\n"), "{what}");
    }
}

#[test]
fn it_says_what_it_removes_and_keeps_the_last_five() {
    let space = old();
    assert_eq!(blobs(&space), 9);
    let dry = space.farm(&["gc", "--dry-run"]);
    assert_eq!(blobs(&space), 9);
    assert!(dry.stdout.starts_with("would remove 4 records ("), "{}", dry.text());
    assert!(
        dry.stdout.ends_with("\nwould remove 4 blobs (16 bytes)\n"),
        "{}",
        dry.text()
    );
    let json = &space.farm(&["gc", "-n", "--json"]).json_lines()[0];
    assert_eq!((&json["kept"], &json["blobs"]["count"]), (&5.into(), &4.into()));
    let done = space.farm(&["gc"]);
    assert_eq!(done.stdout, dry.stdout.replace("would remove", "removed"));
    assert_eq!(blobs(&space), 5);
    let again = space.farm(&["gc"]);
    assert_run!(again, @r"
    --- stderr
    nothing to remove
    --- status 0
    ");
    five_come_back(&space, "after gc");
}

#[test]
fn there_is_nothing_to_remove_where_nothing_was_built() {
    assert_run!(Space::with_farm("f", "farm: f\n").farm(&["gc"]), @r"
    --- stderr
    nothing to remove
    --- status 0
    ");
}

#[test]
fn killed_or_refused_at_any_change_it_takes_nothing_that_is_kept() {
    let old = old();
    let mut times = 0;
    for what in ["signal=KILL", "error=ENOSPC"] {
        for call in CHANGES {
            for number in 1.. {
                let space = old.copy();
                let injection = Injection {
                    call,
                    number,
                    what,
                    all_threads: true,
                };
                let run = farm_with(&space, &["gc"], injection);
                if !run.killed && run.calls.is_empty() {
                    break;
                }
                times += 1;
                let what = format!("{what} at {call} {number}");
                assert!(
                    run.killed || [Some(0), Some(3)].contains(&run.ended.status),
                    "{what}: {}",
                    run.ended.text()
                );
                guards_have_their_blobs(&space, &what);
                five_come_back(&space, &what);
                assert_eq!(space.farm(&["gc"]).status, Some(0));
                assert_eq!(blobs(&space), 5, "{what}");
            }
        }
    }
    assert!(times > 20, "{times}");
}
