//! The newest name of the same shape: `v1.3` for `v1.2`, `amd64-openrc-20251108` for `amd64-openrc-20251101`.
//!
//! A name is text and numbers in turn. Of two names of one shape the text is the same, and only numbers differ that tell a version or a date.

use std::cmp::Ordering;

/// Letters right before a number that do not make it part of a word: `v1.2`, `1.2-r3`, `1.2_p4`, `2.0-rc1`.
const VERSION_LETTERS: [&str; 5] = ["p", "r", "rc", "rev", "v"];

/// A name, cut.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape<'a> {
    parts: Vec<Part<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    /// Must be the same: separators, words, and numbers that belong to a word, such as that of `amd64`.
    Text(&'a str),
    /// `20251101`, a number that is a day.
    Day(&'a str),
    /// `1.2.3`, the parts of which are compared one by one.
    Version(&'a str),
}

/// The newest of `candidates` that has the shape of `current` and is newer; `None` if there is none.
pub(super) fn newest<'a>(current: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let shape = Shape::of(current);
    let mut best: Option<(Shape<'a>, &'a str)> = None;
    for candidate in candidates {
        let other = Shape::of(candidate);
        if !other.is_like(&shape) || other.order(&shape) != Ordering::Greater {
            continue;
        }
        if best
            .as_ref()
            .is_none_or(|(best, _)| other.order(best) == Ordering::Greater)
        {
            best = Some((other, candidate));
        }
    }
    best.map(|(_, name)| name)
}

/// Whether a name has numbers by which another one can be newer.
pub(super) fn has_numbers(name: &str) -> bool {
    !Shape::of(name).parts.iter().all(|part| matches!(part, Part::Text(_)))
}

impl<'a> Shape<'a> {
    fn of(name: &'a str) -> Self {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < name.len() {
            let rest = &name[at..];
            let Some(start) = rest.find(|c: char| c.is_ascii_digit()) else {
                parts.push(Part::Text(rest));
                break;
            };
            let number = number_at(&rest[start..]);
            let word = &rest[..start];
            let letters = word.len() - word.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
            let letters = &word[word.len() - letters..];
            if !word.is_empty() {
                parts.push(Part::Text(word));
            }
            parts.push(if is_day(number) {
                Part::Day(number)
            } else if letters.is_empty() || VERSION_LETTERS.contains(&letters.to_ascii_lowercase().as_str()) {
                Part::Version(number)
            } else {
                Part::Text(number)
            });
            at += start + number.len();
        }
        // Where there is a day, what stands before it says of what: the 64 and the 3 of `x86-64-v3-20251101`.
        if let Some(day) = parts.iter().position(|part| matches!(part, Part::Day(_))) {
            for part in &mut parts[..day] {
                if let Part::Version(number) = part {
                    *part = Part::Text(number);
                }
            }
        }
        Self { parts }
    }

    fn is_like(&self, other: &Self) -> bool {
        let alike = |(one, other): (&Part<'_>, &Part<'_>)| match (one, other) {
            (Part::Text(one), Part::Text(other)) => one == other,
            (Part::Day(_), Part::Day(_)) | (Part::Version(_), Part::Version(_)) => true,
            _ => false,
        };
        self.parts.len() == other.parts.len() && self.parts.iter().zip(&other.parts).all(alike)
    }

    fn order(&self, other: &Self) -> Ordering {
        let orders = self.parts.iter().zip(&other.parts).map(|pair| match pair {
            (Part::Day(one) | Part::Version(one), Part::Day(other) | Part::Version(other)) => {
                numbers(one).cmp(&numbers(other))
            }
            _ => Ordering::Equal,
        });
        orders
            .into_iter()
            .find(|order| *order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    }
}

/// `1.2.3` at the start of a text that begins with a digit.
fn number_at(text: &str) -> &str {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut end = 0;
    while is_digit(end) || bytes.get(end) == Some(&b'.') && is_digit(end + 1) {
        end += 1;
    }
    &text[..end]
}

/// Eight digits that are a day of this or the last century.
fn is_day(number: &str) -> bool {
    let within = |range: std::ops::Range<usize>, least: u8, most: u8| {
        number
            .get(range)
            .and_then(|digits| digits.parse::<u8>().ok())
            .is_some_and(|value| (least..=most).contains(&value))
    };
    number.len() == 8 && !number.contains('.') && within(0..2, 19, 20) && within(4..6, 1, 12) && within(6..8, 1, 31)
}

/// The parts of a version, to be compared. Numbers of any length: the longer one is greater.
fn numbers(version: &str) -> Vec<(usize, &str)> {
    version
        .split('.')
        .map(|number| number.trim_start_matches('0'))
        .map(|number| (number.len(), number))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{has_numbers, newest};

    #[test]
    fn the_newest_of_the_same_shape() {
        let table: [(&str, &[&str], Option<&str>); 18] = [
            ("v1.2", &["v1.2", "v1.10", "v1.9"], Some("v1.10")),
            ("v1.2", &["v1.2.1", "v1.1.9"], Some("v1.2.1")),
            ("v1.2", &["v1.2", "v1.1"], None),
            // Another word, a candidate for a release, a day.
            (
                "v1.2",
                &["1.3", "v1.3-rc1", "release-1.3", "v20250101", "nightly"],
                None,
            ),
            ("v1.3-rc1", &["v1.3-rc2", "v1.3", "v1.3-beta9"], Some("v1.3-rc2")),
            (
                "20251101",
                &["20251108", "20251115", "latest", "20991399"],
                Some("20251115"),
            ),
            (
                "amd64-openrc-20251101",
                &[
                    "amd64-openrc-20251108",
                    "arm64-openrc-20251115",
                    "amd64-systemd-20251115",
                    "amd64-openrc",
                ],
                Some("amd64-openrc-20251108"),
            ),
            ("i486-openrc-20251101", &["i686-openrc-20251108"], None),
            ("armv6j-20251101", &["armv7a-20251108"], None),
            (
                "x86-64-v3-20251101",
                &["x86-64-v4-20251108", "x86-64-v3-20251107"],
                Some("x86-64-v3-20251107"),
            ),
            ("1.2-r3", &["1.2-r10", "1.2-r9"], Some("1.2-r10")),
            ("1.2-r3", &["1.3-r1", "1.3"], Some("1.3-r1")),
            ("2025-11-01", &["2025-11-08", "2025-12-01"], Some("2025-12-01")),
            ("3.11-slim", &["3.12-slim", "3.13", "3.13-alpine"], Some("3.12-slim")),
            ("py3", &["py4"], None),
            (
                "9",
                &["10", "010", "99999999999999999999999999"],
                Some("99999999999999999999999999"),
            ),
            ("20251101-r1", &["20251101-r2"], Some("20251101-r2")),
            ("main", &["main2"], None),
        ];
        for (current, candidates, wanted) in table {
            assert_eq!(newest(current, candidates.iter().copied()), wanted, "{current}");
        }
    }

    #[test]
    fn some_names_cannot_be_newer() {
        for name in ["latest", "amd64-openrc", "py3", "i686", "ä"] {
            assert!(!has_numbers(name), "{name}");
        }
        assert!(has_numbers("amd64-openrc-20251101") && has_numbers("v2"));
    }
}
