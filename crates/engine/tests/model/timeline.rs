//! The events of a run in their order: what may start when, within which limits, and what may not be kept waiting.

use std::collections::BTreeMap;

use farm_engine::{Event, Need, NodeResult};

use crate::fakes::Entry;
use crate::oracle::{Oracle, Verdict};
use crate::world::World;

/// What a run was allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) jobs: usize,
    pub(crate) memory: u64,
    pub(crate) keep_going: bool,
    /// Whether it was stopped from outside or could not record: then nobody can say from the events when it knew.
    pub(crate) cut_short: bool,
    /// Whether tokens may be out at actions or at their owner: only a run in which nothing runs then has one for certain.
    pub(crate) lends: bool,
}

/// A set of steps.
type Steps = u64;

fn bit(at: usize) -> Steps {
    1 << at
}

/// Replays the events.
struct Timeline<'a> {
    world: &'a World,
    oracle: &'a Oracle<'a>,
    limits: Limits,
    by_name: BTreeMap<&'a str, usize>,
    /// Longest remaining paths, where the graph does not grow.
    paths: Option<Vec<u64>>,
    keyed: Vec<Steps>,
    before: Vec<Steps>,
    /// Steps in the graph; settled; started; running.
    present: Steps,
    settled: Steps,
    started: Steps,
    running: Steps,
    /// Steps whose actions ended, in this order.
    ended: Vec<usize>,
    /// The action that stopped the run.
    stopper: Option<&'a str>,
    /// Whether nothing may start any more.
    closed: bool,
}

/// Checks the order of events of one run. `durations` are those recorded before it.
pub(crate) fn check(
    oracle: &Oracle<'_>,
    limits: Limits,
    journal: &[Entry],
    durations: &BTreeMap<usize, u64>,
) -> Result<(), String> {
    let world = oracle.world;
    let mut timeline = Timeline {
        world,
        oracle,
        limits,
        by_name: world
            .steps
            .iter()
            .enumerate()
            .map(|(at, step)| (step.name.as_str(), at))
            .collect(),
        paths: longest_paths(world, durations),
        keyed: needs(world, |need| *need != Need::BeforeRun),
        before: needs(world, |need| *need == Need::BeforeRun),
        present: world.order.iter().fold(0, |steps, at| steps | bit(*at)),
        settled: 0,
        started: 0,
        running: 0,
        ended: Vec::new(),
        stopper: journal.iter().find_map(|entry| match entry {
            Entry::Stopped { node } => Some(node.as_str()),
            _ => None,
        }),
        closed: false,
    };
    for entry in journal {
        if let Entry::Event(event) = entry {
            timeline.event(event)?;
        }
    }
    Ok(())
}

fn needs(world: &World, wanted: impl Fn(&Need) -> bool) -> Vec<Steps> {
    let of = |needs: &[(usize, Need)]| {
        let wanted = needs.iter().filter(|(_, need)| wanted(need));
        wanted.fold(0, |steps, (to, _)| steps | bit(*to))
    };
    world.steps.iter().map(|step| of(&step.needs)).collect()
}

/// The longest path from each step to the end of the graph, itself included; nothing for graphs that grow.
fn longest_paths(world: &World, durations: &BTreeMap<usize, u64>) -> Option<Vec<u64>> {
    if world.order.iter().any(|at| world.steps[*at].children.is_some()) {
        return None;
    }
    let mut paths = vec![0; world.steps.len()];
    // Needs lead to lower indices: everybody who needs a step was looked at before it.
    for at in world.alive().into_iter().rev() {
        // Of what was never built, a second is assumed.
        paths[at] += durations.get(&at).copied().unwrap_or(1000);
        for (to, _) in &world.steps[at].needs {
            paths[*to] = paths[*to].max(paths[at]);
        }
    }
    Some(paths)
}

impl Timeline<'_> {
    fn event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::NodeStarted { name, after, .. } => {
                let at = self.step(name)?;
                self.waited(at, after.as_deref())?;
                self.start(at)
            }
            Event::NodeFinished { name, result, .. } => self.finish(self.step(name)?, *result),
            Event::NodeProgress { name, .. } if self.running & bit(self.step(name)?) == 0 => {
                Err(format!("{name} says what it does and does not run"))
            }
            Event::NodeProgress { .. } | Event::BuildFinished { .. } => self.nothing_is_kept_waiting(),
            Event::NodesWanted { .. } | Event::Note { .. } => Ok(()),
        }
    }

    fn step(&self, name: &str) -> Result<usize, String> {
        self.by_name
            .get(name)
            .copied()
            .ok_or_else(|| format!("{name} is no step"))
    }

    fn name(&self, at: usize) -> &str {
        &self.world.steps[at].name
    }

    fn start(&mut self, at: usize) -> Result<(), String> {
        let name = self.name(at);
        if self.started & bit(at) != 0 {
            return Err(format!("{name} starts twice"));
        }
        if self.closed {
            return Err(format!("{name} starts after a failure or a stop"));
        }
        let ready = self.ready();
        if ready & bit(at) == 0 {
            return Err(format!("{name} starts before its time"));
        }
        if !self.fits(at) {
            return Err(format!("{name} starts and does not fit"));
        }
        if let Some(paths) = &self.paths {
            let longer = |other: &usize| ready & bit(*other) != 0 && paths[*other] > paths[at] && self.fits(*other);
            if let Some(other) = (0..paths.len()).find(longer) {
                return Err(format!(
                    "{name} starts before {}, which has more to come",
                    self.name(other)
                ));
            }
        }
        self.started |= bit(at);
        self.running |= bit(at);
        if self.jobs() > self.limits.jobs {
            return Err(format!("with {}, {} jobs run", self.name(at), self.jobs()));
        }
        Ok(())
    }

    fn finish(&mut self, at: usize, result: NodeResult) -> Result<(), String> {
        let name = self.name(at);
        if self.settled & bit(at) != 0 {
            return Err(format!("{name} ends twice"));
        }
        if self.running & bit(at) != 0 {
            self.ended.push(at);
            // Until just now, the scheduler waited for something to happen.
            self.nothing_is_kept_waiting()?;
        } else if result == NodeResult::Built {
            return Err(format!("{name} was built and did not start"));
        }
        self.settled |= bit(at);
        self.running &= !bit(at);
        self.closed |= result == NodeResult::Failed && !self.limits.keep_going;
        // Whoever hears of the end of the action can see that it stopped the run.
        self.closed |= self.stopper == Some(self.name(at));
        if matches!(result, NodeResult::Built | NodeResult::Cached | NodeResult::Cutoff) {
            let children = self.world.steps[at].children.iter().flatten();
            self.present |= children.fold(0, |steps, child| steps | bit(*child));
        }
        Ok(())
    }

    /// What a step is said to have waited for last ended, and no earlier than anything it needs, directly or through steps that
    /// did not run. It may be something else where it became known or wanted only then.
    fn waited(&self, at: usize, after: Option<&str>) -> Result<(), String> {
        let place = |at: usize| self.ended.iter().position(|ended| *ended == at);
        let said = after.map(|after| self.step(after)).transpose()?;
        if said.is_some_and(|after| place(after).is_none()) {
            return Err(format!("{} starts after {after:?}, which has not ended", self.name(at)));
        }
        let (mut last, mut seen) = (None, 0);
        let mut pending = self.keyed[at] | self.before[at];
        while pending & !seen != 0 {
            let to = (pending & !seen).trailing_zeros() as usize;
            seen |= bit(to);
            match place(to) {
                Some(place) => last = last.max(Some(place)),
                None => pending |= self.keyed[to],
            }
        }
        let said = said.and_then(place);
        let sudden = self.before.iter().any(|before| *before != 0) || self.paths.is_none();
        if said < last || (said != last && !sudden) {
            let waited = last.map(|place| self.name(self.ended[place]));
            return Err(format!(
                "{} starts after {after:?}, and waited for {waited:?}",
                self.name(at)
            ));
        }
        Ok(())
    }

    /// Nothing that could run waits, while the scheduler does.
    fn nothing_is_kept_waiting(&self) -> Result<(), String> {
        if self.closed || self.limits.cut_short || (self.limits.lends && self.running != 0) {
            return Ok(());
        }
        let ready = self.ready();
        match (0..self.world.steps.len()).find(|at| ready & bit(*at) != 0 && self.fits(*at)) {
            Some(at) => Err(format!("{} fits and is kept waiting", self.name(at))),
            None => Ok(()),
        }
    }

    fn verdict(&self, at: usize) -> Option<&Verdict> {
        self.oracle.verdicts.get(&at)
    }

    /// Steps that are wanted by now: goals, what enters the key of one that is wanted, and what must be there before one runs
    /// that is known to run.
    fn wanted(&self) -> Steps {
        let mut wanted = 0;
        let mut stack: Vec<usize> = (0..self.world.steps.len())
            .filter(|at| self.present & bit(*at) != 0 && self.world.steps[*at].goal)
            .collect();
        while let Some(at) = stack.pop() {
            if wanted & bit(at) != 0 {
                continue;
            }
            wanted |= bit(at);
            let mut more = self.keyed[at];
            if self.keyed[at] & !self.settled == 0 && self.verdict(at).is_some_and(|verdict| verdict.staged) {
                more |= self.before[at];
            }
            stack.extend((0..at).filter(|to| more & bit(*to) != 0));
        }
        wanted
    }

    /// Steps that could start now.
    fn ready(&self) -> Steps {
        let wanted = self.wanted() & !self.started;
        (0..self.world.steps.len())
            .filter(|at| wanted & bit(*at) != 0)
            .filter(|at| (self.keyed[*at] | self.before[*at]) & !self.settled == 0)
            .filter(|at| self.verdict(*at).is_some_and(|verdict| verdict.runs))
            .fold(0, |steps, at| steps | bit(at))
    }

    fn jobs(&self) -> usize {
        self.running.count_ones() as usize
    }

    fn fits(&self, at: usize) -> bool {
        let needs = |at: usize| self.world.steps[at].memory.min(self.limits.memory);
        let running = (0..self.world.steps.len()).filter(|at| self.running & bit(*at) != 0);
        let used: u64 = running.map(needs).sum();
        self.jobs() < self.limits.jobs && used + needs(at) <= self.limits.memory
    }
}
