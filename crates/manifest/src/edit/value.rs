//! One value written otherwise, with the variables that stand in it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::EditError;
use super::splice::{Splice, apply};
use crate::vars::is_name;

/// What has to be changed for a value to be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revalued {
    /// The text, with the value in it.
    Text(String),
    /// The part that changes is that of a variable, and the value that it would need.
    Variable {
        /// The variable's name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// The text in which the value that is written at `place` says `to` and not `from`. `names` are the variables that it may use, with their values.
///
/// Only the part that differs is written anew, to the ends of the numbers in it.
///
/// # Errors
/// [`EditError::Unsure`], where what is written does not say `from`, or what differs lies over the end of a variable.
pub fn revalue(
    text: &str,
    place: Range<usize>,
    names: &BTreeMap<String, String>,
    from: &str,
    to: &str,
) -> Result<Revalued, EditError> {
    let place = unquoted(text, place)?;
    let pieces = pieces(text, place, names)?;
    let said: String = pieces.iter().map(|piece| piece.value(text)).collect();
    if said != from {
        return Err(EditError::Unsure);
    }
    if from == to {
        return Err(EditError::Already);
    }
    let (old, new) = difference(from, to);
    let mut at = 0;
    for piece in &pieces {
        let value = piece.value(text);
        let range = at..at + value.len();
        at = range.end;
        if old.start < range.start || old.end > range.end {
            continue;
        }
        let inside = old.start - range.start..old.end - range.start;
        return Ok(match piece {
            Piece::Written(place) => Revalued::Text(apply(
                text,
                &[Splice {
                    range: place.start + inside.start..place.start + inside.end,
                    text: to[new].to_owned(),
                }],
            )),
            Piece::Variable(name, value) => Revalued::Variable {
                name: (*name).to_owned(),
                value: format!("{}{}{}", &value[..inside.start], &to[new], &value[inside.end..]),
            },
        });
    }
    Err(EditError::Unsure)
}

/// A part of a value.
enum Piece<'a> {
    /// As it is written there.
    Written(Range<usize>),
    /// A variable, and its value.
    Variable(&'a str, &'a str),
}

impl Piece<'_> {
    fn value<'a>(&'a self, text: &'a str) -> &'a str {
        match self {
            Self::Written(place) => &text[place.clone()],
            Self::Variable(_, value) => value,
        }
    }
}

/// Where a scalar of one line says what it says. One with escapes is left to people.
fn unquoted(text: &str, place: Range<usize>) -> Result<Range<usize>, EditError> {
    let written = text.get(place.clone()).ok_or(EditError::Unsure)?;
    let inside = if written.len() > 1 && written.starts_with(['"', '\'']) && written.ends_with(&written[..1]) {
        place.start + 1..place.end - 1
    } else {
        place
    };
    if text[inside.clone()].contains(['\\', '\n', '\'', '"']) {
        return Err(EditError::Unsure);
    }
    Ok(inside)
}

fn pieces<'a>(
    text: &'a str,
    place: Range<usize>,
    names: &'a BTreeMap<String, String>,
) -> Result<Vec<Piece<'a>>, EditError> {
    let mut found = Vec::new();
    let mut at = place.start;
    while let Some(start) = text[at..place.end].find("${").map(|found| at + found) {
        let length = text[start..place.end].find('}').ok_or(EditError::Unsure)?;
        let name = &text[start + 2..start + length];
        // `$${` is no variable.
        if !is_name(name) || text[at..start].ends_with('$') {
            return Err(EditError::Unsure);
        }
        let (name, value) = names.get_key_value(name).ok_or(EditError::Unsure)?;
        found.push(Piece::Written(at..start));
        found.push(Piece::Variable(name, value));
        at = start + length + 1;
    }
    found.push(Piece::Written(at..place.end));
    // A change lies in the piece that has something in it.
    found.retain(|piece| !piece.value(text).is_empty());
    Ok(found)
}

/// In which parts two texts differ, to the ends of numbers.
fn difference(from: &str, to: &str) -> (Range<usize>, Range<usize>) {
    let (old, new) = (from.as_bytes(), to.as_bytes());
    let is_digit = |at: usize| old.get(at).is_some_and(u8::is_ascii_digit);
    let mut start = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    while start > 0 && (is_digit(start - 1) || !from.is_char_boundary(start)) {
        start -= 1;
    }
    let most = old.len().min(new.len()) - start;
    let tails = old.iter().rev().zip(new.iter().rev()).take(most);
    let mut tail = tails.take_while(|(one, other)| one == other).count();
    while tail > 0 && (is_digit(old.len() - tail) || !from.is_char_boundary(old.len() - tail)) {
        tail -= 1;
    }
    (start..old.len() - tail, start..new.len() - tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> BTreeMap<String, String> {
        [
            ("P", "amd64"),
            ("TAG", "20251101"),
            ("ALL", "amd64-openrc-20251101"),
            ("NONE", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn revalued(written: &str, from: &str, to: &str) -> Result<Revalued, EditError> {
        let text = format!("a: {written}   # why\nb: 20251101\n");
        revalue(&text, 3..3 + written.len(), &names(), from, to).map(|found| match found {
            Revalued::Text(after) => {
                let after = after
                    .strip_prefix("a: ")
                    .unwrap()
                    .strip_suffix("   # why\nb: 20251101\n")
                    .unwrap();
                Revalued::Text(after.to_owned())
            }
            variable @ Revalued::Variable { .. } => variable,
        })
    }

    #[test]
    fn only_what_differs_is_written_anew() {
        let text = |text: &str| Ok(Revalued::Text(text.to_owned()));
        let variable = |name: &str, value: &str| {
            Ok(Revalued::Variable {
                name: name.to_owned(),
                value: value.to_owned(),
            })
        };
        let (old, new) = ("g/s:amd64-openrc-20251101", "g/s:amd64-openrc-20251108");
        assert_eq!(
            revalued("g/s:amd64-openrc-20251101", old, new),
            text("g/s:amd64-openrc-20251108")
        );
        assert_eq!(
            revalued("'g/s:${P}-openrc-20251101'", old, new),
            text("'g/s:${P}-openrc-20251108'")
        );
        assert_eq!(
            revalued("\"g/s:${P}-openrc-${TAG}${NONE}\"", old, new),
            variable("TAG", "20251108")
        );
        assert_eq!(
            revalued("\"g/s:${ALL}\"", old, new),
            variable("ALL", "amd64-openrc-20251108")
        );
        assert_eq!(revalued("v1.9", "v1.9", "v1.10"), text("v1.10"));
        assert_eq!(revalued("v1.2-r1", "v1.2-r1", "v2.2-r3"), text("v2.2-r3"));
        assert_eq!(revalued("v1", "v1", "v1"), Err(EditError::Already));
        for (written, from, to) in [
            // Over the end of a variable; another value; escapes; no variable; none that is known.
            ("${P}-${TAG}", "amd64-20251101", "arm64-20251108"),
            ("v1", "v2", "v3"),
            (r#""v\x31""#, "v1", "v2"),
            ("$${TAG}", "${TAG}", "${TAG2}"),
            ("${WHO}", "v1", "v2"),
        ] {
            assert_eq!(revalued(written, from, to), Err(EditError::Unsure), "{written}");
        }
    }
}
