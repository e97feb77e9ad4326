//! Dependency strings: the language of `*DEPEND`, `LICENSE`, `PROPERTIES`, `RESTRICT` and `REQUIRED_USE`.
//!
//! [`DepString`] is the parsed text. [`DepString::reduce`] decides its USE conditionals and gives a [`Reduced`], which
//! prints as Portage's index has it (`use_reduce`, then `paren_enclose`).

mod parse;
mod reduce;

pub use parse::{DepStringError, Kind};
pub use reduce::{EMPTY_ANY_OF, Reduced, ReducedNode};

use std::fmt;

/// One node of a dependency string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A word: an atom, a licence, a token, a flag.
    Leaf(String),
    /// `( … )`: all of them.
    AllOf(Vec<Self>),
    /// `|| ( … )`: at least one of them.
    AnyOf(Vec<Self>),
    /// `^^ ( … )`: exactly one of them.
    ExactlyOneOf(Vec<Self>),
    /// `?? ( … )`: at most one of them.
    AtMostOneOf(Vec<Self>),
    /// `flag? ( … )` or `!flag? ( … )`.
    Conditional {
        /// The USE flag.
        flag: String,
        /// Whether the children count when the flag is *off*.
        negated: bool,
        /// What it guards.
        children: Vec<Self>,
    },
}

/// A parsed dependency string: all of its nodes are demanded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DepString {
    pub(super) nodes: Vec<Node>,
}

impl DepString {
    /// The nodes at the top.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Lists every leaf in the order of the text, whatever guards it.
    pub fn leaves(&self) -> Vec<&str> {
        let mut found = Vec::new();
        let mut stack: Vec<&Node> = self.nodes.iter().rev().collect();
        while let Some(node) = stack.pop() {
            match node {
                Node::Leaf(text) => found.push(text.as_str()),
                Node::AllOf(children)
                | Node::AnyOf(children)
                | Node::ExactlyOneOf(children)
                | Node::AtMostOneOf(children)
                | Node::Conditional { children, .. } => stack.extend(children.iter().rev()),
            }
        }
        found
    }
}

impl fmt::Display for DepString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_nodes(f, &self.nodes)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operator, children) = match self {
            Self::Leaf(text) => return f.write_str(text),
            Self::AllOf(children) => ("", children),
            Self::AnyOf(children) => ("|| ", children),
            Self::ExactlyOneOf(children) => ("^^ ", children),
            Self::AtMostOneOf(children) => ("?? ", children),
            Self::Conditional {
                flag,
                negated,
                children,
            } => {
                write!(f, "{}{flag}? ", if *negated { "!" } else { "" })?;
                ("", children)
            }
        };
        write!(f, "{operator}( ")?;
        write_nodes(f, children)?;
        f.write_str(" )")
    }
}

/// Writes nodes with one space between them.
fn write_nodes<T: fmt::Display>(f: &mut fmt::Formatter<'_>, nodes: &[T]) -> fmt::Result {
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            f.write_str(" ")?;
        }
        write!(f, "{node}")?;
    }
    Ok(())
}
