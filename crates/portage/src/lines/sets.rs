//! Set files: one atom or `@set` a line, as in `/etc/portage/sets`.

use std::fmt;

use super::Parsed;
use super::error::{LineError, LineProblem, parse_atom};
use super::package_files::only_word;
use super::words::{Line, Place, lines};
use crate::atom::{Atom, AtomSyntax};

/// The name of a package set, without the `@`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetName(String);

impl SetName {
    /// Parses a name without its `@`: letters, digits and `_+.-`, and none of the last three first.
    ///
    /// # Errors
    /// [`LineProblem::SetName`] when it is none.
    pub fn parse(text: &str) -> Result<Self, LineProblem> {
        let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.starts_with(first) && text.chars().all(|c| first(c) || "+.-".contains(c)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(LineProblem::SetName(format!("@{text}")))
        }
    }

    /// The name without the `@`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// What a set can have in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetMember {
    /// Packages.
    Atom(Atom),
    /// Another set.
    Set(SetName),
}

impl fmt::Display for SetMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atom(atom) => atom.fmt(f),
            Self::Set(name) => name.fmt(f),
        }
    }
}

/// A line of a set file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetEntry {
    /// Where the member stands.
    pub place: Place,
    /// The member.
    pub member: SetMember,
}

/// Reads a set file. What Portage would ignore after the first word is an error here: it was written for a purpose.
#[must_use]
pub fn parse_set(text: &str) -> Parsed<SetEntry> {
    let mut parsed = Parsed::default();
    for line in lines(text) {
        parsed.add(read_member(&line, AtomSyntax::SET).and_then(|member| {
            only_word(
                &line,
                "flags and keywords belong into package.use and package.accept_keywords",
            )?;
            // Portage's own check of set files drops blockers.
            match &member {
                SetMember::Atom(atom) if atom.blocker().is_some() => Err(LineError {
                    place: line.words[0].place.clone(),
                    problem: LineProblem::Blocker,
                    advice: None,
                }),
                _ => Ok(SetEntry {
                    place: line.words[0].place.clone(),
                    member,
                }),
            }
        }));
    }
    parsed
}

/// Reads the first word of a line.
pub(super) fn read_member(line: &Line<'_>, syntax: AtomSyntax) -> Result<SetMember, LineError> {
    let word = &line.words[0];
    match word.value.strip_prefix('@') {
        None => Ok(SetMember::Atom(parse_atom(word, syntax)?)),
        Some(name) => match SetName::parse(name) {
            Ok(name) => Ok(SetMember::Set(name)),
            Err(problem) => Err(LineError {
                place: word.place.clone(),
                problem,
                advice: None,
            }),
        },
    }
}
