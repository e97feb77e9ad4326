//! Tests of the file: keys that change and change back, compaction, other formats, flushes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use farm_engine::{Digest, Input, Output, Reason};

use super::*;
use crate::format::VERSION;

#[derive(Clone)]
pub(super) struct TestClock(pub(super) Arc<AtomicU64>);

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(super) fn guard(node: &str, variant: &str) -> Guard {
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

pub(super) fn write(path: &Path) -> GuardFile {
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
    assert_eq!(kinds(&path), ['G', 'G', 'U']);
    assert_eq!(write(&path).newest("f:a").as_ref(), Some(&opt));
    assert_eq!(write(&path).duration_ms("f:a"), Some(7));
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

/// Written by the first version, and never again. Whoever changes the format keeps it, and adds one of his.
const FORMAT_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/format-1.guards");

/// Two keys of a node, of which the first is found current after a day, and a node with a name and an input of some difficulty.
fn fixture() -> [Guard; 3] {
    let mut guards = [
        guard("f:task/a", "opt"),
        guard("f:task/a", "dbg"),
        guard("f:pkg/x/ä-1", "\u{0}\"\n"),
    ];
    guards[1].reason = Reason::OutputLost {
        what: "its out is gone".into(),
    };
    guards[2].outputs.clear();
    guards
}

#[test]
#[ignore = "writes the fixture of the format that this version has, to $TMPDIR"]
fn write_fixture() {
    let clock = TestClock(Arc::new(AtomicU64::new(1_700_000_000_000)));
    let path = std::env::temp_dir().join(format!("format-{VERSION}.guards"));
    let opened = GuardFile::open_with_clock(&path, Mode::Write, Box::new(clock.clone())).unwrap();
    for guard in fixture() {
        opened.guards.record(guard).unwrap();
    }
    clock.0.fetch_add(USED_AGAIN_MS, Ordering::Relaxed);
    opened.guards.mark_current("f:task/a", &fixture()[0].key).unwrap();
}

#[test]
fn a_file_of_format_1_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    fs::copy(FORMAT_1, &path).unwrap();
    let opened = GuardFile::open(&path, Mode::Write).unwrap();
    assert_eq!((opened.torn_bytes, opened.damaged), (0, vec![]));
    let [opt, dbg, other] = fixture();
    for guard in [&opt, &dbg, &other] {
        assert_eq!(opened.guards.find(&guard.node, &guard.key).as_ref(), Some(guard));
    }
    assert_eq!(opened.guards.newest("f:task/a"), Some(opt));
    assert_eq!(kinds(&path), ['G', 'G', 'G', 'U']);
    opened.guards.record(guard("f:later", "v")).unwrap();
    drop(opened.guards);
    assert_eq!(write(&path).all().len(), 4);
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

/// The records of a file: where each begins and ends, and its payload.
pub(super) fn records(path: &Path) -> Vec<(u64, u64, Vec<u8>)> {
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
    assert_eq!(
        flushes.load(Ordering::Relaxed),
        1,
        "only what took long is worth a wait for its outputs"
    );
    file.record(guard("f:e", "short")).unwrap();
    drop(file);
    assert_eq!(flushes.load(Ordering::Relaxed), 1);
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

proptest::proptest! {
    /// Whatever was recorded and used when: the last five of a node and all of the last 30 days are kept, and every guard is on
    /// one side.
    #[test]
    fn nothing_is_forgotten_that_is_to_be_kept(
        uses in proptest::collection::vec((0_u64..3, 0_u64..12, 0_u64..100), 0..80),
        now_days in 0_u64..120,
    ) {
        const DAY: u64 = USED_AGAIN_MS;
        let mut index = Index::default();
        let mut model: Vec<(u64, u64, u64)> = Vec::new();
        for (number, (node, key, day)) in uses.iter().enumerate() {
            let guard = guard(&format!("n{node}"), &format!("v{key}"));
            let payload = guard_payload(&guard.key, 1, day * DAY, &guard.node, b"{}");
            index.add(number as u64, &payload);
            model.retain(|(n, k, _)| (n, k) != (node, key));
            model.push((*node, *key, *day));
        }
        index.fold();
        let (kept, forgotten) = compact::part(&index.rows, now_days * DAY);
        proptest::prop_assert_eq!(kept.len() + forgotten.len(), model.len());
        for (at, (node, key, day)) in model.iter().enumerate() {
            let later = model[at + 1..].iter().filter(|(n, ..)| n == node).count();
            let stays = later < 5 || day + 30 >= now_days;
            let guard = guard(&format!("n{node}"), &format!("v{key}"));
            let is_kept = kept.iter().any(|row| (row.node, row.key) == (node_tag(&guard.node), key_tag(&guard.key)));
            proptest::prop_assert_eq!(is_kept, stays);
        }
    }
}
