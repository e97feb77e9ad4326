//! What a refusal asks for, as lines of the manifest that are ready to paste, and what to do where no line helps.

use std::collections::{BTreeMap, BTreeSet};

use farm_portage::atom::{Atom, AtomSyntax};
use farm_portage::cpv::Cpv;
use farm_portage::required_use::RequiredUse;

use crate::{ClosureError, Refusal, UnmetUse, WantedBy};

/// A line for the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestedLine {
    /// Where it goes.
    pub section: Section,
    /// The atom that is the line's key, without quotes.
    pub atom: String,
    /// What the line sets for the atom: the manifest's keys with their values, of which `unmask` has none.
    pub settings: BTreeMap<&'static str, Vec<String>>,
    /// The line, YAML, without indentation.
    pub text: String,
    /// Who wants it: CPVs of packages, or members as they were given.
    pub wanted_by: Vec<WantedBy>,
    /// The members that it goes with, as they were given; sorted. A [`Section::Rename`] has the members that are called otherwise now, if any.
    pub members: Vec<String>,
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
    members: BTreeSet<String>,
    note: Option<String>,
}

#[derive(Default)]
struct Changes(BTreeMap<(Section, String), Change>);

impl Changes {
    fn at(&mut self, section: Section, atom: String) -> &mut Change {
        self.0.entry((section, atom)).or_default()
    }
}

impl Change {
    fn add(&mut self, key: &'static str, values: &[String], wanted_by: &[WantedBy], members: &[String]) {
        let known = self.values.entry(key).or_default();
        for value in values {
            if !known.contains(value) {
                known.push(value.clone());
            }
        }
        for wanted in wanted_by {
            if !self.wanted_by.contains(wanted) {
                self.wanted_by.push(wanted.clone());
            }
        }
        self.members.extend(members.iter().cloned());
    }
}

/// The manifest lines that would make Portage accept, sorted by place and atom; empty where nobody can say what would help.
///
/// A USE change is for every version of a package in the slot, as people write them; keywords, licences and unmasks are for the very version, so that
/// nothing else is let in. Where REQUIRED_USE is in the way, the line has the fewest flags that fulfil it.
#[must_use]
pub fn manifest_lines(refusal: &Refusal) -> Vec<SuggestedLine> {
    let mut changes = Changes::default();
    for change in &refusal.use_changes {
        changes
            .at(Section::Packages, package_atom(&change.cpv, &change.slot))
            .add("use", &change.flags, &change.wanted_by, &change.members);
    }
    for change in &refusal.keywords {
        changes.at(Section::Packages, format!("={}", change.cpv)).add(
            "accept_keywords",
            std::slice::from_ref(&change.keyword),
            &change.wanted_by,
            &change.members,
        );
    }
    for change in &refusal.licenses {
        changes.at(Section::Packages, format!("={}", change.cpv)).add(
            "license",
            &change.licenses,
            &change.wanted_by,
            &change.members,
        );
    }
    for change in &refusal.unmasks {
        let found = changes.at(Section::Packages, format!("={}", change.cpv));
        found.add("unmask", &[], &change.wanted_by, &change.members);
        found.note = (!change.comment.is_empty()).then(|| change.comment.clone());
    }
    for unsatisfied in &refusal.unsatisfied {
        // Portage takes the highest version that it may take, and lists them from the lowest.
        let found = unsatisfied.available.iter().rev().find_map(|version| {
            let unmet = version.required_use.as_ref()?;
            Some((&version.cpv, unmet, fulfilling(unmet)?))
        });
        if let Some((cpv, unmet, flags)) = found {
            let found = changes.at(Section::Packages, package_atom(cpv, &unmet.slot));
            found.add("use", &flags, &unsatisfied.wanted_by, &unsatisfied.members);
            found.note = Some(format!("REQUIRED_USE=\"{}\"", unmet.expression));
        }
    }
    for solution in refusal.cycle.iter().flat_map(|cycle| &cycle.solutions) {
        changes
            .at(Section::Bootstrap, package_atom(&solution.cpv, &solution.slot))
            .add("use", &solution.flags, &solution.wanted_by, &solution.members);
    }
    let mut lines: Vec<_> = changes
        .0
        .into_iter()
        .map(|((section, atom), change)| line(section, atom, change))
        .collect();
    for unknown in &refusal.unknown {
        if let Some(name) = &unknown.moved_to {
            // Who asks with the old name is a member, or a package whose ebuild is out of date.
            let is_member = |member: &&String| unknown.wanted_by.iter().any(|wanted| wanted.parent == **member);
            lines.push(SuggestedLine {
                section: Section::Rename,
                atom: name.clone(),
                settings: BTreeMap::new(),
                text: format!("{name}: {{}}"),
                wanted_by: unknown.wanted_by.clone(),
                members: unknown.members.iter().filter(is_member).cloned().collect(),
                note: Some(format!("{} is called {name} now", unknown.atom)),
            });
        }
    }
    lines
}

/// The fewest flags that fulfil a REQUIRED_USE, with those that were asked for anyway.
fn fulfilling(unmet: &UnmetUse) -> Option<Vec<String>> {
    let required = RequiredUse::parse(&unmet.expression, &unmet.eapi).ok()?;
    let mut enabled: BTreeSet<String> = unmet.enabled.iter().cloned().collect();
    let mut fixed: BTreeSet<String> = unmet.fixed.iter().cloned().collect();
    let mut flags = BTreeMap::new();
    for asked in &unmet.asked {
        let (flag, on) = asked
            .strip_prefix('-')
            .map_or((asked.as_str(), true), |flag| (flag, false));
        let changed = if on {
            enabled.insert(flag.to_owned())
        } else {
            enabled.remove(flag)
        };
        if changed && fixed.contains(flag) {
            return None;
        }
        if changed {
            flags.insert(flag.to_owned(), on);
        }
        fixed.insert(flag.to_owned());
    }
    flags.extend(required.least_change(&enabled, &fixed)?);
    let words = flags.into_iter();
    Some(
        words
            .map(|(flag, on)| if on { flag } else { format!("-{flag}") })
            .collect(),
    )
}

/// What a person may do where no line of the manifest is known to help: sentences that name everybody who is involved.
#[must_use]
pub fn advice(refusal: &Refusal) -> Vec<String> {
    let mut found = Vec::new();
    for unknown in &refusal.unknown {
        if !unknown.near.is_empty() {
            found.push(format!(
                "instead of {} there is {}",
                unknown.atom,
                unknown.near.join(", ")
            ));
        }
        for wanted in &unknown.wanted_by {
            if let Some(name) = unknown
                .moved_to
                .as_ref()
                .filter(|_| !unknown.members.contains(&wanted.parent))
            {
                found.push(format!(
                    "{} is called {name} now: the ebuild of {} has to ask for that",
                    unknown.atom, wanted.parent
                ));
            }
        }
    }
    for conflict in &refusal.slot_conflicts {
        let versions: Vec<String> = conflict
            .packages
            .iter()
            .map(|package| format!("{} by {}", package.cpv, requirers(&package.wanted_by)))
            .collect();
        found.push(format!(
            "of {} only one version can be there, and wanted are {}: choose other versions of those who want them, or put them into \
             subjects of their own, which are resolved each by itself",
            conflict.slot,
            versions.join("; ")
        ));
    }
    for blocker in &refusal.blockers {
        found.push(format!(
            "{} cannot be together with {} ({}): leave one of them out, or put them into subjects of their own, which are resolved each \
             by itself",
            blocker.wanted_by.join(", "),
            blocker.blocked.join(", "),
            blocker.atom
        ));
    }
    for unsatisfied in &refusal.unsatisfied {
        let plain = |version: &crate::Masked| version.masked_by.is_empty();
        let versions: Vec<&str> = unsatisfied
            .available
            .iter()
            .map(|version| version.cpv.as_str())
            .collect();
        // Where versions are masked or their flags are wrong, Portage's words and the lines say it.
        if !versions.is_empty() && unsatisfied.available.iter().all(plain) && refusal.use_changes.is_empty() {
            found.push(format!(
                "{} is asked for by {}, and there is only {}: choose another version of who asks, or bring a repository that has it",
                unsatisfied.atom,
                requirers(&unsatisfied.wanted_by),
                versions.join(", ")
            ));
        }
    }
    found
}

fn requirers(wanted_by: &[WantedBy]) -> String {
    let words: Vec<String> = wanted_by
        .iter()
        .map(|wanted| {
            if wanted.parent == wanted.atom {
                wanted.parent.clone()
            } else {
                format!("{} ({})", wanted.parent, wanted.atom)
            }
        })
        .collect();
    words.join(" and ")
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
            settings: BTreeMap::new(),
            text: format!("{}: {{}}", quoted(&format!("={}", edge.child))),
            wanted_by: edge
                .atoms
                .iter()
                .map(|atom| WantedBy {
                    parent: edge.parent.clone(),
                    atom: atom.clone(),
                })
                .collect(),
            members: Vec::new(),
            note: None,
        })
        .collect()
}

/// Whether a line for `atom` can stand with the member itself: it is for that package as a whole, or in the member's own words.
#[must_use]
pub fn is_about(member: &str, atom: &str) -> bool {
    let parse = |text: &str| Atom::parse(text, AtomSyntax::USER).ok();
    let (Some(own), Some(other)) = (parse(member), parse(atom)) else {
        return false;
    };
    member == atom || own.cp() == other.cp() && other.version().is_none()
}

fn line(section: Section, atom: String, change: Change) -> SuggestedLine {
    let fields: Vec<_> = change
        .values
        .iter()
        .map(|(key, values)| match *key {
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
        settings: change.values,
        text,
        wanted_by: change.wanted_by,
        members: change.members.into_iter().collect(),
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
