//! What of a configuration concerns one package.

use std::collections::BTreeSet;

use farm_portage::atom::{Atom, AtomSyntax};

use super::Settings;
use super::route::{self, Kind};
use crate::files::{FileNode, Files};

pub(super) fn for_packages(settings: &Settings, packages: &BTreeSet<String>) -> Settings {
    let mut selected = Settings::default();
    for (path, node) in &settings.repo {
        let name = path.rsplit('/').next().unwrap_or(path);
        let node = if path.starts_with("profiles/layers/") && is_lines(name) {
            FileNode::text(concerning(node.as_text(), packages))
        } else {
            node.clone()
        };
        selected.repo.insert(path.clone(), node);
    }
    for (path, node) in &settings.etc {
        let top = path.split('/').next().unwrap_or(path);
        match top {
            "patches" | "savedconfig" | "sets" => {}
            _ if is_lines(top) => {
                let text = concerning(node.as_text(), packages);
                if !text.is_empty() {
                    selected.etc.insert(path.clone(), FileNode::text(text));
                }
            }
            _ => {
                selected.etc.insert(path.clone(), node.clone());
            }
        }
    }
    keep_used_environments(&mut selected, packages);
    for (path, node) in &settings.etc {
        let mut parts = path.splitn(4, '/');
        let (top, category, name) = (parts.next(), parts.next(), parts.next());
        if let (Some("patches" | "savedconfig"), Some(category), Some(name)) = (top, category, name)
            && packages
                .iter()
                .any(|package| names_package(&format!("{category}/{name}"), package))
        {
            selected.etc.insert(path.clone(), node.clone());
        }
    }
    selected
}

/// See [`Settings::other_files`].
pub(super) fn is_other(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or(path);
    let told = matches!(
        top,
        "bashrc" | "env" | "make.profile" | "patches" | "repos.conf" | "savedconfig" | "sets"
    );
    !told && !is_lines(top)
}

/// Files of `env/` that no remaining line of package.env names, and that are no package's own, are left out.
fn keep_used_environments(settings: &mut Settings, packages: &BTreeSet<String>) {
    let used: BTreeSet<String> = lines_of(&settings.etc, "package.env")
        .flat_map(|line| line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    settings.etc.retain(|path, _| {
        path.strip_prefix("env/")
            .is_none_or(|file| used.contains(file) || packages.iter().any(|package| names_package(file, package)))
    });
}

fn lines_of<'a>(files: &'a Files, top: &'static str) -> impl Iterator<Item = &'a str> {
    files
        .iter()
        .filter(move |(path, _)| path.split('/').next() == Some(top))
        .flat_map(|(_, node)| node.as_text().lines())
}

fn is_lines(name: &str) -> bool {
    matches!(route::kind(name), Kind::Lines(_) | Kind::EtcLines(_))
}

/// Whether a path `CATEGORY/NAME[-VERSION][:SLOT]` may mean the package `CATEGORY/NAME`.
fn names_package(path: &str, package: &str) -> bool {
    path.strip_prefix(package)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ':', '/']))
}

/// The lines whose atom may match one of the packages; those that cannot be read are kept.
fn concerning(text: &str, packages: &BTreeSet<String>) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        let bare = line.split_once('#').map_or(line, |(bare, _)| bare).trim();
        let Some(word) = bare.split_whitespace().next() else {
            continue;
        };
        let word = word.strip_prefix('-').unwrap_or(word);
        let concerns = Atom::parse(word, AtomSyntax::USER).map_or(true, |atom| {
            packages.iter().any(|package| {
                package
                    .split_once('/')
                    .is_some_and(|(category, name)| wildcard(atom.category(), category) && wildcard(atom.name(), name))
            })
        });
        if concerns {
            kept.push_str(bare);
            kept.push('\n');
        }
    }
    kept
}

/// Whether a pattern in which `*` stands for any text matches.
fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(etc: &[(&str, &str)]) -> Settings {
        let etc = etc
            .iter()
            .map(|(path, text)| ((*path).to_owned(), FileNode::text(*text)))
            .collect();
        Settings {
            etc,
            ..Settings::default()
        }
    }

    #[test]
    fn wildcards() {
        assert!(wildcard("*", "x") && wildcard("dev-*", "dev-libs") && wildcard("*-libs", "dev-libs"));
        assert!(wildcard("gsl", "gsl") && !wildcard("gsl", "gsl2") && !wildcard("ab*ba", "aba"));
    }

    #[test]
    fn only_what_concerns_the_packages_stays() {
        let all = settings(&[
            ("package.env/01", "sci-libs/gsl debug.conf\nsci-physics/* low.conf\n"),
            ("package.license/01", "x/y Z\n"),
            ("env/debug.conf", "CFLAGS=-g"),
            ("env/low.conf", ""),
            ("env/sci-libs/gsl", "hook"),
            ("patches/sci-libs/gsl-2.7/a.patch", "p"),
            ("patches/sci-libs/gslx/a.patch", "p"),
            ("sets/mine", "x/y"),
        ]);
        let selected = all.for_packages(&["sci-libs/gsl".to_owned()].into());
        let paths: Vec<_> = selected.etc.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "env/debug.conf",
                "env/sci-libs/gsl",
                "package.env/01",
                "patches/sci-libs/gsl-2.7/a.patch"
            ]
        );
        assert_eq!(selected.etc["package.env/01"].as_text(), "sci-libs/gsl debug.conf\n");
    }
}
