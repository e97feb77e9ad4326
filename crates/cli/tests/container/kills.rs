//! Runs that do not come to their end, and runs that meet another one.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{FarmSpace, Output, Running, docker, reached};

const KILLS: usize = 20;
const ECLASS: &str = "farms/tiny/overlay/eclass/tiny.eclass";
const BAR: &str = "farms/tiny/overlay/dev-libs/bar/files/bar.c";
const LEAF: &str = "farms/tiny/overlay/app-misc/leaf/leaf-1.0.ebuild";

/// A stream of numbers that a seed decides (SplitMix64).
struct Random(u64);

impl Random {
    /// A seed of its own for every run of the tests, unless `FARM_TEST_SEED` asks for one that failed.
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever looks into a failure wants the same moments again"
    )]
    #[expect(clippy::print_stderr, reason = "shown with a failure, for the same purpose")]
    fn seed() -> u64 {
        let seed = match std::env::var("FARM_TEST_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => RandomState::new().build_hasher().finish(),
        };
        eprintln!("FARM_TEST_SEED={seed}");
        seed
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// The nodes that a run started.
fn started(output: &Output) -> BTreeSet<String> {
    let events = output.events();
    let started = events.iter().filter(|event| event["event"] == "node-started");
    started
        .map(|event| event["name"].as_str().unwrap().to_owned())
        .collect()
}

/// What must not be there when no run is under way: containers, temporary files, unfinished blobs, the mark of a run.
fn assert_tidy(space: &FarmSpace, when: &str) {
    let filter = format!("label={}", space.label().unwrap());
    let containers = docker(&["ps", "--all", "--filter", &filter, "--format", "{{.ID}} {{.Status}}"]);
    assert_eq!(containers, "", "{when}: containers are left");
    for folder in [space.folder().join("tmp"), space.path(".farm/store/pending")] {
        let left: Vec<_> = fs_err::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(left.is_empty(), "{when}: {left:?}");
    }
    assert!(!space.path(".farm/running").exists(), "{when}: it is marked as running");
}

#[test]
fn killed_at_twenty_random_moments() {
    let seed = Random::seed();
    let mut random = Random(seed);
    let space = FarmSpace::ready();
    let eclass = space.read(ECLASS);
    // What was seen to be finished since the last change.
    let mut finished = BTreeSet::new();
    let mut changes = 0;
    let mut complete = true;
    let mut kills = 0;
    while kills < KILLS {
        if complete {
            // Every package runs again, and what is made of them; the first time from the root on.
            if changes == 0 {
                space.write("farms/tiny/root.d/etc/tiny.conf", "name = killed\n");
            }
            changes += 1;
            space.write(ECLASS, format!("{eclass}\n# Change {changes}.\n"));
            finished.clear();
        }
        // A build has some 130 events, and most time passes between two of them: neither alone spreads the moments well.
        let events = random.below(36);
        let pause = Duration::from_millis(random.below(800));
        let mut run = Running::start(space.command(&["build", "tiny", "--json"]));
        if (0..events).all(|_| run.next().is_some()) {
            std::thread::sleep(pause);
            run.signal(Signal::KILL);
        }
        let output = run.end();
        let when = format!("kill {kills}, after {events} events and {pause:?}, seed {seed}");
        let again: Vec<_> = started(&output).intersection(&finished).cloned().collect();
        assert!(again.is_empty(), "{when}: {again:?} ran again: {output}");
        finished.extend(output.ran());
        complete = output.status == Some(0);
        assert!(complete || output.status.is_none(), "{when}: {output}");
        if complete {
            // It was quicker than the kill.
            assert_tidy(&space, &when);
        } else {
            kills += 1;
        }
    }
    let output = space.build(&[]).succeeded();
    let again: Vec<_> = output.ran().intersection(&finished).cloned().collect();
    assert!(again.is_empty(), "in the end, seed {seed}: {again:?} ran again");
    assert_tidy(&space, "in the end");
    space.build(&[]).assert_ran("after all kills", &[]);
}

/// Stops a run in which bar was built and leaf never will be, and lets the next one finish.
fn stopped_by(signal: Signal, status: i32) {
    let space = FarmSpace::ready();
    space.edit(BAR, "foo_count() + 1", "foo_count() + 2");
    // Not even a command that does not listen to anybody is waited for.
    let endless = "src_compile() {\n\ttrap '' TERM INT\n\tsleep infinity\n";
    space.edit(LEAF, "src_compile() {\n", endless);
    let run = Running::start(space.command(&["build", "tiny", "--json"])).until(
        "leaf's compilation",
        reached("tiny:pkg/app-misc/leaf-1.0", "Compiling source"),
    );
    run.signal(signal);
    let output = run.end().ended(status);
    assert_tidy(&space, "as soon as it ended");
    let results = output.results();
    assert_eq!(results["tiny:pkg/dev-libs/bar-2.0"], "built", "{output}");
    assert_eq!(results["tiny:pkg/app-misc/leaf-1.0"], "skipped", "{output}");
    let last = output.events().pop().unwrap();
    assert_eq!(
        (&last["event"], &last["interrupted"]),
        (&"build-finished".into(), &true.into()),
        "{output}"
    );
    assert!(output.stderr.contains("stopped; what is finished is kept"), "{output}");

    space.edit(LEAF, endless, "src_compile() {\n");
    let next = space.build(&[]).succeeded();
    let again: Vec<_> = next.ran().intersection(&output.ran()).cloned().collect();
    assert!(next.ran().contains("tiny:image/leaf"), "{next}");
    assert!(
        !again.contains(&"tiny:pkg/dev-libs/bar-2.0".to_owned()),
        "{again:?} ran again"
    );
    assert_tidy(&space, "in the end");
}

#[test]
fn interrupted() {
    stopped_by(Signal::INT, 130);
}

#[test]
fn terminated() {
    stopped_by(Signal::TERM, 143);
}

#[test]
fn two_at_once() {
    let space = FarmSpace::ready();
    space.edit(BAR, "foo_count() + 1", "foo_count() + 2");
    let a_container = |event: &Value| event["event"] == "node-progress" && event["name"] == "tiny:pkg/dev-libs/bar-2.0";
    let mut first = Running::start(space.command(&["build", "tiny", "--json"])).until("bar's container", a_container);
    for arguments in [
        &["build", "tiny", "-k"][..],
        &["build", "tiny", "-n"],
        &["publish-image", "tiny"],
        &["clean"],
    ] {
        let second = space.farm(arguments).ended(3);
        let holder = format!("process {} (", first.id());
        assert!(second.stderr.contains(&holder), "{second}");
        assert!(second.stderr.contains("farm build tiny --json"), "{second}");
        assert!(
            second.stderr.contains("hint: wait until that run is over, or stop it"),
            "{second}"
        );
    }
    // Whoever only looks is not kept out.
    let _ = space.farm(&["why", "tiny:pkg/dev-libs/bar"]).succeeded();
    assert!(first.is_running(), "the others came too late to meet it");
    let first = first.end().succeeded();
    assert!(first.ran().contains("tiny:pkg/dev-libs/bar-2.0"), "{first}");
    assert_tidy(&space, "after both");
    space.build(&[]).assert_ran("after both", &[]);
}
