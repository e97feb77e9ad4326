//! What stays of the release before in the place of packages that cannot be published now.

use std::collections::BTreeSet;

use farm_portage::atom::{Atom, AtomSyntax};
use farm_portage::cpv::Cpv;
use farm_portage::depstring::{DepString, Kind, ReducedNode};
use farm_portage::index::Stanza;

use crate::deny::matches;
use crate::record::Instance;

/// A package of the plan that is not among the candidates: it was not built, or what it needs was not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lacking {
    /// `category/name`.
    pub cp: String,
    /// Its slot, without the subslot.
    pub slot: String,
}

/// What a package must have beside it to be of use.
const NEEDS: [&str; 3] = ["IDEPEND", "PDEPEND", "RDEPEND"];

/// An instance of the release before, and what its index said of it.
#[derive(Debug, Clone)]
pub(crate) struct Former {
    pub(crate) instance: Instance,
    pub(crate) cpv: Cpv,
    pub(crate) stanza: Stanza,
}

impl Former {
    /// Whether it is in the place of one of these.
    pub(crate) fn stands_for(&self, lacking: &[Lacking]) -> bool {
        let slot = self.stanza.get("SLOT").map_or("", String::as_str);
        let slot = slot.split('/').next().unwrap_or_default();
        let cp = self.cpv.cp();
        lacking.iter().any(|lacking| lacking.cp == cp && lacking.slot == slot)
    }
}

/// Those of `former` that fit together with `new`, all that the release will have besides: what they need of the packages that farm
/// publishes (`known`, by `category/name`) is among them, and nobody blocks the other. What else they need, clients have from elsewhere.
pub(crate) fn fitting(mut former: Vec<Former>, new: &[(&Cpv, &Stanza)], known: &BTreeSet<String>) -> Vec<Former> {
    let blockers: Vec<Atom> = new.iter().flat_map(|(_, stanza)| blockers(stanza)).collect();
    former.retain(|one| !blockers.iter().any(|atom| matches(atom, &one.cpv, &one.stanza)));
    // Whoever goes may be what another one needs.
    loop {
        let fits: Vec<bool> = former
            .iter()
            .map(|one| {
                let others = former.iter().map(|other| (&other.cpv, &other.stanza));
                let release: Vec<(&Cpv, &Stanza)> = new.iter().copied().chain(others).collect();
                NEEDS.iter().all(|key| is_satisfied(one, key, &release, known))
            })
            .collect();
        if fits.iter().all(|fits| *fits) {
            return former;
        }
        let mut fits = fits.into_iter();
        former.retain(|_| fits.next().unwrap_or(false));
    }
}

fn is_satisfied(one: &Former, key: &str, release: &[(&Cpv, &Stanza)], known: &BTreeSet<String>) -> bool {
    // What does not parse cannot be said to be there.
    needs(&one.stanza, key).is_some_and(|nodes| {
        let mut nodes = nodes.iter();
        nodes.all(|node| holds(node, &one.cpv, release, known))
    })
}

fn needs(stanza: &Stanza, key: &str) -> Option<Vec<ReducedNode>> {
    let text = stanza.get(key).map_or("", String::as_str);
    // An index has no conditionals left to decide.
    let needs = DepString::parse(text, Kind::Atoms).ok()?.reduce(|_| true);
    Some(needs.nodes().to_vec())
}

fn blockers(stanza: &Stanza) -> Vec<Atom> {
    let needs = NEEDS.iter().filter_map(|key| needs(stanza, key)).flatten();
    let leaves = needs.filter_map(|node| match node {
        ReducedNode::Leaf(text) => Atom::parse(&text, AtomSyntax::EBUILD).ok(),
        _ => None,
    });
    leaves.filter(|atom| atom.blocker().is_some()).collect()
}

fn holds(node: &ReducedNode, own: &Cpv, release: &[(&Cpv, &Stanza)], known: &BTreeSet<String>) -> bool {
    let every = |node: &ReducedNode| holds(node, own, release, known);
    match node {
        ReducedNode::Leaf(text) => Atom::parse(text, AtomSyntax::EBUILD).is_ok_and(|atom| {
            let mut found = release.iter().filter(|(cpv, stanza)| matches(&atom, cpv, stanza));
            match atom.blocker() {
                // Nobody is in his own way.
                Some(_) => found.all(|(cpv, _)| *cpv == own),
                None => !known.contains(&atom.cp()) || found.next().is_some(),
            }
        }),
        ReducedNode::AllOf(nodes) => nodes.iter().all(every),
        ReducedNode::AnyOf(nodes) | ReducedNode::ExactlyOneOf(nodes) => nodes.iter().any(every),
        ReducedNode::AtMostOneOf(nodes) => nodes.iter().filter(|node| every(node)).count() < 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Stamp;

    fn package(cpv: &str, slot: &str, rdepend: &str) -> Former {
        let stanza = [("SLOT", slot), ("RDEPEND", rdepend)];
        Former {
            instance: Instance {
                cpv: cpv.to_owned(),
                payload: blake3::hash(cpv.as_bytes()),
                stamp: Stamp {
                    build_id: 1,
                    build_time: 2,
                },
                path: cpv.to_owned(),
                size: 0,
                digest: blake3::hash(b""),
                signed_by: None,
            },
            cpv: Cpv::parse(cpv).unwrap(),
            stanza: stanza
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
        }
    }

    /// Which of `former` stay beside `new`, where farm publishes all of them, and `a/gone`.
    fn stay(former: &[Former], new: &[Former]) -> Vec<String> {
        let known = former.iter().chain(new).map(|one| one.cpv.cp());
        let known = known.chain(["a/gone".to_owned()]).collect();
        let new: Vec<_> = new.iter().map(|one| (&one.cpv, &one.stanza)).collect();
        let stay = fitting(former.to_vec(), &new, &known);
        stay.into_iter().map(|one| one.instance.cpv).collect()
    }

    #[test]
    fn what_is_needed_is_there_in_the_right_version_and_slot() {
        let app = |needs: &str| [package("a/app-1", "0", needs)];
        let lib = [package("a/lib-2", "0/2", "")];
        for needs in [
            "",
            "a/lib",
            ">=a/lib-2",
            "a/lib:0/2=",
            "sys-libs/other",
            "|| ( a/gone a/lib )",
        ] {
            assert_eq!(stay(&app(needs), &lib), ["a/app-1"], "{needs}");
        }
        for needs in [
            "<a/lib-2",
            "a/lib:0/1=",
            "a/gone",
            "a/lib a/gone",
            "|| ( a/gone <a/lib-2 )",
            "( a/lib",
        ] {
            assert_eq!(stay(&app(needs), &lib), [""; 0], "{needs}");
        }
    }

    #[test]
    fn whoever_needs_one_that_goes_goes_too() {
        let chain = [
            package("a/x-1", "0", "a/y"),
            package("a/y-1", "0", "a/z"),
            package("a/z-1", "0", "a/gone"),
            package("a/free-1", "0", "a/round"),
            package("a/round-1", "0", "a/free"),
        ];
        assert_eq!(stay(&chain, &[]), ["a/free-1", "a/round-1"]);
    }

    #[test]
    fn nobody_stays_who_blocks_or_is_blocked() {
        let new = [package("a/new-1", "0", "!<a/old-2")];
        assert_eq!(stay(&[package("a/old-1", "0", "")], &new), [""; 0]);
        assert_eq!(stay(&[package("a/old-2", "0", "")], &new), ["a/old-2"]);
        assert_eq!(stay(&[package("a/other-1", "0", "!!a/new")], &new), [""; 0]);
        assert_eq!(stay(&[package("a/self-1", "0", "!a/self")], &new), ["a/self-1"]);
    }

    #[test]
    fn slots_are_told_apart() {
        let lacking = [Lacking {
            cp: "a/x".to_owned(),
            slot: "1".to_owned(),
        }];
        assert!(package("a/x-3", "1/7", "").stands_for(&lacking));
        assert!(!package("a/x-3", "2", "").stands_for(&lacking));
        assert!(!package("a/y-3", "1", "").stands_for(&lacking));
    }
}
