//! Tracks, critical paths and traces against the plainest way to find them.

use std::collections::{BTreeMap, BTreeSet};

use farm_run_record::{Header, NodeRun, Outcome, Record, critical_path, timeline, trace};
use proptest::prelude::*;
use serde_json::Value;

use crate::kit::{Plan, name, number, plan, simulate};

/// A number of jobs that never keeps anybody waiting.
const ALL: usize = usize::MAX;

fn overlap(a: &NodeRun, b: &NodeRun) -> bool {
    a.start < b.end && b.start < a.end
}

/// The longest path through a plan, by trying all.
fn longest(plan: &Plan, at: usize) -> u64 {
    let (needs, ms) = &plan.nodes[at];
    ms + needs.iter().map(|need| longest(plan, *need)).max().unwrap_or(0)
}

/// All ways back from a node to one that needs nothing.
fn ways(plan: &Plan, at: usize) -> Vec<Vec<usize>> {
    let needs: BTreeSet<usize> = plan.nodes[at].0.iter().copied().collect();
    if needs.is_empty() {
        return vec![vec![at]];
    }
    let further = needs.into_iter().flat_map(|need| ways(plan, need));
    further.map(|way| [vec![at], way].concat()).collect()
}

fn record(plan: &Plan) -> Record {
    Record {
        header: Header {
            format: 1,
            farm: "0.1.0".to_owned(),
            words: vec!["build".to_owned()],
            started_ms: 0,
            jobs: plan.jobs,
        },
        entries: simulate(plan),
        ending: None,
        running: false,
    }
}

proptest! {
    #[test]
    fn no_track_is_used_twice_at_once_and_none_is_left_out(plan in plan(1..5usize)) {
        let runs = timeline(&simulate(&plan));
        prop_assert_eq!(runs.len(), plan.nodes.len());
        for (at, run) in runs.iter().enumerate() {
            prop_assert!(run.slot < plan.jobs);
            prop_assert_eq!(run.ms(), plan.nodes[number(&run.name)].1);
            for other in &runs[at + 1..] {
                prop_assert!(run.slot != other.slot || !overlap(run, other), "{:?} {:?}", run, other);
            }
            // Every lower track was taken when it started.
            for slot in 0..run.slot {
                prop_assert!(runs[..at].iter().any(|other| other.slot == slot && other.end >= run.start));
            }
        }
    }

    #[test]
    fn without_waiting_for_jobs_the_critical_path_is_the_longest(plan in plan(Just(ALL))) {
        let runs = timeline(&simulate(&plan));
        let path = critical_path(&runs);
        let longest = (0..plan.nodes.len()).map(|at| longest(&plan, at)).max().unwrap_or(0);
        prop_assert_eq!(path.iter().map(|step| step.took).sum::<u64>(), longest);
        prop_assert!(path.iter().all(|step| step.waited == 0));
    }

    #[test]
    fn the_critical_path_is_the_way_back_that_ended_last_at_every_step(plan in plan(1..4usize)) {
        let entries = simulate(&plan);
        let runs = timeline(&entries);
        let path = critical_path(&runs);
        let Some(last) = runs.iter().map(|run| run.end).max() else {
            prop_assert!(path.is_empty());
            return Ok(());
        };
        prop_assert_eq!(path.iter().map(|step| step.waited + step.took).sum::<u64>(), last);
        let found: Vec<usize> = path.iter().rev().map(|step| number(&runs[step.run].name)).collect();
        prop_assert_eq!(path.last().map(|step| runs[step.run].end), Some(last));
        // By their order and not by the clock: much ends in the same millisecond.
        let ended = entries.iter().filter_map(|entry| Outcome::of(&entry.event));
        let ends: BTreeMap<usize, usize> = ended.enumerate().map(|(at, (name, _))| (number(name), at)).collect();
        let ends_of = |way: &Vec<usize>| way.iter().map(|at| ends[at]).collect::<Vec<usize>>();
        let all = ways(&plan, found[0]);
        prop_assert!(all.contains(&found), "{:?} is no way back", found);
        prop_assert_eq!(ends_of(&found), all.iter().map(ends_of).max().unwrap());
    }

    #[test]
    fn a_trace_keeps_to_the_rules_of_its_format(plan in plan(1..4usize)) {
        let trace = trace(&record(&plan));
        let events = trace["traceEvents"].as_array().unwrap();
        let mut names = BTreeSet::new();
        let mut spans: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
        let mut counted = Vec::new();
        for event in events {
            prop_assert!(event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
            let tid = event["tid"].as_u64().unwrap();
            match event["ph"].as_str().unwrap() {
                "M" => {
                    prop_assert!(event["args"].is_object());
                    if event["name"] == "thread_name" {
                        prop_assert!(names.insert(tid), "two names for one thread");
                    }
                }
                "X" => {
                    let (ts, dur) = (event["ts"].as_u64().unwrap(), event["dur"].as_u64().unwrap());
                    prop_assert_eq!(dur, plan.nodes[number(event["name"].as_str().unwrap())].1 * 1000);
                    prop_assert_eq!(&event["args"]["result"], "built");
                    prop_assert_eq!(&event["args"]["reason"], "never built");
                    spans.entry(tid).or_default().push((ts, dur));
                }
                "C" => counted.push((event["ts"].as_u64().unwrap(), event["args"]["running"].as_u64().unwrap())),
                other => prop_assert!(false, "{}", other),
            }
        }
        prop_assert_eq!(spans.values().map(Vec::len).sum::<usize>(), plan.nodes.len());
        for (tid, mut spans) in spans.clone() {
            prop_assert!(names.contains(&tid));
            spans.sort_unstable();
            prop_assert!(spans.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{:?}", spans);
        }
        prop_assert!(counted.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (ts, running) in &counted {
            let under_way = |span: &&(u64, u64)| span.0 <= *ts && *ts < span.0 + span.1;
            prop_assert_eq!(spans.values().flatten().filter(under_way).count() as u64, *running);
        }
        prop_assert!(counted.last().is_none_or(|(_, running)| *running == 0));
    }
}

#[test]
fn a_name_that_is_not_there_or_comes_round_ends_the_walk() {
    let plan = Plan {
        nodes: vec![(vec![], 1), (vec![0], 1)],
        jobs: 1,
    };
    let mut runs = timeline(&simulate(&plan));
    runs[0].after = Some(name(1));
    assert_eq!(critical_path(&runs).len(), 2);
    runs[1].after = Some("nobody".to_owned());
    assert_eq!(critical_path(&runs).len(), 1);
}

#[test]
fn the_trace_of_nothing_is_one() {
    let trace = trace(&record(&Plan {
        nodes: Vec::new(),
        jobs: 1,
    }));
    assert_eq!(trace["traceEvents"].as_array().map(Vec::len), Some(1));
    assert!(matches!(trace["displayTimeUnit"], Value::String(_)));
}
