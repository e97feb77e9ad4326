//! How farm's engine compares with the tools people use now: the same generated graph, one session, one command line a task.
//!
//! One run of one tool says little on a machine that does other things as well. So the tools take turns at every situation,
//! and what counts is the ratio between neighbours, not the time. `docs/performance.md` is made from what this prints.

mod graph;
mod instructions;
mod machine;
mod measure;
mod options;
mod serve;
mod session;
mod table;
mod tools;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::command::show;
use crate::{Outcome, failed};
use options::Options;
use session::Session;

/// What `cargo xtask` says about it.
pub(crate) const HELP: &str =
    "       cargo xtask bench engine       farm beside ninja, make and tup on generated graphs; a Markdown table
           [--nodes 1000,10000]       how many tasks
           [--shapes wide,chain,...]  of: wide, chain, lattice, fan-in, tiers
           [--tools ninja,make,...]   of: ninja, ninja-restat, make, tup
           [--runs 5] [--seed 1]      how often everything is measured, and what the graphs are made from
           [--farm PROGRAM]           an optimised farm that is there already; otherwise it is built
           [--date TEXT]              stands in the table
       cargo xtask bench index [--runs 3]
                                      indexes, metadata and digests of packages beside Portage and coreutils; the same
       cargo xtask bench noop-instructions [--farm PROGRAM]
                                      instructions of a farm that has nothing to do, for comparison between versions
       cargo xtask bench serve        farm serve beside nginx; a Markdown table
           [--runs 5] [--farm PROGRAM] [--date TEXT]
";

/// Why a benchmark was not done.
pub(crate) enum Failure {
    /// The words make no sense: exit status 2.
    Usage(String),
    /// The machine lacks a program: exit status 3.
    Missing(String),
    /// Anything else.
    Other(String),
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

/// Does what `words` ask for. The exit status is that of farm: 2 for wrong words, 3 for a machine that lacks something.
#[expect(clippy::print_stderr, reason = "this program talks to developers and nobody else")]
pub(crate) fn run(root: &Path, words: &[&str]) -> ExitCode {
    let outcome = match words {
        ["engine", rest @ ..] => engine(root, rest),
        ["index", rest @ ..] => index(root, rest),
        ["noop-instructions", rest @ ..] => noop_instructions(root, rest),
        ["serve", rest @ ..] => serve::run(root, rest),
        _ => Err(Failure::Usage(
            "bench what? engine, index, noop-instructions, or serve".to_owned(),
        )),
    };
    let (why, status) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(why)) => (format!("{why}\nusage:\n{HELP}"), 2),
        Err(Failure::Missing(why)) => (why, 3),
        Err(Failure::Other(why)) => (why, 1),
    };
    eprintln!("xtask: {why}");
    ExitCode::from(status)
}

#[expect(clippy::print_stdout, reason = "the result of this program")]
fn engine(root: &Path, words: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(words).map_err(Failure::Usage)?;
    machine::require(&options.tools)?;
    let farm = program(root, options.farm.as_deref())?;
    print!("{}", machine::description(&farm, &options)?);
    for &nodes in &options.nodes {
        for &shape in &options.shapes {
            let results = Session::new(&farm, shape, nodes, &options)?.run()?;
            print!("{}", table::render(&results));
        }
    }
    println!("\nLoad at the end: {}.", machine::load()?);
    Ok(())
}

/// Runs a program of the crate `farm-portage`, which must be optimised and needs what its tests need.
#[expect(clippy::print_stdout, reason = "the result of this program")]
fn index(root: &Path, words: &[&str]) -> Result<(), Failure> {
    let runs = match words {
        [] => "3",
        ["--runs", number] if number.parse().is_ok_and(|number: u64| number > 0) => number,
        _ => return Err(Failure::Usage("index takes --runs NUMBER only".to_owned())),
    };
    for (program, from) in [
        ("python3", "Debian package python3"),
        ("b2sum", "Debian package coreutils"),
    ] {
        machine::require_program(program, from)?;
    }
    let words = [
        "bench",
        "--quiet",
        "--locked",
        "--package",
        "farm-portage",
        "--bench",
        "formats",
    ];
    show(
        Command::new("cargo")
            .current_dir(root)
            .args(words)
            .args(["--", "--runs", runs]),
    )?;
    println!("\nLoad at the end: {}.", machine::load()?);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result of this program")]
fn noop_instructions(root: &Path, words: &[&str]) -> Result<(), Failure> {
    let farm = match words {
        [] => None,
        ["--farm", program] => Some(Path::new(*program)),
        _ => return Err(Failure::Usage("noop-instructions takes --farm PROGRAM only".to_owned())),
    };
    machine::require_program("valgrind", "valgrind")?;
    let farm = program(root, farm)?;
    print!("{}", instructions::count(&farm)?);
    Ok(())
}

/// The farm to measure: `given`, or this checkout's, optimised.
fn program(root: &Path, given: Option<&Path>) -> Outcome<PathBuf> {
    if let Some(given) = given {
        return fs_err::canonicalize(given).map_err(failed);
    }
    show(
        Command::new("cargo")
            .current_dir(root)
            .args(["build", "--release", "--locked", "--package", "farm-cli"]),
    )?;
    // Cargo puts this program into a folder of the same target folder, wherever that is.
    let here = std::env::current_exe().map_err(failed)?;
    let target = here.parent().and_then(Path::parent);
    let target = target.ok_or_else(|| format!("{} is in no target folder", here.display()))?;
    fs_err::canonicalize(target.join("release/farm")).map_err(failed)
}
