//! What is not published, and why.

use std::collections::BTreeSet;

use farm_portage::atom::{Atom, Candidate, CandidateFlags};
use farm_portage::cpv::Cpv;
use farm_portage::depstring::{DepString, Kind, ReducedNode};
use farm_portage::index::Stanza;
use farm_portage::name::FlagName;
use farm_portage::slot::Slot;

/// What a publication leaves out.
#[derive(Debug, Clone, PartialEq)]
pub enum Deny {
    /// Packages that match, slot, repository and USE dependencies included.
    Package(Atom),
    /// Packages that can be used under no other licence than denied ones.
    License(String),
    /// The same for all licences of a group.
    LicenseGroup {
        /// The group's name with its `@`, for messages.
        name: String,
        /// The licences in it, nested groups resolved.
        members: BTreeSet<String>,
    },
}

/// Says why the package that an index stanza describes may not be published; `None` if it may.
///
/// Looks at the stanza, that is at what the package says of itself, USE conditionals decided by its own flags: RESTRICT, LICENSE, SLOT,
/// USE, IUSE, repository.
pub fn refusal(cpv: &Cpv, stanza: &Stanza, deny: &[Deny]) -> Option<String> {
    let value = |key: &str| stanza.get(key).map_or("", String::as_str);
    if value("RESTRICT").split_whitespace().any(|word| word == "bindist") {
        return Some("RESTRICT=bindist: its licence does not allow binary packages to be passed on".to_owned());
    }
    for rule in deny {
        if let Deny::Package(atom) = rule
            && matches(atom, cpv, stanza)
        {
            return Some(format!("`{atom}` is denied"));
        }
    }
    let Ok(license) = DepString::parse(value("LICENSE"), Kind::Words) else {
        // What does not parse cannot be said to be allowed.
        return Some(format!("its LICENSE does not parse: {}", value("LICENSE")));
    };
    // The stanza's value has no conditionals left to decide.
    let license = license.reduce(|_| true);
    let allowed = license.nodes().iter().all(|node| is_allowed(node, deny));
    let denied: BTreeSet<String> = license.leaves().iter().filter_map(|name| denial(name, deny)).collect();
    (!allowed).then(|| {
        let denied: Vec<String> = denied.into_iter().collect();
        format!("its licence is denied: {}", denied.join(", "))
    })
}

/// Names the licence, and the group through which it is denied, if it is.
fn denial(license: &str, deny: &[Deny]) -> Option<String> {
    deny.iter().find_map(|rule| match rule {
        Deny::License(denied) if denied == license => Some(license.to_owned()),
        Deny::LicenseGroup { name, members } if members.contains(license) => Some(format!("{license} ({name})")),
        _ => None,
    })
}

pub(crate) fn matches(atom: &Atom, cpv: &Cpv, stanza: &Stanza) -> bool {
    let value = |key: &str| stanza.get(key).map_or("", String::as_str);
    let Ok(slot) = Slot::parse(value("SLOT")) else {
        // What a package without a proper slot matches cannot be said, so the safe side is taken.
        return atom.matches_cpv(cpv);
    };
    let flags = |text: &str| -> BTreeSet<FlagName> {
        text.split_whitespace()
            .filter_map(|word| FlagName::parse(word.trim_start_matches(['+', '-'])).ok())
            .collect()
    };
    let enabled = flags(value("USE"));
    // USE holds implicit flags too, which IUSE does not name.
    let iuse = flags(value("IUSE")).union(&enabled).cloned().collect();
    atom.matches(&Candidate {
        cpv,
        slot: &slot.slot,
        subslot: &slot.subslot,
        repository: Some(value("repository")).filter(|name| !name.is_empty()),
        build_id: None,
        flags: Some(CandidateFlags {
            enabled: &enabled,
            iuse: &iuse,
        }),
    })
}

/// Whether a licence expression can be fulfilled without any denied licence.
fn is_allowed(node: &ReducedNode, deny: &[Deny]) -> bool {
    match node {
        ReducedNode::Leaf(license) => denial(license, deny).is_none(),
        ReducedNode::AllOf(nodes) => nodes.iter().all(|node| is_allowed(node, deny)),
        ReducedNode::AnyOf(nodes) | ReducedNode::ExactlyOneOf(nodes) => nodes.iter().any(|node| is_allowed(node, deny)),
        ReducedNode::AtMostOneOf(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use farm_portage::atom::AtomSyntax;

    use super::*;

    fn refused(stanza: &[(&str, &str)], deny: &[Deny]) -> Option<String> {
        let stanza: Stanza = [("SLOT", "2/5"), ("USE", "x"), ("IUSE", "+x y"), ("repository", "hep")]
            .iter()
            .chain(stanza)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        refusal(&Cpv::parse("sci-libs/gsl-2.7.1-r1").unwrap(), &stanza, deny)
    }

    fn package(atom: &str) -> [Deny; 1] {
        [Deny::Package(Atom::parse(atom, AtomSyntax::USER).unwrap())]
    }

    #[test]
    fn bindist_is_a_word_of_its_own() {
        assert!(refused(&[("RESTRICT", "test bindist")], &[]).is_some());
        assert_eq!(refused(&[("RESTRICT", "test bindistx")], &[]), None);
    }

    #[test]
    fn atoms_see_version_slot_repository_and_flags() {
        for atom in [
            "sci-libs/gsl",
            "sci-libs/*",
            "~sci-libs/gsl-2.7.1",
            "sci-libs/gsl:2",
            "sci-libs/gsl[x,-y]",
            "sci-libs/gsl::hep",
        ] {
            assert!(refused(&[], &package(atom)).is_some(), "{atom}");
        }
        for atom in [
            "sci-libs/gs",
            "<sci-libs/gsl-2.7.1",
            "sci-libs/gsl:3",
            "sci-libs/gsl[y]",
            "sci-libs/gsl::gentoo",
        ] {
            assert_eq!(refused(&[], &package(atom)), None, "{atom}");
        }
    }

    #[test]
    fn one_free_alternative_is_enough() {
        let group = Deny::LicenseGroup {
            name: "@EULA".to_owned(),
            members: ["geant4".to_owned(), "CUDA".to_owned()].into(),
        };
        let deny = [Deny::License("AGPL-3".to_owned()), group];
        for allowed in ["", "GPL-3", "|| ( AGPL-3 GPL-3 )", "|| ( ( GPL-3 CUDA ) MIT )"] {
            assert_eq!(refused(&[("LICENSE", allowed)], &deny), None, "{allowed}");
        }
        for denied in [
            "GPL-3 AGPL-3",
            "|| ( AGPL-3 CUDA )",
            "|| ( ( GPL-3 CUDA ) geant4 )",
            "|| (",
        ] {
            assert!(refused(&[("LICENSE", denied)], &deny).is_some(), "{denied}");
        }
        assert_eq!(
            refused(&[("LICENSE", "geant4 MIT AGPL-3")], &deny).unwrap(),
            "its licence is denied: AGPL-3, geant4 (@EULA)"
        );
    }
}
