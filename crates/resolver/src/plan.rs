//! What Portage decided, as data.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{LiveSource, Native};

/// A resolved subject. All lists are in an order that depends on nothing but the decision itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The ebuilds to be built, in Portage's merge order.
    pub packages: Vec<Package>,
    /// Packages the root already holds that are reached from the members, from `@system`, or are replaced by the plan; sorted by CPV.
    pub installed: Vec<Installed>,
    /// Indices into `installed`: the profile's `@system` and its runtime closure, which every build may use without saying so.
    pub implicit: Vec<usize>,
    /// CPVs of installed packages that Portage would remove because something in the plan blocks them; sorted.
    pub uninstalls: Vec<String>,
    /// Who needs whom.
    pub edges: Vec<Edge>,
    /// Which member chose which package.
    pub roots: Vec<Root>,
    /// The configuration as a whole.
    pub profile: Profile,
    /// What the root's compilers say of `-march=native` and its kin, where a package's environment has it.
    pub native: Vec<Native>,
    /// Atoms of the request's seed that do not fit these members.
    pub dropped_seed: Vec<String>,
}

/// A package of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRef {
    /// Index into [`Plan::packages`].
    Package(usize),
    /// Index into [`Plan::installed`].
    Installed(usize),
}

/// One ebuild that is to be built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// `category/PF`.
    pub cpv: String,
    /// The category.
    pub category: String,
    /// The name, PN.
    pub name: String,
    /// The version with its revision, PVR without `-r0`.
    pub version: String,
    /// The repository's name.
    pub repository: String,
    /// SLOT without its subslot.
    pub slot: String,
    /// The subslot; the slot where the ebuild names none.
    pub subslot: String,
    /// EAPI.
    pub eapi: String,
    /// The enabled USE flags within IUSE_EFFECTIVE, sorted.
    #[serde(rename = "use")]
    pub use_flags: Vec<String>,
    /// IUSE with its `+` and `-` defaults, sorted.
    pub iuse: Vec<String>,
    /// KEYWORDS as written.
    pub keywords: Vec<String>,
    /// LICENSE as Portage evaluated it.
    pub license: String,
    /// RESTRICT evaluated, sorted.
    pub restrict: Vec<String>,
    /// PROPERTIES evaluated, sorted. `live` marks an ebuild of a branch.
    pub properties: Vec<String>,
    /// The phases the ebuild or its eclasses define, sorted.
    pub defined_phases: Vec<String>,
    /// Inherited eclasses by name.
    pub eclasses: BTreeMap<String, Eclass>,
    /// The ebuild's path in its repository.
    pub ebuild: String,
    /// Paths in the repository of everything below the package's `files/`, sorted.
    pub files: Vec<String>,
    /// What SRC_URI wants with these flags, sorted by name.
    pub distfiles: Vec<DistFile>,
    /// The dependency strings as written (flags and all).
    pub dependencies: Dependencies,
    /// What the merge would be to the root.
    pub operation: Operation,
    /// The installed CPV of the same slot that it replaces, if any.
    pub replaces: Option<String>,
    /// `emerge --pretend --verbose`'s line for it, without colour.
    pub line: String,
    /// What the ebuild's `pkg_nofetch` says, for RESTRICT=fetch; else empty.
    pub fetch_instructions: String,
    /// Everything `config.environ()` has for this package, see [`keyed_environment`](crate::keyed_environment), with explicit flags in place of
    /// `native`.
    pub environment: BTreeMap<String, String>,
    /// The variables in which `native` was replaced. Portage computes them anew where the package is built, so that it has to be told.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub explicit: BTreeSet<String>,
    /// Of a live ebuild, what it says of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveSource>,
    /// Files of the user's configuration and of profiles that act on this package's build and are not in its environment.
    pub configuration: Vec<Configuration>,
}

/// Where an inherited eclass comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Eclass {
    /// The name of the repository that provides it.
    pub repository: String,
    /// Its path there.
    pub path: String,
}

/// A file that SRC_URI wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DistFile {
    /// Its name in DISTDIR.
    pub name: String,
    /// Where it is to be had, as the ebuild has it: `mirror://` is not expanded (see [`Profile::mirrors`]).
    pub uris: Vec<String>,
    /// Bytes, if the Manifest has the file.
    pub size: Option<u64>,
    /// Hash name (`BLAKE2B`, `SHA512`…) to lowercase hex; empty if the Manifest does not have the file.
    pub hashes: BTreeMap<String, String>,
}

/// Dependency strings as the ebuild has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependencies {
    /// BDEPEND.
    pub bdepend: String,
    /// DEPEND.
    pub depend: String,
    /// IDEPEND.
    pub idepend: String,
    /// PDEPEND.
    pub pdepend: String,
    /// RDEPEND.
    pub rdepend: String,
}

/// What merging a package does to a root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// No version of it is there.
    #[default]
    New,
    /// Other slots of it are there.
    NewSlot,
    /// A lower version is there.
    Upgrade,
    /// A higher version is there.
    Downgrade,
    /// The same version is there.
    Rebuild,
}

/// A file outside the repositories that acts on a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Configuration {
    /// `bashrc`, `environment` (`/etc/portage/env/CATEGORY/…`), `patch` or `savedconfig`.
    pub role: String,
    /// Its path in the root.
    pub path: String,
    /// SHA-256 of its bytes, lowercase hex.
    pub sha256: String,
}

/// A package the root already holds, as its VDB records it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Installed {
    /// `category/PF`.
    pub cpv: String,
    /// SLOT without its subslot.
    pub slot: String,
    /// The subslot; the slot where none is recorded.
    pub subslot: String,
    /// USE, sorted.
    #[serde(rename = "use")]
    pub use_flags: Vec<String>,
    /// The repository it was built from; may be empty.
    pub repository: String,
    /// CHOST, CFLAGS, CXXFLAGS and LDFLAGS as far as they are recorded.
    pub flags: BTreeMap<String, String>,
}

/// Why one package needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DependencyKind {
    /// DEPEND or BDEPEND.
    Build,
    /// IDEPEND.
    Install,
    /// RDEPEND (and IDEPEND, which Portage treats so as well).
    Runtime,
    /// PDEPEND.
    Post,
}

/// A dependency of one package on another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// Who needs.
    pub parent: NodeRef,
    /// What it needs.
    pub child: NodeRef,
    /// The atoms that chose the child, evaluated, sorted. May be empty where Portage made the edge itself.
    pub atoms: Vec<String>,
    /// For what.
    pub kinds: Vec<DependencyKind>,
    /// Whether the parent is bound to the child's slot and subslot by `:=`.
    pub slot_operator: bool,
    /// Index into [`Plan::installed`] of the package of the root that fulfils the edge as well.
    pub satisfied: Option<usize>,
}

/// A member and a package it chose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Root {
    /// The member as it was asked for: an atom or `@set`.
    pub member: String,
    /// The atom (for a set, one of its atoms).
    pub atom: String,
    /// The package.
    pub node: NodeRef,
}

/// The configuration as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// What Portage writes into the header of a binhost's index, and ARCH, CHOST, ELIBC, KERNEL, DISTDIR, PKGDIR; none is empty.
    pub header: BTreeMap<String, String>,
    /// `mirror://NAME/` to its addresses (`profiles/thirdpartymirrors`).
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// GENTOO_MIRRORS.
    pub gentoo_mirrors: Vec<String>,
    /// Licence groups by name (`profiles/license_groups` of all repositories), each with all licences in it. Nothing in it is a group.
    pub license_groups: BTreeMap<String, BTreeSet<String>>,
    /// The repositories by name.
    pub repositories: BTreeMap<String, Repository>,
    /// What a machine without these repositories needs to take the packages for what they were in this root: the profile, flattened, and
    /// what else goes to `/etc/portage`; texts by path. The program's `client.py` says what is in it.
    pub client: BTreeMap<String, String>,
}

/// A repository of the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Repository {
    /// Its path in the root.
    pub location: String,
    /// The repositories its eclasses and profiles come from.
    pub masters: Vec<String>,
}

impl Plan {
    /// Checks that every index is one of this plan.
    pub(crate) fn check(&self) -> Result<(), serde_json::Error> {
        use serde::de::Error;
        let good = |node: NodeRef| match node {
            NodeRef::Package(index) => index < self.packages.len(),
            NodeRef::Installed(index) => index < self.installed.len(),
        };
        let edges = self.edges.iter().all(|edge| {
            good(edge.parent) && good(edge.child) && edge.satisfied.is_none_or(|index| good(NodeRef::Installed(index)))
        });
        let implicit = self.implicit.iter().all(|&index| good(NodeRef::Installed(index)));
        let native = self
            .native
            .iter()
            .flat_map(|native| &native.used)
            .all(|(index, _)| good(NodeRef::Package(*index)));
        if edges && implicit && native && self.roots.iter().all(|root| good(root.node)) {
            Ok(())
        } else {
            Err(serde_json::Error::custom("an index points at no package"))
        }
    }

    /// The CPV of a node of this plan.
    ///
    /// # Panics
    /// If the node is of another plan.
    #[must_use]
    pub fn cpv(&self, node: NodeRef) -> &str {
        match node {
            NodeRef::Package(index) => &self.packages[index].cpv,
            NodeRef::Installed(index) => &self.installed[index].cpv,
        }
    }
}
