//! The words of `farm patch`: a farm, a package, variables of the manifest.

use farm_portage::atom::{Atom, AtomSyntax, Candidate};
use farm_portage::cpv::Cpv;

use super::super::{FarmError, Setup, Words};
use crate::workspace::Workspace;

/// The words, understood as far as that can be done without the plan.
pub(super) struct PatchWords {
    pub(super) workspace: Workspace,
    pub(super) farm: String,
    pub(super) variables: Vec<(String, String)>,
    /// What is left: the package, and perhaps the name of a patch.
    pub(super) rest: Vec<String>,
}

impl PatchWords {
    /// Understands `[FARM] REST... [KEY=VALUE]...`. A first word that is the name of a farm means the farm.
    ///
    /// # Errors
    ///
    /// The user's: there is no workspace, or nobody can tell which farm is meant.
    pub(super) fn parse(setup: &Setup, words: &[String]) -> Result<Self, FarmError> {
        let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
        let Words { mut targets, variables } = Words::parse(words);
        let farms = workspace.farms()?;
        let named = targets.first().filter(|first| farms.contains(*first)).cloned();
        if named.is_some() {
            targets.remove(0);
        }
        let farm_word = Words {
            targets: named.into_iter().collect(),
            variables: Vec::new(),
        };
        let farm = farm_word.resolve(&workspace)?.into_keys().next();
        Ok(Self {
            farm: farm.ok_or_else(|| FarmError::bug("words that mean no farm were not refused"))?,
            workspace,
            variables,
            rest: targets,
        })
    }

    /// The farm as other commands have it.
    pub(super) fn farm_words(&self) -> Words {
        Words {
            targets: vec![self.farm.clone()],
            variables: self.variables.clone(),
        }
    }

    /// The only word that is left: a package.
    pub(super) fn package(&self) -> Result<&str, FarmError> {
        match self.rest.as_slice() {
            [package] => Ok(package),
            [] => Err(FarmError::input("which package?").hint("name one, such as `app-misc/leaf`")),
            [first, ..] => Err(
                FarmError::input(format!("one package at a time: {}", self.rest.join(", "))).hint(format!(
                    "`{first}` is no farm of this workspace, so it was taken for a package"
                )),
            ),
        }
    }
}

/// A package that a word may mean.
pub(super) struct Named<'a> {
    /// `CATEGORY/PF`, with `@SUBJECT` where there are several.
    pub(super) name: &'a str,
    pub(super) cpv: &'a Cpv,
    /// Without a subslot.
    pub(super) slot: &'a str,
}

impl Named<'_> {
    /// Whether a word means it: `NAME`, `CATEGORY/NAME`, `CATEGORY/PF`, or an atom.
    pub(super) fn is(&self, word: &str) -> bool {
        let cpv = self.cpv;
        if [self.name, cpv.name.as_str()].contains(&word) || [cpv.cp(), cpv.to_string()].iter().any(|name| name == word)
        {
            return true;
        }
        let candidate = Candidate {
            cpv,
            slot: self.slot,
            subslot: self.slot,
            repository: None,
            build_id: None,
            flags: None,
        };
        Atom::parse(word, AtomSyntax::USER).is_ok_and(|atom| atom.matches(&candidate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_goes_by_many_names() {
        let cpv = Cpv::parse("app-misc/leaf-1.0-r2").unwrap();
        let named = Named {
            name: "app-misc/leaf-1.0-r2@apps",
            cpv: &cpv,
            slot: "3",
        };
        for word in [
            "leaf",
            "app-misc/leaf",
            "app-misc/leaf-1.0-r2",
            "app-misc/leaf-1.0-r2@apps",
            "=app-misc/leaf-1.0-r2",
            "~app-misc/leaf-1.0",
            "app-misc/leaf:3",
        ] {
            assert!(named.is(word), "{word}");
        }
        for word in [
            "lea",
            "app-misc/leaf-1.0",
            "app-misc/leaf:2",
            ">app-misc/leaf-2",
            "x/leaf",
            "",
        ] {
            assert!(!named.is(word), "{word}");
        }
    }
}
