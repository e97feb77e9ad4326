//! What a text says, and whether another says the same and one thing more.

use super::{Change, Holder, Setting, Text};
use crate::convert::packages;
use crate::model::{Dep, PackageSettings};
use crate::yaml::{Kind, Node};

/// One statement: the keys that lead to it, and the value.
type Said = Vec<String>;

/// Whether the change was made and nothing else. Where things are written, and how, does not count.
pub(super) fn only_this_changed(before: &Text, after: &Text, holder: &Holder, change: &Change) -> bool {
    let (Some(old), Some(new)) = (statements(before, holder), statements(after, holder)) else {
        return false;
    };
    same_but(&before.tree, &after.tree, &holder.path()) && follows(&old, &new, change)
}

/// What `packages:` says, in its order; nothing where it is wrong.
fn statements(text: &Text, holder: &Holder) -> Option<Vec<Said>> {
    let entry = text.packages(holder)?;
    let mut reader = text.reader();
    let packages = packages(&mut reader, &entry.value, "`packages`");
    if !reader.diagnostics.is_empty() {
        return None;
    }
    let mut said = Vec::new();
    if let Some(file) = &packages.set_file {
        said.push(vec!["set file".to_owned(), file.path.value.to_string()]);
    }
    for entry in &packages.entries {
        let path = vec![entry.member.value.to_string()];
        said.push(path.clone());
        settings(&path, &entry.settings, &mut said);
        deps(&path, &entry.deps, &mut said);
    }
    Some(said)
}

/// The YAML parser bounds how deep `deps:` may be nested, so recursion is bounded too.
fn deps(path: &Said, deps_of: &[Dep], said: &mut Vec<Said>) {
    for dep in deps_of {
        let path = [path.as_slice(), &["deps".to_owned(), dep.atom.value.to_string()]].concat();
        said.push(path.clone());
        settings(&path, &dep.settings, said);
        deps(&path, &dep.deps, said);
    }
}

fn settings(path: &Said, settings: &PackageSettings, said: &mut Vec<Said>) {
    let mut say = |key: &str, value: String| said.push([path.as_slice(), &[key.to_owned(), value]].concat());
    for flag in &settings.use_flags {
        let tag = if flag.overrides { "!override " } else { "" };
        say("use", format!("{tag}{flag}"));
    }
    for keyword in &settings.accept_keywords {
        say("accept_keywords", keyword.value.clone());
    }
    for license in &settings.license {
        say("license", license.value.clone());
    }
    for atom in &settings.mask {
        say("mask", atom.value.to_string());
    }
    for atom in &settings.unmask {
        say("unmask", atom.value.to_string());
    }
    for file in &settings.env {
        say("env", file.value.clone());
    }
}

/// Whether `new` is `old`, in its order, with all that the change adds, once, and nothing else.
fn follows(old: &[Said], new: &[Said], change: &Change) -> bool {
    let (old, mut wanted, mut allowed) = match change {
        Change::Rename { member, from, to } => {
            let renamed = member.replacen(from.as_str(), to, 1);
            let mut found = false;
            let mut old = old.to_vec();
            for said in old.iter_mut().filter(|said| said[0] == *member) {
                said[0].clone_from(&renamed);
                found = true;
                // `mask: true` and `unmask: true` speak of the member itself.
                if matches!(said.get(1).map(String::as_str), Some("mask" | "unmask")) && said.get(2) == Some(member) {
                    said[2].clone_from(&renamed);
                }
            }
            if !found {
                return false;
            }
            (old, Vec::new(), Vec::new())
        }
        Change::Set {
            member,
            atom,
            setting,
            values,
        } => {
            let mut path = vec![member.clone()];
            let mut allowed = Vec::new();
            if atom != member {
                path.extend(["deps".to_owned(), atom.clone()]);
                allowed.push(path.clone());
            }
            let values = if *setting == Setting::Unmask {
                std::slice::from_ref(atom)
            } else {
                values
            };
            let said = |value: &String| [path.as_slice(), &[setting.key().to_owned(), value.clone()]].concat();
            let wanted: Vec<Said> = values.iter().map(said).filter(|said| !old.contains(said)).collect();
            (old.to_vec(), wanted, allowed)
        }
    };
    let mut rest = old.iter().peekable();
    for said in new {
        if rest.peek().is_some_and(|next| *next == said) {
            rest.next();
        } else if let Some(at) = wanted.iter().position(|wanted| wanted == said) {
            wanted.remove(at);
        } else if let Some(at) = allowed.iter().position(|allowed| allowed == said) {
            allowed.remove(at);
        } else {
            return false;
        }
    }
    rest.next().is_none() && wanted.is_empty()
}

/// Whether two trees say the same everywhere but at the end of this path of keys.
fn same_but(one: &Node, other: &Node, path: &[&str]) -> bool {
    if one.overrides.is_some() != other.overrides.is_some() {
        return false;
    }
    match (&one.kind, &other.kind) {
        (Kind::Scalar(one), Kind::Scalar(other)) => one.text == other.text,
        (Kind::Sequence(one), Kind::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_but(one, other, &[]))
        }
        (Kind::Mapping(one), Kind::Mapping(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| {
                    let on_path = path.first().is_some_and(|key| one.key.text == *key);
                    one.key.text == other.key.text
                        && match path {
                            [_] if on_path => true,
                            [_, rest @ ..] if on_path => same_but(&one.value, &other.value, rest),
                            _ => same_but(&one.value, &other.value, &[]),
                        }
                })
        }
        _ => false,
    }
}
