//! Developers' chores: `cargo xtask check`, `cargo xtask acceptance` and `cargo xtask bench`.

mod acceptance;
mod bench;
mod check;
mod command;
mod purity;

use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask check              formatting, lints, documentation, every crate alone, what may depend on what
       cargo xtask acceptance [dbg]   the real hepfarm from nothing, a binhost, a registry, their clients;
                                      dbg: also in its other flavour, which compiles everything again
";

/// What went wrong, in words.
type Outcome<T = ()> = Result<T, String>;

/// An error of the file system in words; `fs_err` has put the path in.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
fn failed(error: std::io::Error) -> String {
    error.to_string()
}

/// Fails with what `otherwise` says unless `holds`.
fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise()) }
}

#[expect(clippy::print_stderr, reason = "this program talks to developers and nobody else")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // This program is run by cargo in the checkout that it was compiled in.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let outcome = match words[..] {
        ["check"] => check::run(root),
        ["acceptance"] => acceptance::run(root, false),
        ["acceptance", "dbg"] => acceptance::run(root, true),
        ["bench", ref rest @ ..] => return bench::run(root, rest),
        _ => {
            eprint!("{HELP}{}", bench::HELP);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
