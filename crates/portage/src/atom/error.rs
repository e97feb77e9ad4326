//! Why a text is no atom.

use std::ops::Range;

use super::UseDepProblem;
use crate::name::{NameKind, NameProblem};
use crate::slot::SlotProblem;

/// A text is no atom. This is always a fault of the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an atom: {problem}")]
pub struct AtomError {
    /// The text that was refused.
    pub text: String,
    /// The bytes of `text` that are wrong; empty where something is missing.
    pub span: Range<usize>,
    /// What is wrong with them.
    pub problem: AtomProblem,
    /// What was probably meant, as a sentence fragment such as ``write `=cat/pn-1.2` ``.
    pub advice: Option<String>,
}

/// What keeps a text from being an atom.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AtomProblem {
    /// Nothing is there.
    #[error("it is empty")]
    Empty,
    /// `@name` where only atoms may stand.
    #[error("it names a package set")]
    Set,
    /// Characters in operator position that are no operator.
    #[error("`{0}` is not an operator")]
    UnknownOperator(String),
    /// No slash between category and name.
    #[error("the category is missing")]
    NoCategory,
    /// More than one slash.
    #[error("there is more than one `/`")]
    ExtraSlash,
    /// The category or the package name is none.
    #[error("not a {0}: {1}")]
    Name(NameKind, NameProblem),
    /// A version without an operator before the category.
    #[error("a version needs an operator")]
    NoOperator,
    /// An operator without a version after the name.
    #[error("the operator `{0}` needs a version")]
    NoVersion(&'static str),
    /// Something like a version that is none.
    #[error("not a version: {0}")]
    Version(crate::version::VersionProblem),
    /// `*` after the version with an operator other than `=`.
    #[error("only `=` goes with `*` after the version")]
    PrefixOperator,
    /// A build number that is none, or where none is allowed.
    #[error("only one version may stand after the name")]
    BuildId,
    /// `*` where wildcards are not allowed.
    #[error("wildcards are not allowed here")]
    WildcardNotAllowed,
    /// A wildcard that Portage does not know.
    #[error("{0}")]
    Wildcard(WildcardProblem),
    /// The slot part is wrong.
    #[error("{0}")]
    Slot(SlotProblem),
    /// `::name` where no repository may be named.
    #[error("a repository may not be named here")]
    RepositoryNotAllowed,
    /// The repository name is none.
    #[error("not a repository name: {0}")]
    Repository(NameProblem),
    /// A `[` without `]` at the end.
    #[error("`]` is missing at the end")]
    UnclosedUse,
    /// USE dependencies are wrong.
    #[error("{0}")]
    Use(UseDepProblem),
    /// Something after the last part that an atom can have.
    #[error("nothing more may stand here")]
    Trailing,
}

/// How a pattern is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WildcardProblem {
    /// Two stars in a row.
    #[error("`**` means nothing more than `*`")]
    DoubleStar,
    /// A version after a name with a star.
    #[error("a name with a wildcard takes no version")]
    Version,
    /// A version pattern other than `*WORD*`.
    #[error("with a wildcard, `=` takes only a version such as `*9999*`")]
    VersionPattern,
    /// An operator other than `=`.
    #[error("with a wildcard, the only operator is `=` with a version such as `*9999*`")]
    Operator,
    /// USE dependencies after a pattern.
    #[error("an atom with a wildcard takes no USE dependencies")]
    Use,
    /// A character that patterns do not have.
    #[error("{0:?} may not stand here")]
    Character(char),
    /// The category or the name is missing.
    #[error("the name is empty")]
    Empty,
}
