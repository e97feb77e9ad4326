//! What became of a run beside what must become of it.

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{
    Counts, EngineError, Event, GuardStore, MemoryGuards, NodeReport, NodeResult, NodeState, Reason, Summary,
};

use crate::fakes::Entry;
use crate::oracle::{End, Memory, Oracle, Verdict, Why};
use crate::timeline::Limits;

/// How each step ended, by its events.
pub(crate) type Results = BTreeMap<String, NodeResult>;

/// What the events say of how steps ended, and whether they agree with themselves.
pub(crate) fn results(journal: &[Entry]) -> Result<Results, String> {
    let (mut began, mut recorded, mut results) = (BTreeSet::new(), BTreeMap::new(), Results::new());
    for entry in journal {
        match entry {
            Entry::Wrong(what) => return Err(what.clone()),
            Entry::Began { node, .. } => {
                if !began.insert(node) {
                    return Err(format!("{node} runs twice"));
                }
            }
            Entry::Recorded { node, ms } => {
                recorded.insert(node, *ms);
            }
            Entry::Event(Event::NodeFinished {
                name,
                result,
                ms,
                reproducible,
                ..
            }) => {
                if *result == NodeResult::Built && reproducible.is_none() && recorded.get(name) != Some(ms) {
                    return Err(format!("{name} is said to be built before that is recorded"));
                }
                results.insert(name.clone(), *result);
            }
            Entry::Stopped { .. } | Entry::Event(_) => {}
        }
    }
    Ok(results)
}

/// Whether every step ended as it must. A run that was cut short, or that failed without going on, may leave out any.
pub(crate) fn check_results(oracle: &Oracle<'_>, limits: Limits, results: &Results) -> Result<(), String> {
    let steps = &oracle.world.steps;
    let expected: BTreeMap<&str, &Verdict> = oracle
        .verdicts
        .iter()
        .map(|(at, verdict)| (steps[*at].name.as_str(), verdict))
        .collect();
    if let Some(name) = results.keys().find(|name| !expected.contains_key(name.as_str())) {
        return Err(format!("{name} is not wanted"));
    }
    let fails = expected.values().any(|verdict| verdict.end == End::Failed);
    let may_leave_out = limits.cut_short || (fails && !limits.keep_going);
    for (name, verdict) in expected {
        let wanted = match &verdict.end {
            End::Done(result, _) => Some(*result),
            End::Failed => Some(NodeResult::Failed),
            End::Skipped => Some(NodeResult::Skipped),
            End::Would(_) => None,
        };
        let found = results.get(name).copied();
        let left_out = may_leave_out && matches!(found, None | Some(NodeResult::Skipped));
        if found != wanted && !left_out {
            return Err(format!(
                "{name} ended as {found:?}, not as {wanted:?} ({:?})",
                verdict.why
            ));
        }
    }
    if fails && !limits.cut_short && !results.values().any(|result| *result == NodeResult::Failed) {
        return Err("nothing failed".to_owned());
    }
    Ok(())
}

/// Whether the summary says what the events said, and gives the right reasons.
pub(crate) fn check_summary(
    oracle: &Oracle<'_>,
    summary: &Summary,
    results: &Results,
    journal: &[Entry],
    stopped: bool,
) -> Result<(), String> {
    let mut counts = Counts::default();
    results.values().for_each(|result| counts.add(*result));
    let mut wanted = 0;
    let mut last = None;
    for entry in journal {
        if let Entry::Event(event) = entry {
            if let Event::NodesWanted { total } = event {
                wanted = *total;
            }
            last = Some(event);
        }
    }
    let Some(Event::BuildFinished {
        counts: told,
        interrupted,
        not_reproducible,
        ..
    }) = last
    else {
        return Err("the last event is not the end".to_owned());
    };
    if counts != *told || counts != summary.counts {
        return Err(format!(
            "counted {counts:?}, told {told:?}, summed up {:?}",
            summary.counts
        ));
    }
    if *interrupted != stopped || summary.interrupted != stopped {
        return Err(format!("stopped: {stopped}, told: {interrupted}"));
    }
    if *not_reproducible != summary.not_reproducible.len() as u64 {
        return Err("not every difference is told".to_owned());
    }
    if wanted != summary.nodes.len() as u64 {
        return Err(format!("{wanted} were wanted, {} are reported", summary.nodes.len()));
    }
    let by_name: BTreeMap<&str, &NodeReport> = summary.nodes.iter().map(|node| (node.name.as_str(), node)).collect();
    let failed: BTreeSet<&str> = summary.failures.iter().map(|(name, _)| name.as_str()).collect();
    let same: BTreeSet<&str> = summary.reproducible.iter().map(String::as_str).collect();
    let other: BTreeSet<&str> = summary.not_reproducible.iter().map(|(name, _)| name.as_str()).collect();
    for (at, verdict) in &oracle.verdicts {
        let name = oracle.world.steps[*at].name.as_str();
        let result = results.get(name).copied();
        let as_expected = result != Some(NodeResult::Skipped) || verdict.end == End::Skipped;
        let Some(report) = by_name.get(name) else {
            if result.is_some() || matches!(verdict.end, End::Would(_)) && !stopped && failed.is_empty() {
                return Err(format!("{name} is not reported"));
            }
            continue;
        };
        if report.result != result {
            return Err(format!(
                "{name} is reported as {:?}, ended as {result:?}",
                report.result
            ));
        }
        if (result == Some(NodeResult::Failed)) != failed.contains(name) {
            return Err(format!("{name} is not among the failures, or should not be"));
        }
        // Whoever made the same again may still fail to say what it brings forth.
        let compared = verdict
            .same
            .filter(|_| matches!(result, Some(NodeResult::Built | NodeResult::Failed)));
        if (compared == Some(true), compared == Some(false)) != (same.contains(name), other.contains(name)) {
            return Err(format!("{name} was compared wrongly"));
        }
        if !as_expected {
            continue;
        }
        let state = match &verdict.end {
            End::Done(..) => NodeState::Cached,
            End::Failed | End::Would(true) => NodeState::Run,
            End::Skipped | End::Would(false) => NodeState::Unknown,
        };
        if report.state != state {
            return Err(format!("{name} is {:?}, not {state:?}", report.state));
        }
        // What a step brings forth can be unknown without any reason to run it.
        let without_run = verdict.end == End::Failed && !verdict.runs;
        if !without_run && report.reason.as_ref().map(why) != verdict.why {
            return Err(format!("{name} because {:?}, not {:?}", report.reason, verdict.why));
        }
    }
    Ok(())
}

fn why(reason: &Reason) -> Why {
    match reason {
        Reason::NeverBuilt => Why::NeverBuilt,
        Reason::InputsChanged { .. } => Why::InputsChanged,
        Reason::OutputLost { .. } => Why::OutputLost,
        Reason::Forced => Why::Forced,
        Reason::Waiting { on } => Why::Waiting(on.clone()),
    }
}

/// Remembers what a run did, by what must have become of every step that it did not leave out.
pub(crate) fn remember(memory: &mut Memory, verdicts: &[(String, Verdict)], results: &Results) {
    for (name, verdict) in verdicts {
        let left_out = matches!(results.get(name), None | Some(NodeResult::Skipped));
        if let Some(record) = verdict.keeps.as_ref().filter(|_| !left_out) {
            let built = memory.entry(name.clone()).or_default();
            built.retain(|other| other.inputs != record.inputs);
            built.push(record.clone());
        }
    }
}

/// Whether the guards are those of everything that was built, each with its key, and the one in use the newest.
pub(crate) fn check_guards(memory: &Memory, guards: &MemoryGuards, names: &[String]) -> Result<(), String> {
    for name in names {
        let newest = guards.newest(name);
        let expected = memory.get(name).and_then(|built| built.last());
        let same = match (&newest, expected) {
            (None, None) => true,
            (Some(guard), Some(record)) => guard.inputs == record.inputs && guard.outputs == record.outputs,
            _ => false,
        };
        if !same {
            return Err(format!("the newest guard of {name} is {newest:?}, not {expected:?}"));
        }
        if newest.is_some_and(|guard| guards.find(name, &guard.key).as_ref() != Some(&guard)) {
            return Err(format!("the newest guard of {name} is not found by its key"));
        }
    }
    Ok(())
}

/// What a run may end with instead of a summary.
pub(crate) fn check_error(error: &EngineError, full: bool) -> Result<(), String> {
    match error {
        EngineError::Guard(_) if full => Ok(()),
        error => Err(format!("the run ended: {error}")),
    }
}
