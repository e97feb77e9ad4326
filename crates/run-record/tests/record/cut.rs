//! Records that are cut, damaged, or of another farm.

use farm_run_record::{Entry, ReadError, Record, RunResult, critical_path, timeline, trace};

use crate::kit::{Plan, bytes, flushed, simulate};

const HEADER: &str = r#"{"farm-run":1,"farm":"0.1.0","words":["build"],"started_ms":1,"jobs":2}"#;
const END: &str = r#"{"at":99,"event":"run-ended","result":"done"}"#;

fn entries() -> Vec<Entry> {
    simulate(&Plan {
        nodes: vec![(vec![], 3), (vec![0], 4), (vec![], 5), (vec![1, 2], 6), (vec![3], 1)],
        jobs: 2,
    })
}

fn lines() -> Vec<String> {
    let mut lines = vec![HEADER.to_owned()];
    lines.extend(entries().iter().map(|entry| serde_json::to_string(entry).unwrap()));
    lines.push(END.to_owned());
    lines
}

/// Whatever is read can be told of.
fn tell(record: &Record) {
    let runs = timeline(&record.entries);
    assert!(critical_path(&runs).len() <= runs.len());
    assert!(trace(record).is_object());
}

#[test]
fn cut_anywhere_it_is_what_was_written_before() {
    let lines = lines();
    for flush in [1, 3, lines.len()] {
        let (whole, places) = flushed(&lines, flush);
        let full = Record::read(&whole[..]).unwrap();
        assert_eq!((full.entries.clone(), full.result()), (entries(), RunResult::Done));
        let mut read = 0;
        for length in 0..whole.len() {
            let record = match Record::read(&whole[..length]) {
                Err(ReadError::NoHeader | ReadError::Io(_)) if read == 0 => continue,
                record => record.unwrap_or_else(|error| panic!("cut at {length}: {error}")),
            };
            assert_eq!(record.header, full.header);
            assert!(record.entries.len() >= read, "cut at {length}");
            read = record.entries.len();
            assert_eq!(record.entries, full.entries[..read], "cut at {length}");
            let ended = record.ending.is_some();
            assert!(!ended || read == full.entries.len(), "cut at {length}");
            assert_eq!(record.result(), if ended { RunResult::Done } else { RunResult::Killed });
            tell(&record);
            // What was flushed is there, whatever became of the rest.
            let flushed = places.iter().rev().find(|(place, _)| *place <= length);
            assert!(
                1 + read + usize::from(ended) >= flushed.map_or(0, |flushed| flushed.1),
                "cut at {length}"
            );
        }
    }
}

#[test]
fn a_line_that_was_cut_is_none() {
    let half = [
        HEADER,
        r#"{"at":1,"event":"note","message":"a"}"#,
        r#"{"at":2,"event":"no"#,
    ]
    .map(str::to_owned);
    let record = Record::read(&bytes(&half, 1)[..]).unwrap();
    assert_eq!((record.entries.len(), record.ending), (1, None));
}

#[test]
fn a_flipped_bit_makes_nobody_panic() {
    let whole = bytes(&lines(), 3);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            if let Ok(record) = Record::read(&damaged[..]) {
                tell(&record);
            }
        }
    }
}

#[test]
fn times_never_go_back_and_starts_without_ends_end_with_the_record() {
    let started = |at: u64, name: &str| {
        format!(r#"{{"at":{at},"event":"node-started","name":"{name}","kind":"k","reason":{{"because":"forced"}}}}"#)
    };
    let lines = [
        HEADER.to_owned(),
        started(7, "a"),
        started(5, "b"),
        r#"{"at":9,"event":"note","message":""}"#.to_owned(),
    ];
    let record = Record::read(&bytes(&lines, 1)[..]).unwrap();
    let spans: Vec<_> = timeline(&record.entries)
        .iter()
        .map(|run| (run.start, run.end, run.outcome.is_none()))
        .collect();
    assert_eq!(spans, [(7, 9, true), (7, 9, true)]);
}

#[test]
fn what_a_later_farm_adds_is_passed_over() {
    let mut lines = lines();
    lines[0] = HEADER.replace("{", r#"{"new":[1],"#);
    lines.insert(1, r#"{"at":0,"event":"later","name":1}"#.to_owned());
    lines.insert(3, lines[2].replace("{\"at\"", "{\"new\":{},\"at\""));
    let record = Record::read(&bytes(&lines, 1)[..]).unwrap();
    assert_eq!(
        (record.entries.len(), record.result()),
        (entries().len() + 1, RunResult::Done)
    );
}

#[test]
fn a_later_format_is_said_to_be_one() {
    let later = bytes(&[r#"{"farm-run":2,"whatever":true}"#.to_owned()], 1);
    assert!(matches!(Record::read(&later[..]), Err(ReadError::Newer { format: 2 })));
    for other in [b"".to_vec(), b"{}\n".to_vec(), bytes(&["{}".to_owned()], 1)] {
        assert!(matches!(
            Record::read(&other[..]),
            Err(ReadError::NoHeader | ReadError::Io(_))
        ));
    }
}
