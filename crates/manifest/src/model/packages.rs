//! Packages and what is set for them.

use camino::Utf8PathBuf;
use farm_portage::atom::Atom;
pub use farm_portage::lines::SetMember as Member;

use crate::span::{Span, Spanned};

/// A `packages:` value, in whichever of its four forms it was written (map, list, text block, set file).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Packages {
    /// The entries in the order written.
    pub entries: Vec<PackageEntry>,
    /// The set file the entries were read from, if that form was used.
    pub set_file: Option<SetFile>,
}

/// A literal Portage set file that `packages:` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFile {
    /// The path, relative to the workspace, and the place in the manifest.
    pub path: Spanned<Utf8PathBuf>,
}

impl Packages {
    /// Says whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The members in the order written: what is given to `emerge`. A pattern (`*/*`) only carries settings and is no member.
    pub fn members(&self) -> impl Iterator<Item = &Spanned<Member>> {
        self.entries
            .iter()
            .map(|entry| &entry.member)
            .filter(|member| match &member.value {
                Member::Atom(atom) => !atom.is_extended(),
                Member::Set(_) => true,
            })
    }

    /// Every entry that sets something, `deps:` after their parent, in the order written. Entries of `@set` members have none.
    pub fn settings(&self) -> Vec<SettingsOf<'_>> {
        let mut found = Vec::new();
        for entry in &self.entries {
            if let Member::Atom(atom) = &entry.member.value {
                found.push(SettingsOf {
                    atom,
                    span: entry.member.span,
                    settings: &entry.settings,
                    dep: false,
                });
            }
            // An explicit stack, so that a deep `deps:` cannot exhaust the call stack.
            let mut pending: Vec<&Dep> = entry.deps.iter().rev().collect();
            while let Some(dep) = pending.pop() {
                found.push(SettingsOf {
                    atom: &dep.atom.value,
                    span: dep.atom.span,
                    settings: &dep.settings,
                    dep: true,
                });
                pending.extend(dep.deps.iter().rev());
            }
        }
        found.retain(|entry| !entry.settings.is_empty());
        found
    }
}

/// What is set for one atom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SettingsOf<'a> {
    /// The atom.
    pub atom: &'a Atom,
    /// Where the atom is written.
    pub span: Span,
    /// What is set.
    pub settings: &'a PackageSettings,
    /// Whether this is an entry of `deps:`, which adds flags only.
    pub dep: bool,
}

/// One member of a set, and what is set for it and for packages it depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageEntry {
    /// The member.
    pub member: Spanned<Member>,
    /// What is set for it; empty for an `@set`.
    pub settings: PackageSettings,
    /// Flags for other packages, which do not become members.
    pub deps: Vec<Dep>,
}

/// An entry of `deps:`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dep {
    /// The package.
    pub atom: Spanned<Atom>,
    /// What is set for it, for everybody in the farm.
    pub settings: PackageSettings,
    /// Further entries below it.
    pub deps: Vec<Self>,
}

/// What may be set for an atom.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PackageSettings {
    /// USE flags, for package.use.
    pub use_flags: Vec<Flag>,
    /// Keywords, for package.accept_keywords.
    pub accept_keywords: Vec<Spanned<String>>,
    /// Licences, for package.license.
    pub license: Vec<Spanned<String>>,
    /// Atoms for package.mask; `mask: true` puts the entry's own atom here.
    pub mask: Vec<Spanned<Atom>>,
    /// Atoms for package.unmask; `unmask: true` puts the entry's own atom here.
    pub unmask: Vec<Spanned<Atom>>,
    /// Files of `env/`, for package.env, each as it is called or without its `.conf`; [`Loaded::env_file`](crate::Loaded::env_file)
    /// gives the name that Portage wants.
    pub env: Vec<Spanned<String>>,
}

impl PackageSettings {
    /// Says whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.use_flags.is_empty()
            && self.accept_keywords.is_empty()
            && self.license.is_empty()
            && self.mask.is_empty()
            && self.unmask.is_empty()
            && self.env.is_empty()
    }
}

/// A signed USE flag as package.use takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The name without its sign; `*` for all flags. A value of a `NAME:` group of a text block stands here in full,
    /// `video_cards_amdgpu` or `video_cards_*`.
    pub name: String,
    /// False for `-name`.
    pub enabled: bool,
    /// Tagged `!override`: may contradict what was said earlier.
    pub overrides: bool,
    /// Where it is written.
    pub span: Span,
}

impl std::fmt::Display for Flag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.enabled { "" } else { "-" };
        write!(formatter, "{sign}{}", self.name)
    }
}
