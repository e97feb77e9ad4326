//! The shell environment that a package carries in `environment.bz2`.
//!
//! Portage saves it as what bash prints for `declare -p` followed by `declare -fp`: all variables, then all functions.
//! [`Environment`] cuts that text into items without interpreting values, so that items can be left out and the rest
//! stays byte for byte what it was.

use std::io::{Read, Write};

/// One piece of a saved environment, with its bytes verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `declare -FLAGS NAME` or `declare -FLAGS NAME=VALUE`; the value may span lines.
    Variable {
        /// The variable's name.
        name: String,
        /// The whole statement with its final newline.
        text: Vec<u8>,
    },
    /// A function definition.
    Function {
        /// The function's name.
        name: String,
        /// From the name to the newline after the closing brace.
        text: Vec<u8>,
    },
    /// Anything else: attributes of functions, blank lines, a function without an end.
    Other(Vec<u8>),
}

impl Item {
    /// The bytes of the item.
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Variable { text, .. } | Self::Function { text, .. } | Self::Other(text) => text,
        }
    }
}

/// Why a saved environment could not be read.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A quoted value has no end.
    #[error("the value of `{name}` at line {line} is not closed")]
    UnclosedValue {
        /// The variable.
        name: String,
        /// Where its statement begins, counted from 1.
        line: usize,
    },
    /// The bzip2 stream is damaged.
    #[error("not a bzip2 stream: {0}")]
    Bzip2(String),
    /// It unpacks to more than [`ENVIRONMENT_LIMIT`] bytes.
    #[error("the environment unpacks to more than {ENVIRONMENT_LIMIT} bytes")]
    TooLarge,
}

/// The most that `environment.bz2` may unpack to, in bytes. Real ones have some hundred kilobytes.
pub const ENVIRONMENT_LIMIT: u64 = 256 << 20;

/// A saved environment, cut into items in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    items: Vec<Item>,
}

impl Environment {
    /// Cuts the text of a saved environment into items.
    ///
    /// [`to_bytes`](Self::to_bytes) gives the very same text again. Once the first function came, what looks like a
    /// variable is kept as [`Item::Other`]: bash prints all variables first, so it would be part of something else.
    pub fn parse(text: &[u8]) -> Result<Self, EnvironmentError> {
        let mut items = Vec::new();
        let mut at = 0;
        let mut in_functions = false;
        while at < text.len() {
            let line = &text[at..line_end(text, at)];
            if let Some((name, end)) = function_header(line).zip(function_end(text, at)) {
                items.push(Item::Function {
                    name: name.to_owned(),
                    text: text[at..end].to_vec(),
                });
                in_functions = true;
                at = end;
            } else if let Some((name, value_at)) = variable_header(line).filter(|_| !in_functions) {
                let end = value_end(text, at + value_at).ok_or_else(|| EnvironmentError::UnclosedValue {
                    name: name.to_owned(),
                    line: line_number(text, at),
                })?;
                items.push(Item::Variable {
                    name: name.to_owned(),
                    text: text[at..end].to_vec(),
                });
                at = end;
            } else {
                items.push(Item::Other(line.to_vec()));
                at += line.len();
            }
        }
        Ok(Self { items })
    }

    /// Parses what an `environment.bz2` holds.
    pub fn parse_bz2(compressed: &[u8]) -> Result<Self, EnvironmentError> {
        let mut text = Vec::new();
        bzip2::read::MultiBzDecoder::new(compressed)
            .take(ENVIRONMENT_LIMIT + 1)
            .read_to_end(&mut text)
            .map_err(|error| EnvironmentError::Bzip2(error.to_string()))?;
        if text.len() as u64 > ENVIRONMENT_LIMIT {
            Err(EnvironmentError::TooLarge)
        } else {
            Self::parse(&text)
        }
    }

    /// The items in the order of the text.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Keeps the items for which `keep` says so.
    pub fn retain(&mut self, keep: impl FnMut(&Item) -> bool) {
        self.items.retain(keep);
    }

    /// Puts the statement `new` in the place of the variable whose whole statement is `old`.
    pub(crate) fn replace_variable(&mut self, old: &[u8], new: &[u8]) {
        for item in &mut self.items {
            if let Item::Variable { text, .. } = item
                && text == old
            {
                *text = new.to_vec();
            }
        }
    }

    /// Gives the text again.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.items.iter().flat_map(|item| item.text().iter().copied()).collect()
    }

    /// Gives the text compressed by bzip2 at level 9, as Portage stores it.
    pub fn to_bz2(&self) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        encoder
            .write_all(&self.to_bytes())
            .and_then(|()| encoder.finish())
            .expect("compressing into memory cannot fail")
    }
}

/// The position after the newline that ends the line at `at`, or the end of the text.
fn line_end(text: &[u8], at: usize) -> usize {
    text[at..]
        .iter()
        .position(|&b| b == b'\n')
        .map_or(text.len(), |n| at + n + 1)
}

fn line_number(text: &[u8], at: usize) -> usize {
    text[..at].iter().filter(|&&b| b == b'\n').count() + 1
}

/// Recognises `NAME () ` as bash prints it at the start of a function; bash allows nearly any character in the name.
fn function_header(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let name = line.strip_suffix("()")?.trim_end();
    let plain = |c: char| !c.is_whitespace() && !"\"'$`\\;&|<>()=#".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// Recognises `declare -FLAGS NAME` and gives the name and where the value begins (at the `=`, or the end of the
/// name). Declarations of functions (`-f`) are none.
fn variable_header(line: &[u8]) -> Option<(&str, usize)> {
    let rest = line.strip_prefix(b"declare ")?;
    let (flags, name_at) = match rest.strip_prefix(b"-") {
        Some(_) => {
            let end = rest.iter().position(|&b| b == b' ')?;
            (&rest[1..end], "declare ".len() + end + 1)
        }
        // Portage's filter takes `-r` away, which may leave no flags.
        None => (&b""[..], "declare ".len()),
    };
    if flags.contains(&b'f') || flags.contains(&b'F') {
        return None;
    }
    let length = line[name_at..]
        .iter()
        .position(|&b| !(b.is_ascii_alphanumeric() || b == b'_'))?;
    let value_at = name_at + length;
    if length == 0 || !matches!(line[value_at], b'=' | b'\n') {
        return None;
    }
    Some((std::str::from_utf8(&line[name_at..value_at]).ok()?, value_at))
}

/// Finds the position after the newline that ends the statement whose value begins at `at`: the first newline outside
/// of quotes. `None` if a quote stays open.
fn value_end(text: &[u8], mut at: usize) -> Option<usize> {
    while at < text.len() {
        match text[at] {
            b'\n' => return Some(at + 1),
            b'\\' => at += 2,
            b'\'' => at = quote_end(text, at + 1, b'\'', false)?,
            b'"' => at = quote_end(text, at + 1, b'"', true)?,
            b'$' if text.get(at + 1) == Some(&b'\'') => at = quote_end(text, at + 2, b'\'', true)?,
            _ => at += 1,
        }
    }
    Some(text.len())
}

/// Finds the position after the closing quote; `escapes` says whether a backslash protects the next byte.
fn quote_end(text: &[u8], mut at: usize, quote: u8, escapes: bool) -> Option<usize> {
    while at < text.len() {
        match text[at] {
            b'\\' if escapes => at += 2,
            b if b == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Finds the position after the line `}` that closes the function at `at`, stepping over here-documents, whose text
/// may contain such a line too.
fn function_end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = line_end(text, at);
    while at < text.len() {
        let end = line_end(text, at);
        let line = trim_newline(&text[at..end]);
        // The redirections of a whole function follow its closing brace.
        if line == b"}" || line.starts_with(b"} ") {
            return Some(end);
        }
        at = end;
        for (delimiter, strip_tabs) in here_documents(line) {
            // What only looks like a here-document (a shift in an arithmetic expression) has no closing line.
            if let Some(after) = here_document_end(text, at, &delimiter, strip_tabs) {
                at = after;
            }
        }
    }
    None
}

/// Lists the delimiters of the here-documents that a line announces.
fn here_documents(line: &[u8]) -> Vec<(Vec<u8>, bool)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b'\\' => at += 2,
            b'\'' => at = quote_end(line, at + 1, b'\'', false).unwrap_or(line.len()),
            b'"' => at = quote_end(line, at + 1, b'"', true).unwrap_or(line.len()),
            b'<' if line[at..].starts_with(b"<<<") => at += 3,
            b'<' if line[at..].starts_with(b"<<") => {
                at += 2;
                let strip_tabs = line.get(at) == Some(&b'-');
                at += usize::from(strip_tabs);
                let rest = &line[at..];
                let rest = &rest[rest.iter().take_while(|b| **b == b' ').count()..];
                let word = rest.iter().take_while(|b| !b" \t;|&<>()".contains(b));
                let delimiter: Vec<u8> = word.copied().filter(|b| !b"'\"\\".contains(b)).collect();
                if !delimiter.is_empty() {
                    found.push((delimiter, strip_tabs));
                }
            }
            _ => at += 1,
        }
    }
    found
}

fn here_document_end(text: &[u8], mut at: usize, delimiter: &[u8], strip_tabs: bool) -> Option<usize> {
    while at < text.len() {
        let end = line_end(text, at);
        let mut line = trim_newline(&text[at..end]);
        if strip_tabs {
            line = &line[line.iter().take_while(|b| **b == b'\t').count()..];
        }
        if line == delimiter {
            return Some(end);
        }
        at = end;
    }
    None
}

fn trim_newline(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let environment = Environment::parse(text.as_bytes()).unwrap();
        assert_eq!(environment.to_bytes(), text.as_bytes());
        let name = |item: &Item| match item {
            Item::Variable { name, .. } => name.clone(),
            Item::Function { name, .. } => format!("{name}()"),
            Item::Other(text) => format!("?{}", String::from_utf8_lossy(text).trim_end()),
        };
        environment.items().iter().map(name).collect()
    }

    #[test]
    fn values_may_span_lines_and_quote_anything() {
        let text = "declare -- A=\"x\ndeclare -x MAKEOPTS=\\\"-j2\\\"\n\"\n\
            declare -x B=$'it\\'s\\ndeclare -x C=1'\n\
            declare -a D=([0]=\"a b\" [1]=$'c\\n' [2]=\")\")\n\
            declare -A E=([\"k\"]=\"v\" )\n\
            declare F='a\nb'\n\
            declare -x G\n\
            declare -- H=plain\n";
        assert_eq!(names(text), ["A", "B", "D", "E", "F", "G", "H"]);
    }

    #[test]
    fn functions_keep_what_looks_like_the_end_or_a_variable() {
        let text = "declare -x A=\"1\"\n\
            src_install () \n{ \n    cat > x <<EOF\n}\ndeclare -x GNUMAKEFLAGS=\"1\"\nEOF\n\n    echo $((1 << 2)) <<< word\n}\n\
            pkg-setup () \n{ \n    cat <<-'X Y' | tr a b;\n\t}\n\tX\n    true\n}\n\
            declare -fx pkg-setup\n\
            declare -x B=\"2\"\n";
        let found = names(text);
        assert_eq!(found[..3], ["A", "src_install()", "pkg-setup()"]);
        assert_eq!(found[3..], ["?declare -fx pkg-setup", "?declare -x B=\"2\""]);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        assert!(matches!(
            Environment::parse(b"declare -x A=1\ndeclare -x B=\"x\n"),
            Err(EnvironmentError::UnclosedValue { line: 2, .. })
        ));
    }

    #[test]
    fn compression_is_undone() {
        let environment = Environment::parse(b"declare -x A=\"1\"\n").unwrap();
        assert_eq!(Environment::parse_bz2(&environment.to_bz2()).unwrap(), environment);
    }
}
