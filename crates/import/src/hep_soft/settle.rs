//! Which of several settings counted.
//!
//! HEP-Soft wrote one file a member, `package.use/SET-CATEGORY-NAME`, and the files of the second context over those of the first.
//! Portage read the files by their names, and let the last one win among lines of one atom. A manifest has no such order: of two
//! words that contradict each other the one that won is kept.

use std::collections::BTreeMap;

use farm_portage::atom::Atom;

use super::spec::{Kept, Package, Spec, Word};
use crate::draft::Draft;
use crate::layer::LayerFlag;
use crate::report::NoteKind;

/// Drops from `earlier` what files of `later` were written over.
pub(super) fn overwritten(draft: &mut Draft, earlier: &mut Spec, later: &Spec) {
    let file = earlier.file.clone();
    for set in &mut earlier.sets {
        let Some(other) = later.sets.iter().find(|other| other.name == set.name) else {
            continue;
        };
        for member in &mut set.members {
            let Some(stem) = stem(member) else { continue };
            let Some(over) = other
                .members
                .iter()
                .find(|over| self::stem(over).as_ref() == Some(&stem))
            else {
                continue;
            };
            let dropped = drop_kinds(member, &kinds(over));
            if dropped.is_empty() {
                continue;
            }
            let message = format!("`{}` in the set `{}` ({})", member.key, set.name, dropped.join(", "));
            let advice = format!(
                "{}:{} was written over it: what stands there counts, as before",
                later.file, over.line
            );
            draft.note(NoteKind::LeftOut, &file, member.line, message, advice);
        }
    }
}

/// The part of a file's name that tells members apart.
fn stem(package: &Package) -> Option<String> {
    let atom = package.atom.as_ref()?;
    let bare = package.key.trim_start_matches(['<', '>', '=', '~']);
    Some(bare.replacen(&atom.cp(), &format!("{}-{}", atom.category(), atom.name()), 1))
}

/// The files that a member and its deps have lines in.
fn kinds(package: &Package) -> [bool; 5] {
    let mut found = [
        !package.use_flags.is_empty(),
        !package.keywords.is_empty(),
        !package.licences.is_empty(),
        !package.env.is_empty(),
        package.masked,
    ];
    for dep in &package.deps {
        for (one, other) in found.iter_mut().zip(kinds(dep)) {
            *one |= other;
        }
    }
    found
}

/// Drops what those files said, and tells what that was.
fn drop_kinds(package: &mut Package, kinds: &[bool; 5]) -> Vec<String> {
    let mut dropped = Vec::new();
    let words = [
        &mut package.use_flags,
        &mut package.keywords,
        &mut package.licences,
        &mut package.env,
    ];
    for (words, gone) in words.into_iter().zip(kinds) {
        if *gone {
            dropped.extend(words.drain(..).map(|word| word.text));
        }
    }
    if kinds[4] && package.masked {
        package.masked = false;
        dropped.push("mask".to_owned());
    }
    for dep in &mut package.deps {
        let gone = drop_kinds(dep, kinds);
        dropped.extend(gone.into_iter().map(|word| format!("{}: {word}", dep.key)));
    }
    package.deps.retain(|dep| !dep.sets_nothing() || !dep.deps.is_empty());
    dropped
}

/// A flag that is said somewhere.
struct Said {
    /// Spec, set, member, and the way through its deps.
    path: [usize; 3],
    deps: Vec<usize>,
    atom: Atom,
    flag: String,
    enabled: bool,
    /// The file's name, and the place in it.
    order: (String, usize),
    place: String,
    line: usize,
}

/// Drops the flags that lost against others of the same atom, and adds what a literal file says of a more specific one.
pub(super) fn contradictions(draft: &mut Draft, specs: &mut [Spec], fixed: &[LayerFlag]) {
    let said = all(specs);
    let mut groups: BTreeMap<(String, &str), Vec<&Said>> = BTreeMap::new();
    for one in &said {
        groups.entry((one.atom.to_string(), &one.flag)).or_default().push(one);
    }
    let mut lost: Vec<(&Said, String)> = Vec::new();
    let mut added: Vec<(&Said, &LayerFlag)> = Vec::new();
    for ((atom, flag), group) in &groups {
        let Some(last) = group.iter().max_by_key(|one| &one.order) else {
            continue;
        };
        let mut enabled = last.enabled;
        let mut winner = last.place.clone();
        for other in fixed
            .iter()
            .filter(|other| other.flag == *flag && other.atom.to_string() == *atom)
        {
            if other.inside.contains('/') && order(other) > last.order {
                enabled = other.enabled;
                winner = format!("{}:{}", other.source, other.line);
            }
        }
        for one in group {
            if one.enabled != enabled {
                lost.push((one, winner.clone()));
            }
        }
        for other in fixed {
            let own = groups.contains_key(&(other.atom.to_string(), *flag));
            let contradicts = other.flag == *flag && other.enabled != enabled && other.atom.cp() == last.atom.cp();
            if contradicts && !own && other.atom.specificity() > last.atom.specificity() {
                added.push((last, other));
            }
        }
    }
    for (one, winner) in &lost {
        let file = specs[one.path[0]].file.clone();
        let flag = signed(one);
        let message = format!("`{flag}` of `{}` contradicts {winner}", one.atom);
        draft.note(
            NoteKind::LeftOut,
            &file,
            one.line,
            message,
            "that one was read last and won, as it does now; remove one of them",
        );
        if let Some(package) = package(specs, one) {
            package.use_flags.retain(|word| word.text != flag);
        }
    }
    for (one, other) in added {
        let message = format!("`{}` of `{}` won as the more specific atom", other.signed(), other.atom);
        let advice = format!("it stands below `{}` in the manifest, so that it still does", one.atom);
        draft.note(NoteKind::Changed, &other.source, other.line, message, advice);
        if let Some(package) = package(specs, one) {
            package.deps.push(more_specific(other));
        }
    }
}

fn signed(said: &Said) -> String {
    format!("{}{}", if said.enabled { "" } else { "-" }, said.flag)
}

fn order(flag: &LayerFlag) -> (String, usize) {
    let name = flag.inside.split_once('/').map_or("", |(_, name)| name);
    (name.to_owned(), flag.line)
}

fn more_specific(flag: &LayerFlag) -> Package {
    let comment = Kept {
        text: format!("# {}:{}", flag.source, flag.line),
        deeper: false,
    };
    Package {
        key: flag.atom.to_string(),
        atom: Some(flag.atom.clone()),
        line: flag.line,
        comments: vec![comment],
        inner: Vec::new(),
        use_flags: vec![Word {
            text: flag.signed(),
            line: flag.line,
        }],
        keywords: Vec::new(),
        licences: Vec::new(),
        env: Vec::new(),
        masked: false,
        deps: Vec::new(),
    }
}

fn all(specs: &[Spec]) -> Vec<Said> {
    let mut found = Vec::new();
    for (spec_at, spec) in specs.iter().enumerate() {
        for (set_at, set) in spec.sets.iter().enumerate() {
            for (member_at, member) in set.members.iter().enumerate() {
                let file = format!("{}-{}", set.name, stem(member).unwrap_or_default());
                let mut pending = vec![(member, Vec::new())];
                let mut at = 0;
                while let Some((package, way)) = pending.pop() {
                    at += 1;
                    for word in &package.use_flags {
                        let flag = word.text.strip_prefix('-').unwrap_or(&word.text);
                        let Some(atom) = package.atom.clone().filter(|_| flag != "*") else {
                            continue;
                        };
                        found.push(Said {
                            path: [spec_at, set_at, member_at],
                            deps: way.clone(),
                            atom,
                            flag: flag.to_owned(),
                            enabled: flag.len() == word.text.len(),
                            order: (file.clone(), at),
                            place: format!("{}:{}", spec.file, word.line),
                            line: word.line,
                        });
                    }
                    for (dep_at, dep) in package.deps.iter().enumerate().rev() {
                        let mut way = way.clone();
                        way.push(dep_at);
                        pending.push((dep, way));
                    }
                }
            }
        }
    }
    found
}

fn package<'a>(specs: &'a mut [Spec], said: &Said) -> Option<&'a mut Package> {
    let [spec, set, member] = said.path;
    let mut package = specs.get_mut(spec)?.sets.get_mut(set)?.members.get_mut(member)?;
    for dep in &said.deps {
        package = package.deps.get_mut(*dep)?;
    }
    Some(package)
}
