//! Package atoms: the grammar of `portage.dep.Atom`, what an atom matches, and errors that say what was meant.
//!
//! Invariant: whatever [`Atom::parse`] takes, Portage takes under the same switches and understands in the same way, and
//! whatever it refuses, Portage refuses, with one exception: build numbers end at 64 bits. `tests/names_oracle.rs` compares the two.

mod diagnose;
mod error;
mod matching;
mod parse;
mod use_dep;

use std::fmt;

use serde::{Serialize, Serializer};

pub use self::error::{AtomError, AtomProblem, WildcardProblem};
pub use self::matching::{Candidate, CandidateFlags};
pub use self::use_dep::{UseDep, UseDepKind, UseDepProblem};
use crate::slot::SlotDep;
use crate::version::Version;

/// Which extensions of the atom grammar a place allows; what is not named here is allowed everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtomSyntax {
    /// `*` in category, name and version (`*/*`, `=dev-libs/*-*9999*`).
    pub wildcard: bool,
    /// `::repository` at the end.
    pub repository: bool,
    /// A build number after the version (`=a/b-1-3`), which names one instance of a binary package.
    pub build_id: bool,
}

impl AtomSyntax {
    /// What Portage allows in `package.use`, `package.mask` and their like in `/etc/portage`.
    pub const USER: Self = Self {
        wildcard: true,
        repository: true,
        build_id: true,
    };
    /// What Portage allows in set files.
    pub const SET: Self = Self {
        wildcard: false,
        repository: true,
        build_id: false,
    };
    /// What Portage allows in ebuilds and in profile nodes without extra `profile-formats`.
    pub const EBUILD: Self = Self {
        wildcard: false,
        repository: false,
        build_id: false,
    };
}

/// Whether and how an atom blocks what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blocker {
    /// `!`: may be there while the other is merged.
    Weak,
    /// `!!`: must be gone before.
    Strong,
}

/// How the version of an atom restricts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `=`.
    Equal,
    /// `=…*`: the version starts with this one, at a boundary between its parts.
    EqualPrefix,
    /// `~`: this version with any revision.
    AnyRevision,
    /// `>=`.
    GreaterOrEqual,
    /// `>`.
    Greater,
}

impl Operator {
    /// What is written before the category; [`Operator::EqualPrefix`] has a `*` after the version besides.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal | Self::EqualPrefix => "=",
            Self::AnyRevision => "~",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }
}

/// A parsed atom. Its [`fmt::Display`] gives back the text it was parsed from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom {
    blocker: Option<Blocker>,
    operator: Option<Operator>,
    category: String,
    name: String,
    version: Option<Version>,
    /// The word between the stars of `=cat/pn-*WORD*`.
    version_contains: Option<String>,
    build_id: Option<u64>,
    slot: Option<SlotDep>,
    repository: Option<String>,
    use_deps: Vec<UseDep>,
    extended: bool,
}

impl Atom {
    /// The blocker mark.
    #[must_use]
    pub fn blocker(&self) -> Option<Blocker> {
        self.blocker
    }

    /// The operator; `None` when the atom has no version.
    #[must_use]
    pub fn operator(&self) -> Option<Operator> {
        self.operator
    }

    /// The category, in which `*` may stand when the atom [is extended](Self::is_extended).
    #[must_use]
    pub fn category(&self) -> &str {
        &self.category
    }

    /// The package name, in which `*` may stand when the atom [is extended](Self::is_extended).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `category/name`.
    #[must_use]
    pub fn cp(&self) -> String {
        format!("{}/{}", self.category, self.name)
    }

    /// The version, without the `*` of `=…*`.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// `9999` for `=cat/pn-*9999*`: the text that the version of a match contains.
    #[must_use]
    pub fn version_contains(&self) -> Option<&str> {
        self.version_contains.as_deref()
    }

    /// The number of one binary package instance.
    #[must_use]
    pub fn build_id(&self) -> Option<u64> {
        self.build_id
    }

    /// What follows the colon.
    #[must_use]
    pub fn slot(&self) -> Option<&SlotDep> {
        self.slot.as_ref()
    }

    /// The repository that a match comes from.
    #[must_use]
    pub fn repository(&self) -> Option<&str> {
        self.repository.as_deref()
    }

    /// The USE dependencies in the order they are written; empty without brackets.
    #[must_use]
    pub fn use_deps(&self) -> &[UseDep] {
        &self.use_deps
    }

    /// Whether this is Portage's extended syntax: a pattern over categories, names or versions.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.extended
    }

    /// Whether this is `category/name` and nothing else.
    #[must_use]
    pub fn is_plain_name(&self) -> bool {
        self.blocker.is_none()
            && self.operator.is_none()
            && self.slot.is_none()
            && self.repository.is_none()
            && self.use_deps.is_empty()
            && !self.extended
    }

    /// The atom without its USE dependencies.
    #[must_use]
    pub fn without_use(&self) -> Self {
        Self {
            use_deps: Vec::new(),
            ..self.clone()
        }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.blocker {
            None => "",
            Some(Blocker::Weak) => "!",
            Some(Blocker::Strong) => "!!",
        })?;
        f.write_str(self.operator.map_or("", Operator::prefix))?;
        write!(f, "{}/{}", self.category, self.name)?;
        if let Some(version) = &self.version {
            write!(f, "-{version}")?;
        }
        match (&self.version_contains, self.operator) {
            (Some(word), _) => write!(f, "-*{word}*")?,
            (None, Some(Operator::EqualPrefix)) => f.write_str("*")?,
            (None, _) => {}
        }
        if let Some(build_id) = self.build_id {
            write!(f, "-{build_id}")?;
        }
        if let Some(slot) = &self.slot {
            write!(f, ":{slot}")?;
        }
        if let Some(repository) = &self.repository {
            write!(f, "::{repository}")?;
        }
        for (i, dep) in self.use_deps.iter().enumerate() {
            write!(f, "{}{dep}", if i == 0 { '[' } else { ',' })?;
        }
        f.write_str(if self.use_deps.is_empty() { "" } else { "]" })
    }
}

impl Serialize for Atom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
