//! YAML with the places of its keys and with its comments.
//!
//! The manifest has a reader of its own, which refuses what no manifest should have. The files that are read here were written for
//! other tools: everything is taken as written, and no comment is dropped.

use granit_parser::{Event, Parser, ScalarStyle, options};

use crate::ImportError;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// The line it begins in, from 1.
    pub(crate) line: usize,
    /// The line it ends in.
    pub(crate) end: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing was written, or YAML's words for nothing.
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

impl Kind {
    /// What it is, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) line: usize,
    /// From 0.
    pub(crate) column: usize,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) line: usize,
    /// From 0.
    pub(crate) column: usize,
    /// With its `#`.
    pub(crate) text: String,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) root: Node,
    /// In the order of the file.
    pub(crate) comments: Vec<Comment>,
}

/// A collection whose end has not come yet.
enum Open {
    List(usize, Vec<Node>),
    Map(usize, Vec<(Key, Node)>, Option<Key>),
}

/// Reads the first document of a file.
///
/// # Errors
/// It is no YAML, or has an alias or a key that is no word, which the old tools' files have not.
pub(crate) fn parse(file: &str, text: &str) -> Result<Document, ImportError> {
    let places = Places::new(text);
    let fail = |line, problem: &str| ImportError::Unreadable {
        file: file.to_owned(),
        line,
        problem: problem.to_owned(),
    };
    let mut comments = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<Node> = None;
    let options = options! { emit_comments: true, emit_unresolved_aliases: true };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let offset = error.marker().byte_offset().unwrap_or(text.len());
            fail(places.of(offset).0, &format!("this is not YAML: {}", error.info()))
        })?;
        let range = span.byte_range().unwrap_or(0..0);
        let (line, column) = places.of(range.start);
        let written = text.get(range.clone()).unwrap_or_default().trim_end();
        let end = places.of(range.start + written.len()).0;
        let node = match event {
            Event::Comment(comment, _) => {
                let text = format!("#{}", comment.trim_end());
                comments.push(Comment { line, column, text });
                continue;
            }
            Event::Scalar(value, style, ..) => {
                let plain = matches!(style, ScalarStyle::Plain);
                let null = plain && matches!(written, "" | "~" | "null" | "Null" | "NULL");
                let kind = if null {
                    Kind::Null
                } else {
                    Kind::Scalar(value.into_owned())
                };
                if let Some(Open::Map(_, _, key @ None)) = open.last_mut() {
                    let text = match kind {
                        Kind::Scalar(text) => text,
                        _ => written.to_owned(),
                    };
                    *key = Some(Key { text, line, column });
                    continue;
                }
                Node { line, end, kind }
            }
            Event::SequenceStart(..) | Event::MappingStart(..)
                if matches!(open.last(), Some(Open::Map(_, _, None))) =>
            {
                return Err(fail(line, "a key must be a word or an atom"));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(line, Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(line, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(line, items)) => {
                    let end = items.last().map_or(end, |last| last.end.max(flow_end(written, end)));
                    let kind = Kind::List(items);
                    Node { line, end, kind }
                }
                Some(Open::Map(line, entries, _)) => {
                    let end = entries
                        .last()
                        .map_or(end, |(_, last)| last.end.max(flow_end(written, end)));
                    let kind = Kind::Map(entries);
                    Node { line, end, kind }
                }
                None => continue,
            },
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                return Err(fail(
                    line,
                    "an alias (`*NAME`) cannot be taken over; write the value out, or put the atom in quotes",
                ));
            }
            Event::DocumentStart(..) if root.is_some() => {
                return Err(fail(line, "a second document; a file of sets holds one"));
            }
            _ => continue,
        };
        match open.last_mut() {
            None => root = root.or(Some(node)),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => {
                if let Some(key) = key.take() {
                    entries.push((key, node));
                }
            }
        }
    }
    let nothing = Node {
        line: 1,
        end: 1,
        kind: Kind::Null,
    };
    Ok(Document {
        root: root.unwrap_or(nothing),
        comments,
    })
}

/// The end of a collection between brackets; that of one without is the end of its last item, wherever the parser noticed it.
fn flow_end(written: &str, end: usize) -> usize {
    if matches!(written, "]" | "}") { end } else { 0 }
}

/// Where the lines of a text begin.
struct Places<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self { text, starts }
    }

    /// Line from 1 and column from 0.
    fn of(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line.saturating_sub(1)];
        let before = self.text.get(start..offset).unwrap_or_default();
        (line, before.chars().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_places_and_comments_stay() {
        let text = "# top\na:\n  =x/y-1: # why\n    use: [b, -c++11, # in\n      d]\n    deps: {}\n  # end\nb:\n";
        let document = parse("f", text).unwrap();
        let Kind::Map(sets) = &document.root.kind else { panic!() };
        let Kind::Map(members) = &sets[0].1.kind else { panic!() };
        assert_eq!(
            (members[0].0.text.as_str(), members[0].0.line, members[0].0.column),
            ("=x/y-1", 3, 2)
        );
        let Kind::Map(fields) = &members[0].1.kind else {
            panic!()
        };
        assert_eq!((fields[0].1.line, fields[0].1.end), (4, 5));
        assert_eq!(members[0].1.end, 6);
        assert_eq!(sets[1].1.kind, Kind::Null);
        let comments: Vec<_> = document
            .comments
            .iter()
            .map(|one| (one.line, one.text.as_str()))
            .collect();
        assert_eq!(comments, [(1, "# top"), (3, "# why"), (4, "# in"), (7, "# end")]);
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        assert!(matches!(
            parse("f", "a: [b\nc: d: e\n"),
            Err(ImportError::Unreadable { .. })
        ));
        assert!(matches!(
            parse("f", "a:\n  - *b\n"),
            Err(ImportError::Unreadable { line: 2, .. })
        ));
        assert_eq!(parse("f", "").unwrap().root.kind, Kind::Null);
    }
}
