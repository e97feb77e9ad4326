//! What a recorder leaves.

use std::path::Path;
use std::time::Duration;

use farm_engine::{Counts, Event, EventSink as _, NodeResult};
use farm_run_record::{Found, Overview, Record, RecordError, Recorder, RunResult, list};

use crate::kit::{build_finished, finished, started};

fn recorder() -> Recorder {
    Recorder::new(vec!["build".to_owned(), "-j2".to_owned()], 2)
}

fn only(folder: &Path) -> Found {
    let found = list(folder).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// Looks until it sees it.
fn eventually<T>(look: impl Fn() -> Option<T>) -> T {
    for _ in 0..2000 {
        if let Some(seen) = look() {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it does not come");
}

fn note(message: &str) -> Event {
    Event::Note {
        message: message.to_owned(),
    }
}

#[test]
fn a_run_can_be_read_while_it_is_under_way_and_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder();
    recorder.event(&note("early"));
    recorder.begin(folder.path());
    recorder.event(&started("f:task/a", None));
    let seen = eventually(|| {
        let found = list(folder.path()).unwrap().pop()?;
        Record::open(&found.path)
            .ok()
            .filter(|record| record.entries.len() == 2)
    });
    assert_eq!((seen.result(), seen.header.words.len()), (RunResult::Running, 2));

    recorder.event(&Event::NodesWanted { total: 3 });
    recorder.event(&finished("f:task/b", NodeResult::Cached, 0));
    recorder.event(&finished("f:task/a", NodeResult::Built, 5));
    recorder.event(&build_finished(Counts {
        built: 1,
        cached: 1,
        ..Counts::default()
    }));
    recorder.end(false, None).unwrap();
    let found = only(folder.path());
    let record = Record::open(&found.path).unwrap();
    assert_eq!((found.number, found.idle, record.result()), (1, false, RunResult::Done));
    let events: Vec<&Event> = record.entries.iter().map(|entry| &entry.event).collect();
    let end = build_finished(Counts {
        built: 1,
        cached: 1,
        ..Counts::default()
    });
    assert_eq!(
        events,
        [
            &note("early"),
            &started("f:task/a", None),
            &finished("f:task/a", NodeResult::Built, 5),
            &end
        ]
    );
}

#[test]
fn how_it_ended() {
    let failed = Counts {
        failed: 1,
        ..Counts::default()
    };
    let not_reproducible = Event::BuildFinished {
        counts: Counts::default(),
        not_reproducible: 1,
        ms: 0,
        interrupted: false,
    };
    let interrupted = Event::BuildFinished {
        counts: failed,
        not_reproducible: 0,
        ms: 0,
        interrupted: true,
    };
    let fine = build_finished(Counts::default());
    for (event, stopped, error, result) in [
        (&fine, false, None, RunResult::Done),
        (&fine, false, Some("it broke"), RunResult::Failed),
        (&fine, true, Some("it broke"), RunResult::Interrupted),
        (&build_finished(failed), false, None, RunResult::Failed),
        (&not_reproducible, false, None, RunResult::Failed),
        (&interrupted, false, None, RunResult::Interrupted),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let recorder = recorder();
        recorder.begin(folder.path());
        recorder.event(event);
        recorder.end(stopped, error.map(str::to_owned)).unwrap();
        let found = only(folder.path());
        let record = Record::open(&found.path).unwrap();
        assert_eq!(record.result(), result);
        assert_eq!(Overview::of(1, &record).error.as_deref(), error);
        // Only of what is done is it certain that there was nothing to do.
        assert_eq!(found.idle, result == RunResult::Done);
    }
}

#[test]
fn a_run_with_nothing_to_do_is_its_header_and_its_end() {
    let folder = tempfile::tempdir().unwrap();
    for number in 1..=2 {
        let recorder = recorder();
        recorder.event(&Event::NodesWanted { total: 100 });
        for node in 0..100 {
            recorder.event(&finished(&format!("f:task/{node}"), NodeResult::Cached, 0));
        }
        let counts = Counts {
            cached: 100,
            ..Counts::default()
        };
        recorder.event(&build_finished(counts));
        recorder.end_idle(&folder.path().join("runs")).unwrap();
        let found = list(&folder.path().join("runs")).unwrap().pop().unwrap();
        assert_eq!((found.number, found.idle), (number, true));
        let record = Record::open(&found.path).unwrap();
        let overview = Overview::of(number, &record);
        assert_eq!(
            (record.entries.len(), overview.counts, overview.did_something()),
            (1, counts, false)
        );
        assert_eq!(record.result(), RunResult::Done);
    }
}

#[test]
fn a_recorder_that_is_gone_without_a_word_leaves_a_killed_run() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder();
    recorder.begin(folder.path());
    recorder.event(&note("last words"));
    drop(recorder);
    eventually(|| {
        let record = Record::open(&list(folder.path()).unwrap().pop()?.path).ok()?;
        (record.entries.len() == 1 && record.result() == RunResult::Killed).then_some(())
    });
}

#[test]
fn what_never_began_leaves_nothing() {
    let recorder = recorder();
    recorder.event(&note("nobody hears it"));
    recorder.end(false, Some("no such farm".to_owned())).unwrap();
}

#[test]
fn a_file_in_place_of_the_folder_is_told_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    fs_err::write(&runs, "").unwrap();
    let failing = recorder();
    failing.begin(&runs);
    for _ in 0..100 {
        failing.event(&note("on and on"));
    }
    assert!(matches!(failing.end(false, None), Err(RecordError::Io(_))));
    assert!(matches!(recorder().end_idle(&runs), Err(RecordError::Io(_))));
}
