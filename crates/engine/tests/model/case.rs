//! One case: a world, and some runs with changes in between, each compared with the oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use farm_engine::{
    Event, Graph, GuardStore, MemoryGuards, NodeResult, NodeState, Options, Output, Summary, TokenSource, build,
};

use crate::edits;
use crate::fakes::{Entry, Fake, FakeClock, Guards, Journal};
use crate::lending::{Busy, Pool};
use crate::oracle::{End, Memory, Oracle, Request};
use crate::random::Random;
use crate::timeline::{self, Limits};
use crate::verdicts::{self, Results};
use crate::world::{Fault, MEMORY, World};

/// How often what happened, so that nobody takes cases for tests that reach nothing.
pub(crate) type Tally = BTreeMap<String, u64>;

/// A case while it goes on.
struct Case {
    world: World,
    guards: MemoryGuards,
    memory: Memory,
    clock: FakeClock,
    tally: Tally,
}

/// How a run is started.
struct Start {
    options: Options,
    rebuild: BTreeMap<usize, bool>,
    until_stop: Option<usize>,
    room: usize,
    /// Whether actions can be lent tokens.
    lends: bool,
    /// The tokens of the pool that the run is a guest of, if it is one.
    guest: Option<usize>,
}

/// What came of it.
struct Ran {
    summary: Option<Summary>,
    results: Results,
    /// Whether a step was mended by having failed once.
    mended: bool,
}

/// Runs the case of `seed` with at most `size` steps at first.
///
/// # Errors
///
/// What the engine did, where that is not what the oracle says.
pub(crate) fn run(seed: u64, size: usize) -> Result<Tally, String> {
    let mut random = Random::new(seed);
    // Small worlds show nearly everything, and many of them can be tried.
    let most = random.pick(&[3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 10, 30]).min(size);
    let mut case = Case {
        world: edits::world(&mut random, most),
        guards: MemoryGuards::default(),
        memory: Memory::new(),
        clock: FakeClock::default(),
        tally: Tally::new(),
    };
    for round in 0..2 + random.below(3) {
        if round > 0 {
            let made: Vec<Output> = case
                .memory
                .values()
                .flatten()
                .flat_map(|record| record.outputs.clone())
                .collect();
            for _ in 0..1 + random.below(3) {
                edits::edit(&mut case.world, &mut random, &made);
            }
        }
        case.round(&mut random).map_err(|what| format!("run {round}: {what}"))?;
    }
    Ok(case.tally)
}

impl Case {
    fn round(&mut self, random: &mut Random) -> Result<(), String> {
        if random.percent(20) {
            return self.look_and_build(random);
        }
        let mut start = self.start(random);
        start.options.keep_going = random.percent(60);
        if random.percent(15) {
            start.rebuild = self.some_steps(random);
        }
        start.until_stop = random.percent(10).then(|| random.below(4));
        if random.percent(3) {
            start.room = random.below(4);
        }
        self.build(&start).map(|_| ())
    }

    fn start(&self, random: &mut Random) -> Start {
        let mut options = Options::build(random.pick(&[1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 8, 16]));
        let memory = random.pick(&[0, 0, 4, 8, 12]);
        if memory > 0 {
            options.pools.insert(MEMORY.to_owned(), memory);
        }
        options.keep_going = true;
        options.salt = self.world.salt.to_owned();
        Start {
            options,
            rebuild: BTreeMap::new(),
            until_stop: None,
            room: usize::MAX,
            lends: random.percent(40),
            guest: random.percent(20).then(|| random.below(4)),
        }
    }

    fn some_steps(&self, random: &mut Random) -> BTreeMap<usize, bool> {
        let alive = self.world.alive();
        let chosen: Vec<usize> = alive.into_iter().filter(|_| random.percent(25)).collect();
        chosen.into_iter().map(|at| (at, random.percent(30))).collect()
    }

    /// A dry run, and then a run of which it must have told the truth.
    fn look_and_build(&mut self, random: &mut Random) -> Result<(), String> {
        let plan = random.percent(50);
        let real = Start {
            // With plans made, what is forced would run in both.
            rebuild: if plan { BTreeMap::new() } else { self.some_steps(random) },
            ..self.start(random)
        };
        let dry = Start {
            options: Options {
                run: Options::dry_run(plan).run,
                ..real.options.clone()
            },
            rebuild: real.rebuild.clone(),
            ..self.start(random)
        };
        let looked = self.build(&dry)?;
        let built = self.build(&real)?;
        let nodes = looked.summary.map(|summary| summary.nodes).unwrap_or_default();
        // A plan that failed only once may make other plans now.
        for node in nodes.into_iter().filter(|_| !looked.mended) {
            let result = built.results.get(&node.name).copied();
            // What was needed only to run a plan is not even looked at, nor what that brings forth, when the plan is there.
            let ignored = result.is_none() && plan;
            let cached = matches!(result, Some(NodeResult::Cached | NodeResult::Cutoff));
            let kept = match (node.result, node.state) {
                (Some(NodeResult::Failed | NodeResult::Skipped), _) | (_, NodeState::Unknown) => true,
                (_, NodeState::Cached) => cached || ignored,
                (_, NodeState::Run) => !cached && result.is_some() || ignored,
            };
            if !kept {
                return Err(format!(
                    "{} was foretold as {:?} and then ended as {result:?}",
                    node.name, node.state
                ));
            }
            *self.tally.entry(format!("foretold {:?}", node.state)).or_default() += 1;
        }
        Ok(())
    }

    /// One run of the engine, compared with the oracle in every way.
    fn build(&mut self, start: &Start) -> Result<Ran, String> {
        let world = self.world.clone();
        let journal = Journal::default();
        let guards = Guards {
            inner: &self.guards,
            journal: &journal,
            room: Mutex::new(start.room),
        };
        let stop = Arc::default();
        let fake = Fake {
            world: &world,
            journal: &journal,
            guards: &self.guards,
            clock: &self.clock,
            rebuild: start.rebuild.clone(),
            lost: Mutex::new(world.lost.clone()),
            until_stop: Mutex::new(start.until_stop),
            stop: Arc::clone(&stop),
            lends: start.lends,
            busy: Busy::default(),
        };
        let pool = start.guest.map(|tokens| Arc::new(Pool::new(tokens)));
        let options = Options {
            stop,
            tokens: pool.clone().map(|pool| pool as Arc<dyn TokenSource>),
            ..start.options.clone()
        };
        let duration = |at: &usize| Some((*at, self.guards.duration_ms(&world.steps[*at].name)?));
        let durations: BTreeMap<usize, u64> = world.alive().iter().filter_map(duration).collect();
        let mut graph = Graph::new();
        let specs = world.order.iter().map(|at| world.spec(*at, None)).collect();
        graph.add(specs).map_err(|error| format!("no graph: {error}"))?;
        let outcome = build(&mut graph, &fake, &guards, &self.clock, &journal, &options);
        let stopped = options.stop.load(Ordering::Acquire);
        let entries = journal.take();

        let request = Request {
            classes: options.run.clone(),
            rebuild: start.rebuild.clone(),
        };
        let oracle = Oracle::ask(&world, &self.memory, &request);
        let limits = Limits {
            jobs: options.jobs,
            memory: options.pools.get(MEMORY).copied().unwrap_or(0),
            keep_going: options.keep_going,
            cut_short: stopped || outcome.is_err(),
            lends: start.lends || start.guest.is_some(),
        };
        check_tokens(&mut self.tally, start, &fake.busy, pool.as_deref())?;
        let results = verdicts::results(&entries)?;
        verdicts::check_results(&oracle, limits, &results)?;
        timeline::check(&oracle, limits, &entries, &durations)?;
        let summary = match outcome {
            Ok(summary) => {
                verdicts::check_summary(&oracle, &summary, &results, &entries, stopped)?;
                Some(summary)
            }
            Err(error) => {
                verdicts::check_error(&error, start.room != usize::MAX)?;
                None
            }
        };
        let lost = fake.lost.into_inner().unwrap_or_default();
        let named: Vec<_> = oracle
            .verdicts
            .iter()
            .map(|(at, verdict)| (world.steps[*at].name.clone(), verdict.clone()))
            .collect();
        self.count(
            &results,
            &entries,
            named.iter().map(|(_, verdict)| &verdict.end),
            limits,
        );
        verdicts::remember(&mut self.memory, &named, &results);
        let names: Vec<String> = world.steps.iter().map(|step| step.name.clone()).collect();
        verdicts::check_guards(&self.memory, &self.guards, &names)?;

        self.world.lost = lost;
        let began: BTreeSet<&str> = entries.iter().filter_map(began).collect();
        let before = self.world.faults.len();
        let mended =
            |at: &usize, fault: &Fault| *fault == Fault::Once && began.contains(world.steps[*at].name.as_str());
        self.world.faults.retain(|at, fault| !mended(at, fault));
        Ok(Ran {
            summary,
            results,
            mended: self.world.faults.len() != before,
        })
    }

    fn count<'a>(&mut self, results: &Results, entries: &[Entry], ends: impl Iterator<Item = &'a End>, limits: Limits) {
        let mut add = |what: String| *self.tally.entry(what).or_default() += 1;
        add("runs".to_owned());
        if limits.cut_short {
            add("cut short".to_owned());
        }
        results.values().for_each(|result| add(format!("{result:?}")));
        ends.filter(|end| matches!(end, End::Would(_)))
            .for_each(|end| add(format!("{end:?}")));
        for entry in entries {
            if let Entry::Event(Event::NodeFinished {
                reproducible: Some(same),
                ..
            }) = entry
            {
                add(format!("reproducible: {same}"));
            }
        }
    }
}

/// Never more was busy at once than there are tokens, and those of others are back.
fn check_tokens(tally: &mut Tally, start: &Start, busy: &Busy, pool: Option<&Pool>) -> Result<(), String> {
    let tokens = start.guest.map_or(usize::MAX, |others| others + 1);
    let bound = start.options.jobs.min(tokens);
    if busy.peak() > bound {
        return Err(format!("{} were busy at once with {bound} tokens", busy.peak()));
    }
    if pool.map(Pool::there) != start.guest {
        return Err(format!("of {:?} tokens, {pool:?} are back", start.guest));
    }
    if busy.taken() > 0 {
        *tally.entry("lent".to_owned()).or_default() += 1;
    }
    if pool.is_some() {
        *tally.entry("guests".to_owned()).or_default() += 1;
    }
    Ok(())
}

fn began(entry: &Entry) -> Option<&str> {
    match entry {
        Entry::Began { node } => Some(node),
        _ => None,
    }
}
