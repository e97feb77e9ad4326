//! `farm plan --diff`: in what two plans differ.

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{EventSink, NodeState};
use serde_json::{Value, json};

use super::super::{FarmError, Setup, Words};
use super::list::{FarmList, Listed, package_json};
use super::{PlanView, plan_cell};

/// Makes the plans with these words, and with variables that have other values, and says what the other plans have otherwise.
///
/// # Errors
/// As [`plan`](super::plan()).
pub fn plan_diff(
    setup: &Setup,
    words: &Words,
    variables: &[(String, String)],
    events: &dyn EventSink,
) -> Result<PlanView, FarmError> {
    let mut other_words = words.clone();
    other_words.variables.extend(variables.iter().cloned());
    // The other one first: what is looked at next is then what the manifest says.
    let other = plan_cell(setup, &other_words, events)?;
    let mut view = plan_cell(setup, words, events)?;
    let name: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let (mut text, mut farms) = (String::new(), Vec::new());
    for list in &view.lists {
        if let Some(other) = other.lists.iter().find(|other| other.farm == list.farm) {
            let difference = Difference::between(list, other, is_same);
            text.push_str(&difference.text(&list.farm, &format!("with {}", name.join(" "))));
            farms.push(difference.json(&list.farm));
        }
    }
    view.text = text;
    view.json = farms.into();
    view.failures.extend(other.failures);
    Ok(view)
}

/// In what plans differ from those of before, for people and as data; nothing where there were none. Whether something is built, then and now, is
/// no difference.
pub(in crate::command) fn since(before: &[FarmList], now: &[FarmList]) -> Option<(String, Value)> {
    let (mut text, mut farms) = (String::new(), Vec::new());
    for list in now {
        if let Some(old) = before.iter().find(|old| old.farm == list.farm) {
            let difference = Difference::between(old, list, is_same_package);
            text.push_str(&difference.text(&list.farm, "after the update"));
            farms.push(difference.json(&list.farm));
        }
    }
    (!farms.is_empty()).then(|| (text, farms.into()))
}

/// What another plan has otherwise, by subject.
#[derive(Debug, Default, PartialEq)]
struct Difference<'a> {
    subjects: BTreeMap<&'a str, Vec<Changed<'a>>>,
    same: usize,
}

/// One package.
#[derive(Debug, PartialEq)]
enum Changed<'a> {
    Added(&'a Listed),
    Removed(&'a Listed),
    Other { from: &'a Listed, to: &'a Listed },
}

impl<'a> Difference<'a> {
    fn between(from: &'a FarmList, to: &'a FarmList, is_same: fn(&Listed, &Listed) -> bool) -> Self {
        let mut found = Self::default();
        let names: BTreeSet<&str> = [from, to]
            .iter()
            .flat_map(|list| list.subjects.iter().map(|subject| subject.name.as_str()))
            .collect();
        for name in names {
            let (old, new) = (packages(from, name), packages(to, name));
            let slots: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let mut changes = Vec::new();
            for slot in slots {
                match (old.get(slot), new.get(slot)) {
                    (Some(from), Some(to)) if is_same(from, to) => found.same += 1,
                    (Some(from), Some(to)) => changes.push(Changed::Other { from, to }),
                    (Some(from), None) => changes.push(Changed::Removed(from)),
                    (None, Some(to)) => changes.push(Changed::Added(to)),
                    (None, None) => {}
                }
            }
            if !changes.is_empty() {
                found.subjects.insert(name, changes);
            }
        }
        found
    }

    fn text(&self, farm: &str, how: &str) -> String {
        let mut text = String::new();
        let mut counts = [0; 3];
        for (subject, changes) in &self.subjects {
            text.push_str(&format!("{farm}: {subject}, {how}\n"));
            for change in changes {
                let (kind, line) = match change {
                    Changed::Added(to) => (0, format!("+ {}  ({})", named(to), to.note())),
                    Changed::Removed(from) => (1, format!("- {}", named(from))),
                    Changed::Other { from, to } => (2, format!("~ {}", otherwise(from, to))),
                };
                counts[kind] += 1;
                text.push_str(&format!("{line}\n"));
            }
            text.push('\n');
        }
        let [added, removed, other] = counts;
        text.push_str(&format!(
            "{farm}: {added} added, {removed} removed, {other} otherwise, {} the same\n",
            self.same
        ));
        text
    }

    fn json(&self, farm: &str) -> Value {
        let subjects: serde_json::Map<String, Value> = self
            .subjects
            .iter()
            .map(|(subject, changes)| {
                let changes: Vec<Value> = changes
                    .iter()
                    .map(|change| {
                        let (from, to) = match change {
                            Changed::Added(to) => (None, Some(to)),
                            Changed::Removed(from) => (Some(from), None),
                            Changed::Other { from, to } => (Some(from), Some(to)),
                        };
                        json!({ "from": from.map(|one| package_json(one)), "to": to.map(|one| package_json(one)) })
                    })
                    .collect();
                ((*subject).to_owned(), changes.into())
            })
            .collect();
        json!({ "farm": farm, "subjects": subjects, "same": self.same })
    }
}

/// A subject's packages by slot. (A slot has one package in a subject: Portage sees to that.)
fn packages<'a>(list: &'a FarmList, subject: &str) -> BTreeMap<String, &'a Listed> {
    list.subjects
        .iter()
        .filter(|found| found.name == subject)
        .flat_map(|found| &found.packages)
        .map(|at| &list.packages[*at])
        .map(|listed| (listed.slot(), listed))
        .collect()
}

fn is_same(from: &Listed, to: &Listed) -> bool {
    is_same_package(from, to) && from.state == to.state
}

fn is_same_package(from: &Listed, to: &Listed) -> bool {
    from.package.cpv == to.package.cpv
        && from.package.repository == to.package.repository
        && from.package.use_flags == to.package.use_flags
}

/// `category/name-1:slot::repository`.
pub(in crate::command) fn named(listed: &Listed) -> String {
    let package = &listed.package;
    let slot = if package.slot == "0" {
        String::new()
    } else {
        format!(":{}", package.slot)
    };
    format!("{}{slot}::{}", package.cpv, package.repository)
}

/// `category/name-2 [1] USE="a -b"  (cached -> build: …)`, of which only what differs.
fn otherwise(from: &Listed, to: &Listed) -> String {
    let mut text = named(to);
    if from.package.cpv != to.package.cpv {
        text.push_str(&format!(" [{}]", from.package.version));
    } else if from.package.repository != to.package.repository {
        text.push_str(&format!(" [::{}]", from.package.repository));
    }
    let enabled = |listed: &'_ Listed| -> BTreeSet<String> { listed.package.use_flags.iter().cloned().collect() };
    let flags = flag_changes(&enabled(from), &enabled(to));
    if !flags.is_empty() {
        text.push_str(&format!(" USE=\"{}\"", flags.join(" ")));
    }
    match (from.state, to.state) {
        (from, to) if from == to => {}
        (NodeState::Cached, _) => text.push_str(&format!("  (cached -> {})", to.note())),
        _ => text.push_str(&format!("  (build -> {})", to.note())),
    }
    text
}

/// The flags that `new` has and `old` has not, and then those that it lacks, with their sign.
pub(in crate::command) fn flag_changes(old: &BTreeSet<String>, new: &BTreeSet<String>) -> Vec<String> {
    let gained = new.difference(old).cloned();
    let lost = old.difference(new).map(|flag| format!("-{flag}"));
    gained.chain(lost).collect()
}

#[cfg(test)]
mod tests {
    use farm_engine::NodeState;
    use farm_resolver::Package;

    use super::super::list::{FarmList, Listed, SubjectList};
    use super::{Difference, is_same, since};

    fn listed(name: &str, version: &str, flags: &[&str], state: NodeState) -> Listed {
        Listed {
            node: format!("x:pkg/c/{name}-{version}"),
            package: Package {
                cpv: format!("c/{name}-{version}"),
                category: "c".to_owned(),
                name: name.to_owned(),
                version: version.to_owned(),
                repository: "r".to_owned(),
                slot: "0".to_owned(),
                use_flags: flags.iter().map(ToString::to_string).collect(),
                ..Package::default()
            },
            state,
            reason: "never built".to_owned(),
            ..Listed::default()
        }
    }

    fn list(packages: Vec<Listed>) -> FarmList {
        FarmList {
            farm: "x".to_owned(),
            subjects: vec![SubjectList {
                name: "s".to_owned(),
                command: String::new(),
                packages: (0..packages.len()).collect(),
                lines: Vec::new(),
            }],
            packages,
            ..FarmList::default()
        }
    }

    #[test]
    fn only_what_differs_is_shown() {
        let old = list(vec![
            listed("same", "1", &["a"], NodeState::Cached),
            listed("gone", "1", &[], NodeState::Cached),
            listed("newer", "1", &[], NodeState::Cached),
            listed("flags", "1", &["a", "b"], NodeState::Cached),
            listed("built", "1", &[], NodeState::Run),
        ]);
        let new = list(vec![
            listed("same", "1", &["a"], NodeState::Cached),
            listed("newer", "2", &[], NodeState::Run),
            listed("flags", "1", &["b", "c"], NodeState::Cached),
            listed("built", "1", &[], NodeState::Cached),
            listed("more", "1", &[], NodeState::Run),
        ]);
        let difference = Difference::between(&old, &new, is_same);
        insta::assert_snapshot!(difference.text("x", "with A=b"), @r#"
        x: s, with A=b
        ~ c/built-1::r  (build -> cached)
        ~ c/flags-1::r USE="c -a"
        - c/gone-1::r
        + c/more-1::r  (build: never built)
        ~ c/newer-2::r [1]  (cached -> build: never built)

        x: 1 added, 1 removed, 3 otherwise, 1 the same
        "#);
        assert_eq!(difference.json("x")["subjects"]["s"].as_array().map(Vec::len), Some(5));
        let none = Difference::between(&old, &old, is_same);
        assert_eq!(
            none.text("x", "with A=b"),
            "x: 0 added, 0 removed, 0 otherwise, 5 the same\n"
        );
        // Since an update, it is packages that differ, and not what is built of them.
        let (text, json) = since(std::slice::from_ref(&old), std::slice::from_ref(&new)).unwrap();
        assert!(text.starts_with("x: s, after the update\n~ c/flags-1::r"), "{text}");
        assert!(
            text.ends_with("x: 1 added, 1 removed, 2 otherwise, 2 the same\n"),
            "{text}"
        );
        assert_eq!(json[0]["same"], 2);
        assert_eq!(since(&[], &[new]), None);
    }
}
