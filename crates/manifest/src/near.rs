//! Finds the name that was meant.

/// The candidates nearest to what was written, nearest first and at most three; none that is too far to have been meant.
pub(crate) fn near<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // A third of the letters may be wrong: enough for a slip or two, too little for another word.
    let limit = (written.chars().count() / 3).min(4);
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|candidate| (distance(&written.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= limit || (candidate.len() >= 3 && written.len() >= 3 && candidate.contains(written))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.truncate(3);
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// ``did you mean `a` or `b`?``, or else the whole list if it is short enough to be read.
pub(crate) fn suggestion<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut all: Vec<&str> = candidates.into_iter().collect();
    let near = near(written, all.iter().copied());
    if !near.is_empty() {
        let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
        return Some(format!("did you mean {}?", near.join(" or ")));
    }
    all.sort_unstable();
    all.dedup();
    let list = all
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match all.len() {
        0 => None,
        1 => Some(format!("there is only {list}")),
        2..=12 => Some(format!("there are {list}")),
        _ => None,
    }
}

/// Insertions, deletions, replacements and exchanges of neighbours that turn one word into the other (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, left) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, right) in other.iter().enumerate() {
            let mut best = (above[column] + usize::from(left != right))
                .min(above[column + 1] + 1)
                .min(current[column] + 1);
            if row > 0 && column > 0 && *left == other[column - 1] && one[row - 1] == *right {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[other.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, near};

    #[test]
    fn counts_an_exchange_of_neighbours_once() {
        assert_eq!(distance("platfrom", "platform"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        assert_eq!(near("pakages", ["packages", "profile", "repos"]), ["packages"]);
        assert!(near("zebra", ["packages", "profile"]).is_empty());
    }
}
