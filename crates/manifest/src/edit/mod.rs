//! Writes settings into the text of a manifest as a careful person would: lines are added or a list grows, and nothing else moves.
//!
//! [`edit`] is a pure function from text to text. What it makes is read again, and must say what the old text said and exactly the change
//! besides; so whatever a text looks like, it is changed rightly or not at all.

mod grow;
mod put;
mod said;
mod splice;
mod value;
mod words;

use std::collections::BTreeMap;

use thiserror::Error;

pub use self::value::{Revalued, revalue};

use crate::reader::Reader;
use crate::source::Sources;
use crate::tree;
use crate::yaml::{self, Entry, Kind, Node};

/// Which `packages:` of a farm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// `binfarm: packages:`.
    Binfarm,
    /// `subjects: NAME: packages:`.
    Subject(String),
}

/// One thing that a manifest is to say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Something is set for an atom.
    Set {
        /// The member that it stands with, as its entry has it (variables expanded).
        member: String,
        /// What it is set for: the member itself, or any other atom, which then stands below the member's `deps:`.
        atom: String,
        /// What is set.
        setting: Setting,
        /// The values: flags with their signs, keywords, licences. Nothing for [`Setting::Unmask`].
        values: Vec<String>,
    },
    /// A member has another name now.
    Rename {
        /// The member, as its entry has it (variables expanded).
        member: String,
        /// Its `category/name`.
        from: String,
        /// The `category/name` in its place.
        to: String,
    },
}

/// What may be set for an atom by [`edit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// `use`.
    Use,
    /// `accept_keywords`.
    AcceptKeywords,
    /// `license`.
    License,
    /// `unmask`.
    Unmask,
}

impl Setting {
    /// The manifest's key.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::AcceptKeywords => "accept_keywords",
            Self::License => "license",
            Self::Unmask => "unmask",
        }
    }
}

/// A text stays as it is, and why: it is for a person to change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EditError {
    /// Another text has the packages, such as the manifest of an included farm.
    #[error("this file does not say which packages it has")]
    NoPackages,
    /// The member comes from elsewhere: a set, an included farm.
    #[error("`{0}` is not named in this file")]
    NoMember(String),
    /// A set file holds atoms and nothing that is set for them.
    #[error("`packages` is the path of a set file, which holds atoms only")]
    SetFile,
    /// Nothing can be set for what a set holds.
    #[error("nothing can be set below the set `{0}`")]
    Set(String),
    /// Somebody wrote the opposite.
    #[error("`{written}` is written for `{atom}` in line {line}")]
    Contradicts {
        /// What is written.
        written: String,
        /// For which atom.
        atom: String,
        /// Where.
        line: usize,
    },
    /// Nothing would change.
    #[error("it is written already")]
    Already,
    /// The text is written in a way that cannot be changed with certainty.
    #[error("the way it is written cannot be changed with certainty")]
    Unsure,
}

/// The text of a manifest with one change, all else being as it was. `names` are the variables that the text may use, with their values.
///
/// # Errors
/// [`EditError`], when somebody else must decide or the result would not say what it should.
pub fn edit(
    text: &str,
    names: &BTreeMap<String, String>,
    holder: &Holder,
    change: &Change,
) -> Result<String, EditError> {
    let before = Text::read(text, names).ok_or(EditError::Unsure)?;
    let packages = before.packages(holder).ok_or(EditError::NoPackages)?;
    let member = match change {
        Change::Set { member, .. } | Change::Rename { member, .. } => member,
    };
    let after = match change {
        Change::Rename { from, to, .. } => words::rename(text, packages, member, from, to)?,
        Change::Set {
            atom, setting, values, ..
        } => {
            if member.starts_with('@') {
                return Err(EditError::Set(member.clone()));
            }
            match &packages.value.kind {
                Kind::Mapping(_) => put::set(text, packages, member, atom, *setting, values)?,
                _ if words::takes(*setting) && atom == member => words::lengthen(text, packages, member, values)?,
                _ => {
                    let map = grow::into_map(text, packages, &before.raw(holder)?.value)?;
                    let grown = Text::read(&map, names).ok_or(EditError::Unsure)?;
                    let packages = grown.packages(holder).ok_or(EditError::Unsure)?;
                    put::set(&map, packages, member, atom, *setting, values)?
                }
            }
        }
    };
    if after == text {
        return Err(EditError::Already);
    }
    let read = Text::read(&after, names).ok_or(EditError::Unsure)?;
    if said::only_this_changed(&before, &read, holder, change) {
        Ok(after)
    } else {
        Err(EditError::Unsure)
    }
}

/// The text of a set file in which a member has another name.
///
/// # Errors
/// [`EditError::NoMember`].
pub fn rename_in_set(text: &str, member: &str, from: &str, to: &str) -> Result<String, EditError> {
    let line = farm_portage::lines::lines(text)
        .find(|line| line.words.first().is_some_and(|word| word.value == member))
        .ok_or_else(|| EditError::NoMember(member.to_owned()))?;
    let place = line.words[0].place.span.clone();
    words::replace_name(text, place, from, to)
}

/// A text that was read.
struct Text {
    sources: Sources,
    /// As it is written.
    raw: Node,
    /// With the values of variables.
    tree: Node,
}

impl Text {
    fn read(text: &str, names: &BTreeMap<String, String>) -> Option<Self> {
        let mut sources = Sources::default();
        // The folder only decides what relative paths mean, which no edit changes.
        let file = sources.add("farms/edited/farm.yaml", text.as_bytes().to_vec());
        let mut diagnostics = Vec::new();
        let mut raw = yaml::parse(&sources, file, &mut diagnostics)?;
        tree::unique_keys(&mut raw, &sources, &mut diagnostics);
        if !diagnostics.is_empty() {
            return None;
        }
        let mut expanded = raw.clone();
        let scope = tree::Scope {
            variables: &BTreeMap::new(),
            fixed: names,
            broken: &[],
        };
        // What cannot be expanded here may be in a part that nobody edits.
        tree::expand(&mut expanded, &scope, &sources, &mut diagnostics);
        Some(Self {
            sources,
            raw,
            tree: expanded,
        })
    }

    fn packages(&self, holder: &Holder) -> Option<&Entry> {
        packages_in(&self.tree, holder)
    }

    fn raw(&self, holder: &Holder) -> Result<&Entry, EditError> {
        packages_in(&self.raw, holder).ok_or(EditError::NoPackages)
    }

    fn reader(&self) -> Reader<'_> {
        Reader::new(&self.sources)
    }
}

impl Holder {
    /// The keys that lead to its packages.
    fn path(&self) -> Vec<&str> {
        match self {
            Self::Binfarm => vec!["binfarm", "packages"],
            Self::Subject(name) => vec!["subjects", name, "packages"],
        }
    }
}

fn packages_in<'a>(tree: &'a Node, holder: &Holder) -> Option<&'a Entry> {
    let mut node = tree;
    let mut found = None;
    for key in holder.path() {
        let entry = entry(node, key)?;
        node = &entry.value;
        found = Some(entry);
    }
    found
}

fn entry<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    match &node.kind {
        Kind::Mapping(entries) => entries.iter().find(|entry| entry.key.text == key),
        _ => None,
    }
}

/// A YAML scalar that is read as this text, inside of brackets, too.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '-' && text.len() > 1)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_/.+:@".contains(&byte))
        && !text.ends_with(':')
        && !["true", "false", "yes", "no", "on", "off", "null"].contains(&text.to_ascii_lowercase().as_str())
        && text.parse::<f64>().is_err();
    if plain {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests;
