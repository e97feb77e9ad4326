//! Submodules as `git-r3.eclass` sees them: which there are, which are wanted, and where they come from.

use std::collections::BTreeMap;

use farm_engine::Failure;

use super::repository::Repository;
use crate::context::Context;

/// One submodule of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submodule {
    /// Its name in `.gitmodules`.
    pub(super) name: String,
    /// Its address as it is written there.
    pub(super) url: String,
    /// Where it lies.
    pub(super) path: String,
    /// The commit that belongs there.
    pub(super) commit: String,
}

/// The submodules of a commit. One that is in `.gitmodules` and not in the tree is none, and neither is one with `update = none`.
pub(super) fn of(context: &Context, repository: &Repository, id: &str) -> Result<Vec<Submodule>, Failure> {
    let tree = format!("{id}^{{commit}}");
    if repository
        .ask(context, &["ls-tree", &tree, "--", ".gitmodules"])?
        .is_empty()
    {
        return Ok(Vec::new());
    }
    let blob = format!("{tree}:.gitmodules");
    let listed = repository.ask(context, &["config", "--blob", &blob, "-z", "--list"])?;
    let mut found = Vec::new();
    for (name, values) in parse(&listed) {
        let value = |key: &str| values.get(key).cloned();
        let (Some(url), Some(path)) = (value("url"), value("path")) else {
            continue;
        };
        if value("update").as_deref() == Some("none") {
            continue;
        }
        let entry = repository.ask(context, &["ls-tree", "-z", &tree, "--", &path])?;
        let mut words = entry.split([' ', '\t']);
        if let (Some("160000"), Some("commit"), Some(commit)) = (words.next(), words.next(), words.next()) {
            let commit = commit.to_owned();
            found.push(Submodule {
                name,
                url,
                path,
                commit,
            });
        }
    }
    Ok(found)
}

/// The values of each submodule, from what `git config --list -z` prints.
fn parse(listed: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for entry in listed.split('\0') {
        let Some((name, value)) = entry.split_once('\n') else {
            continue;
        };
        let Some((name, key)) = name.strip_prefix("submodule.").and_then(|name| name.rsplit_once('.')) else {
            continue;
        };
        let values = found.entry(name.to_owned()).or_default();
        values.insert(key.to_owned(), value.to_owned());
    }
    found
}

/// Whether EGIT_SUBMODULES wants the submodule of this name: the last pattern that matches decides.
pub(super) fn wanted(patterns: &[String], name: &str) -> bool {
    let decides = |pattern: &String| match pattern.strip_prefix('-') {
        Some(left_out) => matches(left_out, name).then_some(false),
        None => matches(pattern, name).then_some(true),
    };
    patterns.iter().rev().find_map(decides).unwrap_or(false)
}

/// Whether a pattern of bash's matches all of a name. `*` matches slashes, too; ranges in brackets are taken as they are written there.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Which beginnings of the name the pattern matches so far.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let mut next = vec![false; name.len() + 1];
        if pattern[at] == '*' {
            let mut any = false;
            for (next, reached) in next.iter_mut().zip(&reached) {
                any |= reached;
                *next = any;
            }
            at += 1;
        } else {
            let (one, length) = one(&pattern[at..]);
            for place in 0..name.len() {
                next[place + 1] = reached[place] && one(name[place]);
            }
            at += length;
        }
        reached = next;
    }
    reached[name.len()]
}

/// What the beginning of a pattern takes for one character, and how much of the pattern that is.
fn one(pattern: &[char]) -> (Box<dyn Fn(char) -> bool + '_>, usize) {
    match pattern {
        ['?', ..] => (Box::new(|_| true), 1),
        ['\\', literal, ..] => (Box::new(move |found| found == *literal), 2),
        ['[', rest @ ..] => {
            let (not, set) = match rest {
                ['!' | '^', set @ ..] => (true, set),
                set => (false, set),
            };
            // A bracket that comes first is one of the set.
            let Some(end) = set.iter().skip(1).position(|&end| end == ']').map(|end| end + 1) else {
                return (Box::new(|found| found == '['), 1);
            };
            let length = pattern.len() - set.len() + end + 1;
            let set = &set[..end];
            let within = move |found: char| {
                let mut at = 0;
                while at < set.len() {
                    if let [low, '-', high, ..] = &set[at..] {
                        if (*low..=*high).contains(&found) {
                            return true;
                        }
                        at += 3;
                    } else if set[at] == found {
                        return true;
                    } else {
                        at += 1;
                    }
                }
                false
            };
            (Box::new(move |found| within(found) != not), length)
        }
        [literal, ..] => (Box::new(move |found| found == *literal), 1),
        [] => (Box::new(|_| false), 1),
    }
}

/// The addresses of a submodule: a relative one is taken from each of its parent's. They are the very words that the eclass gives to git.
pub(super) fn addresses(url: &str, parents: &[String]) -> Vec<String> {
    if !url.starts_with("./") && !url.starts_with("../") {
        return vec![url.to_owned()];
    }
    let without_slash = |parent: &str| parent.strip_suffix('/').unwrap_or(parent).to_owned();
    let mut parents: Vec<String> = parents.iter().map(|parent| without_slash(parent)).collect();
    let mut rest = url;
    loop {
        if let Some(below) = rest.strip_prefix("./") {
            rest = below;
        } else if let Some(beside) = rest.strip_prefix("../") {
            rest = beside;
            for parent in &mut parents {
                let above = parent.rsplit_once('/').map_or(parent.as_str(), |(above, _)| above);
                *parent = without_slash(above);
            }
        } else {
            break;
        }
    }
    parents.iter().map(|parent| format!("{parent}/{rest}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_gitmodules_is_sorted_out() {
        let listed = "submodule.a.b.url\n../x\0submodule.a.b.path\nlib/x\0core.bare\nfalse\0submodule.y.update\nnone\0";
        let found = parse(listed);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a.b", "y"]);
        assert_eq!(found["a.b"]["url"], "../x");
        assert_eq!(found["a.b"]["path"], "lib/x");
        assert_eq!(found["y"]["update"], "none");
    }

    #[test]
    fn relative_addresses_are_those_of_the_eclass() {
        let parents = [
            "https://example.org/a/b.git/".to_owned(),
            "git@example.org:c/d".to_owned(),
        ];
        let of = |url: &str| addresses(url, &parents);
        assert_eq!(
            of("../x.git"),
            ["https://example.org/a/x.git", "git@example.org:c/x.git"]
        );
        assert_eq!(of("./x"), ["https://example.org/a/b.git/x", "git@example.org:c/d/x"]);
        assert_eq!(of("../../x")[0], "https://example.org/x");
        assert_eq!(of("https://other.example/x"), ["https://other.example/x"]);
    }

    #[test]
    fn patterns_decide_as_in_bash() {
        let wanted = |patterns: &[&str], name: &str| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            super::wanted(&patterns, name)
        };
        assert!(!wanted(&[], "a"));
        assert!(wanted(&["a", "b"], "b"));
        assert!(!wanted(&["*", "-test-*"], "test-lib"));
        assert!(wanted(&["*", "-test-*", "test-lib"], "test-lib"));
        assert!(wanted(&["*"], "deep/er"));
        assert!(wanted(&["lib?/[a-c]x"], "lib1/bx"));
        assert!(!wanted(&["lib?/[!a-c]x"], "lib1/bx"));
        assert!(wanted(&["[]]"], "]"));
        assert!(!wanted(&["li"], "lib"));
    }
}
