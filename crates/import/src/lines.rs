//! The lines of `package.*` and set files: those that Portage does not take become comments, names of today take the place of old
//! ones.
//!
//! Portage warns about a line that it cannot read and goes on without it; farm refuses the whole farm. So the line is kept where it is,
//! as a comment.

use std::collections::BTreeMap;

use farm_portage::atom::Atom;
use farm_portage::lines::{
    Dialect, Entry, LineError, PackageFile, Parsed, SetMember, lines, parse_keywords, parse_masks, parse_set,
    parse_use, parse_words,
};

use crate::draft::Draft;
use crate::report::NoteKind;

/// What a file of lines is, by its place below `/etc/portage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineFile {
    Package(PackageFile),
    Set,
}

impl LineFile {
    /// By the first part of the path.
    pub(crate) fn of(top: &str) -> Option<Self> {
        match PackageFile::from_name(top) {
            Some(file) => Some(Self::Package(file)),
            None => (top == "sets").then_some(Self::Set),
        }
    }

    /// The atoms with their lines, and what is wrong.
    fn read(self, text: &str) -> (Vec<(usize, Atom)>, Vec<LineError>) {
        let user = Dialect::USER;
        match self {
            Self::Package(PackageFile::Use) => atoms(parse_use(text, user)),
            Self::Package(PackageFile::AcceptKeywords) => atoms(parse_keywords(text, user)),
            Self::Package(PackageFile::Mask | PackageFile::Unmask) => {
                let parsed = parse_masks(text, user);
                let found = parsed.entries.into_iter().map(|entry| (entry.place.line, entry.atom));
                (found.collect(), parsed.errors)
            }
            Self::Package(file) => atoms(parse_words(text, file, user)),
            Self::Set => {
                let parsed = parse_set(text);
                let found = parsed.entries.into_iter().filter_map(|entry| match entry.member {
                    SetMember::Atom(atom) => Some((entry.place.line, atom)),
                    SetMember::Set(_) => None,
                });
                (found.collect(), parsed.errors)
            }
        }
    }

    /// Whether a line with a wrong word after its atom is still read by Portage.
    fn keeps_line(self) -> bool {
        !matches!(self, Self::Set | Self::Package(PackageFile::Mask | PackageFile::Unmask))
    }
}

fn atoms<V>(parsed: Parsed<Entry<V>>) -> (Vec<(usize, Atom)>, Vec<LineError>) {
    let found = parsed.entries.into_iter().map(|entry| (entry.line(), entry.atom));
    (found.collect(), parsed.errors)
}

/// The text as it can stand in a layer.
pub(crate) fn taken(draft: &mut Draft, kind: LineFile, file: &str, text: &str) -> String {
    let (atoms, errors) = kind.read(text);
    let atoms: BTreeMap<usize, Atom> = atoms.into_iter().collect();
    let mut faults: BTreeMap<usize, Vec<LineError>> = BTreeMap::new();
    for error in errors {
        faults.entry(error.place.line).or_default().push(error);
    }
    let firsts: BTreeMap<usize, usize> = lines(text)
        .map(|line| (line.number, line.words[0].place.column))
        .collect();
    let mut taken = String::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let mut line = line.to_owned();
        let faults = faults.remove(&number).unwrap_or_default();
        let whole = faults
            .iter()
            .find(|fault| !kind.keeps_line() || Some(&fault.place.column) == firsts.get(&number));
        if let Some(fault) = whole {
            let advice = "Portage passes over the line, which is a comment now; mend it if it is meant";
            draft.note(
                NoteKind::LeftOut,
                file,
                number,
                format!("{}: `{}`", fault.problem, line.trim()),
                advice,
            );
            taken.push_str(&format!("# Portage did not take this line: {}\n", line.trim()));
            continue;
        }
        for fault in &faults {
            let word: String = text.get(fault.place.span.clone()).unwrap_or_default().to_owned();
            let advice = "the word is left out of the line; write what was meant";
            draft.note(NoteKind::LeftOut, file, number, fault.problem.to_string(), advice);
            line = without_word(&line, &word);
        }
        if let Some(atom) = atoms.get(&number)
            && let Some(renamed) = draft.names.today(atom, file, number, &mut draft.report)
        {
            // Behind the line, so that lines keep their numbers.
            line = line.replacen(&atom.to_string(), &renamed.atom.to_string(), 1);
            line = format!("{line} # {}", renamed.comment);
        }
        taken.push_str(&line);
        taken.push('\n');
    }
    taken
}

/// A line without one of its words.
fn without_word(line: &str, word: &str) -> String {
    let (code, comment) = line
        .split_once(" #")
        .map_or((line, None), |(code, comment)| (code, Some(comment)));
    let kept: Vec<&str> = code
        .split_whitespace()
        .filter(|one| !word.split_whitespace().any(|w| w == *one))
        .collect();
    let code = kept.join(" ");
    comment.map_or(code.clone(), |comment| format!("{code} #{comment}"))
}
