//! Category, package and repository names.
//!
//! The rules are Portage's (`_cat` and `_pkg` in `portage.versions`, `_repo_name` in `portage.dep`), which are PMS section 3.1.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::version::split_version;

/// A text is not a name of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {problem}")]
pub struct NameError {
    /// The text that was refused.
    pub text: String,
    /// What it should have been.
    pub kind: NameKind,
    /// The offending bytes of `text`.
    pub span: Range<usize>,
    /// What is wrong with them.
    pub problem: NameProblem,
}

/// The kinds of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A category such as `sci-physics`.
    Category,
    /// A package name without its category and version, such as `hepmc`.
    Package,
    /// A slot or a subslot.
    Slot,
    /// A repository name.
    Repository,
    /// A USE flag.
    UseFlag,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Category => "category",
            Self::Package => "package name",
            Self::Slot => "slot",
            Self::Repository => "repository name",
            Self::UseFlag => "USE flag",
        })
    }
}

impl NameKind {
    /// The characters besides ASCII letters and digits that a name of this kind may have after its first one.
    #[must_use]
    pub fn punctuation(self) -> &'static str {
        match self {
            Self::Category | Self::Slot => "_+.-",
            Self::Package => "_+-",
            Self::Repository => "_-",
            Self::UseFlag => "_+@-",
        }
    }

    fn allows_first(self, c: char) -> bool {
        // Of the punctuation only the underscore may come first, and in a USE flag not even that.
        c.is_ascii_alphanumeric() || (c == '_' && self != Self::UseFlag)
    }

    fn allows(self, c: char) -> bool {
        c.is_ascii_alphanumeric() || self.punctuation().contains(c)
    }

    /// Checks the characters of a name; for packages, [`PackageName`] checks more.
    ///
    /// # Errors
    /// The first offending bytes and what is wrong with them.
    pub fn check(self, text: &str) -> Result<(), (Range<usize>, NameProblem)> {
        for (at, c) in text.char_indices() {
            let span = at..at + c.len_utf8();
            if !self.allows(c) {
                return Err((span, NameProblem::Character(c)));
            }
            if at == 0 && !self.allows_first(c) {
                return Err((span, NameProblem::First(c)));
            }
        }
        if text.is_empty() {
            Err((0..0, NameProblem::Empty))
        } else {
            Ok(())
        }
    }
}

/// What keeps a text from being a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// Nothing is there.
    #[error("it is empty")]
    Empty,
    /// A character that may stand later may not stand first.
    #[error("it may not start with {0:?}")]
    First(char),
    /// A character that may stand nowhere.
    #[error("it may not contain {0:?}")]
    Character(char),
    /// A package name ends like a version.
    #[error("it may not end like a version")]
    EndsLikeVersion,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses a name.
            ///
            /// # Errors
            /// [`NameError`] says which bytes are wrong and why.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let kind = $kind;
                let ends_like_version = || {
                    let (before, _) = split_version(text).filter(|_| kind == NameKind::Package)?;
                    Some((before.len()..text.len(), NameProblem::EndsLikeVersion))
                };
                match kind.check(text).err().or_else(ends_like_version) {
                    None => Ok(Self(text.to_owned())),
                    Some((span, problem)) => Err(NameError { text: text.to_owned(), kind, span, problem }),
                }
            }

            /// The name as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// A category such as `sci-physics`.
    Category,
    NameKind::Category
);
name_type!(
    /// A package name such as `hepmc`, without category and version (`PN` in an ebuild); it never ends like a version.
    PackageName,
    NameKind::Package
);
name_type!(
    /// A repository name such as `gentoo`.
    RepositoryName,
    NameKind::Repository
);
name_type!(
    /// A USE flag such as `static-libs`, without a sign.
    FlagName,
    NameKind::UseFlag
);
