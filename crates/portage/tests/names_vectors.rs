//! What Portage's own unit tests demand of versions, atoms and dependency strings is demanded of this crate as well.
//!
//! Nothing is copied: `oracle/vectors.py` runs the tests that the wheel carries, and watches what they ask. A crate that does not know
//! what a question means is found by the counts at the end, as is a wheel without tests.

mod oracle;

use std::collections::BTreeMap;

use farm_portage::atom::{Atom, AtomSyntax, Candidate, CandidateFlags};
use farm_portage::cpv::Cpv;
use farm_portage::depstring::{DepString, Kind};
use farm_portage::version::vercmp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::oracle::described::{described, flags};

/// A question of some function of Portage's, with its answer; null where it refuses.
#[derive(Deserialize)]
struct Vector {
    of: String,
    question: Value,
    answer: Value,
}

/// How many questions there must be of each kind: somewhat less than Portage 3.0.83 has.
const LEAST: [(&str, usize); 9] = [
    ("atom", 7_000),
    ("best", 30),
    ("cpvequal", 8),
    ("evaluated", 70),
    ("isvalidatom", 110),
    ("matches", 85),
    ("reduced", 1_000),
    ("vercmp", 40),
    ("total", 8_400),
];

#[test]
fn portages_own_vectors_hold() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut differences = Vec::new();
    for line in oracle::vectors() {
        let vector: Vector = serde_json::from_str(&line).expect("a vector");
        let ours = answer(&vector.of, vector.question.clone());
        if ours != vector.answer {
            differences.push(format!("{line}\n  ours: {ours}"));
        }
        *counts.entry(vector.of).or_default() += 1;
    }
    differences.sort_by_key(String::len);
    let shown = differences.iter().take(20).map(String::as_str).collect::<Vec<_>>();
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        shown.join("\n")
    );
    counts.insert("total".to_owned(), counts.values().sum());
    for (of, least) in LEAST {
        assert!(counts.get(of).is_some_and(|count| *count >= least), "{of}: {counts:?}");
    }
}

/// What this crate says to a question.
fn answer(of: &str, question: Value) -> Value {
    match of {
        "vercmp" => {
            let [a, b]: [String; 2] = asked(question);
            json!(vercmp(&a, &b).map(|order| order as i8))
        }
        "cpvequal" => {
            let [a, b]: [String; 2] = asked(question);
            let both = Cpv::parse(&a).and_then(|a| Ok((a, Cpv::parse(&b)?)));
            json!(
                both.ok()
                    .map(|(a, b)| a.cp() == b.cp() && a.version.vercmp(&b.version).is_eq())
            )
        }
        "isvalidatom" => {
            let question: AtomQuestion = asked(question);
            let atom = Atom::parse(&question.text, question.syntax());
            json!(atom.is_ok_and(|atom| question.blocker || atom.blocker().is_none()))
        }
        "atom" => {
            let question: AtomQuestion = asked(question);
            let atom = Atom::parse(&question.text, question.syntax());
            atom.map_or(Value::Null, |atom| {
                assert_eq!(atom.to_string(), question.text);
                described(&atom, &[])
            })
        }
        "evaluated" => {
            let (text, enabled): (String, Vec<String>) = asked(question);
            json!(atom(&text).evaluate_use(&flags(&enabled)))
        }
        "matches" => {
            let (text, package): (String, Package) = asked(question);
            json!(package.is_matched_by(&atom(&text)))
        }
        "best" => {
            // Between equally specific ones, versions and the order decide, which is not the business of an atom.
            let (texts, package, chosen): (Vec<String>, Package, Option<String>) = asked(question);
            let atoms = texts.iter().map(|text| atom(text));
            let most = atoms
                .filter(|atom| package.is_matched_by(atom))
                .map(|atom| atom.specificity())
                .max();
            json!(most == chosen.map(|chosen| atom(&chosen).specificity()))
        }
        "reduced" => {
            let question: ReduceQuestion = asked(question);
            let kind = if question.atoms { Kind::Atoms } else { Kind::Words };
            let parsed = DepString::parse(&question.text, kind);
            let enabled = |flag: &str| question.flags.iter().any(|on| on == flag);
            json!(parsed.ok().map(|parsed| parsed.reduce(enabled).to_string()))
        }
        other => panic!("nothing is known of {other}"),
    }
}

fn asked<T: for<'a> Deserialize<'a>>(question: Value) -> T {
    serde_json::from_value(question).expect("a question of this kind")
}

fn atom(text: &str) -> Atom {
    Atom::parse(text, AtomSyntax::USER).expect("an atom of Portage's")
}

#[derive(Deserialize)]
struct AtomQuestion {
    text: String,
    wildcard: bool,
    repository: bool,
    build_id: bool,
    /// Whether a blocker is as good as any other atom.
    #[serde(default)]
    blocker: bool,
}

impl AtomQuestion {
    fn syntax(&self) -> AtomSyntax {
        AtomSyntax {
            wildcard: self.wildcard,
            repository: self.repository,
            build_id: self.build_id,
        }
    }
}

#[derive(Deserialize)]
struct ReduceQuestion {
    text: String,
    flags: Vec<String>,
    atoms: bool,
}

/// A package as Portage's tests have it: of those that are but texts, flags and mostly the slot are unknown.
#[derive(Deserialize)]
struct Package {
    cpv: String,
    slot: String,
    subslot: String,
    repository: Option<String>,
    enabled: Option<Vec<String>>,
    iuse: Option<Vec<String>>,
}

impl Package {
    fn is_matched_by(&self, atom: &Atom) -> bool {
        let cpv = Cpv::parse(&self.cpv).expect("a package");
        // What is unknown is whatever is asked for.
        let wanted = atom.slot().filter(|_| self.slot.is_empty());
        let slot = wanted.and_then(|dep| dep.slot.as_deref()).unwrap_or(&self.slot);
        let subslot = wanted.and_then(|dep| dep.subslot.as_deref()).unwrap_or(&self.subslot);
        let enabled = self.enabled.as_deref().map(flags);
        let iuse = self.iuse.as_deref().map(flags);
        let known = enabled.as_ref().zip(iuse.as_ref());
        atom.matches(&Candidate {
            cpv: &cpv,
            slot,
            subslot,
            repository: self.repository.as_deref(),
            build_id: None,
            flags: known.map(|(enabled, iuse)| CandidateFlags { enabled, iuse }),
        })
    }
}
