//! That some crates can be lifted out of this workspace: what they depend on, and what their sources name.

use std::path::Path;
use std::process::Command;

use fs_err as fs;
use walkdir::WalkDir;

use crate::command::output;
use crate::{Outcome, ensure, failed};

/// The crates of which `docs/architecture.md` says so: the name of the package, and of its folder under `crates/`.
const PURE: [(&str, &str); 2] = [("farm-engine", "engine"), ("farm-portage", "portage")];

/// What no pure crate depends on, directly or through others: runtimes, engines of containers, arguments, terminals, files.
const CRATES: [&str; 19] = [
    "async-std",
    "bollard",
    "camino",
    "console",
    "crossterm",
    "fs-err",
    "granit-parser",
    "hyper",
    "indicatif",
    "mio",
    "owo-colors",
    "saphyr",
    "smol",
    "tempfile",
    "termcolor",
    "terminal_size",
    "termion",
    "ureq",
    "walkdir",
];

/// What the names of such crates begin with, where there are many: all of ours, too.
const FAMILIES: [&str; 6] = ["anstream", "anstyle", "clap", "farm-", "saphyr-", "tokio"];

/// Modules of `std` by which a program reaches the machine.
const MODULES: [&str; 4] = ["env", "fs", "net", "process"];

/// What else no pure crate names.
const WORDS: [&str; 5] = ["fs_err", "print!", "println!", "eprint!", "eprintln!"];

/// Fails with everything that keeps a crate from being lifted out.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut found = Vec::new();
    for (package, folder) in PURE {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root).args(["tree", "--locked", "--package", package]);
        let tree = output(cargo.args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"]))?;
        found.extend(impure(package, &tree).map(|name| format!("{package} depends on {name}")));
        for entry in WalkDir::new(root.join("crates").join(folder).join("src")).sort_by_file_name() {
            let path = entry.map_err(|error| error.to_string())?.into_path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).map_err(failed)?;
                found.extend(named(&text).map(|name| format!("{} names {name}", path.display())));
            }
        }
    }
    ensure(found.is_empty(), || found.join("\n"))
}

/// The crates in `tree`, one a line as `NAME VERSION`, that `package` must not depend on.
fn impure<'a>(package: &str, tree: &'a str) -> impl Iterator<Item = &'a str> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(move |name| {
        let is_family = FAMILIES.iter().any(|family| name.starts_with(family));
        *name != package && (is_family || name.contains("yaml") || CRATES.contains(name))
    })
}

/// What a source names that reaches the machine. Comments may name anything.
fn named(source: &str) -> impl Iterator<Item = String> {
    let code = source
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let code: String = code.flat_map(|line| line.chars().chain(['\n'])).collect();
    let dense: String = code.split_whitespace().collect();
    let mut found = Vec::new();
    for (at, text) in dense.match_indices("std::") {
        let after = &dense[at + text.len()..];
        // Of `std::{a, b::c}` every name counts: none of ours is called like one of these modules.
        let names = match after.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default(),
            None => after.split(|char| !is_word(char)).next().unwrap_or_default(),
        };
        let names = names.split(|char| !is_word(char));
        found.extend(
            names
                .filter(|name| MODULES.contains(name))
                .map(|name| format!("std::{name}")),
        );
    }
    let whole = |at: usize| !code[..at].ends_with(is_word);
    found.extend(
        WORDS
            .into_iter()
            .filter(|word| code.match_indices(word).any(|(at, _)| whole(at)))
            .map(str::to_owned),
    );
    found.into_iter()
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_that_reach_the_machine_are_found_by_name_and_by_family() {
        let tree = "farm-engine v0.1.0 (/x)\nblake3 v1.0.0\ntokio-util v0.7.0\nserde_yaml v0.9.0\nfarm-store v0.1.0 (/y)\nbollard v0.21.0 (*)\n";
        let found: Vec<&str> = impure("farm-engine", tree).collect();
        assert_eq!(found, ["tokio-util", "serde_yaml", "farm-store", "bollard"]);
    }

    #[test]
    fn sources_that_reach_the_machine_are_found_however_they_say_it() {
        let found = |source: &str| named(source).collect::<Vec<_>>();
        assert_eq!(found("use std::fs;\n"), ["std::fs"]);
        assert_eq!(found("let x = std :: env\n::var(\"X\");"), ["std::env"]);
        assert_eq!(
            found("use std::{\n    fmt,\n    process::Command,\n};"),
            ["std::process"]
        );
        assert_eq!(
            found("use fs_err as fs;\nreturn println!(\"x\");"),
            ["fs_err", "println!"]
        );
        assert!(
            found("//! Names no std::fs and no println!\nuse std::fmt; // std::env\nlet v = env!(\"V\");").is_empty()
        );
        assert!(found("use std::io::Read;\nwriteln!(out);\nsprint!();").is_empty());
    }
}
