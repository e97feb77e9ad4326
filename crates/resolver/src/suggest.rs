//! What a refusal asks for, as lines of the manifest that are ready to paste.

use std::collections::BTreeMap;

use farm_portage::cpv::Cpv;

use crate::{ClosureError, Refusal, WantedBy};

/// A line for the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestedLine {
    /// Where it goes.
    pub section: Section,
    /// The atom that is the line's key, without quotes.
    pub atom: String,
    /// The line, YAML, without indentation.
    pub text: String,
    /// Who wants it: CPVs of packages, or members as they were given.
    pub wanted_by: Vec<WantedBy>,
    /// Anything to be read before pasting, such as the reason of a mask.
    pub note: Option<String>,
}

/// A place in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// `packages:` of a subject for a member; for a dependency `deps:` below the member that needs it.
    Packages,
    /// `binfarm: bootstrap:`.
    Bootstrap,
    /// A member to be written with another name, in place of the present one.
    Rename,
}

#[derive(Default)]
struct Change {
    values: BTreeMap<&'static str, Vec<String>>,
    wanted_by: Vec<WantedBy>,
    note: Option<String>,
}

/// The manifest lines that would make Portage accept, sorted by place and atom; empty where nobody can say what would help.
///
/// A USE change is for every version of a package in the slot, as people write them; keywords, licences and unmasks are for the very version, so that
/// nothing else is let in.
#[must_use]
pub fn manifest_lines(refusal: &Refusal) -> Vec<SuggestedLine> {
    let mut changes: BTreeMap<(Section, String), Change> = BTreeMap::new();
    let mut add = |section, atom: String, key, values: &[String], wanted_by: &[WantedBy]| {
        let change = changes.entry((section, atom)).or_default();
        change.values.entry(key).or_default().extend_from_slice(values);
        for wanted in wanted_by {
            if !change.wanted_by.contains(wanted) {
                change.wanted_by.push(wanted.clone());
            }
        }
    };
    for change in &refusal.use_changes {
        add(
            Section::Packages,
            package_atom(&change.cpv, &change.slot),
            "use",
            &change.flags,
            &change.wanted_by,
        );
    }
    for change in &refusal.keywords {
        add(
            Section::Packages,
            format!("={}", change.cpv),
            "accept_keywords",
            std::slice::from_ref(&change.keyword),
            &change.wanted_by,
        );
    }
    for change in &refusal.licenses {
        add(
            Section::Packages,
            format!("={}", change.cpv),
            "license",
            &change.licenses,
            &change.wanted_by,
        );
    }
    for change in &refusal.unmasks {
        add(
            Section::Packages,
            format!("={}", change.cpv),
            "unmask",
            &[],
            &change.wanted_by,
        );
    }
    if let Some(cycle) = &refusal.cycle {
        for solution in &cycle.solutions {
            add(
                Section::Bootstrap,
                package_atom(&solution.cpv, &solution.slot),
                "use",
                &solution.flags,
                &solution.wanted_by,
            );
        }
    }
    for change in &refusal.unmasks {
        if let Some(found) = changes.get_mut(&(Section::Packages, format!("={}", change.cpv))) {
            found.note = (!change.comment.is_empty()).then(|| change.comment.clone());
        }
    }
    let mut lines: Vec<_> = changes
        .into_iter()
        .map(|((section, atom), change)| line(section, atom, change))
        .collect();
    for unknown in &refusal.unknown {
        if let Some(name) = &unknown.moved_to {
            lines.push(SuggestedLine {
                section: Section::Rename,
                atom: name.clone(),
                text: format!("{name}: {{}}"),
                wanted_by: unknown.wanted_by.clone(),
                note: Some(format!("{} is called {name} now", unknown.atom)),
            });
        }
    }
    lines
}

/// As [`manifest_lines`], for a plan that Portage accepted but that cannot be built package by package: no change is known to help, so the lines
/// name the packages of the circle that could be built first.
#[must_use]
pub fn bootstrap_lines(error: &ClosureError) -> Vec<SuggestedLine> {
    let ClosureError::BuildCycle(edges) = error;
    let builds = edges.iter().filter(|edge| edge.build);
    builds
        .map(|edge| SuggestedLine {
            section: Section::Bootstrap,
            atom: format!("={}", edge.child),
            text: format!("{}: {{}}", quoted(&format!("={}", edge.child))),
            wanted_by: edge
                .atoms
                .iter()
                .map(|atom| WantedBy {
                    parent: edge.parent.clone(),
                    atom: atom.clone(),
                })
                .collect(),
            note: None,
        })
        .collect()
}

fn line(section: Section, atom: String, change: Change) -> SuggestedLine {
    let fields: Vec<_> = change
        .values
        .into_iter()
        .map(|(key, values)| match key {
            "unmask" => "unmask: true".to_owned(),
            _ => format!(
                "{key}: [{}]",
                values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", ")
            ),
        })
        .collect();
    let text = format!("{}: {{ {} }}", quoted(&atom), fields.join(", "));
    SuggestedLine {
        section,
        atom,
        text,
        wanted_by: change.wanted_by,
        note: change.note,
    }
}

/// `category/name`, with the slot unless it is `0`.
fn package_atom(cpv: &str, slot: &str) -> String {
    // Portage made the CPV; should it not be one for us, the text itself is the best there is to show.
    let name = Cpv::parse(cpv).map_or_else(|_| cpv.to_owned(), |cpv| cpv.cp());
    if slot == "0" { name } else { format!("{name}:{slot}") }
}

/// A YAML scalar that is read as text: in quotes where a plain one would be something else.
fn quoted(text: &str) -> String {
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
