//! Small renderings that several commands share: durations, counts, long values, columns.

use std::time::Duration;

/// Longest value that is shown whole.
const WHOLE: usize = 60;

/// What is left of a longer one at either side of a cut.
const SIDE: usize = 28;

/// What a pair of long values that begin or end alike keeps of the common part.
const CONTEXT: usize = 12;

/// How many hexadecimal digits the digests have that farm shows: BLAKE3 and SHA-256, SHA-512 and BLAKE2b.
const DIGEST_LENGTHS: [usize; 2] = [64, 128];

/// How many of them are enough for people.
const SHORT_DIGEST: usize = 12;

/// A duration as people say it: `0.3 s`, `42 s`, `3 min 07 s`, `2 h 05 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A moment in milliseconds since 1970 as people read it, in UTC.
pub(crate) fn moment(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(
            || "at no time".to_owned(),
            |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        )
}

/// A count and its noun: `1 node`, `2 nodes`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// A number of bytes as people say it, in powers of 1024: `900 bytes`, `1.5 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(size, _)| number >= *size) {
        Some((size, unit)) => format!("{}.{} {unit}", number / size, number % size * 10 / size),
        None => count(number, "byte"),
    }
}

/// One line without characters that could move the cursor: line feeds and tabs become escapes, other controls go.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => line.push_str("\\n"),
            '\t' => line.push_str("\\t"),
            other if other.is_control() => {}
            other => line.push(other),
        }
    }
    line
}

/// `text` as one line of at most `width` characters, its end replaced by `…` if need be.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let line = one_line(text);
    if line.chars().count() <= width {
        return line;
    }
    let mut cut: String = line.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// A value as one line, with digests as people know them: by their first digits.
fn readable(value: &str) -> String {
    let line = one_line(value);
    let mut text = String::with_capacity(line.len());
    let mut digits = String::new();
    for character in line.chars().chain([' ']) {
        if character.is_ascii_hexdigit() {
            digits.push(character);
            continue;
        }
        let is_digest = DIGEST_LENGTHS.contains(&digits.len());
        text.push_str(if is_digest { &digits[..SHORT_DIGEST] } else { &digits });
        digits.clear();
        text.push(character);
    }
    // The blank that ended the last run of digits.
    text.pop();
    text
}

/// A value as one line; of a long one both ends and how long it is.
pub(crate) fn cut_middle(value: &str) -> String {
    let characters: Vec<char> = readable(value).chars().collect();
    if characters.len() <= WHOLE {
        return characters.into_iter().collect();
    }
    let head: String = characters[..SIDE].iter().collect();
    let tail: String = characters[characters.len() - SIDE..].iter().collect();
    format!("{head}…{tail} ({} characters)", characters.len())
}

/// Two values of one input, cut so that where they differ stays in sight: of long values that begin or end alike, most of the
/// common part goes first.
pub(crate) fn cut_pair(from: &str, to: &str) -> (String, String) {
    let (a, b): (Vec<char>, Vec<char>) = (readable(from).chars().collect(), readable(to).chars().collect());
    if a.len() <= WHOLE && b.len() <= WHOLE {
        return (a.into_iter().collect(), b.into_iter().collect());
    }
    let shorter = a.len().min(b.len());
    let prefix = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let rest = shorter - prefix;
    let suffix = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take(rest)
        .take_while(|(x, y)| x == y)
        .count();
    let cut = |value: &[char]| {
        let start = prefix.saturating_sub(CONTEXT);
        let end = (value.len() - suffix + CONTEXT).min(value.len());
        let mut middle: String = value[start..end].iter().collect();
        let length = end - start;
        if length > WHOLE {
            let inner: Vec<char> = middle.chars().collect();
            let head: String = inner[..SIDE].iter().collect();
            let tail: String = inner[length - SIDE..].iter().collect();
            middle = format!("{head}…{tail}");
        }
        let before = if start > 0 { "…" } else { "" };
        let after = if end < value.len() { "…" } else { "" };
        if start > 0 || end < value.len() || length > WHOLE {
            format!("{before}{middle}{after} ({} characters)", value.len())
        } else {
            middle
        }
    };
    (cut(&a), cut(&b))
}

/// Rows as columns, two spaces apart, without blanks at the end of a line. The last column may hold anything.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
                line.push_str(cell);
                if at + 1 < N {
                    let blanks = width - cell.chars().count() + 2;
                    line.extend(std::iter::repeat_n(' ', blanks));
                }
            }
            line.truncate(line.trim_end().len());
            line
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_at_their_borders() {
        for (ms, words) in [
            (0, "0.0 s"),
            (340, "0.3 s"),
            (9_999, "9.9 s"),
            (10_000, "10 s"),
            (59_999, "59 s"),
            (187_000, "3 min 07 s"),
            (7_500_000, "2 h 05 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), words);
        }
    }

    #[test]
    fn a_line_has_no_controls() {
        assert_eq!(one_line("a\n\tb\x1b[31m\r"), "a\\n\\tb[31m");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("abcd", 4), "abcd");
        assert_eq!(fit("abcd", 0), "");
    }

    #[test]
    fn long_values_keep_both_ends() {
        let value = format!("{}{}", "a".repeat(50), "z".repeat(50));
        assert_eq!(
            cut_middle(&value),
            format!("{}…{} (100 characters)", "a".repeat(28), "z".repeat(28))
        );
        assert_eq!(cut_middle("short"), "short");
    }

    #[test]
    fn digests_by_their_first_digits() {
        let (from, to) = cut_pair(
            &format!("file {}", "a0".repeat(32)),
            &format!("file {} x", "b1".repeat(32)),
        );
        assert_eq!(
            (from.as_str(), to.as_str()),
            ("file a0a0a0a0a0a0", "file b1b1b1b1b1b1 x")
        );
        assert_eq!(cut_middle("abcdef"), "abcdef");
    }

    #[test]
    fn a_difference_in_the_middle_stays_in_sight() {
        let from = format!("{}-static{}", "a".repeat(80), "z".repeat(80));
        let to = format!("{}static{}", "a".repeat(80), "z".repeat(80));
        insta::assert_debug_snapshot!(cut_pair(&from, &to), @r#"
        (
            "…aaaaaaaaaaaa-staticzzzzzz… (167 characters)",
            "…aaaaaaaaaaaastaticzzzzzz… (166 characters)",
        )
        "#);
        assert_eq!(cut_pair("3", "4"), ("3".to_owned(), "4".to_owned()));
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            ["run".to_owned(), "ä".to_owned(), "why".to_owned()],
            ["cached".to_owned(), "bcd".to_owned(), String::new()],
        ];
        assert_eq!(columns(&rows), ["run     ä    why", "cached  bcd"]);
    }
}
