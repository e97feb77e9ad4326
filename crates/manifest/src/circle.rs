//! Circles among things that wait for each other.

/// One circle in a graph: every step is a thing and the position, in its list, of the edge that leads to the next one. `None`
/// where there is no circle.
///
/// `edges` has for every thing the numbers of those that it waits for. Takes time and space in proportion to the edges, and is a
/// loop: a chain may be long.
pub fn circle(edges: &[Vec<usize>]) -> Option<Vec<(usize, usize)>> {
    let left = in_or_before_a_circle(edges);
    // Each of them waits for one of them, so that following these edges leads round.
    let next = |at: usize| edges[at].iter().position(|to| left[*to]).map(|edge| (at, edge));
    let mut steps = Vec::new();
    let mut visited = vec![false; edges.len()];
    let mut at = left.iter().position(|left| *left)?;
    while !std::mem::replace(&mut visited[at], true) {
        let step = next(at)?;
        steps.push(step);
        at = edges[step.0][step.1];
    }
    let start = steps.iter().position(|(from, _)| *from == at)?;
    Some(steps.split_off(start))
}

/// What is left when everything that waits for nothing is taken away, again and again.
fn in_or_before_a_circle(edges: &[Vec<usize>]) -> Vec<bool> {
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (from, targets) in edges.iter().enumerate() {
        for to in targets {
            waiting[*to].push(from);
        }
    }
    let mut open: Vec<usize> = edges.iter().map(Vec::len).collect();
    let mut free: Vec<usize> = (0..edges.len()).filter(|at| open[*at] == 0).collect();
    let mut left = vec![true; edges.len()];
    while let Some(at) = free.pop() {
        left[at] = false;
        for from in &waiting[at] {
            open[*from] -= 1;
            if open[*from] == 0 {
                free.push(*from);
            }
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::circle;

    #[test]
    fn a_circle_is_found_behind_what_leads_to_it() {
        // 0 waits for 1 and 2, 2 and 3 for each other, 4 for itself.
        let edges = [vec![1, 2], vec![], vec![1, 3], vec![2], vec![4]];
        assert_eq!(circle(&edges), Some(vec![(2, 1), (3, 0)]));
        assert_eq!(
            circle(&edges[4..].iter().map(|_| vec![0]).collect::<Vec<_>>()),
            Some(vec![(0, 0)])
        );
    }

    #[test]
    fn a_long_chain_has_none() {
        let edges: Vec<Vec<usize>> = (0..100_000)
            .map(|at| if at == 0 { vec![] } else { vec![at - 1, at - 1] })
            .collect();
        assert_eq!(circle(&edges), None);
    }
}
