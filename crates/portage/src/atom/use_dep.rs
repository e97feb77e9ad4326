//! USE dependencies: `[flag,-flag,flag?,!flag?,flag=,!flag=]`, each with an optional default.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use super::Atom;
use crate::name::{FlagName, NameError, NameProblem};
use crate::use_flags::shift;

/// What a USE dependency asks of the flag; the conditional forms depend on the package that has the dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UseDepKind {
    /// `flag`: on.
    Enabled,
    /// `-flag`: off.
    Disabled,
    /// `flag?`: on if it is on in the dependant.
    EnabledIf,
    /// `!flag?`: off if it is off in the dependant.
    DisabledUnless,
    /// `flag=`: as in the dependant.
    Equal,
    /// `!flag=`: the opposite of the dependant.
    Opposite,
}

impl UseDepKind {
    fn affixes(self) -> (&'static str, &'static str) {
        match self {
            Self::Enabled => ("", ""),
            Self::Disabled => ("-", ""),
            Self::EnabledIf => ("", "?"),
            Self::DisabledUnless => ("!", "?"),
            Self::Equal => ("", "="),
            Self::Opposite => ("!", "="),
        }
    }
}

/// One USE dependency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UseDep {
    /// The flag.
    pub flag: FlagName,
    /// What is asked of it.
    pub kind: UseDepKind,
    /// `(+)` or `(-)`: the state of a flag that a candidate does not have.
    pub default: Option<bool>,
}

impl fmt::Display for UseDep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, suffix) = self.kind.affixes();
        let default = match self.default {
            None => "",
            Some(true) => "(+)",
            Some(false) => "(-)",
        };
        write!(f, "{prefix}{}{default}{suffix}", self.flag)
    }
}

/// What keeps a text from being a list of USE dependencies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UseDepProblem {
    /// Nothing between the brackets or between two commas.
    #[error("a USE flag is missing here")]
    Empty,
    /// A flag that is none.
    #[error("not a USE flag: {0}")]
    Flag(NameProblem),
    /// `-flag?`, `-flag=` or `!flag`.
    #[error("`{0}` is not a form of USE dependency")]
    Form(String),
    /// One flag with two different defaults, or once with and once without.
    #[error("the defaults given for `{0}` contradict each other")]
    Defaults(FlagName),
}

/// Parses what stands between the brackets.
pub(super) fn parse_list(text: &str) -> Result<Vec<UseDep>, (Range<usize>, UseDepProblem)> {
    let mut deps: Vec<UseDep> = Vec::new();
    let mut at = 0;
    for word in text.split(',') {
        let dep = parse_one(word).map_err(|(span, problem)| (shift(&span, at), problem))?;
        if deps.iter().any(|d| d.flag == dep.flag && d.default != dep.default) {
            return Err((at..at + word.len(), UseDepProblem::Defaults(dep.flag)));
        }
        deps.push(dep);
        at += word.len() + 1;
    }
    Ok(deps)
}

fn parse_one(word: &str) -> Result<UseDep, (Range<usize>, UseDepProblem)> {
    if word.is_empty() {
        return Err((0..0, UseDepProblem::Empty));
    }
    let prefix = word.chars().next().filter(|c| matches!(c, '!' | '-'));
    let suffix = word.chars().next_back().filter(|c| matches!(c, '?' | '='));
    let start = usize::from(prefix.is_some());
    let end = word.len() - usize::from(suffix.is_some());
    if start >= end {
        return Err((0..word.len(), UseDepProblem::Form(word.to_owned())));
    }
    let body = &word[start..end];
    let (name, default) = if let Some(name) = body.strip_suffix("(+)") {
        (name, Some(true))
    } else if let Some(name) = body.strip_suffix("(-)") {
        (name, Some(false))
    } else {
        (body, None)
    };
    let flag = FlagName::parse(name)
        .map_err(|NameError { span, problem, .. }| (shift(&span, start), UseDepProblem::Flag(problem)))?;
    let kind = match (prefix, suffix) {
        (None, None) => UseDepKind::Enabled,
        (Some('-'), None) => UseDepKind::Disabled,
        (None, Some('?')) => UseDepKind::EnabledIf,
        (Some('!'), Some('?')) => UseDepKind::DisabledUnless,
        (None, Some(_)) => UseDepKind::Equal,
        (Some('!'), Some(_)) => UseDepKind::Opposite,
        _ => return Err((0..word.len(), UseDepProblem::Form(word.to_owned()))),
    };
    Ok(UseDep { flag, kind, default })
}

impl Atom {
    /// Replaces the conditional USE dependencies by what they ask of a dependant with these flags on.
    ///
    /// The result has only [`UseDepKind::Enabled`] and [`UseDepKind::Disabled`]. Unlike Portage's own evaluated atoms it has forgotten
    /// the conditional flags, so that a candidate without such a flag is no longer refused for lacking it.
    #[must_use]
    pub fn evaluate_use(&self, enabled: &BTreeSet<FlagName>) -> Self {
        let evaluate = |dep: &UseDep| {
            let on = enabled.contains(&dep.flag);
            let kind = match dep.kind {
                UseDepKind::Enabled | UseDepKind::Disabled => Some(dep.kind),
                UseDepKind::EnabledIf => on.then_some(UseDepKind::Enabled),
                UseDepKind::DisabledUnless => (!on).then_some(UseDepKind::Disabled),
                UseDepKind::Equal if on => Some(UseDepKind::Enabled),
                UseDepKind::Opposite if !on => Some(UseDepKind::Enabled),
                UseDepKind::Equal | UseDepKind::Opposite => Some(UseDepKind::Disabled),
            };
            kind.map(|kind| UseDep { kind, ..dep.clone() })
        };
        Self {
            use_deps: self.use_deps.iter().filter_map(evaluate).collect(),
            ..self.clone()
        }
    }
}
