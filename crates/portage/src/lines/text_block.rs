//! The manifest's text blocks: a line is an atom with flags and keywords after it, or a set.

use std::collections::BTreeSet;

use super::Parsed;
use super::error::{LineError, LineProblem};
use super::package_files::only_word;
use super::sets::{SetMember, read_member};
use super::use_values::{UseReader, UseValue};
use super::words::{Line, Place, Placed, lines};
use crate::atom::{AtomSyntax, UseDepKind};
use crate::keyword::Keyword;

/// A word after the atom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockWord {
    /// Goes to `package.accept_keywords`.
    Keyword(Keyword),
    /// Goes to `package.use`.
    Use(UseValue),
}

/// A line of a text block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockLine {
    /// Where the atom or set stands.
    pub place: Place,
    /// The atom or set.
    pub member: SetMember,
    /// What follows it; nothing follows a set.
    pub words: Vec<Placed<BlockWord>>,
}

impl BlockLine {
    /// The keywords among the words.
    pub fn keywords(&self) -> impl Iterator<Item = &Keyword> {
        self.words.iter().filter_map(|word| match &word.value {
            BlockWord::Keyword(keyword) => Some(keyword),
            BlockWord::Use(_) => None,
        })
    }

    /// The USE flags among the words.
    pub fn use_values(&self) -> impl Iterator<Item = &UseValue> {
        self.words.iter().filter_map(|word| match &word.value {
            BlockWord::Use(value) => Some(value),
            BlockWord::Keyword(_) => None,
        })
    }
}

/// Reads a text block.
///
/// A word is a keyword if [`Keyword::is_meant`] says so (outside of a `NAME:` group a bare word of `arches` counts as one), and a USE flag
/// otherwise.
#[must_use]
pub fn parse_text_block(text: &str, syntax: AtomSyntax, arches: &BTreeSet<String>) -> Parsed<BlockLine> {
    let mut parsed = Parsed::default();
    for line in lines(text) {
        read_line(&mut parsed, &line, syntax, arches);
    }
    parsed
}

/// Reads one line, such as an element of a list.
///
/// # Errors
/// Every fault of the line; also when it holds nothing or more than one line.
pub fn parse_block_line(
    text: &str,
    syntax: AtomSyntax,
    arches: &BTreeSet<String>,
) -> Result<BlockLine, Vec<LineError>> {
    let mut entries = parse_text_block(text, syntax, arches).into_result()?.into_iter();
    let fail = |place, problem| {
        Err(vec![LineError {
            place,
            problem,
            advice: None,
        }])
    };
    match (entries.next(), entries.next()) {
        (Some(line), None) => Ok(line),
        (Some(_), Some(second)) => fail(second.place, LineProblem::ExtraWord),
        (None, _) => {
            let place = Place {
                line: 1,
                column: 1,
                span: 0..text.len(),
            };
            fail(place, LineProblem::Empty)
        }
    }
}

fn read_line(parsed: &mut Parsed<BlockLine>, line: &Line<'_>, syntax: AtomSyntax, arches: &BTreeSet<String>) {
    let place = line.words[0].place.clone();
    let member = match read_member(line, syntax) {
        Ok(SetMember::Set(name)) => {
            parsed.add(
                only_word(
                    line,
                    "flags and keywords go with the atoms of the set, each on its own line",
                )
                .map(|()| BlockLine {
                    place,
                    member: SetMember::Set(name),
                    words: Vec::new(),
                }),
            );
            return;
        }
        Ok(SetMember::Atom(atom)) if !atom.use_deps().is_empty() => {
            let flags = atom.use_deps().iter().filter_map(|dep| match dep.kind {
                UseDepKind::Enabled => Some(format!(" {}", dep.flag)),
                UseDepKind::Disabled => Some(format!(" -{}", dep.flag)),
                _ => None,
            });
            parsed.errors.push(LineError {
                place: place.clone(),
                problem: LineProblem::UseDeps,
                advice: Some(format!("write `{}{}`", atom.without_use(), flags.collect::<String>())),
            });
            None
        }
        Ok(member) => Some(member),
        Err(error) => {
            parsed.errors.push(error);
            None
        }
    };
    let mut reader = UseReader::new(true);
    let mut words = Vec::new();
    for word in &line.words[1..] {
        match read_word(&mut reader, word, arches) {
            Ok(value) => words.extend(value),
            Err(error) => parsed.errors.push(error),
        }
    }
    parsed.errors.extend(reader.end().err());
    if let Some(member) = member {
        parsed.entries.push(BlockLine { place, member, words });
    }
}

fn read_word<'a>(
    reader: &mut UseReader<'a>,
    word: &Placed<&'a str>,
    arches: &BTreeSet<String>,
) -> Result<Option<Placed<BlockWord>>, LineError> {
    // In a group a bare word is a value of it, even if an architecture has the same name.
    let none = BTreeSet::new();
    let arches = if reader.in_group() { &none } else { arches };
    if !Keyword::is_meant(word.value, arches) {
        let value = reader.read(word)?;
        return Ok(value.map(|Placed { place, value }| Placed {
            place,
            value: BlockWord::Use(value),
        }));
    }
    match Keyword::parse(word.value) {
        Ok(keyword) => Ok(Some(Placed {
            place: word.place.clone(),
            value: BlockWord::Keyword(keyword),
        })),
        Err(error) => Err(LineError {
            place: word.place.clone(),
            problem: error.into(),
            advice: None,
        }),
    }
}
