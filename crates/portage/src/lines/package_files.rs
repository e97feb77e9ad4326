//! `package.use`, `package.mask` and the other files that start their lines with an atom.

use super::Parsed;
use super::error::{LineError, LineProblem, parse_atom};
use super::use_values::{UseReader, UseValue};
use super::words::{Line, Place, Placed, lines};
use crate::atom::{Atom, AtomSyntax};
use crate::keyword::Keyword;

/// The files that this module reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PackageFile {
    /// `package.use`, and with it `package.use.{mask,force,stable.mask,stable.force}`.
    Use,
    /// `package.accept_keywords` and `package.keywords`.
    AcceptKeywords,
    /// `package.license`.
    License,
    /// `package.env`.
    Env,
    /// `package.mask`.
    Mask,
    /// `package.unmask`.
    Unmask,
    /// `package.properties`.
    Properties,
    /// `package.accept_restrict`.
    AcceptRestrict,
}

impl PackageFile {
    /// The file or folder of this name in `/etc/portage` or a profile.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "package.use"
            | "package.use.mask"
            | "package.use.force"
            | "package.use.stable.mask"
            | "package.use.stable.force" => Some(Self::Use),
            "package.accept_keywords" | "package.keywords" => Some(Self::AcceptKeywords),
            "package.license" => Some(Self::License),
            "package.env" => Some(Self::Env),
            "package.mask" => Some(Self::Mask),
            "package.unmask" => Some(Self::Unmask),
            "package.properties" => Some(Self::Properties),
            "package.accept_restrict" => Some(Self::AcceptRestrict),
            _ => None,
        }
    }

    /// Whether Portage takes lines of this file whose atom has USE dependencies.
    #[must_use]
    pub fn allows_use_deps(self) -> bool {
        !matches!(self, Self::Use | Self::AcceptKeywords)
    }
}

/// What a place allows in its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The atoms.
    pub atoms: AtomSyntax,
    /// `NAME:` groups and `-*` among USE flags.
    pub use_groups: bool,
}

impl Dialect {
    /// Files in `/etc/portage`.
    pub const USER: Self = Self {
        atoms: AtomSyntax::USER,
        use_groups: true,
    };
    /// Files in a profile of the format `portage-2`: no wildcards, no repositories, no groups, no `-*`.
    pub const PROFILE: Self = Self {
        atoms: AtomSyntax::EBUILD,
        use_groups: false,
    };

    fn atoms_of(self, file: PackageFile) -> AtomSyntax {
        // Portage reads package.license without asking for build numbers.
        let build_id = self.atoms.build_id && file != PackageFile::License;
        AtomSyntax { build_id, ..self.atoms }
    }
}

/// A line that starts with an atom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<V> {
    /// Where the atom stands.
    pub place: Place,
    /// The atom.
    pub atom: Atom,
    /// What follows it, each with its place.
    pub values: Vec<Placed<V>>,
}

impl<V> Entry<V> {
    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.place.line
    }
}

/// A line of `package.mask` or `package.unmask`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskEntry {
    /// Where the atom stands, without the `-`.
    pub place: Place,
    /// With `-`: the same atom of an earlier file no longer counts.
    pub removed: bool,
    /// The atom.
    pub atom: Atom,
}

/// Reads `package.use` or one of its kin.
#[must_use]
pub fn parse_use(text: &str, dialect: Dialect) -> Parsed<Entry<UseValue>> {
    let mut parsed = Parsed::default();
    for line in lines(text) {
        let mut reader = UseReader::new(dialect.use_groups);
        read_entry(&mut parsed, &line, PackageFile::Use, dialect, |word| reader.read(word));
        parsed.errors.extend(reader.end().err());
    }
    parsed
}

/// Reads `package.accept_keywords`. An entry without values accepts `~ARCH` for each architecture in `ACCEPT_KEYWORDS`.
#[must_use]
pub fn parse_keywords(text: &str, dialect: Dialect) -> Parsed<Entry<Keyword>> {
    let mut parsed = Parsed::default();
    for line in lines(text) {
        read_entry(
            &mut parsed,
            &line,
            PackageFile::AcceptKeywords,
            dialect,
            |word| match Keyword::parse(word.value) {
                Ok(value) => Ok(Some(Placed {
                    place: word.place.clone(),
                    value,
                })),
                Err(error) => Err(LineError {
                    place: word.place.clone(),
                    problem: error.into(),
                    advice: None,
                }),
            },
        );
    }
    parsed
}

/// Reads a file whose values are plain words: `package.license`, `.env`, `.properties` and `.accept_restrict`.
#[must_use]
pub fn parse_words(text: &str, file: PackageFile, dialect: Dialect) -> Parsed<Entry<String>> {
    let mut parsed = Parsed::default();
    for line in lines(text) {
        read_entry(&mut parsed, &line, file, dialect, |word| {
            Ok(Some(Placed {
                place: word.place.clone(),
                value: word.value.to_owned(),
            }))
        });
    }
    parsed
}

/// Reads `package.mask` or `package.unmask`.
#[must_use]
pub fn parse_masks(text: &str, dialect: Dialect) -> Parsed<MaskEntry> {
    let mut parsed = Parsed::default();
    for line in lines(text) {
        parsed.add(read_mask(&line, dialect));
    }
    parsed
}

fn read_mask(line: &Line<'_>, dialect: Dialect) -> Result<MaskEntry, LineError> {
    let whole = &line.words[0];
    let (removed, word) = match whole.value.strip_prefix('-') {
        Some(atom) => {
            let place = whole.place.part(whole.value, &(1..whole.value.len()));
            (true, Placed { place, value: atom })
        }
        None => (false, whole.clone()),
    };
    let atom = parse_atom(&word, dialect.atoms)?;
    only_word(line, "write one atom a line")?;
    Ok(MaskEntry {
        place: word.place,
        removed,
        atom,
    })
}

/// Refuses a second word.
pub(super) fn only_word(line: &Line<'_>, advice: &str) -> Result<(), LineError> {
    match line.words.get(1) {
        None => Ok(()),
        Some(extra) => Err(LineError {
            place: extra.place.clone(),
            problem: LineProblem::ExtraWord,
            advice: Some(advice.to_owned()),
        }),
    }
}

/// Reads one line; an entry is added even when some of its values are wrong, so that later checks see the rest of it.
fn read_entry<'a, V>(
    parsed: &mut Parsed<Entry<V>>,
    line: &Line<'a>,
    file: PackageFile,
    dialect: Dialect,
    mut read: impl FnMut(&Placed<&'a str>) -> Result<Option<Placed<V>>, LineError>,
) {
    let first = &line.words[0];
    let atom = parse_atom(first, dialect.atoms_of(file)).and_then(|atom| {
        let refuse = |problem, advice: String| LineError {
            place: first.place.clone(),
            problem,
            advice: Some(advice),
        };
        if !file.allows_use_deps() && !atom.use_deps().is_empty() {
            return Err(refuse(LineProblem::UseDeps, format!("write `{}`", atom.without_use())));
        }
        Ok(atom)
    });
    let mut values = Vec::new();
    for word in &line.words[1..] {
        match read(word) {
            Ok(value) => values.extend(value),
            Err(error) => parsed.errors.push(error),
        }
    }
    match atom {
        Ok(atom) => parsed.entries.push(Entry {
            place: first.place.clone(),
            atom,
            values,
        }),
        // The atom stands before its values, so its fault comes first.
        Err(error) => {
            let at = parsed
                .errors
                .iter()
                .position(|e| e.place.line == line.number)
                .unwrap_or(parsed.errors.len());
            parsed.errors.insert(at, error);
        }
    }
}
