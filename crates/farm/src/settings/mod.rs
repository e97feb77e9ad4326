//! The farm's configuration as Portage reads it.
//!
//! Layers become profile nodes, parents of one generated profile in the order base profile, farm's own defaults, binfarm
//! layers, subject layers, and last what the manifest sets for packages. Portage's own stacking of profiles then gives "later
//! wins", incremental USE and FEATURES, and keeps `-* amdgpu` in that order; as plain `/etc/portage` files the more specific
//! atom would win instead. What a profile cannot hold goes to `/etc/portage`.
//!
//! Flags are farm-wide: binfarm and subjects together are one configuration, so that a package has one instance a flavour.

mod losing;
mod packages;
mod render;
mod route;
mod select;

use crate::files::{FileNode, Files, below};

pub use losing::losing_lines;
pub use render::{RenderInput, RenderedLayer, render};

/// Name of the generated repository that holds the profile nodes.
pub const SETTINGS_REPO: &str = "farm-settings";

/// A rendered configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The generated repository, relative to its own folder.
    pub repo: Files,
    /// `/etc/portage`, relative to it.
    pub etc: Files,
}

impl Settings {
    /// Everything, relative to `/`, with the generated repository in its place.
    #[must_use]
    pub fn tree(&self) -> Files {
        let mut tree = below(&format!("var/db/repos/{SETTINGS_REPO}"), self.repo.clone());
        tree.extend(below("etc/portage", self.etc.clone()));
        tree
    }

    /// The same configuration with only those lines and files that concern the packages named (`CATEGORY/NAME`), so that
    /// what is not in a package's key is not in its build root either.
    #[must_use]
    pub fn for_packages(&self, packages: &std::collections::BTreeSet<String>) -> Self {
        select::for_packages(self, packages)
    }

    /// The files below `/etc/portage` that every build can read and that neither a package's environment nor Portage's own
    /// list of what acts on it tells of: what a `bashrc` sources, for one.
    pub fn other_files(&self) -> impl Iterator<Item = (&str, &FileNode)> {
        self.etc
            .iter()
            .map(|(path, node)| (path.as_str(), node))
            .filter(|(path, _)| select::is_other(path))
    }
}

/// Whether Portage reads a file of a layer line by line, so that farm takes it apart.
#[must_use]
pub fn is_read_by_line(path: &str) -> bool {
    !matches!(route::kind(path), route::Kind::Etc)
}
