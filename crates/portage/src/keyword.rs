//! Words of `ACCEPT_KEYWORDS` and `package.accept_keywords`.

use std::collections::BTreeSet;
use std::fmt;

/// A text is no word of `ACCEPT_KEYWORDS`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a keyword: keywords are `ARCH`, `~ARCH`, `*`, `~*` and `**`, each with an optional `-` before it"
)]
pub struct KeywordError(pub String);

/// What a keyword accepts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeywordPattern {
    /// `**`: everything, even ebuilds without keywords.
    Everything,
    /// `*`: what is stable on any architecture.
    AnyStable,
    /// `~*`: what is stable or being tested on any architecture.
    AnyTesting,
    /// `ARCH`: what is stable there.
    Stable(String),
    /// `~ARCH`: what is being tested there.
    Testing(String),
}

/// One word of `ACCEPT_KEYWORDS`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyword {
    /// With a `-` before it: what was accepted earlier no longer is. `-*` takes back everything.
    pub removed: bool,
    /// What is accepted.
    pub pattern: KeywordPattern,
}

impl Keyword {
    /// Parses a keyword; any architecture name that PMS section 3.1.6 allows is taken.
    ///
    /// # Errors
    /// [`KeywordError`] when the word has not the form of a keyword.
    pub fn parse(text: &str) -> Result<Self, KeywordError> {
        let (removed, word) = match text.strip_prefix('-') {
            Some(word) => (true, word),
            None => (false, text),
        };
        let arch = |name: &str| {
            let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let valid = name.starts_with(first) && name.chars().all(|c| first(c) || c == '-');
            valid
                .then(|| name.to_owned())
                .ok_or_else(|| KeywordError(text.to_owned()))
        };
        let pattern = match word {
            "**" => KeywordPattern::Everything,
            "*" => KeywordPattern::AnyStable,
            "~*" => KeywordPattern::AnyTesting,
            _ => match word.strip_prefix('~') {
                Some(name) => KeywordPattern::Testing(arch(name)?),
                None => KeywordPattern::Stable(arch(word)?),
            },
        };
        Ok(Self { removed, pattern })
    }

    /// Says whether a word that may be a keyword or a USE flag is meant as a keyword.
    ///
    /// Keywords are what starts with `~` (or `-~`), the words `*`, `**` and `-**`, and, with or without a `-`, the names in `arches`.
    /// `-*` is the USE flag form: as a keyword it would take back even what the profile accepts.
    #[must_use]
    pub fn is_meant(text: &str, arches: &BTreeSet<String>) -> bool {
        let word = text.strip_prefix('-').unwrap_or(text);
        word.starts_with('~') || word == "**" || text == "*" || arches.contains(word)
    }

    /// The architecture, if one is named.
    #[must_use]
    pub fn arch(&self) -> Option<&str> {
        match &self.pattern {
            KeywordPattern::Stable(arch) | KeywordPattern::Testing(arch) => Some(arch),
            _ => None,
        }
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.removed { "-" } else { "" })?;
        match &self.pattern {
            KeywordPattern::Everything => f.write_str("**"),
            KeywordPattern::AnyStable => f.write_str("*"),
            KeywordPattern::AnyTesting => f.write_str("~*"),
            KeywordPattern::Stable(arch) => f.write_str(arch),
            KeywordPattern::Testing(arch) => write!(f, "~{arch}"),
        }
    }
}
