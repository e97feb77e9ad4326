//! Faults in lines.

use super::words::{Place, Placed};
use crate::atom::{Atom, AtomError, AtomProblem, AtomSyntax};
use crate::keyword::KeywordError;
use crate::name::{NameError, NameKind, NameProblem};

/// A fault in one line. This is always a fault of the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {problem}", place.line, place.column)]
pub struct LineError {
    /// The offending characters.
    pub place: Place,
    /// What is wrong with them.
    pub problem: LineProblem,
    /// What was probably meant.
    pub advice: Option<String>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// The first word is no atom.
    #[error("`{text}` is not an atom: {problem}")]
    Atom {
        /// The word.
        text: String,
        /// What is wrong with it.
        problem: AtomProblem,
    },
    /// The atom has USE dependencies, with which Portage refuses the line.
    #[error("an atom may not have USE dependencies here")]
    UseDeps,
    /// The atom is a blocker where it makes no sense.
    #[error("an atom may not be a blocker here")]
    Blocker,
    /// A flag or another name is none.
    #[error("`{text}` is not a {kind}: {problem}")]
    Name {
        /// The word.
        text: String,
        /// What it should be.
        kind: NameKind,
        /// What is wrong with it.
        problem: NameProblem,
    },
    /// A keyword is none.
    #[error(transparent)]
    Keyword(#[from] KeywordError),
    /// `NAME:` or `-*` in a profile, where Portage knows only flags.
    #[error("`{0}` is known only to /etc/portage, not to profiles")]
    UserOnly(String),
    /// `NAME:` whose name is no variable.
    #[error("`{0}` is not the name of a USE_EXPAND variable")]
    Group(String),
    /// `NAME:` without values.
    #[error("no value follows `{0}`")]
    EmptyGroup(String),
    /// A word after the only one that the line may have.
    #[error("only one word may stand on the line")]
    ExtraWord,
    /// `@NAME` that names no set.
    #[error("`{0}` is not the name of a package set")]
    SetName(String),
    /// The line is empty where one with an atom is needed.
    #[error("an atom or a set is missing")]
    Empty,
}

/// Parses the atom of a line.
pub(super) fn parse_atom(word: &Placed<&str>, syntax: AtomSyntax) -> Result<Atom, LineError> {
    Atom::parse(word.value, syntax).map_err(|error| from_atom(&word.place, error))
}

/// Moves an atom's fault to its place in the text.
pub(super) fn from_atom(place: &Place, error: AtomError) -> LineError {
    LineError {
        place: place.part(&error.text, &error.span),
        problem: LineProblem::Atom {
            text: error.text,
            problem: error.problem,
        },
        advice: error.advice,
    }
}

/// Moves a name's fault to its place in the text.
pub(super) fn from_name(place: &Place, error: NameError) -> LineError {
    let advice = match error.problem {
        NameProblem::First('+') if error.kind == NameKind::UseFlag => {
            Some("a flag is switched on without a sign".to_owned())
        }
        NameProblem::Character('~') if error.kind == NameKind::UseFlag => {
            Some("keywords belong into package.accept_keywords".to_owned())
        }
        NameProblem::Character(',') => Some("divide words by blanks".to_owned()),
        _ => None,
    };
    LineError {
        place: place.part(&error.text, &error.span),
        problem: LineProblem::Name {
            text: error.text,
            kind: error.kind,
            problem: error.problem,
        },
        advice,
    }
}
