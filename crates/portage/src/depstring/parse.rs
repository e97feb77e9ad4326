//! Parsing dependency strings.

use super::{DepString, Node};
use crate::atom::{Atom, AtomSyntax};
use crate::use_flags::is_flag_name;

/// What the leaves of a dependency string are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Atoms, with USE conditionals in their brackets: `*DEPEND`. Allows `||`.
    Atoms,
    /// Plain words: `LICENSE`, `PROPERTIES`, `RESTRICT`. Allows `||`.
    Words,
    /// Flags, perhaps with `!`: `REQUIRED_USE`. Allows `||`, `^^` and `??`.
    RequiredUse,
}

/// Groups may lie in each other this deep. Real ebuilds stay below ten; the bound keeps recursion safe.
const DEPTH_LIMIT: usize = 200;

/// Why a dependency string does not parse. Tokens are counted from 1, as Portage counts them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepStringError {
    /// Another token was needed.
    #[error("expected {expected}, found `{found}`, token {token}")]
    Expected {
        /// What was needed.
        expected: &'static str,
        /// What was there.
        found: String,
        /// Which token.
        token: usize,
    },
    /// The string ends too early.
    #[error("missing `{0}` at the end")]
    Missing(&'static str),
    /// A closing parenthesis without an opening one.
    #[error("no `(` for `)`, token {0}")]
    Unopened(usize),
    /// A conditional on what cannot be a USE flag.
    #[error("invalid USE flag `{flag}` in a conditional, token {token}")]
    Flag {
        /// The flag.
        flag: String,
        /// Which token.
        token: usize,
    },
    /// A leaf that is no atom.
    #[error("invalid atom `{text}`, token {token}: {reason}")]
    Atom {
        /// The leaf.
        text: String,
        /// Which token.
        token: usize,
        /// What the atom parser says.
        reason: String,
    },
    /// An operator that this kind of string does not have.
    #[error("`{operator}` is not allowed here, token {token}")]
    Operator {
        /// The operator.
        operator: String,
        /// Which token.
        token: usize,
    },
    /// Groups lie too deep in each other.
    #[error("groups nest deeper than {DEPTH_LIMIT}, token {0}")]
    TooDeep(usize),
}

/// What precedes the `(` of a group.
enum Opening {
    Top,
    AllOf,
    AnyOf,
    ExactlyOneOf,
    AtMostOneOf,
    Conditional { flag: String, negated: bool },
}

impl Opening {
    fn close(self, children: Vec<Node>) -> Node {
        match self {
            Self::Top | Self::AllOf => Node::AllOf(children),
            Self::AnyOf => Node::AnyOf(children),
            Self::ExactlyOneOf => Node::ExactlyOneOf(children),
            Self::AtMostOneOf => Node::AtMostOneOf(children),
            Self::Conditional { flag, negated } => Node::Conditional {
                flag,
                negated,
                children,
            },
        }
    }
}

impl DepString {
    /// Parses a dependency string; tokens are divided by white space.
    ///
    /// As in Portage, an empty group is an error, a conditional or an operator must be followed by `(`, and the leaves
    /// of [`Kind::Atoms`] must be atoms (without wildcards, with or without `::repository`).
    pub fn parse(text: &str, kind: Kind) -> Result<Self, DepStringError> {
        let mut stack: Vec<(Opening, Vec<Node>)> = vec![(Opening::Top, Vec::new())];
        let mut pending: Option<Opening> = None;
        let mut just_opened = false;
        for (index, text) in text.split_whitespace().enumerate() {
            let token = index + 1;
            let expected = |expected| DepStringError::Expected {
                expected,
                found: text.to_owned(),
                token,
            };
            if text == "(" {
                stack.push((pending.take().unwrap_or(Opening::AllOf), Vec::new()));
                if stack.len() > DEPTH_LIMIT {
                    return Err(DepStringError::TooDeep(token));
                }
                just_opened = true;
                continue;
            }
            if pending.is_some() {
                return Err(expected("`(`"));
            }
            // Portage reads this as the renaming of SRC_URI, and nothing else has it.
            if text == "->" {
                return Err(DepStringError::Operator {
                    operator: text.to_owned(),
                    token,
                });
            }
            if text == ")" {
                if just_opened {
                    return Err(expected("a dependency"));
                }
                let (opening, children) = stack.pop().ok_or(DepStringError::Unopened(token))?;
                let (_, parent) = stack.last_mut().ok_or(DepStringError::Unopened(token))?;
                parent.push(opening.close(children));
                continue;
            }
            just_opened = false;
            pending = opening(text, token, kind)?;
            if pending.is_none() {
                check_leaf(text, token, kind)?;
                let (_, siblings) = stack.last_mut().ok_or(DepStringError::Unopened(token))?;
                siblings.push(Node::Leaf(text.to_owned()));
            }
        }
        if pending.is_some() {
            return Err(DepStringError::Missing("("));
        }
        match (stack.pop(), stack.is_empty()) {
            (Some((_, nodes)), true) => Ok(Self { nodes }),
            _ => Err(DepStringError::Missing(")")),
        }
    }
}

/// Recognises what must be followed by a group.
fn opening(text: &str, token: usize, kind: Kind) -> Result<Option<Opening>, DepStringError> {
    let allowed = |opening| {
        if kind == Kind::RequiredUse {
            Ok(Some(opening))
        } else {
            Err(DepStringError::Operator {
                operator: text.to_owned(),
                token,
            })
        }
    };
    match text {
        "||" => return Ok(Some(Opening::AnyOf)),
        "^^" => return allowed(Opening::ExactlyOneOf),
        "??" => return allowed(Opening::AtMostOneOf),
        _ => {}
    }
    let Some(flag) = text.strip_suffix('?') else {
        return Ok(None);
    };
    let (negated, flag) = flag.strip_prefix('!').map_or((false, flag), |flag| (true, flag));
    if !is_flag_name(flag) {
        return Err(DepStringError::Flag {
            flag: flag.to_owned(),
            token,
        });
    }
    Ok(Some(Opening::Conditional {
        flag: flag.to_owned(),
        negated,
    }))
}

fn check_leaf(text: &str, token: usize, kind: Kind) -> Result<(), DepStringError> {
    match kind {
        Kind::Atoms => {
            let syntax = AtomSyntax {
                wildcard: false,
                repository: true,
                build_id: false,
            };
            Atom::parse(text, syntax)
                .map(drop)
                .map_err(|error| DepStringError::Atom {
                    text: text.to_owned(),
                    token,
                    reason: error.to_string(),
                })
        }
        Kind::RequiredUse => {
            let flag = text.strip_prefix('!').unwrap_or(text);
            if is_flag_name(flag) {
                Ok(())
            } else {
                Err(DepStringError::Flag {
                    flag: flag.to_owned(),
                    token,
                })
            }
        }
        Kind::Words => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_comes_back() {
        for text in ["", "a/b", "x? ( a/b !y? ( c/d ) ) || ( a/b ( c/d e/f[g?,!h=] ) )"] {
            assert_eq!(DepString::parse(text, Kind::Atoms).unwrap().to_string(), text);
        }
        let text = "^^ ( a b ) ?? ( a !b ) || ( a b ) c? ( d )";
        assert_eq!(DepString::parse(text, Kind::RequiredUse).unwrap().to_string(), text);
    }

    #[test]
    fn mistakes_are_told() {
        let parse = |text| DepString::parse(text, Kind::Atoms).unwrap_err().to_string();
        assert_eq!(parse("a/b ( )"), "expected a dependency, found `)`, token 3");
        assert_eq!(parse("x? a/b"), "expected `(`, found `a/b`, token 2");
        assert_eq!(parse("|| ( a/b"), "missing `)` at the end");
        assert_eq!(parse("a/b ||"), "missing `(` at the end");
        assert_eq!(parse("a/b )"), "no `(` for `)`, token 2");
        assert_eq!(parse("^^ ( a/b )"), "`^^` is not allowed here, token 1");
        assert_eq!(parse("a/b -> c/d"), "`->` is not allowed here, token 2");
        assert_eq!(parse("$? ( a/b )"), "invalid USE flag `$` in a conditional, token 1");
        assert!(parse("a/b nonsense").starts_with("invalid atom `nonsense`, token 2"));
        assert!(DepString::parse(&"( ".repeat(100_000), Kind::Words).is_err());
    }
}
