//! What must hold of the sources, before any test runs.

use std::path::Path;
use std::process::Command;

use fs_err as fs;

use crate::command::show;
use crate::purity;
use crate::{Outcome, failed};

/// Formatting, lints, documentation, crates that know nothing of the machine, and every crate alone: in a workspace the features
/// that one crate asks for hide that another forgot to ask for them.
pub(crate) fn run(root: &Path) -> Outcome {
    let cargo = |words: &[&str]| {
        let mut command = Command::new("cargo");
        command.current_dir(root).args(words);
        command
    };
    show(&mut cargo(&["fmt", "--all", "--check"]))?;
    purity::check(root)?;
    for name in crates(root)? {
        show(&mut cargo(&["check", "--quiet", "--locked", "--package", &name]))?;
    }
    show(&mut cargo(&[
        "clippy",
        "--quiet",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    show(cargo(&["doc", "--quiet", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings"))
}

/// The names of the crates under `crates/`, sorted.
fn crates(root: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("crates")).map_err(failed)? {
        let manifest = entry.map_err(failed)?.path().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).map_err(failed)?;
        let name = text
            .lines()
            .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        names.push(
            name.ok_or_else(|| format!("{} has no name", manifest.display()))?
                .to_owned(),
        );
    }
    names.sort();
    Ok(names)
}
