//! `category/name-version`: what names one ebuild.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{Category, NameError, PackageName};
use crate::version::{Version, split_version};

/// A text is not `category/name-version`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpvError {
    /// No slash divides category and package.
    #[error("`{0}` has no category: write `category/name-version`")]
    NoCategory(String),
    /// The text does not end in a version.
    #[error("`{0}` does not end in a version: write `category/name-version`")]
    NoVersion(String),
    /// The category or the name is no such thing.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// A category, a package name and a version, such as `sci-physics/hepmc-3.2.6-r1`.
///
/// Ordered by category, name and then version in the order of [`Version`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpv {
    /// The category.
    pub category: Category,
    /// The package name (`PN`).
    pub name: PackageName,
    /// The version with its revision (`PVR`).
    pub version: Version,
}

impl Cpv {
    /// Parses `category/name-version`, as `portage.versions.catpkgsplit` does, but with the category required.
    ///
    /// # Errors
    /// [`CpvError`] when a part is missing or is no such thing.
    pub fn parse(text: &str) -> Result<Self, CpvError> {
        let (category, pf) = text
            .split_once('/')
            .ok_or_else(|| CpvError::NoCategory(text.to_owned()))?;
        let category = Category::parse(category)?;
        Self::from_pf(category, pf).map_err(|error| match error {
            CpvError::NoVersion(_) => CpvError::NoVersion(text.to_owned()),
            other => other,
        })
    }

    /// Joins a category with a parsed `name-version`, as it names an ebuild file.
    ///
    /// # Errors
    /// [`CpvError`] when `pf` does not end in a version or its name is no package name.
    pub fn from_pf(category: Category, pf: &str) -> Result<Self, CpvError> {
        let (name, version) = split_version(pf).ok_or_else(|| CpvError::NoVersion(pf.to_owned()))?;
        Ok(Self {
            category,
            name: PackageName::parse(name)?,
            version: Version::parse(version).map_err(|_| CpvError::NoVersion(pf.to_owned()))?,
        })
    }

    /// `category/name`.
    #[must_use]
    pub fn cp(&self) -> String {
        format!("{}/{}", self.category, self.name)
    }

    /// `name-version` with the revision as written (`PF`).
    #[must_use]
    pub fn pf(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// `name-version` without the revision (`P`).
    #[must_use]
    pub fn p(&self) -> String {
        format!("{}-{}", self.name, self.version.without_revision())
    }

    /// The revision as ebuilds see it: `r0` when there is none (`PR`).
    #[must_use]
    pub fn pr(&self) -> String {
        format!("r{}", self.version.revision().unwrap_or("0"))
    }
}

impl fmt::Display for Cpv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}-{}", self.category, self.name, self.version)
    }
}

impl FromStr for Cpv {
    type Err = CpvError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Cpv {
    type Error = CpvError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Cpv> for String {
    fn from(cpv: Cpv) -> Self {
        cpv.to_string()
    }
}
