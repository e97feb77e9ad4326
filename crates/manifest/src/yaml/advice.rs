//! Finds the atom that somebody forgot to put in quotes.

use std::ops::Range;

/// The characters that start atoms, or Portage words, and mean something else to YAML.
const INDICATORS: &str = "><=@*!~&%`";

/// Says whether a word that starts with one of YAML's indicators is meant for Portage.
pub(super) fn looks_like_an_atom(word: &str) -> bool {
    word.starts_with(|start| INDICATORS.contains(start)) && (word.contains('/') || word.starts_with('@'))
}

/// Looks for such a word at `offset`, and else anywhere in its line, and gives its range.
pub(super) fn unquoted(text: &str, offset: usize) -> Option<Range<usize>> {
    let line_start = text.get(..offset)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[offset..].find('\n').map_or(text.len(), |length| offset + length);
    let word_at = |start: usize| {
        let rest = &text[start..line_end];
        let end = word_end(rest);
        looks_like_an_atom(&rest[..end]).then_some(start..start + end)
    };
    if let Some(found) = word_at(offset) {
        return Some(found);
    }
    let line = &text[line_start..line_end];
    let mut quote = None;
    let mut at_start = true;
    for (index, character) in line.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if at_start => quote = Some(character),
            (None, '#') if at_start => return None,
            (None, _) if at_start => {
                if let Some(found) = word_at(line_start + index) {
                    return Some(found);
                }
            }
            _ => {}
        }
        at_start = matches!(character, ' ' | '\t' | '[' | '{' | ',');
    }
    None
}

/// The length of the word a line starts with, as YAML would end it.
fn word_end(rest: &str) -> usize {
    let mut brackets = 0_usize;
    for (index, character) in rest.char_indices() {
        match character {
            ' ' | '\t' | '\r' => return index,
            // The brackets of `cat/pkg[flag]` belong to the atom, that of an enclosing list does not.
            '[' => brackets += 1,
            ']' if brackets > 0 => brackets -= 1,
            ']' | '}' => return index,
            ',' if brackets == 0 => return index,
            ':' if rest[index + 1..].chars().next().is_none_or(char::is_whitespace) => return index,
            _ => {}
        }
    }
    rest.len()
}
