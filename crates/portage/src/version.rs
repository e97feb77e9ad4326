//! Package versions and the order that Portage gives them.
//!
//! The grammar and the order are those of `portage.versions` (`ver_regexp`, `vercmp`), which is PMS sections 3.2 and 3.3
//! with two additions of Portage's own: a missing component counts less than any present one, and an empty suffix
//! number counts as zero.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version: {problem}")]
pub struct VersionError {
    /// The text that was refused.
    pub text: String,
    /// The bytes of `text` at which it stops being a version; empty at the end of a text that breaks off.
    pub span: Range<usize>,
    /// What is wrong there.
    pub problem: VersionProblem,
}

/// What keeps a text from being a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionProblem {
    /// The first character is not a digit.
    #[error("it must start with a digit")]
    NoNumber,
    /// A dot without digits after it.
    #[error("digits must follow a dot")]
    NoComponent,
    /// An underscore without one of the five suffixes after it.
    #[error("the suffixes are `_alpha`, `_beta`, `_pre`, `_rc` and `_p`, each with an optional number")]
    UnknownSuffix,
    /// A hyphen without `r` and digits after it.
    #[error("only a revision such as `-r1` may follow a hyphen")]
    NoRevision,
    /// A character that no part of a version has.
    #[error("nothing more may stand here")]
    Trailing,
}

/// A package version such as `1.2.3b_rc4-r5`, kept exactly as written.
///
/// `==` is equality of the text. The [`Ord`] order is that of [`Version::vercmp`] with the text as the last resort, so
/// that sorting is total and agrees with `==`; ask [`Version::vercmp`] where `1.0` and `1.0-r0` must be the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

impl Version {
    /// Parses a version, with its revision if it has one.
    ///
    /// # Errors
    /// [`VersionError`] says at which byte the text stops being a version.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        match Parts::of(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err((span, problem)) => Err(VersionError {
                text: text.to_owned(),
                span,
                problem,
            }),
        }
    }

    /// The version as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The version without its revision (`PV` in an ebuild).
    #[must_use]
    pub fn without_revision(&self) -> &str {
        // A hyphen occurs nowhere else in the grammar.
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// The revision as written, digits only; `None` when the version has no `-rN`, which compares as `-r0`.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.0.split_once("-r").map(|(_, digits)| digits)
    }

    /// Compares as `portage.versions.vercmp` does: texts that differ may be equal (`1.0` and `1.0-r0`, `01` and `1`).
    #[must_use]
    pub fn vercmp(&self, other: &Self) -> Ordering {
        vercmp(&self.0, &other.0).expect("both texts were parsed when the versions were made")
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.vercmp(other).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

/// Says whether `text` is a version, with or without a revision.
#[must_use]
pub fn is_version(text: &str) -> bool {
    Parts::of(text).is_ok()
}

/// Splits `PN-VERSION` at the hyphen before the version; `None` when the text does not end in a version.
///
/// The part before is returned unchecked. A revision belongs to the version: `a-1-r2` splits into `a` and `1-r2`.
#[must_use]
pub fn split_version(text: &str) -> Option<(&str, &str)> {
    let last = text.rfind('-')?;
    let tail = &text[last + 1..];
    if is_version(tail) {
        return Some((&text[..last], tail));
    }
    let before = text[..last].rfind('-')?;
    is_version(&text[before + 1..]).then(|| (&text[..before], &text[before + 1..]))
}

/// Compares two versions as `portage.versions.vercmp` does; `None` when either text is no version.
#[must_use]
pub fn vercmp(left: &str, right: &str) -> Option<Ordering> {
    let left = Parts::of(left).ok()?;
    let right = Parts::of(right).ok()?;
    Some(
        compare_numbers(left.number, right.number)
            .then_with(|| compare_components(left.components, right.components))
            .then_with(|| left.letter.cmp(&right.letter))
            .then_with(|| compare_suffixes(left.suffixes, right.suffixes))
            .then_with(|| compare_numbers(left.revision, right.revision)),
    )
}

/// The parts of a version, borrowed from its text.
struct Parts<'a> {
    number: &'a str,
    /// Empty, or each component with its leading dot.
    components: &'a str,
    letter: Option<u8>,
    /// Empty, or each suffix with its leading underscore.
    suffixes: &'a str,
    /// Digits; empty without a revision.
    revision: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Result<Self, (Range<usize>, VersionProblem)> {
        let bytes = text.as_bytes();
        let digits = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let rest = |from: usize, problem| (from..bytes.len(), problem);

        let number_end = digits(0);
        if number_end == 0 {
            return Err(rest(0, VersionProblem::NoNumber));
        }
        let mut at = number_end;
        while bytes.get(at) == Some(&b'.') {
            let end = digits(at + 1);
            if end == at + 1 {
                return Err(rest(at, VersionProblem::NoComponent));
            }
            at = end;
        }
        let components_end = at;
        let letter = bytes.get(at).copied().filter(u8::is_ascii_lowercase);
        at += usize::from(letter.is_some());
        let suffixes_start = at;
        while bytes.get(at) == Some(&b'_') {
            let name_end = at + 1 + bytes[at + 1..].iter().take_while(|b| b.is_ascii_alphabetic()).count();
            if suffix_rank(&text[at + 1..name_end]).is_none() {
                return Err(rest(at, VersionProblem::UnknownSuffix));
            }
            at = digits(name_end);
        }
        let suffixes_end = at;
        let mut revision = "";
        if bytes.get(at) == Some(&b'-') {
            let end = if bytes.get(at + 1) == Some(&b'r') {
                digits(at + 2)
            } else {
                at
            };
            if end <= at + 2 {
                return Err(rest(at, VersionProblem::NoRevision));
            }
            revision = &text[at + 2..end];
            at = end;
        }
        if at != bytes.len() {
            return Err(rest(at, VersionProblem::Trailing));
        }
        Ok(Self {
            number: &text[..number_end],
            components: &text[number_end..components_end],
            letter,
            suffixes: &text[suffixes_start..suffixes_end],
            revision,
        })
    }
}

/// Where a suffix stands among the suffixes; a version without one ranks with `_p`, below every number of it.
fn suffix_rank(name: &str) -> Option<i8> {
    match name {
        "alpha" => Some(-4),
        "beta" => Some(-3),
        "pre" => Some(-2),
        "rc" => Some(-1),
        "p" => Some(0),
        _ => None,
    }
}

/// Compares two strings of digits as integers of any length; an empty one is zero.
fn compare_numbers(left: &str, right: &str) -> Ordering {
    let left = left.trim_start_matches('0');
    let right = right.trim_start_matches('0');
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn compare_components(left: &str, right: &str) -> Ordering {
    // Each list starts with a dot, so that the first piece is empty and no component.
    let mut left = left.split('.').skip(1);
    let mut right = right.split('.').skip(1);
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            // A leading zero makes the component a decimal fraction, so that 1.02 comes before 1.1.
            (Some(a), Some(b)) if a.starts_with('0') || b.starts_with('0') => {
                a.trim_end_matches('0').cmp(b.trim_end_matches('0'))
            }
            (Some(a), Some(b)) => compare_numbers(a, b),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_suffixes(left: &str, right: &str) -> Ordering {
    let mut left = left.split('_').skip(1).map(rank_and_number);
    let mut right = right.split('_').skip(1).map(rank_and_number);
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            // `_p` is above its own absence even without a number; every other suffix is below.
            (None, Some((rank, _))) => 0.cmp(&rank).then(Ordering::Less),
            (Some((rank, _)), None) => rank.cmp(&0).then(Ordering::Greater),
            (Some((a, m)), Some((b, n))) => a.cmp(&b).then_with(|| compare_numbers(m, n)),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Splits a suffix that was parsed before into its rank and its digits.
fn rank_and_number(suffix: &str) -> (i8, &str) {
    let end = suffix.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    (suffix_rank(&suffix[..end]).unwrap_or(0), &suffix[end..])
}
