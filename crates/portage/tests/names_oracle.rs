//! Names, versions, atoms and line formats held against the real Portage.
//!
//! Needs `python3` with pip, or the wheel's path in `FARM_TEST_WHEEL`; without them the tests fail, for nothing else shows that farm and
//! Portage mean the same.

mod oracle;

use std::collections::BTreeMap;

use farm_portage::atom::{Atom, AtomSyntax, Candidate, CandidateFlags};
use farm_portage::cpv::Cpv;
use farm_portage::lines::{Dialect, parse_use};
use farm_portage::make_conf::{MakeConf, MakeConfProblem};
use farm_portage::slot::Slot;
use farm_portage::version::vercmp;
use serde_json::{Value, json};

use crate::oracle::described::{described, flags};
use crate::oracle::random::Random;
use crate::oracle::{ask, generate};

const CASES: usize = 100_000;

#[test]
fn versions_compare_as_in_portage() {
    let mut random = Random::new(1);
    let pairs: Vec<_> = (0..CASES).map(|_| generate::version_pair(&mut random)).collect();
    let questions: Vec<_> = pairs.iter().map(|(a, b)| format!("{a}\t{b}")).collect();
    let mut equal = 0;
    let mut invalid = 0;
    for ((a, b), answer) in pairs.iter().zip(ask("versions", &questions)) {
        let theirs = (answer != "null").then(|| answer.parse::<i64>().expect("a number").cmp(&0));
        // Portage calls equal texts equal before it looks whether they are versions.
        let ours = if a == b {
            Some(std::cmp::Ordering::Equal)
        } else {
            vercmp(a, b)
        };
        assert_eq!(ours, theirs, "{a} against {b}");
        equal += usize::from(ours.is_some_and(std::cmp::Ordering::is_eq) && a != b);
        invalid += usize::from(ours.is_none());
    }
    assert!(
        equal > CASES / 50 && invalid > CASES / 50,
        "{equal} equal, {invalid} invalid"
    );
}

#[test]
fn package_names_split_as_in_portage() {
    let mut random = Random::new(2);
    let texts: Vec<_> = (0..CASES / 4)
        .map(|_| {
            let atom = generate::atom(&mut random);
            let text = atom.trim_start_matches(['!', '=', '<', '>', '~']);
            text.split([':', '[']).next().unwrap_or("").to_owned()
        })
        .collect();
    let mut valid = 0;
    for (text, answer) in texts.iter().zip(ask("names", &texts)) {
        let theirs: Value = serde_json::from_str(&answer).expect("JSON");
        // Without a slash Portage invents a category.
        let theirs = if text.contains('/') { theirs } else { Value::Null };
        let ours = Cpv::parse(text).ok().map_or(Value::Null, |cpv| {
            valid += 1;
            assert_eq!(cpv.to_string(), *text);
            json!([
                cpv.category.as_str(),
                cpv.name.as_str(),
                cpv.version.without_revision(),
                cpv.pr()
            ])
        });
        assert_eq!(ours, theirs, "{text}");
    }
    assert!(valid > texts.len() / 10, "{valid} valid");
}

#[test]
fn atoms_parse_as_in_portage() {
    let mut random = Random::new(3);
    let cases: Vec<_> = (0..CASES)
        .map(|_| {
            let syntax = AtomSyntax {
                wildcard: random.chance(60),
                repository: random.chance(80),
                build_id: random.chance(50),
            };
            let enabled: Vec<&str> = ["a", "b", "c", "a_b"]
                .into_iter()
                .filter(|_| random.chance(50))
                .collect();
            (generate::atom(&mut random), syntax, enabled)
        })
        .collect();
    let questions: Vec<_> = cases
        .iter()
        .map(|(text, syntax, enabled)| {
            json!({
                "text": text, "wildcard": syntax.wildcard, "repository": syntax.repository, "build_id": syntax.build_id, "enabled": enabled,
            })
            .to_string()
        })
        .collect();
    let mut valid = 0;
    for ((text, syntax, enabled), answer) in cases.iter().zip(ask("atoms", &questions)) {
        let mut theirs: Value = serde_json::from_str(&answer).expect("JSON");
        if theirs["build_id"].is_f64() {
            // The one difference that is meant: no binary package has a number beyond 64 bits.
            theirs = Value::Null;
        }
        let ours = match Atom::parse(text, *syntax) {
            Ok(atom) => {
                valid += 1;
                assert_eq!(atom.to_string(), *text);
                described(&atom, enabled)
            }
            Err(error) => {
                assert!(text.get(error.span.clone()).is_some(), "{text}: {error:?}");
                Value::Null
            }
        };
        assert_eq!(ours, theirs, "{text} with {syntax:?}");
    }
    assert!(valid > CASES / 5 && valid < CASES * 4 / 5, "{valid} valid");
}

#[test]
fn atoms_match_as_in_portage() {
    let mut random = Random::new(4);
    let mut cases = Vec::new();
    while cases.len() < CASES {
        let mut candidate = generate::candidate(&mut random);
        let mut text = generate::near_atom(&mut random);
        if random.chance(30) {
            (text, candidate.cpv) = generate::versioned_pair(&mut random);
        }
        // Not every text has the grammar of an atom, and not every candidate a version.
        if let (Ok(atom), Ok(_)) = (Atom::parse(&text, AtomSyntax::USER), Cpv::parse(&candidate.cpv)) {
            cases.push((atom, candidate));
        }
    }
    let questions: Vec<_> = cases
        .iter()
        .map(|(atom, candidate)| json!([atom, candidate]).to_string())
        .collect();
    let mut matched: BTreeMap<_, usize> = BTreeMap::new();
    for ((atom, random), answer) in cases.iter().zip(ask("matches", &questions)) {
        let cpv = Cpv::parse(&random.cpv).expect("a package");
        let slot = Slot::parse(&random.slot).expect("a slot");
        let (enabled, iuse) = (flags(&random.enabled), flags(&random.iuse));
        let candidate = Candidate {
            cpv: &cpv,
            slot: &slot.slot,
            subslot: &slot.subslot,
            repository: random.repository,
            build_id: random.build_id,
            flags: Some(CandidateFlags {
                enabled: &enabled,
                iuse: &iuse,
            }),
        };
        let ours = atom.matches(&candidate);
        assert_eq!(ours.to_string(), answer, "{atom} against {random:?}");
        *matched.entry((atom.operator(), atom.is_extended(), ours)).or_default() += 1;
    }
    // Every operator with a version (eight with the pattern's), and names with and without stars: both answers, and often.
    assert_eq!(matched.len(), 20, "{matched:?}");
    assert!(matched.values().all(|count| *count > CASES / 1000), "{matched:?}");
}

#[test]
fn the_more_specific_atom_wins_as_in_portage() {
    let mut random = Random::new(7);
    let mut cases = Vec::new();
    while cases.len() < CASES / 50 {
        let candidate = generate::candidate(&mut random);
        let cpv = Cpv::parse(&candidate.cpv).expect("a package");
        let slot = Slot::parse(&candidate.slot).expect("a slot");
        let mut matching = || loop {
            // The build number, the repository and the flags do not make an atom more specific.
            let text = generate::near_atom(&mut random);
            let Ok(atom) = Atom::parse(text.split("::").next().unwrap_or(""), AtomSyntax::USER) else {
                continue;
            };
            let (slot, subslot) = (slot.slot.as_str(), slot.subslot.as_str());
            let known = Candidate {
                cpv: &cpv,
                slot,
                subslot,
                repository: None,
                build_id: None,
                flags: None,
            };
            if atom.blocker().is_none() && atom.use_deps().is_empty() && atom.matches(&known) {
                return atom;
            }
        };
        let (a, b) = (matching(), matching());
        if a.specificity() != b.specificity() {
            cases.push((a, b, candidate));
        }
    }
    let questions: Vec<_> = cases
        .iter()
        .map(|(a, b, candidate)| json!([[a, b], candidate]).to_string())
        .collect();
    for ((a, b, candidate), answer) in cases.iter().zip(ask("best", &questions)) {
        let best = if a.specificity() > b.specificity() { a } else { b };
        assert_eq!(json!(best).to_string(), answer, "{a} or {b} for {candidate:?}");
    }
}

#[test]
fn package_use_reads_as_in_portage() {
    let mut random = Random::new(5);
    for (mode, dialect, faults) in [
        ("user_use", Dialect::USER, false),
        ("profile_use", Dialect::PROFILE, true),
    ] {
        let texts: Vec<_> = (0..3_000).map(|_| generate::package_use(&mut random, faults)).collect();
        let questions: Vec<_> = texts.iter().map(|text| json!(text).to_string()).collect();
        for (text, answer) in texts.iter().zip(ask(mode, &questions)) {
            let parsed = parse_use(text, dialect);
            assert!(faults || parsed.errors.is_empty(), "{text:?}: {:?}", parsed.errors);
            let mut ours: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for entry in &parsed.entries {
                assert_eq!(text[entry.place.span.clone()], entry.atom.to_string());
                let flags = entry.values.iter().map(|value| value.value.expanded());
                ours.entry(entry.atom.to_string()).or_default().extend(flags);
            }
            let ours: Vec<_> = ours.into_iter().collect();
            let theirs: Value = serde_json::from_str(&answer).expect("JSON");
            assert_eq!(json!(ours), theirs, "{mode}: {text:?}");
        }
    }
}

#[test]
fn make_conf_reads_as_in_portage() {
    let mut random = Random::new(6);
    let texts: Vec<_> = (0..20_000).map(|_| generate::make_conf(&mut random)).collect();
    let questions: Vec<_> = texts.iter().map(|text| json!(text).to_string()).collect();
    let mut read = 0;
    for (text, answer) in texts.iter().zip(ask("make_conf", &questions)) {
        let theirs: Value = serde_json::from_str(&answer).expect("JSON");
        let ours = match MakeConf::parse(text) {
            Ok(conf) => {
                read += 1;
                let last: BTreeMap<_, _> = conf.assignments.iter().map(|a| (&a.key, &a.raw)).collect();
                json!(last.into_iter().collect::<Vec<_>>())
            }
            // Here Portage takes the next line for the value, which nobody means.
            Err(error) if matches!(error.problem, MakeConfProblem::NoValue(_)) => continue,
            Err(_) => Value::Null,
        };
        assert_eq!(ours, theirs, "{text:?}");
    }
    assert!(read > texts.len() / 3, "{read} read");
}

#[test]
fn make_conf_values_join_lines_as_in_portage() {
    let text = "A=\"x \\\n  y\"\nB=\"x\n y\"\nC=plain\nD='a b'\n";
    let theirs: Value = serde_json::from_str(&ask("make_conf_expanded", &[json!(text).to_string()])[0]).expect("JSON");
    let conf = MakeConf::parse(text).expect("a make.conf");
    let ours: Vec<_> = conf.assignments.iter().map(|a| (&a.key, a.value())).collect();
    assert_eq!(json!(ours), theirs);
}
