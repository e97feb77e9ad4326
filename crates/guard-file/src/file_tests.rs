//! Tests of the file: cuts, flips, flips of keys, compaction, newer formats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use farm_engine::{Digest, Input, Output, Reason};

use super::*;

#[derive(Clone)]
struct TestClock(Arc<AtomicU64>);

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn guard(node: &str, variant: &str) -> Guard {
    Guard {
        node: node.to_owned(),
        key: Key(Digest::of(format!("{node} {variant}").as_bytes())),
        inputs: vec![Input::text("variant", variant)],
        outputs: vec![Output {
            role: "out".into(),
            digest: Digest::of(variant.as_bytes()),
            place: "p".into(),
        }],
        reason: Reason::NeverBuilt,
        started_ms: 1,
        duration_ms: 7,
        version: "0".into(),
    }
}

fn write(path: &Path) -> GuardFile {
    GuardFile::open(path, Mode::Write).unwrap().guards
}

#[test]
fn every_key_of_a_node_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let (opt, dbg) = (guard("f:a", "opt"), guard("f:a", "dbg"));
    let file = write(&path);
    file.record(opt.clone()).unwrap();
    file.record(dbg.clone()).unwrap();
    drop(file);
    let file = write(&path);
    assert_eq!(file.find("f:a", &opt.key).as_ref(), Some(&opt));
    assert_eq!(file.newest("f:a").as_ref(), Some(&dbg));
    file.mark_current("f:a", &opt.key).unwrap();
    file.mark_current("f:a", &opt.key).unwrap();
    drop(file);
    assert_eq!(kinds(&path), ['G', 'G', 'U']);
    assert_eq!(write(&path).newest("f:a").as_ref(), Some(&opt));
    assert_eq!(write(&path).duration_ms("f:a"), Some(7));
}

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

/// The records of a file: where each begins and ends, and its payload.
fn records(path: &Path) -> Vec<(u64, u64, Vec<u8>)> {
    let file = File::open(path).unwrap();
    let len = file.metadata().unwrap().len();
    let mut records = Vec::new();
    scan(&file, HEADER_LEN as u64, len, &mut |at, payload| {
        let end = at + (RECORD_HEADER_LEN + payload.len()) as u64;
        records.push((at, end, payload.to_vec()));
    })
    .unwrap();
    records
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
                let hit = places.iter().position(|(begin, end, _)| (*begin..*end).contains(&(at as u64)));
                let left: Vec<Guard> = (0..3).filter(|n| Some(*n) != hit).map(|n| guards[n].clone()).collect();
                assert_eq!(opened.guards.all(), left, "flip at {at}");
                assert_eq!(read.unwrap(), (left.clone(), opened.damaged.clone()), "flip at {at}");
                let (begin, end) = hit.map_or((0, HEADER_LEN as u64), |n| (places[n].0, places[n].1));
                if hit == Some(2) {
                    assert_eq!(opened.torn_bytes, end - begin, "the last record is as good as not written");
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
                assert_eq!((again.torn_bytes, again.damaged), (0, vec![]), "flip at {at}: it is said once");
                assert!(again.guards.all().contains(&guards[1]));
            }
            Err(OpenError::Newer { .. }) => {
                assert!((MAGIC.len()..HEADER_LEN).contains(&at));
                assert_eq!(fs::read(&path).unwrap(), damaged, "a file that is not ours is left alone");
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

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let mut bytes = header().to_vec();
    bytes[12] = 9;
    fs::write(&path, &bytes).unwrap();
    let error = GuardFile::open(&path, Mode::Write).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 9, .. }));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn compaction_keeps_five_keys_and_what_was_used_lately() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let clock = TestClock(Arc::new(AtomicU64::new(0)));
    let open = || {
        GuardFile::open_with_clock(&path, Mode::Write, Box::new(clock.clone()))
            .unwrap()
            .guards
    };
    let file = open();
    for i in 0..8 {
        file.record(guard("a", &format!("v{i}"))).unwrap();
    }
    // Rebuilding one key again and again makes dead records until a compaction is worth it.
    let mut big = guard("b", "v");
    big.inputs = (0..2000)
        .map(|i| Input::text(format!("input/{i}"), "x".repeat(50)))
        .collect();
    for _ in 0..20 {
        file.record(big.clone()).unwrap();
    }
    drop(file);
    let before = fs::metadata(&path).unwrap().len();
    clock.0.store(40 * USED_AGAIN_MS, Ordering::Relaxed);
    let file = open();
    assert!(fs::metadata(&path).unwrap().len() < before / 10);
    assert_eq!(file.all().iter().filter(|guard| guard.node == "a").count(), 5);
    assert!(file.find("a", &guard("a", "v7").key).is_some());
    assert!(file.find("a", &guard("a", "v2").key).is_none());
    assert_eq!(file.newest("b"), Some(big));
}

#[test]
fn a_reader_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let opened = GuardFile::open(&path, Mode::Read).unwrap();
    assert!(opened.guards.record(guard("a", "v")).is_err());
    assert!(!path.exists());
}

/// What the payloads of a file are.
fn kinds(path: &Path) -> Vec<char> {
    let kind = |(_, _, payload): &(u64, u64, Vec<u8>)| match parse(payload) {
        Some(Payload::Guard { .. }) => 'G',
        Some(Payload::Used { .. }) => 'U',
        _ => '?',
    };
    records(path).iter().map(kind).collect()
}

#[test]
fn a_stamp_holds_until_the_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let file = write(&path);
    let empty = file.stamp();
    assert!(empty.is_of(&path).unwrap());
    file.record(guard("f:a", "one")).unwrap();
    let one = file.stamp();
    assert!(one.is_of(&path).unwrap() && !empty.is_of(&path).unwrap());
    assert!(Stamp::from_bytes(&one.to_bytes()).is_of(&path).unwrap());
    drop(file);
    assert_eq!(GuardFile::open(&path, Mode::Read).unwrap().guards.stamp(), one);

    let bytes = fs::read(&path).unwrap();
    write(&path).record(guard("f:a", "two")).unwrap();
    assert!(!one.is_of(&path).unwrap());
    // As long, but with another record at the end.
    fs::write(&path, &bytes[..HEADER_LEN]).unwrap();
    write(&path).record(guard("f:a", "six")).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), bytes.len() as u64);
    assert!(!one.is_of(&path).unwrap());
    fs::remove_file(&path).unwrap();
    assert!(!one.is_of(&path).unwrap());
}

#[test]
fn short_builds_share_a_flush_and_long_ones_have_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let time = Arc::new(AtomicU64::new(10_000));
    let clock = Box::new(TestClock(Arc::clone(&time)));
    let flushes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&flushes);
    let file = GuardFile::open_with_clock(&folder.path().join("guards"), Mode::Write, clock)
        .unwrap()
        .guards
        .flushing_first(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
    let unsynced = || file.inner().unsynced_since_ms;
    file.record(guard("f:a", "short")).unwrap();
    assert_eq!(unsynced(), Some(10_000));
    time.store(10_999, Ordering::Relaxed);
    file.record(guard("f:b", "short")).unwrap();
    assert_eq!(unsynced(), Some(10_000));
    time.store(11_000, Ordering::Relaxed);
    file.record(guard("f:c", "short")).unwrap();
    assert_eq!(unsynced(), None);
    let long = Guard {
        duration_ms: 1000,
        ..guard("f:d", "long")
    };
    file.record(long).unwrap();
    assert_eq!(unsynced(), None);
    assert_eq!(flushes.load(Ordering::Relaxed), 2);
    file.record(guard("f:e", "short")).unwrap();
    drop(file);
    assert_eq!(flushes.load(Ordering::Relaxed), 3);
}

#[test]
fn a_guard_whose_outputs_cannot_be_flushed_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let file = write(&path).flushing_first(|| Err(std::io::Error::other("no room")));
    let long = Guard {
        duration_ms: 1000,
        ..guard("f:a", "long")
    };
    assert!(file.record(long).unwrap_err().to_string().contains("no room"));
    drop(file);
    assert!(write(&path).all().is_empty());
}
