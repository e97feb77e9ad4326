//! Replaces `${NAME}` in one text.

use std::ops::Range;

/// What a name stands for.
pub(crate) enum Lookup<'a> {
    /// This value.
    Value(&'a str),
    /// Something that is known later only: it stays as written.
    Late,
    /// Nothing.
    Undefined,
}

/// Something in a text that cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// No variable has this name. The range is that of `${NAME}`.
    Undefined { name: String, range: Range<usize> },
    /// `${` without `}`, or with something between them that is no name.
    Malformed { range: Range<usize> },
}

/// Replaces each `${NAME}`; `$${` becomes `${`, every other `$` stays. Values are put in as they are: what looks like a variable
/// in them is not looked at again.
pub(crate) fn expand<'a>(text: &str, lookup: impl Fn(&str) -> Lookup<'a>) -> Result<String, Vec<Problem>> {
    let mut out = String::with_capacity(text.len());
    let mut problems = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        if text[at..start].ends_with('$') {
            out.push_str(&text[at..start]);
            out.push('{');
            at = start + 2;
            continue;
        }
        out.push_str(&text[at..start]);
        let Some(length) = text[start..].find('}') else {
            let end = start + text[start..].find(char::is_whitespace).unwrap_or(text.len() - start);
            problems.push(Problem::Malformed { range: start..end });
            at = text.len();
            break;
        };
        let end = start + length + 1;
        let name = &text[start + 2..end - 1];
        if is_name(name) {
            match lookup(name) {
                Lookup::Value(value) => out.push_str(value),
                Lookup::Late => out.push_str(&text[start..end]),
                Lookup::Undefined => problems.push(Problem::Undefined {
                    name: name.to_owned(),
                    range: start..end,
                }),
            }
        } else {
            problems.push(Problem::Malformed { range: start..end });
        }
        at = end;
    }
    out.push_str(&text[at..]);
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

/// Says whether this can be the name of a variable: letters, digits and `_`, no digit first.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::{Lookup, Problem, expand};

    fn lookup(name: &str) -> Lookup<'static> {
        match name {
            "A" => Lookup::Value("1"),
            "B" => Lookup::Value("${A}"),
            "image" => Lookup::Late,
            _ => Lookup::Undefined,
        }
    }

    #[test]
    fn replaces_names_and_nothing_else() {
        assert_eq!(expand("x${A}y${A}", lookup).as_deref(), Ok("x1y1"));
        assert_eq!(expand("${B}", lookup).as_deref(), Ok("${A}"));
        assert_eq!(expand("$A $ $$ {A} $(A)", lookup).as_deref(), Ok("$A $ $$ {A} $(A)"));
        assert_eq!(expand("$${A} $$${A}", lookup).as_deref(), Ok("${A} $${A}"));
        assert_eq!(expand("r/${image}:${A}", lookup).as_deref(), Ok("r/${image}:1"));
    }

    #[test]
    fn reports_every_problem_with_its_range() {
        let problems = expand("a${X}b${-}${", lookup);
        assert_eq!(
            problems,
            Err(vec![
                Problem::Undefined {
                    name: "X".into(),
                    range: 1..5
                },
                Problem::Malformed { range: 6..10 },
                Problem::Malformed { range: 10..12 },
            ])
        );
    }
}
