//! Whether two declared paths or globs can name the same file, decided without looking at a disk.

use farm_store::glob;

/// The files that a declared path or glob can name, relative to the workspace. A plain path stands for itself and for all that
/// lies below it.
#[derive(Debug, Clone)]
pub(super) struct PathSet(Vec<Vec<Part>>);

#[derive(Debug, Clone)]
enum Part {
    /// Any number of components: `**`.
    Any,
    /// The one component of this name.
    Literal(String),
    /// One component.
    Glob(Vec<Token>),
}

#[derive(Debug, Clone)]
enum Token {
    /// Any number of characters: `*`.
    Star,
    /// This character.
    Char(char),
    /// One of these characters.
    One(Chars),
}

/// Characters within, or with `negated` outside of, these ranges.
#[derive(Debug, Clone)]
struct Chars {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl PathSet {
    /// What `text`, declared in a manifest in `folder`, can name.
    #[must_use]
    pub(super) fn new(folder: &str, text: &str) -> Self {
        if !glob::is_pattern(text) {
            let mut parts = literals(folder);
            parts.extend(literals(text));
            if text.ends_with('/') {
                // The folder itself is no file that a glob could match.
                parts.push(Part::Glob(vec![Token::Star]));
            }
            parts.push(Part::Any);
            return Self(vec![parts]);
        }
        let alternative = |text: String| {
            let mut parts = literals(folder);
            parts.extend(components(&text).map(|name| match name {
                "**" => Part::Any,
                name if name.contains(['*', '?', '[', '\\']) => Part::Glob(tokens(name)),
                name => Part::Literal(name.to_owned()),
            }));
            parts
        };
        Self(without_braces(text).into_iter().map(alternative).collect())
    }

    /// Whether some path is in both.
    #[must_use]
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.0
            .iter()
            .any(|left| other.0.iter().any(|right| paths_meet(left, right)))
    }

    /// Just this path, relative to `folder`, and nothing below it.
    #[must_use]
    pub(super) fn path(folder: &str, path: &str) -> Self {
        let mut parts = literals(folder);
        parts.extend(literals(path));
        Self(vec![parts])
    }

    /// What all paths of an alternative begin with, for each alternative. Components end with a `/`, the last one too, so that of
    /// the beginnings of two sets that overlap, one is a beginning of the other.
    pub(super) fn beginnings(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|parts| beginning(parts))
    }
}

fn beginning(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Literal(name) => {
                text.push_str(name);
                text.push('/');
            }
            Part::Glob(tokens) => {
                let literal = |token: &Token| match token {
                    Token::Char(char) => Some(*char),
                    Token::Star | Token::One(_) => None,
                };
                text.extend(tokens.iter().map_while(literal));
                break;
            }
            Part::Any => break,
        }
    }
    text
}

fn components(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter(|part| !matches!(*part, "" | "."))
}

fn literals(path: &str) -> Vec<Part> {
    components(path).map(|name| Part::Literal(name.to_owned())).collect()
}

/// `a{b,c}` as `ab` and `ac`.
fn without_braces(text: &str) -> Vec<String> {
    let mut open = None;
    let mut commas = Vec::new();
    let (mut depth, mut escaped) = (0, false);
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => {
                depth += 1;
                open = open.or(Some(at));
            }
            ',' if depth == 1 => commas.push(at),
            '}' if depth == 1 => {
                let start = open.unwrap_or(at);
                let (before, after) = (&text[..start], &text[at + 1..]);
                let starts = std::iter::once(start).chain(commas.iter().copied());
                let ends = commas.iter().copied().chain([at]);
                return starts
                    .zip(ends)
                    .flat_map(|(from, to)| without_braces(&format!("{before}{}{after}", &text[from + 1..to])))
                    .collect();
            }
            '}' if depth > 1 => depth -= 1,
            _ => {}
        }
    }
    vec![text.to_owned()]
}

fn tokens(name: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = name.chars();
    while let Some(char) = rest.next() {
        found.push(match char {
            '*' => Token::Star,
            '?' => Token::One(Chars {
                negated: true,
                ranges: Vec::new(),
            }),
            '[' => match class(rest.as_str()) {
                Some((chars, after)) => {
                    rest = after.chars();
                    Token::One(chars)
                }
                None => Token::Char('['),
            },
            '\\' => Token::Char(rest.next().unwrap_or('\\')),
            other => Token::Char(other),
        });
    }
    found
}

/// The characters of a class whose `[` was read, and what follows its `]`.
fn class(text: &str) -> Option<(Chars, &str)> {
    let inner = text.strip_prefix(['!', '^']);
    let negated = inner.is_some();
    let inner = inner.unwrap_or(text);
    // A `]` right at the beginning is one of the characters.
    let first = inner.chars().next()?.len_utf8();
    let end = first + inner[first..].find(']')?;
    let members: Vec<char> = inner[..end].chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < members.len() {
        if at + 2 < members.len() && members[at + 1] == '-' {
            ranges.push((members[at], members[at + 2]));
            at += 3;
        } else {
            ranges.push((members[at], members[at]));
            at += 1;
        }
    }
    Some((Chars { negated, ranges }, &inner[end + 1..]))
}

impl Chars {
    fn has(&self, char: char) -> bool {
        self.negated != self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&char))
    }

    /// Sets of ranges that share a character share one at, or right beside, an end of a range.
    fn meets(&self, other: &Self) -> bool {
        let ends = self.ranges.iter().chain(&other.ranges).flat_map(|(from, to)| {
            let beside = [u32::from(*from).checked_sub(1), u32::from(*to).checked_add(1)];
            let beside = beside.into_iter().flatten().filter_map(char::from_u32);
            [*from, *to].into_iter().chain(beside)
        });
        ends.chain(['a']).any(|char| self.has(char) && other.has(char))
    }
}

fn paths_meet(left: &[Part], right: &[Part]) -> bool {
    meet(
        left,
        right,
        |part| matches!(part, Part::Any),
        |left, right| match (left, right) {
            (Part::Literal(left), Part::Literal(right)) => left == right,
            (Part::Literal(name), Part::Glob(glob)) | (Part::Glob(glob), Part::Literal(name)) => {
                let name: Vec<Token> = name.chars().map(Token::Char).collect();
                names_meet(&name, glob)
            }
            (Part::Glob(left), Part::Glob(right)) => names_meet(left, right),
            (Part::Any, _) | (_, Part::Any) => true,
        },
    )
}

fn names_meet(left: &[Token], right: &[Token]) -> bool {
    meet(
        left,
        right,
        |token| matches!(token, Token::Star),
        |left, right| match (left, right) {
            (Token::Char(left), Token::Char(right)) => left == right,
            (Token::Char(char), Token::One(chars)) | (Token::One(chars), Token::Char(char)) => chars.has(*char),
            (Token::One(left), Token::One(right)) => left.meets(right),
            (Token::Star, _) | (_, Token::Star) => true,
        },
    )
}

/// Whether two sequences, in which some items stand for any number of others, can stand for the same one.
fn meet<T>(left: &[T], right: &[T], many: impl Fn(&T) -> bool, one: impl Fn(&T, &T) -> bool) -> bool {
    // Row `i`, column `j`: whether what is left of both from there on can meet; filled from the ends.
    let mut below = vec![false; right.len() + 1];
    for i in (0..=left.len()).rev() {
        let mut row = vec![false; right.len() + 1];
        for j in (0..=right.len()).rev() {
            row[j] = match (left.get(i), right.get(j)) {
                (None, None) => true,
                (Some(l), _) if many(l) => below[j] || (j < right.len() && row[j + 1]),
                (_, Some(r)) if many(r) => row[j + 1] || (i < left.len() && below[j]),
                (Some(l), Some(r)) => one(l, r) && below[j + 1],
                _ => false,
            };
        }
        below = row;
    }
    below[0]
}

#[cfg(test)]
mod tests {
    use super::PathSet;

    #[test]
    fn paths_and_globs_that_can_name_one_file_overlap() {
        for (left, right) in [
            ("out.txt", "./out.txt"),
            ("gen/", "gen/a/b.txt"),
            ("gen", "gen/"),
            ("gen/*.o", "gen/x.o"),
            ("gen/*.o", "gen/*"),
            ("gen/*.o", "gen/"),
            ("**/*.o", "a/b/c.o"),
            ("a*z", "*b*"),
            ("*.{c,h}", "x.[f-i]"),
            ("{a,sub/deep/d}.C", "sub/**/d.?"),
            ("[!a]x", "[a-b]x"),
            ("[]]", "?"),
            (r"a\*", "a?"),
        ] {
            assert!(
                PathSet::new("f", left).overlaps(&PathSet::new("f", right)),
                "{left} {right}"
            );
            assert!(
                PathSet::new("f", right).overlaps(&PathSet::new("f", left)),
                "{right} {left}"
            );
        }
    }

    #[test]
    fn paths_and_globs_that_cannot_do_not() {
        for (left, right) in [
            ("out.txt", "out.txt2"),
            ("gen", "generated/x"),
            ("gen/*.o", "gen/x.c"),
            ("*.o", "gen/x.o"),
            ("*", "gen/"),
            ("[!a]x", "ax"),
            ("{a,b}.c", "c.c"),
            (r"a\*", "ab"),
        ] {
            assert!(
                !PathSet::new("f", left).overlaps(&PathSet::new("f", right)),
                "{left} {right}"
            );
            assert!(
                !PathSet::new("f", right).overlaps(&PathSet::new("f", left)),
                "{right} {left}"
            );
        }
    }

    #[test]
    fn folders_of_manifests_count() {
        assert!(PathSet::new("f", "sub/*").overlaps(&PathSet::new("f/sub", "x")));
        assert!(!PathSet::new("f", "x").overlaps(&PathSet::new("g", "x")));
        assert!(PathSet::new("f", "sub/").overlaps(&PathSet::path("f", "sub/x")));
        assert!(!PathSet::new("f", "sub/").overlaps(&PathSet::path("f", "sub")));
    }
}
