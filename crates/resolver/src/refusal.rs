//! Why Portage cannot resolve, as data.

use serde::{Deserialize, Serialize};

/// Portage's refusal. It is always the user's to mend: members, flags, keywords, masks, profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What it is at heart.
    pub kind: RefusalKind,
    /// What emerge prints, without colour.
    pub explanation: String,
    /// USE changes that would help.
    #[serde(rename = "use")]
    pub use_changes: Vec<UseChange>,
    /// Keywords that would have to be accepted.
    pub keywords: Vec<Keywords>,
    /// Licences that would have to be accepted.
    pub licenses: Vec<Licenses>,
    /// Packages that would have to be unmasked.
    pub unmasks: Vec<Unmask>,
    /// Atoms of packages that no repository has.
    pub unknown: Vec<Unknown>,
    /// Atoms of packages that are there but of which no version can be taken.
    pub unsatisfied: Vec<Unsatisfied>,
    /// A circular dependency.
    pub cycle: Option<Cycle>,
    /// Packages that may not be together.
    pub blockers: Vec<Blocker>,
    /// Slots of which two versions are wanted at once.
    pub slot_conflicts: Vec<SlotConflict>,
}

/// The main reason of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// Packages can only be built after each other.
    Cycle,
    /// A package nobody has heard of.
    Unknown,
    /// USE, keywords, licences or masks.
    Configuration,
    /// Two versions for one slot.
    SlotConflict,
    /// Packages that block each other.
    Blocked,
    /// No version fits, for another reason; the explanation has it.
    #[default]
    Unsatisfied,
    /// A `@set` that does not exist.
    UnknownSet,
    /// The root has no valid profile.
    Profile,
    /// A member that emerge does not take.
    Argument,
}

/// Who asks for a package.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WantedBy {
    /// CPV of the package, or the member as it was given.
    pub parent: String,
    /// The atom it asks with.
    pub atom: String,
}

/// A package that needs other flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseChange {
    /// The package.
    pub cpv: String,
    /// Its slot.
    pub slot: String,
    /// Its repository.
    pub repository: String,
    /// Flags as package.use takes them.
    pub flags: Vec<String>,
    /// Who wants it so.
    pub wanted_by: Vec<WantedBy>,
    /// The members that brought it forth, directly or through other packages, as they were given; sorted.
    #[serde(default)]
    pub members: Vec<String>,
}

/// A package whose keyword is not accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keywords {
    /// The package.
    pub cpv: String,
    /// Its slot.
    pub slot: String,
    /// Its repository.
    pub repository: String,
    /// The keyword to accept: `~amd64`, or `**` where it has none.
    pub keyword: String,
    /// Who wants it.
    pub wanted_by: Vec<WantedBy>,
    /// The members that brought it forth, directly or through other packages, as they were given; sorted.
    #[serde(default)]
    pub members: Vec<String>,
}

/// A package whose licence is not accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licenses {
    /// The package.
    pub cpv: String,
    /// Its slot.
    pub slot: String,
    /// Its repository.
    pub repository: String,
    /// The missing licences.
    pub licenses: Vec<String>,
    /// Who wants it.
    pub wanted_by: Vec<WantedBy>,
    /// The members that brought it forth, directly or through other packages, as they were given; sorted.
    #[serde(default)]
    pub members: Vec<String>,
}

/// A package that package.mask forbids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmask {
    /// The package.
    pub cpv: String,
    /// Its slot.
    pub slot: String,
    /// Its repository.
    pub repository: String,
    /// The comment above the mask.
    pub comment: String,
    /// Who wants it.
    pub wanted_by: Vec<WantedBy>,
    /// The members that brought it forth, directly or through other packages, as they were given; sorted.
    #[serde(default)]
    pub members: Vec<String>,
}

/// An atom of a package that no repository has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// The atom.
    pub atom: String,
    /// Who asks for it.
    pub wanted_by: Vec<WantedBy>,
    /// The members that brought it forth, directly or through other packages, as they were given; sorted.
    #[serde(default)]
    pub members: Vec<String>,
    /// The package's name today, if profiles/updates renamed it.
    pub moved_to: Option<String>,
    /// Names that look like it, best first.
    pub near: Vec<String>,
}

/// An atom that no version of its package fulfils.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsatisfied {
    /// The atom.
    pub atom: String,
    /// Who asks for it.
    pub wanted_by: Vec<WantedBy>,
    /// The members that brought it forth, directly or through other packages, as they were given; sorted.
    #[serde(default)]
    pub members: Vec<String>,
    /// The versions there are.
    pub available: Vec<Masked>,
}

/// A version of a package, and why it may not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masked {
    /// The version.
    pub cpv: String,
    /// Portage's reasons; empty if it is only not what the atom asks for.
    pub masked_by: Vec<String>,
    /// REQUIRED_USE, where that alone is in the way.
    #[serde(default)]
    pub required_use: Option<UnmetUse>,
}

/// A REQUIRED_USE that the flags do not fulfil.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmetUse {
    /// REQUIRED_USE as the ebuild has it.
    pub expression: String,
    /// The ebuild's EAPI.
    pub eapi: String,
    /// Its slot.
    pub slot: String,
    /// The flags that are enabled, sorted.
    pub enabled: Vec<String>,
    /// Flags that the profile masks or forces, sorted.
    pub fixed: Vec<String>,
    /// Flags that the atom asks for, with their signs.
    pub asked: Vec<String>,
}

/// A circular dependency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// The shortest circle Portage finds, each link's child being the next one's parent.
    pub edges: Vec<CycleLink>,
    /// USE changes that would break it, as Portage proposes them.
    pub solutions: Vec<CycleSolution>,
}

/// One link of a circle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleLink {
    /// Who needs.
    pub parent: String,
    /// What it needs.
    pub child: String,
    /// Portage's word for it: `buildtime`, `runtime`, `buildtime_slot_op`…
    pub kind: String,
    /// Flags of the parent that make it so.
    pub affecting_use: Vec<String>,
}

/// A change of USE that would break a circle, once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleSolution {
    /// The package to change.
    pub cpv: String,
    /// Its slot.
    pub slot: String,
    /// Flags as package.use takes them.
    pub flags: Vec<String>,
    /// Who wants the package.
    pub wanted_by: Vec<WantedBy>,
    /// The members that brought it forth, directly or through other packages, as they were given; sorted.
    #[serde(default)]
    pub members: Vec<String>,
}

/// A blocker nothing solves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// The blocking atom, such as `!!dev-libs/foo`.
    pub atom: String,
    /// What it blocks.
    pub blocked: Vec<String>,
    /// Who says so.
    pub wanted_by: Vec<String>,
}

/// Two versions for one slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotConflict {
    /// The slot, `category/name:slot`.
    pub slot: String,
    /// The versions and who wants each.
    pub packages: Vec<ConflictingPackage>,
}

/// One version of a slot conflict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictingPackage {
    /// The version.
    pub cpv: String,
    /// Who wants it.
    pub wanted_by: Vec<WantedBy>,
}
