//! What cuts, flipped bytes and overwritten stretches cost.

use super::tests::{guard, records, write};
use super::*;
use farm_engine::Input;

use crate::format::MAGIC;

#[test]
fn a_cut_at_any_offset_loses_only_what_it_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let file = write(&path);
    let mut ends = vec![fs::metadata(&path).unwrap().len()];
    for i in 0..4 {
        file.record(guard(&format!("n{i}"), "v")).unwrap();
        ends.push(fs::metadata(&path).unwrap().len());
    }
    drop(file);
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let opened = GuardFile::open(&path, Mode::Write).unwrap();
        let kept = ends[1..].iter().filter(|end| **end <= cut as u64).count();
        assert_eq!(opened.guards.all().len(), kept, "cut at {cut}");
        let whole_records: u64 = ends.iter().rfind(|end| **end <= cut as u64).copied().unwrap_or(0);
        assert_eq!(opened.torn_bytes, cut as u64 - whole_records, "cut at {cut}");
        // What is recorded afterwards is there at the next start.
        opened.guards.record(guard("later", "v")).unwrap();
        drop(opened);
        assert_eq!(write(&path).all().len(), kept + 1, "cut at {cut}");
    }
}

#[test]
fn a_flipped_byte_costs_the_record_it_is_in_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let guards = ["a", "b", "c"].map(|node| guard(node, "v"));
    let file = write(&path);
    for guard in &guards {
        file.record(guard.clone()).unwrap();
    }
    drop(file);
    let whole = fs::read(&path).unwrap();
    let places = records(&path);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        fs::write(&path, &damaged).unwrap();
        let read = GuardFile::open(&path, Mode::Read).map(|opened| (opened.guards.all(), opened.damaged));
        match GuardFile::open(&path, Mode::Write) {
            Ok(opened) => {
                let hit = places
                    .iter()
                    .position(|(begin, end, _)| (*begin..*end).contains(&(at as u64)));
                let left: Vec<Guard> = (0..3).filter(|n| Some(*n) != hit).map(|n| guards[n].clone()).collect();
                assert_eq!(opened.guards.all(), left, "flip at {at}");
                assert_eq!(read.unwrap(), (left.clone(), opened.damaged.clone()), "flip at {at}");
                let (begin, end) = hit.map_or((0, HEADER_LEN as u64), |n| (places[n].0, places[n].1));
                if hit == Some(2) {
                    assert_eq!(
                        opened.torn_bytes,
                        end - begin,
                        "the last record is as good as not written"
                    );
                } else {
                    let [damage] = opened.damaged.as_slice() else {
                        panic!("flip at {at}: {:?}", opened.damaged);
                    };
                    assert_eq!((damage.at, damage.bytes), (begin, end - begin), "flip at {at}");
                    assert!(damage.node.as_ref().is_none_or(|node| node.len() == 1), "flip at {at}");
                }
                opened.guards.record(guards[1].clone()).unwrap();
                drop(opened);
                let again = GuardFile::open(&path, Mode::Write).unwrap();
                assert_eq!(
                    (again.torn_bytes, again.damaged),
                    (0, vec![]),
                    "flip at {at}: it is said once"
                );
                assert!(again.guards.all().contains(&guards[1]));
            }
            Err(OpenError::Newer { .. }) => {
                assert!((MAGIC.len()..HEADER_LEN).contains(&at));
                assert_eq!(
                    fs::read(&path).unwrap(),
                    damaged,
                    "a file that is not ours is left alone"
                );
            }
            Err(error) => panic!("flip at {at}: {error}"),
        }
    }
}

#[test]
fn what_was_lost_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let file = write(&path);
    file.record(guard("f:task/a", "v")).unwrap();
    file.record(guard("f:task/b", "v")).unwrap();
    drop(file);
    let mut bytes = fs::read(&path).unwrap();
    let (.., end, _) = records(&path)[0];
    bytes[usize::try_from(end).unwrap() - 2] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let opened = GuardFile::open(&path, Mode::Read).unwrap();
    assert_eq!(opened.damaged[0].node.as_deref(), Some("f:task/a"));
}

/// A guard that holds a text, and the text's bytes wherever one can stand.
fn guard_with(node: &str, text: &str) -> Guard {
    let mut guard = guard(node, text);
    guard.inputs = vec![Input::text(text, text)];
    guard
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever is in a guard, and whatever happens to a stretch of the file: every record that was not touched is found, and
    /// nothing that was not recorded.
    #[test]
    fn damage_costs_what_it_touches(
        texts in proptest::collection::vec(proptest::collection::vec(0_u8..128, 0..200), 1..6),
        inner in 0_usize..6,
        from in 0.0_f64..1.0,
        noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 1..80),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guards");
        let file = write(&path);
        let mut guards = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            let mut text = String::from_utf8(text.clone()).unwrap();
            if number == inner {
                // A record inside a record, as far as a text can hold one.
                let payload = guard_payload(&guard("x", "x").key, 1, 1, "x", b"{}");
                text = record(&payload).unwrap().into_iter().map(char::from).collect();
            }
            let guard = guard_with(&format!("n{number}"), &text);
            file.record(guard.clone()).unwrap();
            guards.push(guard);
        }
        drop(file);
        let places = records(&path);
        let mut bytes = fs::read(&path).unwrap();
        let room = (bytes.len() - HEADER_LEN) as f64;
        let begin = HEADER_LEN + (from * room) as usize;
        let end = (begin + noise.len()).min(bytes.len());
        bytes[begin..end].copy_from_slice(&noise[..end - begin]);
        fs::write(&path, &bytes).unwrap();
        let untouched = |number: usize| {
            let (first, last, _) = places[number];
            end as u64 <= first || last <= begin as u64
        };
        let left: Vec<Guard> = (0..guards.len()).filter(|n| untouched(*n)).map(|n| guards[n].clone()).collect();
        let found = GuardFile::open(&path, Mode::Write).unwrap().guards.all();
        for guard in &left {
            proptest::prop_assert!(found.contains(guard));
        }
        for guard in &found {
            proptest::prop_assert!(guards.contains(guard));
        }
    }
}

#[test]
fn a_name_that_could_be_taken_for_a_record_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder.path().join("guards"));
    for name in ["a\0b".to_owned(), "a\nb".to_owned(), "x".repeat(70_000)] {
        assert!(file.record(guard(&name, "v")).is_err());
        let key = guard(&name, "v").key;
        file.mark_current(&name, &key).unwrap();
    }
    assert!(file.all().is_empty());
}
