//! Atoms: the text comes back, a wider syntax understands the same, and what is derived from an atom is one.
//!
//! The input is an atom, and a package in a second line.

use std::collections::BTreeSet;

use farm_portage::atom::{Atom, AtomSyntax};
use farm_portage::cpv::Cpv;
use farm_portage::name::FlagName;

pub(crate) fn check(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let (text, package) = input.split_once('\n').unwrap_or((input, ""));
    let parsed: Vec<_> = syntaxes().map(|syntax| (syntax, Atom::parse(text, syntax))).collect();
    for (syntax, result) in &parsed {
        match result {
            Ok(atom) => {
                assert_eq!(atom.to_string(), text);
                for (wider, other) in parsed.iter().filter(|(other, _)| allows(other, syntax)) {
                    assert_eq!(other.as_ref(), Ok(atom), "{syntax:?} and {wider:?}");
                }
                derived(atom, *syntax);
                if let Ok(cpv) = Cpv::parse(package) {
                    matching(atom, &cpv);
                }
            }
            Err(error) => {
                assert!(text.get(error.span.clone()).is_some(), "{error:?}");
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

fn syntaxes() -> impl Iterator<Item = AtomSyntax> {
    (0..8).map(|bits| AtomSyntax {
        wildcard: bits & 1 > 0,
        repository: bits & 2 > 0,
        build_id: bits & 4 > 0,
    })
}

/// Whether `wide` allows whatever `narrow` does.
fn allows(wide: &AtomSyntax, narrow: &AtomSyntax) -> bool {
    wide.wildcard >= narrow.wildcard && wide.repository >= narrow.repository && wide.build_id >= narrow.build_id
}

fn derived(atom: &Atom, syntax: AtomSyntax) {
    let all: BTreeSet<FlagName> = atom.use_deps().iter().map(|dep| dep.flag.clone()).collect();
    let one: BTreeSet<FlagName> = all.iter().take(1).cloned().collect();
    for enabled in [BTreeSet::new(), one, all] {
        let evaluated = atom.evaluate_use(&enabled);
        assert_eq!(Atom::parse(&evaluated.to_string(), syntax).as_ref(), Ok(&evaluated));
        assert_eq!(evaluated.evaluate_use(&enabled), evaluated, "nothing is left to decide");
    }
    let without = atom.without_use();
    assert_eq!(Atom::parse(&without.to_string(), syntax), Ok(without));
    assert!((-2..=6).contains(&atom.specificity()));
    assert!(!atom.is_plain_name() || atom.to_string() == atom.cp());
}

fn matching(atom: &Atom, cpv: &Cpv) {
    let matches = atom.matches_cpv(cpv);
    assert_eq!(atom.without_use().matches_cpv(cpv), matches);
    if !atom.is_extended() && atom.cp() != cpv.cp() {
        assert!(!matches, "another package");
    }
    // Of the bounds of one version, one of `<` and `>=` holds, and one of `<=` and `>`.
    if let (Some(_), Some(version)) = (atom.operator(), atom.version())
        && atom.cp() == cpv.cp()
    {
        let holds = |operator: &str| {
            let text = format!("{operator}{}-{version}", atom.cp());
            let bound = Atom::parse(&text, AtomSyntax::EBUILD).expect("the parts of an atom make an atom");
            bound.matches_cpv(cpv)
        };
        assert_ne!(holds("<"), holds(">="));
        assert_ne!(holds("<="), holds(">"));
        assert_eq!(holds("="), holds("<=") && holds(">="));
    }
}
