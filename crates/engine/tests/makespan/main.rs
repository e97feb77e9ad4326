//! How good the schedules are: the real scheduler with its threads, and actions that take time by a clock of their own.
//!
//! No schedule can be shorter than the critical path, or than the work divided by the workers; a scheduler that never lets a
//! worker idle while something could run needs at most `2 - 1/m` times the longer of the two (Graham 1969).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod graphs;
mod virtual_time;

use farm_engine::{
    Class, Dependency, Difference, Digest, Driver, Failure, Graph, Guard, GuardStore, Key, MemoryGuards, NodeSpec,
    Options, Output, Presence, Reason, Run, build,
};
use graphs::Task;
use std::collections::BTreeMap;
use virtual_time::VirtualTime;

/// Takes its time, and makes always the same.
struct Simulated(VirtualTime);

impl Driver for Simulated {
    type Action = u64;

    fn run(&self, node: &NodeSpec<u64>, run: &Run<'_>) -> Result<Vec<Output>, Failure> {
        self.0.wait(&node.name, node.action, run);
        Ok(vec![Output {
            role: "out".to_owned(),
            digest: Digest::of(node.name.as_bytes()),
            place: String::new(),
        }])
    }

    fn presence(&self, _: &NodeSpec<u64>, _: &Guard) -> Presence {
        Presence::Present
    }

    fn rebuilds(&self, _: &NodeSpec<u64>) -> bool {
        false
    }

    fn differences(&self, node: &NodeSpec<u64>, _: &Guard, _: &[Output]) -> Vec<Difference> {
        unreachable!("{} is built once", node.name)
    }

    fn expand(&self, node: &NodeSpec<u64>, _: &Guard) -> Result<Vec<NodeSpec<u64>>, Failure> {
        unreachable!("{} brings nothing forth", node.name)
    }

    fn wants(&self, _: &NodeSpec<u64>) -> bool {
        true
    }
}

/// How long `workers` take for the tasks, in milliseconds; `recorded` says whether durations are known from an earlier run.
fn makespan(tasks: &[Task], workers: usize, recorded: bool) -> u64 {
    let name = |at: usize| format!("{at:05}");
    let guards = MemoryGuards::default();
    let spec = |(at, task): (usize, &Task)| NodeSpec {
        name: name(at),
        kind: "task".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs: Vec::new(),
        dependencies: task
            .needs
            .iter()
            .map(|need| Dependency::output(name(*need), "out"))
            .collect(),
        expands: false,
        pools: BTreeMap::new(),
        action: task.ms,
    };
    let specs: Vec<_> = tasks.iter().enumerate().map(spec).collect();
    for spec in specs.iter().filter(|_| recorded) {
        // Built once with another key: its duration is all that can be used of it.
        let guard = Guard {
            node: spec.name.clone(),
            key: Key(Digest::of(b"of another version")),
            inputs: Vec::new(),
            outputs: Vec::new(),
            reason: Reason::NeverBuilt,
            started_ms: 0,
            duration_ms: spec.action,
            version: String::new(),
        };
        guards.record(guard).unwrap();
    }
    let mut graph = Graph::new();
    graph.add(specs).unwrap();
    let driver = Simulated(VirtualTime::default());
    let summary = build(
        &mut graph,
        &driver,
        &guards,
        &driver.0,
        &driver.0,
        &Options::build(workers),
    )
    .unwrap();
    assert_eq!(summary.counts.built, tasks.len() as u64);
    farm_engine::Clock::now_ms(&driver.0)
}

/// The makespan over the lower bound; fails above what any scheduler that keeps its workers busy can promise.
fn ratio(what: &str, tasks: &[Task], workers: usize, recorded: bool) -> f64 {
    let found = makespan(tasks, workers, recorded);
    let bound = graphs::lower_bound(tasks, workers);
    assert!(
        found >= bound,
        "{what}: {found} ms with {workers} workers is less than can be: {bound} ms"
    );
    let ratio = found as f64 / bound as f64;
    let promised = 2.0 - 1.0 / workers as f64;
    assert!(
        ratio <= promised,
        "{what}: {ratio:.3} times the bound with {workers} workers, {promised:.3} is promised"
    );
    ratio
}

#[test]
fn random_graphs_are_scheduled_within_a_tenth_of_the_bound() {
    for workers in [2, 3, 4, 8, 16, 32, 64] {
        let mut random = graphs::Random(workers as u64);
        let mut ratios: Vec<f64> = (0..11)
            .map(|_| {
                let seed = random.below(1 << 30) as u64;
                let tasks = graphs::random(seed, workers * (20 + random.below(21)));
                ratio(&format!("seed {seed}"), &tasks, workers, true)
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        println!(
            "{workers} workers: median {median:.3}, worst {:.3}",
            ratios[ratios.len() - 1]
        );
        assert!(
            median <= 1.1,
            "{workers} workers: the median is {median:.3} times the bound"
        );
    }
}

#[test]
fn without_recorded_durations_workers_are_kept_busy_as_well() {
    for workers in [2, 8, 32] {
        for seed in 0..8 {
            let tasks = graphs::random(seed, workers * 10);
            ratio(&format!("seed {seed}"), &tasks, workers, false);
        }
    }
}

#[test]
fn a_physics_stack_is_scheduled_better_with_its_durations_than_without() {
    let tasks = graphs::fixture(include_str!("stack.txt"));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for workers in [2, 3, 4, 6, 8, 16, 32, 64] {
        with.push(ratio("the stack", &tasks, workers, true));
        without.push(ratio("the stack, unrecorded", &tasks, workers, false));
    }
    println!("with durations {with:.3?}, without {without:.3?}");
    assert!(with.iter().sum::<f64>() < without.iter().sum());
    with.sort_by(f64::total_cmp);
    assert!(with[with.len() / 2] <= 1.1, "the median is {with:?} times the bound");
}
