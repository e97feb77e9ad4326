//! The targets of `fuzz` for as long as a test may take: all inputs of the corpus, and many that are made from those by chance, the same
//! ones in every run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[allow(dead_code, reason = "other test programs choose more with it")]
#[path = "oracle/random.rs"]
mod random;
#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;

use fs_err as fs;
use random::Random;
use targets::Target;

/// How many inputs each target gets; those whose every input is packed and unpacked several times get the fewer.
const ROUNDS: usize = 100_000;
const COSTLY_ROUNDS: usize = 10_000;
const COSTLY: [&str; 2] = ["gpkg", "xpak"];

/// No input grows beyond this many bytes.
const LONGEST: usize = 40_000;

#[test]
fn laws_hold_for_the_corpus_and_what_is_near_it() {
    thread::scope(|scope| {
        for target in targets::ALL {
            scope.spawn(move || hold(target));
        }
    });
}

fn hold((name, check): Target) {
    let corpus = corpus(name);
    assert!(corpus.len() > 3, "{name} has {} inputs", corpus.len());
    for input in &corpus {
        look(name, check, input);
    }
    let mut random = Random::new(8);
    let rounds = if COSTLY.contains(&name) { COSTLY_ROUNDS } else { ROUNDS };
    for _ in 0..rounds {
        look(name, check, &changed(&mut random, &corpus));
    }
}

/// The inputs of a target, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Calls a target, and keeps an input that breaks a law, so that it can be put into the corpus.
fn look(name: &str, check: fn(&[u8]), input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| check(input))).is_err() {
        let find = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("find-{name}"));
        fs::write(&find, input).unwrap();
        panic!("{name} breaks a law, see above; the input is {}", find.display());
    }
}

/// An input of the corpus after one to four changes.
fn changed(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[random.below(corpus.len())].clone();
    for _ in 0..1 + random.below(4) {
        let other = &corpus[random.below(corpus.len())];
        change(random, &mut bytes, other);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(bytes.len() + 1);
    let end = bytes.len().min(at + 1 + random.below(16));
    match random.below(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        4 => bytes.truncate(at),
        5 => {
            // The rest of another input, from about the same place.
            let from = other.len().min(at.saturating_sub(random.below(4)));
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        _ => {
            let from = random.below(other.len() + 1);
            let piece = &other[from..other.len().min(from + 1 + random.below(16))];
            bytes.splice(at..at, piece.iter().copied());
        }
    }
}
