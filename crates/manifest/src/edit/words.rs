//! The forms of `packages:` in which an entry is a line of words: lists and text blocks.

use std::ops::Range;

use farm_portage::lines::{Placed, lines};

use super::splice::{Splice, apply, line_end, line_number};
use super::{EditError, Setting};
use crate::arches::ARCHES;
use crate::reader::is_block;
use crate::yaml::{Entry, Kind, Node, Style};

/// Whether a line of words can say it.
pub(super) fn takes(setting: Setting) -> bool {
    matches!(setting, Setting::Use | Setting::AcceptKeywords)
}

/// A line of words, where it is written.
pub(super) struct WordLine<'a> {
    /// Where the words are, from the first to the last.
    pub(super) range: Range<usize>,
    /// The words, with their places in the file.
    pub(super) words: Vec<(Range<usize>, &'a str)>,
}

/// The lines of a list or text block; nothing where the text has escapes, so that places mean nothing.
pub(super) fn word_lines<'a>(text: &'a str, node: &Node) -> Result<Vec<WordLine<'a>>, EditError> {
    match &node.kind {
        Kind::Sequence(items) => items.iter().map(|item| of_item(text, item)).collect(),
        Kind::Scalar(scalar) if scalar.style == Style::Literal && is_block(node) => {
            Ok(cut(text, node.span.start()..node.span.end()))
        }
        Kind::Scalar(_) if !node.is_null() && !is_block(node) => Err(EditError::SetFile),
        Kind::Scalar(_) | Kind::Mapping(_) => Err(EditError::Unsure),
    }
}

fn of_item<'a>(text: &'a str, item: &Node) -> Result<WordLine<'a>, EditError> {
    let Kind::Scalar(scalar) = &item.kind else {
        return Err(EditError::Unsure);
    };
    let whole = item.span.start()..item.span.end();
    let range = match scalar.style {
        Style::Plain => whole,
        Style::Quoted => whole.start + 1..whole.end - 1,
        Style::Literal | Style::Folded => return Err(EditError::Unsure),
    };
    let inside = text.get(range.clone()).ok_or(EditError::Unsure)?;
    if inside.contains(['\\', '\n', '\'', '"']) {
        return Err(EditError::Unsure);
    }
    let mut found = cut(text, range).into_iter();
    match (found.next(), found.next()) {
        (Some(line), None) => Ok(line),
        _ => Err(EditError::Unsure),
    }
}

fn cut(text: &str, range: Range<usize>) -> Vec<WordLine<'_>> {
    let inside = &text[range.clone()];
    let place = |word: &Placed<&str>| range.start + word.place.span.start..range.start + word.place.span.end;
    lines(inside)
        .map(|line| WordLine {
            range: place(&line.words[0]).start..place(&line.words[line.words.len() - 1]).end,
            words: line
                .words
                .iter()
                .map(|word| {
                    let place = place(word);
                    (place.clone(), &text[place])
                })
                .collect(),
        })
        .collect()
}

/// Adds words to the line of a member.
pub(super) fn lengthen(text: &str, packages: &Entry, member: &str, values: &[String]) -> Result<String, EditError> {
    let line = find(text, packages, member)?;
    let group = line.words[1..].iter().position(|(_, word)| word.ends_with(':'));
    let plain = match group {
        Some(group) => &line.words[1..=group],
        None => &line.words[1..],
    };
    let mut missing = Vec::new();
    for value in values {
        let opposite = value
            .strip_prefix('-')
            .map_or_else(|| format!("-{value}"), str::to_owned);
        // `amd64` is a keyword and `-amd64` one that is taken back.
        if plain.iter().any(|(_, word)| *word == opposite) && !ARCHES.contains(&value.as_str()) {
            return Err(EditError::Contradicts {
                written: opposite,
                atom: member.to_owned(),
                line: line_number(text, line.range.start),
            });
        }
        if !plain.iter().any(|(_, word)| word == value) {
            missing.push(value.as_str());
        }
    }
    if missing.is_empty() {
        return Err(EditError::Already);
    }
    let missing = missing.join(" ");
    // What follows `NAME:` is a value of that group.
    let splice = match group {
        Some(group) => Splice::insert(line.words[1 + group].0.start, format!("{missing} ")),
        None => Splice::insert(line.range.end, format!(" {missing}")),
    };
    Ok(apply(text, &[splice]))
}

/// Gives a member another name, wherever it stands.
pub(super) fn rename(text: &str, packages: &Entry, member: &str, from: &str, to: &str) -> Result<String, EditError> {
    let place = match &packages.value.kind {
        Kind::Mapping(_) => {
            let entry = super::entry(&packages.value, member).ok_or_else(|| EditError::NoMember(member.to_owned()))?;
            entry.key.span.start()..entry.key.span.end()
        }
        _ => find(text, packages, member)?.words[0].0.clone(),
    };
    replace_name(text, place, from, to)
}

/// Puts a name in the place of another in what is written at `place`.
pub(super) fn replace_name(text: &str, place: Range<usize>, from: &str, to: &str) -> Result<String, EditError> {
    let written = &text[place.clone()];
    let at = place.start + written.find(from).ok_or(EditError::Unsure)?;
    Ok(apply(
        text,
        &[Splice {
            range: at..at + from.len(),
            text: to.to_owned(),
        }],
    ))
}

/// The line of a member. Places are those of the file, so that a name with variables in it is not found.
fn find<'a>(text: &'a str, packages: &Entry, member: &str) -> Result<WordLine<'a>, EditError> {
    word_lines(text, &packages.value)?
        .into_iter()
        .find(|line| line.words[0].1 == member)
        .ok_or_else(|| EditError::NoMember(member.to_owned()))
}

/// Where the header of a text block (`|`, `|-`, `|2`) stands behind the colon.
pub(super) fn block_header(text: &str, behind: usize) -> Result<Range<usize>, EditError> {
    let line = &text[behind..line_end(text, behind)];
    let start = line.find('|').ok_or(EditError::Unsure)?;
    let length = line[start..].find(char::is_whitespace).unwrap_or(line.len() - start);
    if !line[..start].trim().is_empty() {
        return Err(EditError::Unsure);
    }
    Ok(behind..behind + start + length)
}
