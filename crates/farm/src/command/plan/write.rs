//! `farm plan --write`: what Portage asks for is put into the manifest, until it resolves or nothing more can be written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use farm_engine::{Event, EventSink};
use farm_manifest::edit::{Change, EditError, Holder, Setting, edit, rename_in_set};
use farm_manifest::model::{PackageEntry, Packages};
use farm_manifest::{LoadError, Loaded, Overrides, load_edited};
use farm_portage::atom::{Atom, AtomSyntax};
use farm_resolver::suggest::{Section, SuggestedLine, is_about, manifest_lines};
use fs_err as fs;

use super::super::{FarmError, Setup, Words, matrix};
use super::{PlanView, plan_cell};
use crate::names::{TOOLS_SUBJECT, farm, local};
use crate::workspace::Workspace;

/// How often Portage is asked again. One change brings forth the next as deep as a chain of packages that all lack something.
const ROUNDS: usize = 30;

/// Makes the plans as [`plan`](super::plan()) does. Where Portage refuses, what it asks for is written into the manifests, and it is asked again. Every line
/// that was written is told as a note, and every line that a person has to write, with the reason.
///
/// # Errors
/// As [`plan`](super::plan()); and the environment's where a manifest cannot be written.
pub fn plan_and_write(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<PlanView, FarmError> {
    let mut views = Vec::new();
    for cell in matrix::cells(setup, words)? {
        cell.announce(events);
        let view = write_cell(setup, &cell.words, events)?;
        views.push((cell, view));
    }
    Ok(PlanView::together(views))
}

fn write_cell(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<PlanView, FarmError> {
    let mut view = plan_cell(setup, words, events)?;
    for _ in 0..ROUNDS {
        if view.refusals.is_empty() || setup.cancel.is_cancelled() {
            return Ok(view);
        }
        let mut round = Round::new(setup, words)?;
        for (node, refusal) in &view.refusals {
            for line in manifest_lines(refusal) {
                round.take(node, &line)?;
            }
        }
        for message in &round.left {
            let message = message.clone();
            events.event(&Event::Note { message });
        }
        if round.texts.is_empty() {
            return Ok(view);
        }
        for message in round.write()? {
            events.event(&Event::Note { message });
        }
        view = plan_cell(setup, words, events)?;
    }
    Ok(view)
}

/// What one refusal after the other changes, not written yet.
struct Round {
    root: Utf8PathBuf,
    overrides: Overrides,
    /// Farms as they would be.
    farms: BTreeMap<String, Loaded>,
    /// New texts of files, by their path in the workspace.
    texts: BTreeMap<Utf8PathBuf, String>,
    /// What is left to people.
    left: BTreeSet<String>,
}

/// Why a line is not written.
enum Left {
    Edit(EditError),
    /// For a reason in words.
    Because(String),
    /// The environment's fault.
    Failed(FarmError),
}

impl From<EditError> for Left {
    fn from(error: EditError) -> Self {
        Self::Edit(error)
    }
}

impl From<std::io::Error> for Left {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Round {
    fn new(setup: &Setup, words: &Words) -> Result<Self, FarmError> {
        let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
        Ok(Self {
            root: workspace.root,
            overrides: Overrides {
                environment: setup.environment.clone(),
                command_line: words.variables.clone(),
            },
            farms: BTreeMap::new(),
            texts: BTreeMap::new(),
            left: BTreeSet::new(),
        })
    }

    /// Puts one line where it belongs, or notes why that is left to a person.
    fn take(&mut self, node: &str, line: &SuggestedLine) -> Result<(), FarmError> {
        let subject = local(node).trim_start_matches("plan/");
        let holder = if subject == TOOLS_SUBJECT {
            Holder::Binfarm
        } else {
            Holder::Subject(subject.to_owned())
        };
        let farm = farm(node).to_owned();
        let mut reasons = Vec::new();
        if line.section == Section::Bootstrap {
            // Of several packages that a cycle goes through any may be built first, and it is people who know which.
            reasons.push("which package breaks a cycle is for you to choose; put it below `binfarm:`".to_owned());
        } else if line.members.is_empty() {
            reasons.push(match line.section {
                Section::Rename => "no member has the old name, but the ebuild of who asks for it".to_owned(),
                _ => "no member of the subject is known to need it".to_owned(),
            });
        }
        let members = if line.section == Section::Bootstrap {
            &[][..]
        } else {
            &line.members
        };
        for member in members {
            match self.put(&farm, &holder, member, line) {
                Ok(()) => return Ok(()),
                // Somebody else in this round needed the same.
                Err(Left::Edit(EditError::Already)) if !self.texts.is_empty() => return Ok(()),
                Err(Left::Edit(error)) => reasons.push(error.to_string()),
                Err(Left::Because(reason)) => reasons.push(reason),
                Err(Left::Failed(error)) => return Err(error),
            }
        }
        reasons.dedup();
        self.left.insert(format!(
            "not written for {subject}: `{}`, because {}",
            line.text,
            reasons.join("; ")
        ));
        Ok(())
    }

    fn put(&mut self, farm: &str, holder: &Holder, member: &str, line: &SuggestedLine) -> Result<(), Left> {
        let loaded = self.loaded(farm)?;
        let names = names(loaded);
        let packages = packages(loaded, holder).ok_or(EditError::NoPackages)?;
        let entry = named(packages, member).ok_or_else(|| EditError::NoMember(member.to_owned()))?;
        let file = loaded.sources.path(entry.member.span.file).to_owned();
        let manifest = loaded.farm.folder.join("farm.yaml");
        let set_file = packages.set_file.as_ref().map(|set| &set.path.value);
        if file != manifest && set_file != Some(&file) {
            return Err(Left::Because(format!(
                "{member} is named in {file}, which other farms include"
            )));
        }
        let written = entry.member.value.to_string();
        let before = self.text(&file)?;
        let mut after = before.clone();
        for change in changes(&written, line) {
            let changed = match &change {
                Change::Rename { member, from, to } if file != manifest => rename_in_set(&after, member, from, to),
                _ if file != manifest => Err(EditError::SetFile),
                _ => edit(&after, &names, holder, &change),
            };
            after = match changed {
                Err(EditError::Already) => after,
                changed => changed?,
            };
        }
        if after == before {
            return Err(EditError::Already.into());
        }
        let mut texts = self.texts.clone();
        texts.insert(file.clone(), after.clone());
        let changed = load_edited(&self.root, farm, &self.overrides, &texts).map_err(refused)?;
        self.farms.insert(farm.to_owned(), changed);
        self.texts = texts;
        Ok(())
    }

    fn loaded(&mut self, farm: &str) -> Result<&Loaded, Left> {
        if !self.farms.contains_key(farm) {
            let loaded = load_edited(&self.root, farm, &self.overrides, &self.texts);
            self.farms
                .insert(farm.to_owned(), loaded.map_err(|error| Left::Failed(error.into()))?);
        }
        self.farms
            .get(farm)
            .ok_or_else(|| Left::Failed(FarmError::bug(format!("{farm} is not loaded"))))
    }

    fn text(&self, file: &Utf8Path) -> Result<String, Left> {
        match self.texts.get(file) {
            Some(text) => Ok(text.clone()),
            None => Ok(fs::read_to_string(self.root.join(file))?),
        }
    }

    /// Writes all files; gives the lines that are new.
    fn write(self) -> Result<Vec<String>, FarmError> {
        let mut written = Vec::new();
        for (file, text) in &self.texts {
            let path = self.root.join(file);
            let before = fs::read_to_string(&path)?;
            replace(path.as_std_path(), text)?;
            for (number, line) in new_lines(&before, text) {
                written.push(format!("{file}:{number} says now: {}", line.trim()));
            }
        }
        Ok(written)
    }
}

/// Replaces a file's text at once, with its mode. A link stays one.
pub(in crate::command) fn replace(path: &Path, text: &str) -> Result<(), FarmError> {
    let path = fs::canonicalize(path)?;
    let folder = path
        .parent()
        .ok_or_else(|| FarmError::bug(format!("{} is in no folder", path.display())))?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    new.as_file().sync_all()?;
    farm_store::rename(new.into_temp_path(), &path)?;
    Ok(())
}

/// What the manifest's other checks say of a change.
fn refused(error: LoadError) -> Left {
    match error {
        LoadError::Invalid {
            diagnostics, sources, ..
        } => Left::Because(diagnostics.0.first().map_or_else(String::new, |first| {
            format!("{}: {}", sources.place(first.span), first.message)
        })),
        other => Left::Failed(other.into()),
    }
}

/// The variables that a manifest may use.
pub(in crate::command) fn names(loaded: &Loaded) -> BTreeMap<String, String> {
    let farm = &loaded.farm;
    let variables = farm.variables.iter();
    let mut names: BTreeMap<String, String> = variables
        .map(|(name, variable)| (name.clone(), variable.value.value.clone()))
        .collect();
    names.insert("farm".to_owned(), farm.name.value.clone());
    names.insert("flavour".to_owned(), farm.flavour.value.clone());
    names
}

fn packages<'a>(loaded: &'a Loaded, holder: &Holder) -> Option<&'a Packages> {
    match holder {
        Holder::Binfarm => loaded.farm.binfarm.as_ref().map(|binfarm| &binfarm.packages),
        Holder::Subject(name) => loaded.farm.subject(name).map(|subject| &subject.packages),
    }
}

/// The entry of a member. Portage may have completed the category of a member that has none.
fn named<'a>(packages: &'a Packages, member: &str) -> Option<&'a PackageEntry> {
    packages
        .entries
        .iter()
        .find(|entry| entry.member.value.to_string() == member)
}

/// What a line changes in the entry of a member.
fn changes(member: &str, line: &SuggestedLine) -> Vec<Change> {
    if line.section == Section::Rename {
        let Ok(old) = Atom::parse(member, AtomSyntax::USER) else {
            return Vec::new();
        };
        return vec![Change::Rename {
            member: member.to_owned(),
            from: old.cp(),
            to: line.atom.clone(),
        }];
    }
    // What is about a member stands in its own words there.
    let atom = if is_about(member, &line.atom) {
        member
    } else {
        &line.atom
    };
    let settings = line.settings.iter().filter_map(|(key, values)| {
        let setting = match *key {
            "use" => Setting::Use,
            "accept_keywords" => Setting::AcceptKeywords,
            "license" => Setting::License,
            "unmask" => Setting::Unmask,
            _ => return None,
        };
        Some(Change::Set {
            member: member.to_owned(),
            atom: atom.to_owned(),
            setting,
            values: values.clone(),
        })
    });
    settings.collect()
}

/// The lines of a text that an earlier one does not have, with their numbers. What was not touched is there in its order, so that the longest common
/// sequence of lines is what stayed.
pub(in crate::command) fn new_lines<'a>(before: &str, after: &'a str) -> Vec<(usize, &'a str)> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let start = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let tails = old[start..].iter().rev().zip(new[start..].iter().rev());
    let end = tails.take_while(|(one, other)| one == other).count();
    let (old, new) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    // How many lines are common from here on.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for at in (0..old.len()).rev() {
        for to in (0..new.len()).rev() {
            common[at][to] = if old[at] == new[to] {
                common[at + 1][to + 1] + 1
            } else {
                common[at + 1][to].max(common[at][to + 1])
            };
        }
    }
    let (mut at, mut found) = (0, Vec::new());
    for (to, line) in new.iter().enumerate() {
        while at < old.len() && old[at] != *line && common[at + 1][to] >= common[at][to + 1] {
            at += 1;
        }
        if at < old.len() && old[at] == *line {
            at += 1;
        } else {
            found.push((start + to + 1, *line));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::new_lines;

    #[test]
    fn only_new_lines_are_told() {
        type Lines = &'static [(usize, &'static str)];
        let table: [(&str, &str, Lines); 5] = [
            ("a\nb\nc", "a\nB\nc", &[(2, "B")]),
            ("a\nb\nc", "a\nb\nx\ny\nc", &[(3, "x"), (4, "y")]),
            ("a\nb\nc\nb\n", "A\nb\nc\nx\nb\n", &[(1, "A"), (4, "x")]),
            ("a\na\n", "a\nx\na\nx\n", &[(2, "x"), (4, "x")]),
            ("a\n", "a\n", &[]),
        ];
        for (before, after, wanted) in table {
            assert_eq!(new_lines(before, after), wanted, "{before:?} to {after:?}");
        }
    }
}
