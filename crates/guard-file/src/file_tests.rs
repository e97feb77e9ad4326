//! Tests of the file: cuts, flips, flips of keys, compaction, newer formats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use farm_engine::{Digest, Input, Output, Reason};

use super::*;
use crate::format::Payload;

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
fn the_history_of_a_node_ends_with_what_was_used_last() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let time = TestClock(Arc::new(AtomicU64::new(100)));
    let (opt, dbg) = (guard("f:a", "opt"), guard("f:a", "dbg"));
    let file = GuardFile::open_with_clock(&path, Mode::Write, Box::new(time.clone()))
        .unwrap()
        .guards;
    file.record(opt.clone()).unwrap();
    file.record(dbg.clone()).unwrap();
    file.record(guard("f:b", "opt")).unwrap();
    time.0.store(200, Ordering::Relaxed);
    file.mark_current("f:a", &opt.key).unwrap();
    assert_eq!(file.history("f:a"), [(dbg, 100), (opt, 200)]);
    assert_eq!(file.history("f:c"), []);
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
    assert_eq!(kinds(&fs::read(&path).unwrap()), ['G', 'G', 'U']);
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
        let whole_records = ends.iter().rfind(|end| **end <= cut as u64).copied().unwrap_or(0);
        assert_eq!(opened.dropped_bytes as u64, cut as u64 - whole_records, "cut at {cut}");
        // What is recorded afterwards is there at the next start.
        opened.guards.record(guard("later", "v")).unwrap();
        drop(opened);
        assert_eq!(write(&path).all().len(), kept + 1, "cut at {cut}");
    }
}

#[test]
fn a_flipped_byte_is_never_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let file = write(&path);
    let guards = [guard("a", "v"), guard("b", "v")];
    for guard in &guards {
        file.record(guard.clone()).unwrap();
    }
    drop(file);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        fs::write(&path, &damaged).unwrap();
        match GuardFile::open(&path, Mode::Write) {
            Ok(opened) => {
                for found in opened.guards.all() {
                    assert!(guards.contains(&found), "flip at {at}");
                }
            }
            Err(OpenError::Newer { .. } | OpenError::Foreign { .. }) => {
                assert!(at < HEADER_LEN);
                assert_eq!(
                    fs::read(&path).unwrap(),
                    damaged,
                    "a file that is not ours is left alone"
                );
            }
            Err(OpenError::Io(error)) => panic!("{error}"),
        }
    }
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
fn kinds(bytes: &[u8]) -> Vec<char> {
    let mut at = HEADER_LEN;
    let mut kinds = Vec::new();
    while let Some((payload, next)) = crate::format::read_record(bytes, at) {
        kinds.push(match parse(payload) {
            Some(Payload::Guard { .. }) => 'G',
            Some(Payload::Used { .. }) => 'U',
            _ => '?',
        });
        at = next;
    }
    kinds
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
