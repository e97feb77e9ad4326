//! Laws that hold for all names, versions and atoms.

use std::cmp::Ordering;

use farm_portage::atom::{Atom, AtomSyntax};
use farm_portage::cpv::Cpv;
use farm_portage::keyword::Keyword;
use farm_portage::lines::lines;
use farm_portage::make_conf::MakeConf;
use farm_portage::slot::{Slot, SlotDep};
use farm_portage::use_flags::SignedFlag;
use farm_portage::version::{Version, split_version};
use proptest::prelude::*;

fn version() -> impl Strategy<Value = Version> {
    "[0-2]{1,2}(\\.[0-2]{1,2}){0,2}[ab]?(_(alpha|beta|pre|rc|p)[0-2]?){0,2}(-r[0-2]{1,2})?"
        .prop_map(|text| Version::parse(&text).expect("the pattern is the grammar"))
}

fn atom_text() -> impl Strategy<Value = String> {
    let name = "(!!?)?[a-z*]{1,2}/[a-z*]{1,3}";
    let versioned = "(!!?)?([~=<>]|[<>]=)[a-z]{1,2}/[a-z]{1,2}(-[a-z]{1,2})?-[0-9]{1,2}(\\.[0-9])?(-r[0-9])?\\*?";
    let tail = "(:([0-9]|[0-9]/[0-9])=?|:=|:\\*)?(::[a-z]{1,3})?(\\[[!-]?[a-c](\\([+-]\\))?[?=]?(,[!-]?[a-c])?\\])?";
    (prop_oneof![name, versioned], tail).prop_map(|(body, tail)| format!("{body}{tail}"))
}

proptest! {
    #[test]
    fn vercmp_is_antisymmetric(a in version(), b in version()) {
        prop_assert_eq!(a.vercmp(&b), b.vercmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
    }

    #[test]
    fn vercmp_is_transitive(a in version(), b in version(), c in version()) {
        let mut all = [a, b, c];
        all.sort();
        prop_assert!(all[0].vercmp(&all[1]).is_le() && all[1].vercmp(&all[2]).is_le() && all[0].vercmp(&all[2]).is_le());
        if all[0].vercmp(&all[1]).is_eq() {
            prop_assert_eq!(all[0].vercmp(&all[2]), all[1].vercmp(&all[2]));
        }
    }

    #[test]
    fn cpv_comes_back(category in "[a-z]{1,4}(-[a-z]{1,3})?", name in "[a-zA-Z][a-z+_]{0,4}(-[a-z]{1,3})?", version in version()) {
        let text = format!("{category}/{name}-{version}");
        let cpv = Cpv::parse(&text).expect("the pattern is the grammar");
        prop_assert_eq!(cpv.cp(), format!("{category}/{name}"));
        prop_assert_eq!(cpv.to_string(), text);
        prop_assert!(cpv.pf().starts_with(&cpv.p()));
    }

    #[test]
    fn splitting_joins_again(text in "[a-z0-9.r_-]{0,12}") {
        if let Some((name, version)) = split_version(&text) {
            prop_assert_eq!(format!("{name}-{version}"), text);
        }
    }

    #[test]
    fn atoms_come_back(text in atom_text()) {
        if let Ok(atom) = Atom::parse(&text, AtomSyntax::USER) {
            prop_assert_eq!(atom.to_string(), text);
        }
    }

    #[test]
    fn a_narrower_syntax_never_takes_more(text in atom_text()) {
        if let Ok(atom) = Atom::parse(&text, AtomSyntax::EBUILD) {
            prop_assert_eq!(Atom::parse(&text, AtomSyntax::USER), Ok(atom));
        }
    }

    #[test]
    fn exact_atoms_match_their_package(version in version()) {
        let cpv = Cpv::parse(&format!("a/b-{version}")).expect("a package");
        for operator in ["=", "~", ">=", "<="] {
            let atom = Atom::parse(&format!("{operator}{cpv}"), AtomSyntax::EBUILD).expect("an atom");
            prop_assert!(atom.matches_cpv(&cpv));
        }
        for operator in ["<", ">"] {
            let atom = Atom::parse(&format!("{operator}{cpv}"), AtomSyntax::EBUILD).expect("an atom");
            prop_assert!(!atom.matches_cpv(&cpv));
        }
    }

    #[test]
    fn nothing_panics(text in any::<String>()) {
        for syntax in [AtomSyntax::USER, AtomSyntax::EBUILD] {
            if let Err(error) = Atom::parse(&text, syntax) {
                prop_assert!(text.get(error.span).is_some());
            }
        }
        if let Err(error) = Version::parse(&text) {
            prop_assert!(text.get(error.span).is_some());
        }
        if let Ok(dep) = SlotDep::parse(&text) {
            prop_assert_eq!(dep.to_string(), text.clone());
        }
        let _ = (Cpv::parse(&text), Slot::parse(&text), SignedFlag::parse(&text), Keyword::parse(&text), MakeConf::parse(&text));
    }

    #[test]
    fn broken_atoms_have_spans_in_the_text(text in "[!=<>~*a-c1./:\\[\\]?+@ ü-]{0,14}") {
        for syntax in [AtomSyntax::USER, AtomSyntax::SET] {
            if let Err(error) = Atom::parse(&text, syntax) {
                prop_assert!(text.get(error.span).is_some());
            }
        }
    }

    #[test]
    fn words_are_where_they_say(text in "[ab#ü \t\r\n\u{a0}]{0,40}") {
        for line in lines(&text) {
            for word in &line.words {
                prop_assert_eq!(&text[word.place.span.clone()], word.value);
                let content = text.split('\n').nth(line.number - 1).expect("the line is there");
                let from: String = content.chars().skip(word.place.column - 1).collect();
                prop_assert!(from.starts_with(word.value));
            }
        }
    }
}
