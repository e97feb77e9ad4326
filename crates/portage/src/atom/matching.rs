//! What an atom matches: `portage.dep.match_from_list` for one candidate.

use std::collections::BTreeSet;

use super::{Atom, Operator, UseDepKind};
use crate::cpv::Cpv;
use crate::name::FlagName;
use crate::version::Version;

/// A package that an atom may match.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Category, name and version.
    pub cpv: &'a Cpv,
    /// The slot.
    pub slot: &'a str,
    /// The subslot; the slot again when the package names none.
    pub subslot: &'a str,
    /// The repository; `None` when it is unknown, which every `::repository` matches.
    pub repository: Option<&'a str>,
    /// The number of a binary package; `None` for an ebuild.
    pub build_id: Option<u64>,
    /// The flags; `None` when they are unknown, and USE dependencies are then not looked at.
    pub flags: Option<CandidateFlags<'a>>,
}

/// The flags of a package that an atom may match.
#[derive(Clone, Copy, Debug)]
pub struct CandidateFlags<'a> {
    /// The flags that are on.
    pub enabled: &'a BTreeSet<FlagName>,
    /// The flags that the package has (`IUSE_EFFECTIVE`), without their defaults.
    pub iuse: &'a BTreeSet<FlagName>,
}

impl Atom {
    /// Whether the atom matches the candidate. A blocker matches what it blocks.
    ///
    /// Conditional USE dependencies restrict only in that the candidate must have the flag; give the result of
    /// [`Atom::evaluate_use`] to hold them against a dependant.
    #[must_use]
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        self.matches_name(candidate.cpv)
            && self.matches_version(candidate)
            && self.matches_slot(candidate)
            && self.matches_repository(candidate)
            && candidate.flags.is_none_or(|flags| self.matches_flags(&flags))
    }

    /// Whether category, name and version match, whatever slot, repository and flags are.
    #[must_use]
    pub fn matches_cpv(&self, cpv: &Cpv) -> bool {
        let candidate = Candidate {
            cpv,
            slot: "",
            subslot: "",
            repository: None,
            build_id: self.build_id,
            flags: None,
        };
        self.matches_name(cpv) && self.matches_version(&candidate)
    }

    /// How specific the atom is: of two atoms for one package in one file of `/etc/portage`, the more specific one has the last word.
    ///
    /// The figures are those of `portage.dep.best_match_to_list`: 6 for `=`, 5 for `~`, 4 for `=…*`, 3 for a slot, 2 for the other
    /// operators, 1 for a name, and 0, -1 and -2 for patterns with a version, with a slot and without either. Between equals the closer
    /// version and then the order of the file decides.
    #[must_use]
    pub fn specificity(&self) -> i8 {
        let has_slot = self.slot.as_ref().is_some_and(|dep| dep.slot.is_some());
        if self.extended {
            return match (self.operator, has_slot) {
                (Some(_), _) => 0,
                (None, true) => -1,
                (None, false) => -2,
            };
        }
        let by_operator = match self.operator {
            Some(Operator::Equal) => 6,
            Some(Operator::AnyRevision) => 5,
            Some(Operator::EqualPrefix) => 4,
            Some(Operator::Less | Operator::LessOrEqual | Operator::GreaterOrEqual | Operator::Greater) => 2,
            None => 1,
        };
        if has_slot { by_operator.max(3) } else { by_operator }
    }

    fn matches_name(&self, cpv: &Cpv) -> bool {
        if self.extended {
            glob(&self.category, cpv.category.as_str()) && glob(&self.name, cpv.name.as_str())
        } else {
            self.category == cpv.category.as_str() && self.name == cpv.name.as_str()
        }
    }

    fn matches_version(&self, candidate: &Candidate<'_>) -> bool {
        let version = &candidate.cpv.version;
        if let Some(word) = &self.version_contains {
            return version.as_str().contains(word.as_str());
        }
        let (Some(operator), Some(wanted)) = (self.operator, &self.version) else {
            return true;
        };
        match operator {
            Operator::Less => version.vercmp(wanted).is_lt(),
            Operator::LessOrEqual => version.vercmp(wanted).is_le(),
            // Only `=` looks at the number of a binary package, though the grammar allows it everywhere.
            Operator::Equal => {
                version.vercmp(wanted).is_eq() && (self.build_id.is_none() || self.build_id == candidate.build_id)
            }
            Operator::EqualPrefix => has_prefix(version, wanted),
            // Compared as text: `~a/b-1.0` does not match 1.00, although the two versions are equal.
            Operator::AnyRevision => version.without_revision() == wanted.without_revision(),
            Operator::GreaterOrEqual => version.vercmp(wanted).is_ge(),
            Operator::Greater => version.vercmp(wanted).is_gt(),
        }
    }

    fn matches_slot(&self, candidate: &Candidate<'_>) -> bool {
        let Some(dep) = &self.slot else { return true };
        dep.slot.as_deref().is_none_or(|slot| slot == candidate.slot)
            && dep
                .subslot
                .as_deref()
                .is_none_or(|subslot| subslot == candidate.subslot)
    }

    fn matches_repository(&self, candidate: &Candidate<'_>) -> bool {
        match (&self.repository, candidate.repository) {
            (Some(wanted), Some(found)) => wanted == found,
            (None, _) | (_, None) => true,
        }
    }

    fn matches_flags(&self, flags: &CandidateFlags<'_>) -> bool {
        self.use_deps.iter().all(|dep| {
            let known = flags.iuse.contains(&dep.flag);
            if !known && dep.default.is_none() {
                return false;
            }
            let on = flags.enabled.contains(&dep.flag);
            match dep.kind {
                UseDepKind::Enabled if known => on,
                UseDepKind::Disabled if known => !on,
                UseDepKind::Enabled => dep.default == Some(true),
                UseDepKind::Disabled => dep.default == Some(false),
                UseDepKind::EnabledIf | UseDepKind::DisabledUnless | UseDepKind::Equal | UseDepKind::Opposite => true,
            }
        })
    }
}

/// Whether `version` starts with `wanted` at a boundary between its parts, so that `1*` matches 1.2 and not 10.
fn has_prefix(version: &Version, wanted: &Version) -> bool {
    let version = without_leading_zeros(version.as_str());
    let wanted = without_leading_zeros(wanted.as_str());
    let Some(rest) = version.strip_prefix(&wanted) else {
        return false;
    };
    let Some(next) = rest.chars().next() else {
        return true;
    };
    "._-".contains(next) || wanted.ends_with(|c: char| c.is_ascii_digit()) != next.is_ascii_digit()
}

/// Portage compares prefixes as texts, but not the zeros before the first component.
fn without_leading_zeros(version: &str) -> String {
    let stripped = version.trim_start_matches('0');
    if stripped.starts_with(|c: char| c.is_ascii_digit()) {
        stripped.to_owned()
    } else {
        format!("0{stripped}")
    }
}

/// Whether `text` matches a pattern in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        // The leftmost place is as good as any: it leaves the most text to the pieces that follow.
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
