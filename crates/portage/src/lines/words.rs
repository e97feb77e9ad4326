//! Lines cut into words, as `grabfile` and `grabdict` in `portage.util` cut them.

use std::ops::Range;

/// Where something stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column of the first character, from 1, counted in characters.
    pub column: usize,
    /// The bytes of the whole text.
    pub span: Range<usize>,
}

impl Place {
    /// The place of a part of what stands here, given by its bytes within `text`, the text that stands here.
    #[must_use]
    pub fn part(&self, text: &str, part: &Range<usize>) -> Self {
        let before = text.get(..part.start).unwrap_or(text);
        Self {
            line: self.line,
            column: self.column + before.chars().count(),
            span: self.span.start + part.start..self.span.start + part.end,
        }
    }
}

/// Something with the place it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// Where it was.
    pub place: Place,
    /// What was there.
    pub value: T,
}

/// A line that has words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line, from 1.
    pub number: usize,
    /// The words before a comment; never empty.
    pub words: Vec<Placed<&'a str>>,
}

/// Cuts a text into its lines and words. Comments go from a `#` that starts a word to the end of the line; a `#` within a word belongs to it.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    text.split('\n').enumerate().filter_map(move |(index, content)| {
        let words = cut(content, index + 1, start);
        start += content.len() + 1;
        (!words.is_empty()).then_some(Line {
            number: index + 1,
            words,
        })
    })
}

fn cut(content: &str, line: usize, start: usize) -> Vec<Placed<&str>> {
    let mut at = 0;
    let mut column = 1;
    let mut words = Vec::new();
    for word in content.split(char::is_whitespace) {
        if word.starts_with('#') {
            break;
        }
        let end = at + word.len();
        let length = word.chars().count();
        if !word.is_empty() {
            words.push(Placed {
                place: Place {
                    line,
                    column,
                    span: start + at..start + end,
                },
                value: word,
            });
        }
        at = end + content[end..].chars().next().map_or(0, char::len_utf8);
        column += length + 1;
    }
    words
}
