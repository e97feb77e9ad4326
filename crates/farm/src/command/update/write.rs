//! `farm update --write`: newer names are put into manifests.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use farm_engine::{Event, EventSink};
use farm_manifest::edit::{Revalued, revalue};
use farm_manifest::model::Origin;
use farm_manifest::{Loaded, Overrides, Span, load_edited};
use fs_err as fs;

use super::super::plan::write::{names, new_lines, replace};
use super::super::{FarmError, Setup, Words};
use super::proposals::{Named, Proposal, named};
use crate::workspace::Workspace;

/// How many variables a value may be made of, one inside of the other.
const DEEP: usize = 16;

/// Puts proposals into the manifests that they are for. Every line that says something else now is told as a note, and every proposal that is left to
/// people, with the reason.
///
/// # Errors
///
/// A manifest cannot be read or written.
pub(super) fn write(
    setup: &Setup,
    words: &Words,
    proposals: &[Proposal],
    events: &dyn EventSink,
) -> Result<(), FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let mut by_farm: BTreeMap<&str, Vec<&Proposal>> = BTreeMap::new();
    for proposal in proposals {
        by_farm.entry(&proposal.farm).or_default().push(proposal);
    }
    for (farm, proposals) in by_farm {
        let mut manifest = Manifest {
            root: &workspace.root,
            farm,
            overrides: Overrides {
                environment: setup.environment.clone(),
                command_line: words.variables.clone(),
            },
            text: fs::read_to_string(workspace.root.join(path_of(farm)))?,
        };
        let before = manifest.text.clone();
        for proposal in &proposals {
            match manifest.take(proposal, &proposals) {
                Ok(()) => {}
                Err(Left::Failed(error)) => return Err(error),
                Err(Left::Because(reason)) => {
                    let message = format!("not written: {}: {reason}", proposal.text());
                    events.event(&Event::Note { message });
                }
            }
        }
        if manifest.text == before {
            continue;
        }
        let path = path_of(farm);
        replace(workspace.root.join(&path).as_std_path(), &manifest.text)?;
        for (number, line) in new_lines(&before, &manifest.text) {
            let message = format!("{path}:{number} says now: {}", line.trim());
            events.event(&Event::Note { message });
        }
    }
    Ok(())
}

fn path_of(farm: &str) -> Utf8PathBuf {
    Utf8Path::new("farms").join(farm).join("farm.yaml")
}

/// Why a proposal is not written.
enum Left {
    /// For a reason in words.
    Because(String),
    /// The environment's fault.
    Failed(FarmError),
}

/// A manifest as it would be.
struct Manifest<'a> {
    root: &'a Utf8Path,
    farm: &'a str,
    overrides: Overrides,
    text: String,
}

impl Manifest<'_> {
    /// Puts one proposal in. What the farm names must then be what it was, or what `all` propose.
    fn take(&mut self, proposal: &Proposal, all: &[&Proposal]) -> Result<(), Left> {
        let loaded = self.load(&self.text)?;
        let places = named(&loaded);
        let Some(place) = places.iter().find(|named| named.name == proposal.name) else {
            return Err(Left::Because("it is not named any more".to_owned()));
        };
        let (value, wanted) = (place.value(), place.proposed(proposal));
        // What has the same variable was written with it.
        if value.value == wanted {
            return Ok(());
        }
        let text = self.put(&loaded, value.span, value.value.clone(), wanted.clone())?;
        let changed = self.load(&text)?;
        let after = named(&changed);
        let is_there = |named: &Named| named.name == proposal.name && named.value().value == wanted;
        if !after.iter().any(is_there) {
            return Err(Left::Because(
                "the way it is written cannot be changed with certainty".to_owned(),
            ));
        }
        for named in &after {
            let old = places.iter().find(|old| old.name == named.name);
            let is_same = old.is_some_and(|old| old.value().value == named.value().value);
            let is_proposed = |other: &&&Proposal| {
                other.name == named.name && old.is_some_and(|old| old.proposed(other) == named.value().value)
            };
            if !is_same && !all.iter().any(|other| is_proposed(&other)) {
                let message = format!("{} would be {}, too", named.name, named.value().value);
                return Err(Left::Because(message));
            }
        }
        if changed.farm.flavour.value != loaded.farm.flavour.value {
            let message = format!("the flavour would be {}", changed.farm.flavour.value);
            return Err(Left::Because(message));
        }
        self.text = text;
        Ok(())
    }

    /// The text in which a value, or the variable in it that has to change, is another one.
    fn put(&self, loaded: &Loaded, mut span: Span, mut from: String, mut to: String) -> Result<String, Left> {
        let variables = names(loaded);
        for _ in 0..DEEP {
            let file = loaded.sources.path(span.file);
            if file != path_of(self.farm) {
                return Err(Left::Because(format!(
                    "it stands in {file}, which other farms may read"
                )));
            }
            let revalued = revalue(&self.text, span.start()..span.end(), &variables, &from, &to);
            let (name, value) = match revalued.map_err(|error| Left::Because(error.to_string()))? {
                Revalued::Text(text) => return Ok(text),
                Revalued::Variable { name, value } => (name, value),
            };
            let variable = loaded.farm.variables.get(&name);
            let variable = variable.ok_or_else(|| Left::Because(format!("`{name}` is made of other values")))?;
            match variable.origin {
                Origin::Manifest => {}
                Origin::Environment | Origin::CommandLine => {
                    let message = format!("the value of {name} comes from outside of the manifest");
                    return Err(Left::Because(message));
                }
            }
            span = variable.value.span;
            from.clone_from(&variable.value.value);
            to = value;
        }
        Err(Left::Because("it is made of too many variables".to_owned()))
    }

    fn load(&self, text: &str) -> Result<Loaded, Left> {
        let texts = [(path_of(self.farm), text.to_owned())].into();
        load_edited(self.root, self.farm, &self.overrides, &texts).map_err(|error| match error {
            farm_manifest::LoadError::Invalid {
                diagnostics, sources, ..
            } => Left::Because(diagnostics.0.first().map_or_else(String::new, |first| {
                format!("{}: {}", sources.place(first.span), first.message)
            })),
            other => Left::Failed(other.into()),
        })
    }
}
