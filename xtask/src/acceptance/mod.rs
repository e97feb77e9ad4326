//! The flagship farm as its users have it: from a fresh clone to packages that a stock Portage installs and an image that a
//! registry hands out.
//!
//! Nothing here is imitated: Portage, Docker, nginx and the registry are the real ones. It needs what
//! `scripts/setup --tests` installs. Its folder goes at the end. The images stay: they are, bit for bit, those that the same farm
//! in another workspace uses, so that removing them would take them from it.

mod binhost;
mod elf;
mod lab;
mod servers;
mod stages;
mod symbols;

use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use lab::Lab;

type Stage = fn(&Lab) -> Outcome;

/// In this order, because each stage uses what those before it made.
const STAGES: &[(&str, Stage)] = &[
    ("without an engine it says so, with status 3", stages::no_engine),
    (
        "the first command of the README makes everything",
        stages::first_command,
    ),
    (
        "the index lists every package, and every file is there",
        stages::index_is_complete,
    ),
    ("its programs and libraries are stripped", symbols::nowhere),
    ("a second run runs nothing, in well under a second", stages::second_run),
    (
        "with nothing to do it needs no engine",
        stages::second_run_without_engine,
    ),
    ("packages are published to a folder, once", stages::publish_packages),
    ("a stock emerge installs from it over HTTP", stages::stock_client),
    (
        "images are published to a registry, and pulled by digest",
        stages::publish_images,
    ),
];

/// After those. The other flavour compiles everything again.
const OTHER_FLAVOUR: &[(&str, Stage)] = &[
    (
        "the first command makes the other flavour too, with the same packages",
        stages::other_flavour,
    ),
    ("its debug symbols are in files of their own", symbols::apart),
    ("from flavour to flavour and back, nothing runs", stages::back_and_forth),
];

/// Runs every stage and stops at the first that fails.
#[expect(clippy::print_stdout, reason = "the result of this program")]
pub(crate) fn run(root: &Path, other_flavour: bool) -> Outcome {
    let lab = Lab::new(root)?;
    let start = Instant::now();
    let others = if other_flavour { OTHER_FLAVOUR } else { &[] };
    let stages: Vec<&(&str, Stage)> = STAGES.iter().chain(others).collect();
    println!("\nrunning {} tests", stages.len());
    for (at, (name, stage)) in stages.iter().enumerate() {
        let began = Instant::now();
        let outcome = stage(&lab);
        let took = began.elapsed().as_secs_f64();
        if let Err(why) = outcome {
            println!("test acceptance: {name} ... FAILED ({took:.1} s)\n\n{why}\n");
            println!(
                "test result: FAILED. {at} passed; 1 failed; {} not run",
                stages.len() - at - 1
            );
            return Err(format!(
                "the acceptance failed; what it made is in {}",
                lab.keep().display()
            ));
        }
        println!("test acceptance: {name} ... ok ({took:.1} s)");
    }
    let took = start.elapsed().as_secs_f64();
    println!(
        "\ntest result: ok. {} passed; 0 failed; finished in {took:.2}s\n",
        stages.len()
    );
    Ok(())
}
