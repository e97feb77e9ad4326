//! REQUIRED_USE: whether flags fulfil it, and the least change that makes them.
//!
//! The rules are those of PMS (7.3.5 and 8.2) as `check_required_use` in `portage.dep` has them: a conditional whose flag says no does not
//! count as a child of its group, and a group without children that count holds up to EAPI 6; from EAPI 7 on it has none that hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::depstring::{DepString, DepStringError, Kind, Node};

/// How many sets of flags are tried before the search is given up: a tenth of a second.
const ATTEMPTS: usize = 100_000;

/// The REQUIRED_USE of an ebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredUse {
    expression: DepString,
    /// Whether a group holds whose children all do not count.
    empty_group: bool,
}

impl RequiredUse {
    /// Reads REQUIRED_USE as an ebuild of this EAPI has it.
    ///
    /// # Errors
    /// As [`DepString::parse`].
    pub fn parse(text: &str, eapi: &str) -> Result<Self, DepStringError> {
        Ok(Self {
            expression: DepString::parse(text, Kind::RequiredUse)?,
            empty_group: matches!(eapi, "0" | "1" | "2" | "3" | "4" | "5" | "6"),
        })
    }

    /// Whether the enabled flags fulfil it.
    #[must_use]
    pub fn is_fulfilled(&self, enabled: &BTreeSet<String>) -> bool {
        let nodes = self.expression.nodes();
        nodes.iter().all(|node| self.holds(node, enabled) != Some(false))
    }

    /// Whether a node holds; nothing where it does not count. Parsing bounds how deep nodes lie in each other.
    fn holds(&self, node: &Node, enabled: &BTreeSet<String>) -> Option<bool> {
        let told = |children: &[Node]| -> Vec<bool> {
            let told = children.iter().filter_map(|child| self.holds(child, enabled));
            told.collect()
        };
        let group = |children: &[Node], rule: fn(usize) -> bool| {
            let told = told(children);
            told.is_empty() && self.empty_group || rule(told.iter().filter(|holds| **holds).count())
        };
        match node {
            Node::Leaf(flag) => Some(match flag.strip_prefix('!') {
                Some(flag) => !enabled.contains(flag),
                None => enabled.contains(flag),
            }),
            Node::AllOf(children) => {
                let told = told(children);
                (!told.is_empty()).then(|| !told.contains(&false))
            }
            Node::AnyOf(children) => Some(group(children, |holding| holding > 0)),
            Node::ExactlyOneOf(children) => Some(group(children, |holding| holding == 1)),
            Node::AtMostOneOf(children) => Some(group(children, |holding| holding <= 1)),
            Node::Conditional { flag, negated, .. } if enabled.contains(flag) == *negated => None,
            Node::Conditional { children, .. } => Some(!told(children).contains(&false)),
        }
    }

    /// The smallest set of flags to be switched so that the expression is fulfilled, each with its new state; `fixed` flags stay as they are. Of
    /// several smallest sets the one that enables what comes first in the expression and, where it must, disables what comes last. Nothing
    /// where no set is found.
    #[must_use]
    pub fn least_change(&self, enabled: &BTreeSet<String>, fixed: &BTreeSet<String>) -> Option<BTreeMap<String, bool>> {
        let flags = self.free_flags(enabled, fixed);
        let mut attempts = 0;
        for size in 0..=flags.len() {
            let mut chosen: Vec<usize> = (0..size).collect();
            loop {
                attempts += 1;
                if attempts > ATTEMPTS {
                    return None;
                }
                let mut state = enabled.clone();
                for flag in chosen.iter().map(|at| flags[*at]) {
                    if !state.remove(flag) {
                        state.insert(flag.to_owned());
                    }
                }
                if self.is_fulfilled(&state) {
                    let change = chosen.iter().map(|at| flags[*at].to_owned());
                    return Some(change.map(|flag| (flag.clone(), state.contains(&flag))).collect());
                }
                if !advance(&mut chosen, flags.len()) {
                    break;
                }
            }
        }
        None
    }

    /// The flags that may change: those to be enabled in the order of the text, then those to be disabled from its end.
    fn free_flags<'a>(&'a self, enabled: &BTreeSet<String>, fixed: &BTreeSet<String>) -> Vec<&'a str> {
        let mut seen = BTreeSet::new();
        let mut stack: Vec<&Node> = self.expression.nodes().iter().rev().collect();
        let mut found = Vec::new();
        let mut add = |flag: &'a str| {
            if !fixed.contains(flag) && seen.insert(flag) {
                found.push(flag);
            }
        };
        while let Some(node) = stack.pop() {
            match node {
                Node::Leaf(flag) => add(flag.strip_prefix('!').unwrap_or(flag)),
                Node::AllOf(children)
                | Node::AnyOf(children)
                | Node::ExactlyOneOf(children)
                | Node::AtMostOneOf(children) => stack.extend(children.iter().rev()),
                Node::Conditional { flag, children, .. } => {
                    add(flag);
                    stack.extend(children.iter().rev());
                }
            }
        }
        let (on, off): (Vec<&str>, Vec<&str>) = found.into_iter().partition(|flag| enabled.contains(*flag));
        off.into_iter().chain(on.into_iter().rev()).collect()
    }
}

/// The next choice of as many out of `count`, in order; false after the last.
fn advance(chosen: &mut [usize], count: usize) -> bool {
    let size = chosen.len();
    let Some(at) = (0..size).rev().find(|at| chosen[*at] < count - size + at) else {
        return false;
    };
    chosen[at] += 1;
    for next in at + 1..size {
        chosen[next] = chosen[next - 1] + 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::RequiredUse;

    fn set(flags: &str) -> BTreeSet<String> {
        flags.split_whitespace().map(str::to_owned).collect()
    }

    fn parse(text: &str) -> RequiredUse {
        RequiredUse::parse(text, "8").unwrap()
    }

    #[test]
    fn groups_count_the_children_that_apply() {
        let table = [
            ("a", "", false),
            ("!a", "", true),
            ("a? ( b )", "", true),
            ("a? ( b )", "a", false),
            ("!a? ( b )", "", false),
            ("|| ( a b )", "", false),
            ("|| ( a b )", "a b", true),
            ("^^ ( a b )", "", false),
            ("^^ ( a b )", "b", true),
            ("^^ ( a b )", "a b", false),
            ("?? ( a b )", "", true),
            ("?? ( a b )", "a b", false),
            ("|| ( a? ( b ) )", "", false),
            ("|| ( a? ( b ) c )", "c", true),
            ("?? ( a? ( b ) )", "", true),
            ("^^ ( a? ( b ) )", "", false),
            ("a? ( ( b? ( c ) ) )", "a", true),
            ("|| ( a? ( b ) )", "a", false),
            ("^^ ( a? ( b ) c )", "c", true),
            ("^^ ( a? ( b ) c )", "a b c", false),
            ("^^ ( ( a b ) c )", "a c", true),
            ("( a? ( b ) )", "", true),
            ("", "", true),
        ];
        for (text, enabled, fulfilled) in table {
            assert_eq!(
                parse(text).is_fulfilled(&set(enabled)),
                fulfilled,
                "{text} with {enabled:?}"
            );
        }
    }

    #[test]
    fn empty_groups_held_once() {
        let empty = |eapi| {
            RequiredUse::parse("^^ ( a? ( b ) )", eapi)
                .unwrap()
                .is_fulfilled(&set(""))
        };
        assert!(empty("6"));
        assert!(!empty("7"));
    }

    #[test]
    fn the_least_change_is_found() {
        // Expression, enabled, fixed, what is to be written.
        let table = [
            ("^^ ( mpi serial )", "", "", Some("mpi")),
            ("^^ ( mpi serial )", "", "mpi", Some("serial")),
            ("^^ ( mpi serial )", "mpi serial", "", Some("-serial")),
            ("^^ ( mpi serial )", "", "mpi serial", None),
            ("a? ( b c ) b? ( d )", "a", "", Some("-a")),
            ("a? ( b c ) b? ( d )", "a", "a", Some("b c d")),
            ("|| ( ( a b ) c )", "", "c", Some("a b")),
            ("a !a", "", "", None),
            ("a? ( b )", "", "", Some("")),
        ];
        for (text, enabled, fixed, wanted) in table {
            let change = parse(text).least_change(&set(enabled), &set(fixed)).map(|change| {
                let words = change
                    .into_iter()
                    .map(|(flag, on)| if on { flag } else { format!("-{flag}") });
                words.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(change.as_deref(), wanted, "{text} with {enabled:?}, {fixed:?} fixed");
        }
    }
}
