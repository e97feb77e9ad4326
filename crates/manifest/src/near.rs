//! Finds the name that was meant.

/// The candidates nearest to what was written, nearest first and at most three; none that is too far to have been meant.
pub(crate) fn near<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let letters: Vec<char> = written.to_lowercase().chars().collect();
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            // A third of the letters of the longer word may be wrong: enough for a slip or two, too little for another word.
            let limit = (letters.len().max(candidate.chars().count()) / 3).min(4);
            let contains = candidate.len() >= 3 && written.len() >= 3 && candidate.contains(written);
            let limit = if contains { usize::MAX } else { limit };
            Some((distance(&letters, candidate, limit)?, candidate))
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

/// Insertions, deletions, replacements and exchanges of neighbours that turn one word into the other (optimal string alignment);
/// `None` if more than `limit`, which is mostly seen soon. `one` is in lower case.
fn distance(one: &[char], other: &str, limit: usize) -> Option<usize> {
    if one.len().abs_diff(other.chars().count()) > limit {
        return None;
    }
    let other: Vec<char> = other.to_lowercase().chars().collect();
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
        // An exchange reaches over one row, no more.
        if current.iter().chain(&above).all(|distance| *distance > limit) {
            return None;
        }
        before = std::mem::replace(&mut above, current);
    }
    Some(above[other.len()]).filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::{distance, near};

    #[test]
    fn counts_an_exchange_of_neighbours_once() {
        let between = |one: &str, other, limit| distance(&one.chars().collect::<Vec<_>>(), other, limit);
        assert_eq!(between("platfrom", "platform", 9), Some(1));
        assert_eq!(between("", "abc", 9), Some(3));
        assert_eq!(between("kitten", "sitting", 3), Some(3));
        assert_eq!(between("kitten", "sitting", 2), None);
        assert_eq!(between("ab", "ba", 1), Some(1));
    }

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        assert_eq!(near("pakages", ["packages", "profile", "repos"]), ["packages"]);
        assert_eq!(near("rn", ["run", "in", "env"]), ["run"]);
        assert!(near("zebra", ["packages", "profile"]).is_empty());
        assert!(near("to", ["tag", "run"]).is_empty());
    }
}
