//! Deciding USE conditionals and removing redundant parentheses, with the outcome of Portage's `use_reduce`.

use std::fmt;

use super::{DepString, Node, write_nodes};

/// What an any-of group without any alternative left becomes: a package that never exists, so that it is unsatisfied
/// (EAPI 7 and later; Portage's index treats all EAPIs so).
pub const EMPTY_ANY_OF: &str = "__const__/empty-any-of";

/// A dependency string without conditionals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reduced {
    nodes: Vec<ReducedNode>,
}

/// One node of a [`Reduced`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReducedNode {
    /// A word; in an atom the brackets hold no conditionals any more.
    Leaf(String),
    /// All of them. Occurs only as an alternative of a group.
    AllOf(Vec<Self>),
    /// At least one of two or more.
    AnyOf(Vec<Self>),
    /// Exactly one of them.
    ExactlyOneOf(Vec<Self>),
    /// At most one of them.
    AtMostOneOf(Vec<Self>),
}

impl Reduced {
    /// The nodes at the top.
    pub fn nodes(&self) -> &[ReducedNode] {
        &self.nodes
    }

    /// Lists every leaf in order, whether demanded or an alternative.
    pub fn leaves(&self) -> Vec<&str> {
        let mut found = Vec::new();
        let mut stack: Vec<&ReducedNode> = self.nodes.iter().rev().collect();
        while let Some(node) = stack.pop() {
            match node {
                ReducedNode::Leaf(text) => found.push(text.as_str()),
                ReducedNode::AllOf(children)
                | ReducedNode::AnyOf(children)
                | ReducedNode::ExactlyOneOf(children)
                | ReducedNode::AtMostOneOf(children) => stack.extend(children.iter().rev()),
            }
        }
        found
    }
}

impl DepString {
    /// Decides every conditional by `enabled`, which says whether a USE flag is on, and removes redundant parentheses.
    pub fn reduce(&self, enabled: impl Fn(&str) -> bool) -> Reduced {
        Reduced {
            nodes: sequence(&self.nodes, &enabled, false),
        }
    }
}

/// Reduces nodes that are all demanded. Inside an alternative (`in_any_of`) the group that remains of an any-of group
/// with one alternative keeps its parentheses, as in Portage.
fn sequence(nodes: &[Node], enabled: &dyn Fn(&str) -> bool, in_any_of: bool) -> Vec<ReducedNode> {
    let mut out = Vec::new();
    for node in nodes {
        match node {
            Node::Leaf(text) => out.push(ReducedNode::Leaf(evaluate_use_deps(text, enabled))),
            Node::AllOf(children) => out.extend(sequence(children, enabled, in_any_of)),
            Node::Conditional {
                flag,
                negated,
                children,
            } => {
                if enabled(flag) != *negated {
                    out.extend(sequence(children, enabled, in_any_of));
                }
            }
            Node::AnyOf(children) => {
                let mut alternatives = alternatives(children, enabled);
                match alternatives.len() {
                    0 => out.push(ReducedNode::Leaf(EMPTY_ANY_OF.to_owned())),
                    1 => match alternatives.remove(0) {
                        ReducedNode::AllOf(members) if !in_any_of => out.extend(members),
                        only => out.push(only),
                    },
                    _ => out.push(ReducedNode::AnyOf(alternatives)),
                }
            }
            // These two count their members, so nothing may be flattened across their parentheses.
            Node::ExactlyOneOf(children) => out.push(ReducedNode::ExactlyOneOf(members(children, enabled))),
            Node::AtMostOneOf(children) => out.push(ReducedNode::AtMostOneOf(members(children, enabled))),
        }
    }
    out
}

/// Reduces the alternatives of an any-of group; nested any-of groups dissolve in it.
fn alternatives(nodes: &[Node], enabled: &dyn Fn(&str) -> bool) -> Vec<ReducedNode> {
    let mut out = Vec::new();
    for node in nodes {
        match node {
            Node::Leaf(text) => out.push(ReducedNode::Leaf(evaluate_use_deps(text, enabled))),
            Node::AnyOf(children) => {
                let nested = alternatives(children, enabled);
                if nested.is_empty() {
                    // Portage keeps these parentheses, redundant as they are.
                    out.push(ReducedNode::AllOf(vec![ReducedNode::Leaf(EMPTY_ANY_OF.to_owned())]));
                }
                out.extend(nested);
            }
            _ => {
                let mut members = sequence(std::slice::from_ref(node), enabled, true);
                if members.len() > 1 {
                    out.push(ReducedNode::AllOf(members));
                    continue;
                }
                match members.pop() {
                    Some(ReducedNode::AnyOf(nested)) => out.extend(nested),
                    Some(only) => out.push(only),
                    None => {}
                }
            }
        }
    }
    out
}

/// Reduces the members of a group that counts them: one node each.
fn members(nodes: &[Node], enabled: &dyn Fn(&str) -> bool) -> Vec<ReducedNode> {
    let mut out = Vec::new();
    for node in nodes {
        let mut members = sequence(std::slice::from_ref(node), enabled, true);
        match members.len() {
            0 => {}
            1 => out.append(&mut members),
            _ => out.push(ReducedNode::AllOf(members)),
        }
    }
    out
}

/// Decides the conditionals in an atom's brackets: `[a?]`, `[!a?]`, `[a=]`, `[!a=]`, each perhaps with `(+)` or `(-)`.
/// Brackets that become empty go away; a word without conditionals stays as it is.
fn evaluate_use_deps(text: &str, enabled: &dyn Fn(&str) -> bool) -> String {
    let Some((head, list)) = text.strip_suffix(']').and_then(|text| text.split_once('[')) else {
        return text.to_owned();
    };
    if !list.split(',').any(|token| token.ends_with(['?', '='])) {
        return text.to_owned();
    }
    let mut kept = Vec::new();
    for token in list.split(',') {
        let negated = token.starts_with('!');
        let bare = token.strip_prefix('!').unwrap_or(token);
        let state = if let Some(flag) = bare.strip_suffix('?') {
            let on = enabled(without_default(flag));
            (on != negated).then_some((flag, on))
        } else if let Some(flag) = bare.strip_suffix('=') {
            Some((flag, enabled(without_default(flag)) != negated))
        } else {
            kept.push(token.to_owned());
            continue;
        };
        match state {
            Some((flag, true)) => kept.push(flag.to_owned()),
            Some((flag, false)) => kept.push(format!("-{flag}")),
            None => {}
        }
    }
    // Portage forgets the repository of an atom that it decides.
    let head = head.split("::").next().unwrap_or(head);
    if kept.is_empty() {
        head.to_owned()
    } else {
        format!("{head}[{}]", kept.join(","))
    }
}

fn without_default(flag: &str) -> &str {
    flag.strip_suffix("(+)")
        .or_else(|| flag.strip_suffix("(-)"))
        .unwrap_or(flag)
}

impl fmt::Display for Reduced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_nodes(f, &self.nodes)
    }
}

impl fmt::Display for ReducedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operator, children) = match self {
            Self::Leaf(text) => return f.write_str(text),
            Self::AllOf(children) => ("", children),
            Self::AnyOf(children) => ("|| ", children),
            Self::ExactlyOneOf(children) => ("^^ ", children),
            Self::AtMostOneOf(children) => ("?? ", children),
        };
        write!(f, "{operator}( ")?;
        write_nodes(f, children)?;
        f.write_str(" )")
    }
}

#[cfg(test)]
mod tests {
    use crate::depstring::{DepString, Kind};

    fn reduce(text: &str, on: &[&str]) -> String {
        DepString::parse(text, Kind::Atoms)
            .unwrap()
            .reduce(|flag| on.contains(&flag))
            .to_string()
    }

    #[test]
    fn conditionals_and_parentheses_go() {
        assert_eq!(reduce("x? ( a/b ) !x? ( c/d )", &["x"]), "a/b");
        assert_eq!(reduce("|| ( x? ( a/b ) c/d )", &[]), "c/d");
        assert_eq!(reduce("|| ( x? ( a/b ) )", &[]), "__const__/empty-any-of");
        assert_eq!(
            reduce("|| ( || ( a/b c/d ) ( e/f g/h ) )", &[]),
            "|| ( a/b c/d ( e/f g/h ) )"
        );
    }

    #[test]
    fn use_dependencies_are_decided() {
        let text = "a/b:0/1=[p,q?,!r?,s=,!t=,u(+)?,-v]";
        assert_eq!(reduce(text, &["q", "s", "u"]), "a/b:0/1=[p,q,-r,s,t,u(+),-v]");
        assert_eq!(reduce(text, &["r", "t"]), "a/b:0/1=[p,-s,-t,-v]");
        assert_eq!(reduce("a/b[x?]", &[]), "a/b");
        assert_eq!(reduce("a/b:0::r[x] a/b:0::r[x?,y]", &[]), "a/b:0::r[x] a/b:0[y]");
    }
}
