//! Runs that are made up.

use std::io::Write as _;

use farm_engine::{Counts, Event, NodeResult, Reason};
use farm_run_record::Entry;
use proptest::prelude::*;

/// Nodes, each with the earlier ones that it needs and how long it takes, and how many may run at once.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<(Vec<usize>, u64)>,
    pub(crate) jobs: usize,
}

pub(crate) fn plan(jobs: impl Strategy<Value = usize>) -> impl Strategy<Value = Plan> {
    let node = (prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0..20u64);
    let nodes = prop::collection::vec(node, 0..9).prop_map(|nodes| {
        let needs = |at: usize, needs: Vec<prop::sample::Index>| {
            if at == 0 {
                Vec::new()
            } else {
                needs.iter().map(|need| need.index(at)).collect()
            }
        };
        nodes
            .into_iter()
            .enumerate()
            .map(|(at, (wanted, ms))| (needs(at, wanted), ms))
            .collect()
    });
    (nodes, jobs).prop_map(|(nodes, jobs)| Plan { nodes, jobs })
}

pub(crate) fn name(at: usize) -> String {
    format!("f:task/{at}")
}

pub(crate) fn number(name: &str) -> usize {
    name.strip_prefix("f:task/").unwrap().parse().unwrap()
}

pub(crate) fn started(name: &str, after: Option<String>) -> Event {
    Event::NodeStarted {
        name: name.to_owned(),
        kind: "task".to_owned(),
        reason: Reason::NeverBuilt,
        expected_ms: None,
        after,
    }
}

pub(crate) fn finished(name: &str, result: NodeResult, ms: u64) -> Event {
    let mut event = Event::cached(name, "task");
    if let Event::NodeFinished {
        result: to, ms: took, ..
    } = &mut event
    {
        (*to, *took) = (result, ms);
    }
    event
}

pub(crate) fn build_finished(counts: Counts) -> Event {
    Event::BuildFinished {
        counts,
        not_reproducible: 0,
        ms: 0,
        interrupted: false,
    }
}

/// The events of a plan that is carried out in the order of its numbers, as far as that can be done: of what is ready, the
/// lowest number starts first.
pub(crate) fn simulate(plan: &Plan) -> Vec<Entry> {
    let mut entries = Vec::new();
    let (mut now, mut running, mut ended) = (0, Vec::<(u64, usize)>::new(), Vec::<usize>::new());
    let mut waiting: Vec<usize> = (0..plan.nodes.len()).collect();
    loop {
        while running.len() < plan.jobs {
            let ready = |at: &usize| plan.nodes[*at].0.iter().all(|need| ended.contains(need));
            let Some(place) = waiting.iter().position(ready) else {
                break;
            };
            let at = waiting.remove(place);
            let last = plan.nodes[at]
                .0
                .iter()
                .max_by_key(|need| ended.iter().position(|ended| ended == *need));
            entries.push(Entry {
                at: now,
                event: started(&name(at), last.map(|last| name(*last))),
            });
            running.push((now + plan.nodes[at].1, at));
        }
        running.sort_unstable();
        if running.is_empty() {
            return entries;
        }
        let (end, at) = running.remove(0);
        now = end;
        ended.push(at);
        entries.push(Entry {
            at: now,
            event: finished(&name(at), NodeResult::Built, plan.nodes[at].1),
        });
    }
}

/// The bytes of a record with these lines, flushed after every `flush` of them.
pub(crate) fn bytes(lines: &[String], flush: usize) -> Vec<u8> {
    flushed(lines, flush).0
}

/// The same, and where in it how many lines were flushed.
pub(crate) fn flushed(lines: &[String], flush: usize) -> (Vec<u8>, Vec<(usize, usize)>) {
    let (mut places, mut written) = (Vec::new(), 0);
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    for some in lines.chunks(flush) {
        for line in some {
            encoder.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        encoder.flush().unwrap();
        written += some.len();
        places.push((encoder.get_ref().len(), written));
    }
    (encoder.finish().unwrap(), places)
}
