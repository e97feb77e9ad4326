//! `make.conf`, `make.defaults` and the files of `package.env`: assignments, read but not expanded.
//!
//! The words are cut as `getconfig` in `portage.util` cuts them, which is neither quite bash nor quite POSIX: blanks around `=` are
//! allowed, and a bare word ends at characters such as `(` or `=`.

use std::ops::Range;

/// An assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub key: String,
    /// The value without its quotes, otherwise as written: `${VAR}` is not expanded, and backslashes and line ends are kept. It equals what
    /// Portage's `getconfig(..., expand=False)` gives.
    pub raw: String,
    /// The line of the key, from 1.
    pub line: usize,
    /// The bytes of the text from the key to the end of the value.
    pub span: Range<usize>,
}

impl Assignment {
    /// The value with continued lines joined and line ends turned into blanks, as Portage's expansion leaves them.
    #[must_use]
    pub fn value(&self) -> String {
        self.raw.replace("\\\n", "").replace('\n', " ")
    }
}

/// A `source FILE` line, which Portage follows in `make.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file as written, not expanded.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
}

/// What a file holds, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MakeConf {
    /// The assignments; one key may occur more than once, and the last one counts.
    pub assignments: Vec<Assignment>,
    /// The files that are read besides.
    pub sources: Vec<Source>,
}

/// A text is no list of assignments. This is always a fault of the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct MakeConfError {
    /// The line, from 1.
    pub line: usize,
    /// The offending bytes of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub problem: MakeConfProblem,
}

/// What is wrong with a list of assignments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MakeConfProblem {
    /// Something other than `=` after a variable.
    #[error("`=` must follow `{0}`")]
    NoEquals(String),
    /// A word after a value that ended earlier than was meant.
    #[error("the value of `{0}` ends before this; put values with blanks or special characters in quotes")]
    AfterValue(String),
    /// No value before the end of the line: Portage would take the next word of the file for it.
    #[error("no value follows `{0}=`; an empty one is written `{0}=\"\"`")]
    NoValue(String),
    /// The variable's name is none.
    #[error("`{0}` is not the name of a variable")]
    Key(String),
    /// A quote that is never closed.
    #[error("the quote {0} is not closed")]
    Unclosed(char),
    /// A backslash with nothing after it.
    #[error("nothing follows the backslash")]
    Escape,
}

impl MakeConf {
    /// Parses a file.
    ///
    /// # Errors
    /// [`MakeConfError`] for the first fault: what follows it cannot be told apart any more.
    pub fn parse(text: &str) -> Result<Self, MakeConfError> {
        let mut cutter = Cutter { text, at: 0 };
        let mut conf = Self::default();
        while let Some(mut key) = cutter.next()? {
            if key.is_bare("export") {
                match cutter.next()? {
                    Some(next) => key = next,
                    None => break,
                }
            }
            if key.is_bare("source") {
                let path = cutter
                    .next()?
                    .ok_or_else(|| key.error(text, MakeConfProblem::NoValue))?;
                conf.sources.push(Source {
                    path: path.value,
                    line: line_of(text, key.span.start),
                });
                continue;
            }
            let equals = cutter.next()?;
            match equals {
                Some(equals) if equals.value == "=" => {}
                _ => return Err(conf.no_equals(text, &key)),
            }
            let value = cutter
                .next()?
                .ok_or_else(|| key.error(text, MakeConfProblem::NoValue))?;
            let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !key.value.chars().all(valid) || key.value.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(key.error(text, MakeConfProblem::Key));
            }
            if text[key.span.end..value.span.start].contains('\n') {
                return Err(key.error(text, MakeConfProblem::NoValue));
            }
            conf.assignments.push(Assignment {
                line: line_of(text, key.span.start),
                span: key.span.start..value.span.end,
                key: key.value,
                raw: value.value,
            });
        }
        Ok(conf)
    }

    /// The error for a word without `=` after it: on the line of an assignment it is taken for a part of the value.
    fn no_equals(&self, text: &str, key: &Token) -> MakeConfError {
        let mut error = key.error(text, MakeConfProblem::NoEquals);
        if let Some(last) = self
            .assignments
            .last()
            .filter(|last| !text[last.span.end..key.span.start].contains('\n'))
        {
            error.problem = MakeConfProblem::AfterValue(last.key.clone());
        }
        error
    }

    /// The assignment that counts for a variable.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Assignment> {
        self.assignments.iter().rev().find(|assignment| assignment.key == key)
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// A word without its quotes.
struct Token {
    value: String,
    span: Range<usize>,
}

impl Token {
    fn is_bare(&self, word: &str) -> bool {
        self.value == word
    }

    fn error(&self, text: &str, problem: fn(String) -> MakeConfProblem) -> MakeConfError {
        MakeConfError {
            line: line_of(text, self.span.start),
            span: self.span.clone(),
            problem: problem(self.value.clone()),
        }
    }
}

/// Cuts a text into words as Python's `shlex` does in POSIX mode with Portage's settings.
struct Cutter<'a> {
    text: &'a str,
    at: usize,
}

impl Cutter<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn error(&self, span: Range<usize>, problem: MakeConfProblem) -> MakeConfError {
        MakeConfError {
            line: line_of(self.text, span.start),
            span,
            problem,
        }
    }

    fn skip_blanks_and_comments(&mut self) {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' | '\n' => {
                    self.take();
                }
                '#' => self.at += self.text[self.at..].find('\n').unwrap_or(self.text.len() - self.at),
                _ => return,
            }
        }
    }

    fn next(&mut self) -> Result<Option<Token>, MakeConfError> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let mut value = String::new();
        while let Some(c) = self.peek() {
            match c {
                '"' | '\'' => {
                    self.take();
                    self.quoted(c, &mut value)?;
                }
                '\\' => {
                    self.take();
                    let escaped = self.take();
                    value.push(escaped.ok_or_else(|| self.error(self.at - 1..self.at, MakeConfProblem::Escape))?);
                }
                _ if is_word(c) && c != '#' => {
                    self.take();
                    value.push(c);
                }
                _ => {
                    // Any other character is a word by itself.
                    if self.at == start {
                        self.take();
                        value.push(c);
                    }
                    break;
                }
            }
        }
        Ok((self.at > start).then_some(Token {
            value,
            span: start..self.at,
        }))
    }

    /// Takes what follows an opening quote, up to and with the closing one.
    fn quoted(&mut self, quote: char, value: &mut String) -> Result<(), MakeConfError> {
        let open = self.at - 1;
        loop {
            match self.take() {
                None => return Err(self.error(open..self.text.len(), MakeConfProblem::Unclosed(quote))),
                Some(c) if c == quote => return Ok(()),
                Some('\\') if quote == '"' => {
                    // Only the quote and the backslash itself lose their backslash.
                    match self.peek() {
                        Some(c @ ('"' | '\\')) => {
                            self.take();
                            value.push(c);
                        }
                        _ => value.push('\\'),
                    }
                }
                Some(c) => value.push(c),
            }
        }
    }
}

/// The characters of bare words in Portage's configuration files.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "~!@#$%*_\\:;?,./-+{}".contains(c)
}
