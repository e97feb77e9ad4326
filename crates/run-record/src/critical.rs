//! Which nodes decided how long a run took.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::timeline::NodeRun;

/// A node of a critical path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which of the runs.
    pub run: usize,
    /// From the end of the step before it, or the beginning of the run, to its start, in milliseconds: for a free job, and for
    /// farm itself.
    pub waited: u64,
    /// From its start to its end.
    pub took: u64,
}

/// The chain of nodes that ends with the one that ended last, and in which each waited for the one before it. Waiting and
/// running together make up all the time until that end. Empty when nothing ran.
///
/// `runs` is what [`timeline`](crate::timeline()) gives.
#[must_use]
pub fn critical_path(runs: &[NodeRun]) -> Vec<Step> {
    let by_name: BTreeMap<&str, usize> = runs
        .iter()
        .enumerate()
        .map(|(at, run)| (run.name.as_str(), at))
        .collect();
    let mut path = Vec::new();
    let mut next = (0..runs.len()).max_by_key(|at| runs[*at].end);
    while let Some(at) = next {
        let run = &runs[at];
        // Whoever it waited for started before it: the walk ends, whatever a file says.
        let before = run.after.as_deref().and_then(|after| by_name.get(after).copied());
        next = before.filter(|before| *before < at);
        let since = next.map_or(0, |before| runs[before].end);
        path.push(Step {
            run: at,
            waited: run.start.saturating_sub(since),
            took: run.ms(),
        });
    }
    path.reverse();
    path
}
