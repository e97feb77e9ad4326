//! A record of format 1 that is kept, so that every later version reads it.

use std::path::PathBuf;

use farm_engine::{Change, Counts, Difference, Event, FailureKind, NodeResult, Reason};
use farm_run_record::{Entry, Overview, Record, RunResult, critical_path, timeline};

use crate::kit::{bytes, finished, started};

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", "run-1.jsonl.zst"]
        .iter()
        .collect()
}

/// One of every kind of event that is kept.
fn entries() -> Vec<Entry> {
    let change = |input: &str, from: Option<&str>, to: Option<&str>| Change {
        input: input.to_owned(),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
    };
    let changed = Event::NodeStarted {
        name: "f:pkg/a-b/c-1".to_owned(),
        kind: "package".to_owned(),
        reason: Reason::InputsChanged {
            changes: vec![
                change("USE", Some("a"), Some("a b")),
                change("new", None, Some("1")),
                change("old", Some("1"), None),
            ],
        },
        expected_ms: Some(70),
        after: Some("f:task/a".to_owned()),
    };
    let lost = Event::NodeStarted {
        name: "f:task/lost".to_owned(),
        kind: "task".to_owned(),
        reason: Reason::OutputLost {
            what: "out is gone".to_owned(),
        },
        expected_ms: None,
        after: None,
    };
    let failed = Event::NodeFinished {
        name: "f:pkg/a-b/c-1".to_owned(),
        kind: "package".to_owned(),
        result: NodeResult::Failed,
        ms: 60,
        message: Some("phase compile failed\n  | cc: error".to_owned()),
        failure: Some(FailureKind::Step),
        hint: Some("see the log".to_owned()),
        log: Some(".farm/logs/f/pkg/a-b/c-1.log".to_owned()),
        reproducible: None,
        differences: Vec::new(),
    };
    let mut compared = finished("f:task/lost", NodeResult::Built, 30);
    if let Event::NodeFinished {
        reproducible,
        differences,
        ..
    } = &mut compared
    {
        *reproducible = Some(false);
        differences.push(Difference::new("usr/bin/x", "content"));
    }
    let counts = Counts {
        built: 2,
        cached: 5,
        cutoff: 1,
        failed: 1,
        skipped: 1,
    };
    [
        (
            0,
            Event::Note {
                message: "kernels are not built yet".to_owned(),
            },
        ),
        (10, started("f:task/a", None)),
        (12, lost),
        (40, finished("f:task/a", NodeResult::Built, 30)),
        (41, finished("f:task/cut", NodeResult::Cutoff, 0)),
        (45, changed),
        (46, compared),
        (106, failed),
        (107, finished("f:image/i", NodeResult::Skipped, 0)),
        (
            110,
            Event::BuildFinished {
                counts,
                not_reproducible: 1,
                ms: 108,
                interrupted: false,
            },
        ),
    ]
    .map(|(at, event)| Entry { at, event })
    .to_vec()
}

#[test]
fn format_1_is_read_for_ever() {
    let record = Record::open(&path()).unwrap();
    assert_eq!(record.entries, entries());
    let overview = Overview::of(41, &record);
    assert_eq!(
        (overview.result, overview.ms, overview.ran),
        (RunResult::Failed, 111, 3)
    );
    assert_eq!((overview.counts.cached, overview.jobs), (5, 4));
    assert_eq!(overview.words, ["build", "-j4", "f"]);
    assert_eq!(overview.error.as_deref(), Some("no space left"));
    assert_eq!(
        (overview.farm.as_str(), overview.started_ms),
        ("0.1.0", 1_763_683_200_000)
    );
    let runs = timeline(&record.entries);
    let path: Vec<&str> = critical_path(&runs)
        .iter()
        .map(|step| runs[step.run].name.as_str())
        .collect();
    assert_eq!(path, ["f:task/a", "f:pkg/a-b/c-1"]);
}

/// A new format gets a file of its own beside this one, which stays as it is.
#[test]
#[ignore = "writes the fixture; only needed when there is none"]
fn write_it() {
    let mut lines = vec![
        r#"{"farm-run":1,"farm":"0.1.0","words":["build","-j4","f"],"started_ms":1763683200000,"jobs":4}"#.to_owned(),
    ];
    lines.extend(entries().iter().map(|entry| serde_json::to_string(entry).unwrap()));
    lines.push(r#"{"at":111,"event":"run-ended","result":"failed","error":"no space left"}"#.to_owned());
    fs_err::write(path(), bytes(&lines, lines.len())).unwrap();
}
