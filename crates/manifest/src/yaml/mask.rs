//! Lets `${NAME}` stand without quotes inside of `[...]` and `{...}`.
//!
//! YAML ends a plain word at a brace there, so that `[type/${TYPE}]` would be an error. For the parser the two braces of a variable are
//! replaced by other characters, which are one byte as well, so that every place stays the same; a character is taken that follows no
//! `$` anywhere in the text, so that what is given back is exactly what was replaced.

use std::borrow::Cow;

use crate::vars::is_name;

/// What an opening brace may be replaced by: one byte, nothing special to YAML inside of a word, rare after `$`.
const CANDIDATES: &str = "<^~+=%;|&@!/.\"'(*?-_";
const CLOSE: char = '>';

/// A way to hide the braces of variables from YAML.
pub(super) struct Mask {
    open: char,
}

impl Mask {
    /// Finds one for a text; `None` for a text that uses all characters after a `$`.
    pub(super) fn of(text: &str) -> Option<Self> {
        CANDIDATES
            .chars()
            .find(|open| !text.contains(&format!("${open}")))
            .map(|open| Self { open })
    }

    /// Masks the braces of every `${NAME}`.
    pub(super) fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        replace(text, ['{', '}'], [self.open, CLOSE])
    }

    /// Gives the braces back.
    pub(super) fn unmask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        replace(text, [self.open, CLOSE], ['{', '}'])
    }
}

fn replace<'a>(text: &'a str, from: [char; 2], to: [char; 2]) -> Cow<'a, str> {
    let start = format!("${}", from[0]);
    if !text.contains(&start) {
        return Cow::Borrowed(text);
    }
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(&start) {
        let inside = &rest[at + start.len()..];
        replaced.push_str(&rest[..=at]);
        match inside
            .find(from[1])
            .map(|end| &inside[..end])
            .filter(|name| is_name(name))
        {
            Some(name) => {
                replaced.push(to[0]);
                replaced.push_str(name);
                replaced.push(to[1]);
                rest = &inside[name.len() + 1..];
            }
            None => {
                replaced.push(from[0]);
                rest = inside;
            }
        }
    }
    replaced.push_str(rest);
    Cow::Owned(replaced)
}

#[cfg(test)]
mod tests {
    use super::Mask;

    #[test]
    fn keeps_every_offset_and_gives_everything_back() {
        for text in [
            "[a/${B}, {c: $${D}}] ${",
            "${",
            "${}",
            "x",
            "${A}${B}",
            "${ A }",
            "é${A}é",
            "${A",
            "$<A> ${A}",
            "${${A}}",
        ] {
            let mask = Mask::of(text).unwrap();
            let masked = mask.mask(text);
            assert_eq!(masked.len(), text.len());
            assert_eq!(mask.unmask(&masked), text);
        }
        assert_eq!(Mask::of("[${A}]").unwrap().mask("[${A}]"), "[$<A>]");
        assert_eq!(Mask::of("[$<A>, ${A}]").unwrap().mask("[$<A>, ${A}]"), "[$<A>, $^A>]");
    }
}
