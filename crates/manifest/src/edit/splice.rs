//! Places in a text where something is put, and texts with that in them.

use std::ops::Range;

use crate::yaml::{Entry, Kind, Node};

/// What takes the place of a range of bytes.
pub(super) struct Splice {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

impl Splice {
    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self {
            range: at..at,
            text: text.into(),
        }
    }
}

/// The text with all splices in it, which do not overlap and stand in their order.
pub(super) fn apply(text: &str, splices: &[Splice]) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for splice in splices {
        out.push_str(text.get(at..splice.range.start).unwrap_or_default());
        out.push_str(&splice.text);
        at = splice.range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// How the text ends its lines.
pub(super) fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The offset of the first byte of the line that holds `at`.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The offset of the newline that ends the line which holds `at`, or of the end of the text.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    if text[at..end].ends_with('\r') { end - 1 } else { end }
}

/// The number of the line that holds `at`, from 1.
pub(super) fn line_number(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The place behind the colon of a key; `None` for a key of `{a, b}`, which has none.
pub(super) fn behind_colon(text: &str, entry: &Entry) -> Option<usize> {
    let end = entry.key.span.end();
    let rest = &text[end..];
    let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    rest[blank..].starts_with(':').then_some(end + blank + 1)
}

/// Where a collection is written, without the tag before it.
pub(super) fn start(text: &str, node: &Node) -> usize {
    let at = node.span.start();
    let tagged = text[at..].strip_prefix("!override").map(str::trim_start);
    tagged.map_or(at, |rest| text.len() - rest.len())
}

/// Whether a collection is written in brackets.
pub(super) fn is_flow(text: &str, node: &Node) -> bool {
    text[start(text, node)..].starts_with(['{', '['])
}

/// The end of what a node says. (The place of a collection of lines may go on to the next key, over comments.)
pub(super) fn end(text: &str, node: &Node) -> usize {
    let mut node = node;
    loop {
        if is_flow(text, node) {
            return node.span.end();
        }
        node = match &node.kind {
            Kind::Sequence(items) if !items.is_empty() => &items[items.len() - 1],
            Kind::Mapping(entries) if !entries.is_empty() => {
                let last = &entries[entries.len() - 1];
                if is_absent(&last.value) {
                    return behind_colon(text, last).unwrap_or_else(|| last.key.span.end());
                }
                &last.value
            }
            _ => return node.span.end(),
        };
    }
}

/// The end of what an entry says.
pub(super) fn entry_end(text: &str, entry: &Entry) -> usize {
    if is_absent(&entry.value) {
        behind_colon(text, entry).unwrap_or_else(|| entry.key.span.end())
    } else {
        end(text, &entry.value)
    }
}

/// Nothing at all is written: not even `~`.
pub(super) fn is_absent(node: &Node) -> bool {
    node.is_null() && node.span.start() == node.span.end()
}

/// Adds an item to what stands in brackets; `last` is its last item so far.
pub(super) fn add_to_flow(text: &str, node: &Node, last: Option<Range<usize>>, item: &str) -> Vec<Splice> {
    let open = start(text, node);
    let close = node.span.end() - 1;
    let Some(last) = last else {
        let blank = text[open + 1..close].trim().is_empty();
        let padding = if text[open..].starts_with('{') { " " } else { "" };
        let inside = format!("{padding}{item}{padding}");
        return if blank {
            vec![Splice {
                range: open + 1..close,
                text: inside,
            }]
        } else {
            vec![Splice::insert(open + 1, inside)]
        };
    };
    let comma = comma_between(text, last.end, close);
    let behind = comma.map_or(last.end, |comma| comma + 1);
    let alone = text[line_start(text, last.start)..last.start]
        .trim_matches([' ', '\t'])
        .is_empty();
    let end = line_end(text, behind);
    if !alone || end >= close {
        // On the same line, before whatever comment stands behind.
        return match comma {
            Some(_) => vec![Splice::insert(behind, format!(" {item},"))],
            None => vec![Splice::insert(behind, format!(", {item}"))],
        };
    }
    let indent = &text[line_start(text, last.start)..last.start];
    let line = format!("{}{indent}{item}", newline(text));
    match comma {
        Some(_) => vec![Splice::insert(end, format!("{line},"))],
        None => vec![Splice::insert(last.end, ","), Splice::insert(end, line)],
    }
}

/// The comma between the last item and the closing bracket, which is not in a comment.
fn comma_between(text: &str, from: usize, to: usize) -> Option<usize> {
    let mut at = from;
    for line in text[from..to].split_inclusive('\n') {
        let code = line.find('#').map_or(line, |comment| &line[..comment]);
        if let Some(comma) = code.find(',') {
            return Some(at + comma);
        }
        at += line.len();
    }
    None
}
