//! Dependency strings are reduced as Portage reduces them, on many random strings.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod gpkg_support;

use farm_portage::depstring::{DepString, Kind};
use gpkg_support::Lab;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const FLAGS: &[&str] = &["a", "b", "c"];

fn leaf(atoms: bool) -> BoxedStrategy<String> {
    if !atoms {
        return prop::sample::select(vec!["MIT", "GPL-2+", "test", "x"])
            .prop_map(str::to_owned)
            .boxed();
    }
    let names = vec![
        "p/a",
        "p/b",
        ">=p/c-1.2",
        "!p/d",
        "p/e:0/1=",
        "=p/f-1*",
        "p/g:*",
        "~p/h-2",
        "p/i:0::r",
    ];
    let deps = vec![
        "",
        "",
        "",
        "[a]",
        "[a?]",
        "[!b?,c]",
        "[a=,!b=]",
        "[c(+)?,-d(-)]",
        "[!a(-)=]",
    ];
    (prop::sample::select(names), prop::sample::select(deps))
        .prop_map(|(name, deps)| format!("{name}{deps}"))
        .boxed()
}

fn tree(atoms: bool) -> BoxedStrategy<String> {
    let flag = prop::sample::select(FLAGS);
    leaf(atoms)
        .prop_recursive(6, 40, 4, move |inner| {
            let group = prop::collection::vec(inner, 1..4).prop_map(|nodes| nodes.join(" "));
            prop_oneof![
                group.clone().prop_map(|nodes| format!("( {nodes} )")),
                group.clone().prop_map(|nodes| format!("|| ( {nodes} )")),
                (flag.clone(), any::<bool>(), group).prop_map(|(flag, negated, nodes)| {
                    format!("{}{flag}? ( {nodes} )", if negated { "!" } else { "" })
                }),
            ]
        })
        .boxed()
}

/// A string that parses, or (one time in eight) one with a token too many.
fn text(atoms: bool) -> impl Strategy<Value = String> {
    let nodes = prop::collection::vec(tree(atoms), 0..4).prop_map(|nodes| nodes.join(" "));
    let junk = prop::sample::select(vec!["(", ")", "||", "a?", "( )"]);
    (nodes, 0..8, any::<prop::sample::Index>(), junk).prop_map(|(text, dice, at, junk)| {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        if dice == 0 {
            words.insert(at.index(words.len() + 1), junk);
        }
        words.join(" ")
    })
}

#[test]
fn reduction_equals_portages() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut cases: Vec<(String, Vec<&str>, bool)> = Vec::new();
    for round in 0..6000 {
        let atoms = round % 3 != 0;
        let case = (text(atoms), prop::sample::subsequence(FLAGS, 0..=FLAGS.len()));
        let (text, flags) = case.new_tree(&mut runner).unwrap().current();
        cases.push((text, flags, atoms));
    }
    let printed = Lab::new().python("reduce_depstrings.py", &[], &serde_json::to_string(&cases).unwrap());
    let expected: Vec<Option<String>> = serde_json::from_str(&printed).unwrap();
    assert_eq!(expected.len(), cases.len());
    let mut differences = Vec::new();
    for ((text, flags, atoms), expected) in cases.iter().zip(expected) {
        let kind = if *atoms { Kind::Atoms } else { Kind::Words };
        let parsed = DepString::parse(text, kind);
        let ours = parsed
            .as_ref()
            .ok()
            .map(|parsed| parsed.reduce(|flag| flags.contains(&flag)).to_string());
        if ours != expected {
            differences.push(format!(
                "`{text}` with {flags:?}\n  ours     {ours:?}\n  Portage's {expected:?} {:?}",
                parsed.err()
            ));
        }
    }
    differences.sort_by_key(String::len);
    differences.truncate(5);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
