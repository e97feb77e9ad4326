//! How long a build would take, from how long its nodes took before.

use std::collections::BinaryHeap;

/// One node that would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work {
    /// How long it took when it last ran, in milliseconds; nothing where it never did.
    pub(super) last_ms: Option<u64>,
    /// Indices of nodes before it, each below its own.
    pub(super) after: Vec<usize>,
}

/// Milliseconds from the first start to the last end with so many nodes at a time, the one with the longest remaining path first, as the engine
/// starts them. What never ran takes no time here.
pub(super) fn duration_ms(work: &[Work], jobs: usize) -> u64 {
    let own = |at: usize| work[at].last_ms.unwrap_or_default();
    let mut remaining: Vec<u64> = (0..work.len()).map(own).collect();
    let mut blockers = vec![0_usize; work.len()];
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); work.len()];
    for (at, node) in work.iter().enumerate().rev() {
        for before in &node.after {
            remaining[*before] = remaining[*before].max(own(*before) + remaining[at]);
            blockers[at] += 1;
            dependants[*before].push(at);
        }
    }
    let mut ready: BinaryHeap<(u64, std::cmp::Reverse<usize>)> = (0..work.len())
        .filter(|at| blockers[*at] == 0)
        .map(|at| (remaining[at], std::cmp::Reverse(at)))
        .collect();
    let mut running: BinaryHeap<std::cmp::Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut now = 0;
    loop {
        while running.len() < jobs.max(1)
            && let Some((_, std::cmp::Reverse(at))) = ready.pop()
        {
            running.push(std::cmp::Reverse((now + own(at), at)));
        }
        let Some(std::cmp::Reverse((end, at))) = running.pop() else {
            return now;
        };
        now = end;
        for next in &dependants[at] {
            blockers[*next] -= 1;
            if blockers[*next] == 0 {
                ready.push((remaining[*next], std::cmp::Reverse(*next)));
            }
        }
    }
}

/// A duration as it is estimated: `12 s`, `3 min`, `2 h 10 min`.
pub(super) fn about(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    let minutes = (seconds + 30) / 60;
    match (seconds, minutes) {
        (0..100, _) => format!("{seconds} s"),
        (_, 0..60) => format!("{minutes} min"),
        _ => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::{Work, about, duration_ms};

    fn work(nodes: &[(u64, &[usize])]) -> Vec<Work> {
        let one = |(ms, after): &(u64, &[usize])| Work {
            last_ms: Some(*ms),
            after: after.to_vec(),
        };
        nodes.iter().map(one).collect()
    }

    #[test]
    fn no_faster_than_the_longest_path_and_no_faster_than_the_jobs() {
        let diamond: &[(u64, &[usize])] = &[(10, &[]), (20, &[0]), (30, &[0]), (5, &[1, 2])];
        assert_eq!(duration_ms(&work(diamond), 1), 65);
        assert_eq!(duration_ms(&work(diamond), 2), 45);
        assert_eq!(duration_ms(&work(diamond), 8), 45);
        assert_eq!(duration_ms(&[], 2), 0);
        // The long one starts first, else the end would be at 50.
        let flat: &[(u64, &[usize])] = &[(10, &[]), (10, &[]), (10, &[]), (30, &[])];
        assert_eq!(duration_ms(&work(flat), 2), 30);
        // What never ran stands in the way, and takes no time.
        let mut chain = work(&[(10, &[]), (10, &[0]), (10, &[1])]);
        chain[1].last_ms = None;
        assert_eq!(duration_ms(&chain, 4), 20);
    }

    #[test]
    fn durations_are_rounded() {
        let said = [0, 400, 99_000, 100_000, 3_599_000, 7_800_000].map(about);
        assert_eq!(said, ["0 s", "1 s", "99 s", "2 min", "1 h 00 min", "2 h 10 min"]);
    }
}
