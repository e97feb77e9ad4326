//! A run as Chrome's trace events, which Perfetto and `chrome://tracing` open.
//!
//! The format is Google's "Trace Event Format": an object with `traceEvents`, of which `X` is something with a beginning and a
//! duration, `C` a counter, `i` a moment and `M` a name for a process or a thread. Times are in microseconds. Every job slot is
//! a thread of the one process, so that what ran at once lies one below the other.

use farm_engine::Event;
use serde_json::{Value, json};

use crate::read::Record;
use crate::timeline::{NodeRun, timeline};

/// The one process.
const PROCESS: u64 = 1;

/// The trace of a run.
#[must_use]
pub fn trace(record: &Record) -> Value {
    let runs = timeline(&record.entries);
    let mut events = vec![named(
        "process_name",
        0,
        &json!({ "name": format!("farm {}", record.header.words.join(" ")) }),
    )];
    for slot in 0..runs.iter().map(|run| run.slot + 1).max().unwrap_or(0) {
        events.push(named(
            "thread_name",
            thread(slot),
            &json!({ "name": format!("job {}", slot + 1) }),
        ));
        events.push(named("thread_sort_index", thread(slot), &json!({ "sort_index": slot })));
    }
    events.extend(runs.iter().map(complete));
    events.extend(counters(&runs));
    events.extend(record.entries.iter().filter_map(|entry| match &entry.event {
        Event::Note { message } => Some(json!({
            "ph": "i", "name": message, "cat": "note", "ts": micros(entry.at), "pid": PROCESS, "tid": 0, "s": "p",
        })),
        _ => None,
    }));
    json!({
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "farm": record.header.farm,
            "started_ms": record.header.started_ms,
            "jobs": record.header.jobs,
            "result": record.result(),
        },
    })
}

fn named(what: &str, thread: u64, args: &Value) -> Value {
    json!({ "ph": "M", "name": what, "pid": PROCESS, "tid": thread, "args": args })
}

/// Thread 0 is the process itself.
fn thread(slot: usize) -> u64 {
    slot as u64 + 1
}

fn micros(ms: u64) -> u64 {
    ms.saturating_mul(1000)
}

fn complete(run: &NodeRun) -> Value {
    let outcome = run.outcome.as_ref();
    json!({
        "ph": "X",
        "name": run.name,
        "cat": run.kind,
        "ts": micros(run.start),
        "dur": micros(run.ms()),
        "pid": PROCESS,
        "tid": thread(run.slot),
        "args": {
            "kind": run.kind,
            "result": outcome.map(|outcome| outcome.result),
            "reason": run.reason.to_string(),
            "after": run.after,
            "expected_ms": run.expected_ms,
            "message": outcome.and_then(|outcome| outcome.message.as_deref()),
        },
    })
}

/// How many nodes run, whenever that changes.
fn counters(runs: &[NodeRun]) -> Vec<Value> {
    let mut changes: Vec<(u64, i64)> = runs.iter().flat_map(|run| [(run.start, 1), (run.end, -1)]).collect();
    changes.sort_unstable();
    let mut running = 0;
    let mut counters = Vec::new();
    for at_once in changes.chunk_by(|a, b| a.0 == b.0) {
        running += at_once.iter().map(|(_, change)| change).sum::<i64>();
        counters.push(json!({
            "ph": "C", "name": "running nodes", "ts": micros(at_once[0].0), "pid": PROCESS, "tid": 0,
            "args": { "running": running },
        }));
    }
    counters
}
