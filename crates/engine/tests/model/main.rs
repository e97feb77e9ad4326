//! The engine against a model of it: random graphs, random changes between runs, and an oracle that works out in the
//! plainest way what each run must do.
//!
//! A case is a seed. `FARM_MODEL_SEED` says which comes first, `FARM_MODEL_CASES` how many are tried, `FARM_MODEL_SIZE` how
//! many steps a graph has at most before anything is brought forth.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod case;
mod edits;
mod fakes;
mod lending;
mod oracle;
mod random;
mod timeline;
mod verdicts;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use case::Tally;

const CASES: u64 = 100_000;
const SIZE: u64 = 40;
/// How often a smaller case is tried: threads do not take turns in the same way each time.
const TRIES: usize = 20;

#[test]
fn random_cases_end_as_the_oracle_says() {
    let first = setting("FARM_MODEL_SEED").unwrap_or(0);
    let cases = setting("FARM_MODEL_CASES").unwrap_or(CASES);
    let size = usize::try_from(setting("FARM_MODEL_SIZE").unwrap_or(SIZE)).unwrap();
    let (next, failure, tally) = (AtomicU64::new(0), Mutex::new(None), Mutex::new(Tally::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Tally::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= cases || failure.lock().unwrap().is_some() {
                        break;
                    }
                    let seed = first + number;
                    match run(seed, size) {
                        Ok(seen) => merge(&mut mine, seen),
                        Err(what) => {
                            failure.lock().unwrap().get_or_insert((seed, what));
                        }
                    }
                }
                merge(&mut tally.lock().unwrap(), mine);
            });
        }
    });
    if let Some((seed, what)) = failure.into_inner().unwrap() {
        let (size, what) = shrink(seed, size).unwrap_or((size, what));
        panic!(
            "seed {seed}, size {size}: {what}\nagain: FARM_MODEL_SEED={seed} FARM_MODEL_SIZE={size} FARM_MODEL_CASES=1 \
             cargo test -p farm-engine --test model"
        );
    }
    let tally = tally.into_inner().unwrap();
    println!("{tally:#?}");
    if cases >= 1000 {
        for what in REACHED {
            assert!(tally.contains_key(*what), "no case reached: {what}");
        }
    }
}

/// What some case must have come to.
const REACHED: &[&str] = &[
    "Built",
    "Cached",
    "Cutoff",
    "Failed",
    "Skipped",
    "Would(false)",
    "Would(true)",
    "cut short",
    "foretold Cached",
    "foretold Run",
    "foretold Unknown",
    "guests",
    "lent",
    "reproducible: false",
    "reproducible: true",
];

fn run(seed: u64, size: usize) -> Result<Tally, String> {
    // A debug assertion of the engine is a finding like any other, and wants its seed told.
    catch_unwind(AssertUnwindSafe(|| case::run(seed, size))).unwrap_or_else(|_| Err("a panic, see above".to_owned()))
}

/// The smallest size at which the seed still fails.
fn shrink(seed: u64, size: usize) -> Option<(usize, String)> {
    let fails = |size: &usize| (0..TRIES).find_map(|_| run(seed, *size).err());
    (1..=size).find_map(|size| Some((size, fails(&size)?)))
}

fn merge(into: &mut Tally, from: Tally) {
    for (what, count) in from {
        *into.entry(what).or_default() += count;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "which cases are tried is said by whoever starts the test"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}
