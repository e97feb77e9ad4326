//! Ranges of bytes (RFC 9110, section 14).

use std::fmt;

/// How many ranges one answer has at most. Whoever asks for more wants to make work (section 17.15) and gets the whole file.
const MAX_SPANS: usize = 32;

/// A part of a file that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The offset of its first byte.
    pub(crate) first: u64,
    /// How many bytes.
    pub(crate) len: u64,
}

impl Span {
    /// What stands in `Content-Range` for this part of a file of `length` bytes (section 14.4).
    pub(crate) fn content_range(self, length: u64) -> impl fmt::Display {
        let Self { first, len } = self;
        fmt::from_fn(move |f| write!(f, "bytes {first}-{}/{length}", first + len - 1))
    }
}

/// What a `Range` selects of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selected {
    /// All of it, as if no range had been asked for.
    Whole,
    /// Parts, in the order in which they were asked for.
    Spans(Vec<Span>),
    /// Nothing that is there.
    Nothing,
}

/// What the value of a `Range` selects of a file of `length` bytes.
///
/// A value that is not understood counts as none (section 14.2), and so does one that asks for more bytes than the file has:
/// the whole file is the shorter answer then.
pub(crate) fn select(value: &[u8], length: u64) -> Selected {
    let Some(specs) = std::str::from_utf8(value).ok().and_then(parse) else {
        return Selected::Whole;
    };
    // An empty file has a satisfiable suffix, but no `Content-Range` can say so.
    if length == 0 && specs.iter().any(|spec| matches!(spec, Spec::Suffix(1..))) {
        return Selected::Whole;
    }
    let spans: Vec<Span> = specs.iter().filter_map(|spec| spec.of(length)).collect();
    let bytes = spans.iter().fold(0, |sum: u64, span| sum.saturating_add(span.len));
    if spans.is_empty() {
        Selected::Nothing
    } else if spans.len() > MAX_SPANS || bytes > length {
        Selected::Whole
    } else {
        Selected::Spans(spans)
    }
}

/// One element of a `ranges-specifier` in bytes (section 14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    /// From an offset to another one, or to the end.
    From(u64, Option<u64>),
    /// That many bytes at the end.
    Suffix(u64),
}

impl Spec {
    /// The part of a file of `length` bytes; `None` if it has no such part.
    fn of(self, length: u64) -> Option<Span> {
        let (first, end) = match self {
            Self::From(first, None) => (first, length),
            Self::From(first, Some(last)) => (first, last.saturating_add(1).min(length)),
            Self::Suffix(len) => (length.saturating_sub(len), length),
        };
        let len = end.checked_sub(first).filter(|&len| len > 0)?;
        Some(Span { first, len })
    }
}

/// `None` if this is no range of bytes.
fn parse(value: &str) -> Option<Vec<Spec>> {
    let (unit, set) = value.split_once('=')?;
    if !unit.trim_ascii().eq_ignore_ascii_case("bytes") {
        return None;
    }
    // Recipients must accept empty elements (section 5.6.1.2).
    let elements = set.split(',').map(|element| element.trim_matches([' ', '\t']));
    let specs = elements.filter(|element| !element.is_empty()).map(spec);
    specs.collect::<Option<Vec<Spec>>>().filter(|specs| !specs.is_empty())
}

fn spec(element: &str) -> Option<Spec> {
    let (first, last) = element.split_once('-')?;
    if first.is_empty() {
        return Some(Spec::Suffix(number(last)?));
    }
    let first = number(first)?;
    if last.is_empty() {
        return Some(Spec::From(first, None));
    }
    let last = number(last)?;
    (first <= last).then_some(Spec::From(first, Some(last)))
}

/// Digits only. No file is as long as the numbers that do not fit, so that the highest does for them.
fn number(digits: &str) -> Option<u64> {
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans(parts: &[(u64, u64)]) -> Selected {
        let span = |&(first, last): &(u64, u64)| Span {
            first,
            len: last - first + 1,
        };
        Selected::Spans(parts.iter().map(span).collect())
    }

    /// The examples of RFC 9110, section 14.1.2, and their neighbours, for a file of 10,000 bytes.
    #[test]
    fn of_ten_thousand_bytes() {
        let table: [(&str, Selected); 24] = [
            ("bytes=0-499", spans(&[(0, 499)])),
            ("bytes=500-999", spans(&[(500, 999)])),
            ("bytes=-500", spans(&[(9500, 9999)])),
            ("bytes=9500-", spans(&[(9500, 9999)])),
            ("bytes=0-0,-1", spans(&[(0, 0), (9999, 9999)])),
            ("bytes= 0-0 ,\t, -1,", spans(&[(0, 0), (9999, 9999)])),
            (
                "bytes=0-999, 4500-5499, -1000",
                spans(&[(0, 999), (4500, 5499), (9000, 9999)]),
            ),
            ("bytes=500-600,601-999", spans(&[(500, 600), (601, 999)])),
            ("bytes=500-700,601-999", spans(&[(500, 700), (601, 999)])),
            ("BYTES=0-", spans(&[(0, 9999)])),
            ("bytes=9999-99999999999999999999999", spans(&[(9999, 9999)])),
            ("bytes=-20000", spans(&[(0, 9999)])),
            ("bytes=20000-,1-1", spans(&[(1, 1)])),
            ("bytes=10000-", Selected::Nothing),
            ("bytes=99999999999999999999999-", Selected::Nothing),
            ("bytes=-0", Selected::Nothing),
            ("bytes=", Selected::Whole),
            ("bytes=,", Selected::Whole),
            ("bytes=5-4", Selected::Whole),
            ("bytes=1-2,x", Selected::Whole),
            ("bytes=+1-2", Selected::Whole),
            ("bytes=--1", Selected::Whole),
            ("seconds=1-2", Selected::Whole),
            ("bytes=0-,0-", Selected::Whole),
        ];
        for (value, selected) in table {
            assert_eq!(select(value.as_bytes(), 10_000), selected, "{value}");
        }
        assert_eq!(select(b"bytes=\xff-", 10_000), Selected::Whole);
    }

    #[test]
    fn of_an_empty_file() {
        assert_eq!(select(b"bytes=0-", 0), Selected::Nothing);
        assert_eq!(select(b"bytes=-5", 0), Selected::Whole);
        assert_eq!(select(b"bytes=-0", 0), Selected::Nothing);
    }

    #[test]
    fn too_many() {
        let value = |count: u64| {
            let elements: Vec<String> = (0..count).map(|at| format!("{at}-{at}")).collect();
            format!("bytes={}", elements.join(","))
        };
        assert!(matches!(select(value(32).as_bytes(), 1000), Selected::Spans(_)));
        assert_eq!(select(value(33).as_bytes(), 1000), Selected::Whole);
    }

    #[test]
    fn as_a_header() {
        let span = Span { first: 42, len: 1192 };
        assert_eq!(span.content_range(1234).to_string(), "bytes 42-1233/1234");
    }

    proptest! {
        /// Whatever is asked for, the answer lies in the file and is no longer than it.
        #[test]
        fn parts_are_parts(value in "(bytes=)?([0-9]{0,3}-?[0-9]{0,3},?){0,6}", length in 0_u64..500) {
            if let Selected::Spans(spans) = select(value.as_bytes(), length) {
                prop_assert!(!spans.is_empty());
                prop_assert!(spans.iter().all(|span| span.len > 0 && span.first + span.len <= length));
                prop_assert!(spans.iter().map(|span| span.len).sum::<u64>() <= length);
            }
        }

        /// A range from and to offsets gives exactly the bytes between them.
        #[test]
        fn between_offsets(first in 0_u64..600, more in 0_u64..600, length in 0_u64..500) {
            let value = format!("bytes={first}-{}", first + more);
            let wanted: Vec<u64> = (first..=first + more).filter(|&at| at < length).collect();
            let selected = match select(value.as_bytes(), length) {
                Selected::Spans(spans) => (spans[0].first..spans[0].first + spans[0].len).collect(),
                Selected::Nothing => Vec::new(),
                Selected::Whole => return Err(TestCaseError::fail("a part was asked for")),
            };
            prop_assert_eq!(selected, wanted);
        }

        #[test]
        fn at_the_end(count in 1_u64..600, length in 1_u64..500) {
            let span = Span { first: length.saturating_sub(count), len: count.min(length) };
            prop_assert_eq!(select(format!("bytes=-{count}").as_bytes(), length), Selected::Spans(vec![span]));
        }
    }
}
