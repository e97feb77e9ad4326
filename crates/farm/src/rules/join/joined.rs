//! What a joined plan says, as nodes below it need it, and as it is kept.

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{Digest, Failure, FailureKind, Guard};
use farm_resolver::Package;
use serde::{Deserialize, Serialize};

use super::super::scan::InstalledRecord;
use crate::context::Context;
use crate::names::BOOTSTRAP;
use crate::place;

/// All plans together, in the words that nodes need. The default is that of no subject.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JoinedPlan {
    /// Everything that is built, each after what it depends on.
    pub packages: Vec<PlannedPackage>,
    /// By subject: what it holds and what its members need to run. A subject that does not resolve is not here.
    pub subjects: BTreeMap<String, SubjectPlan>,
    /// Header of the binhost's index.
    pub header: BTreeMap<String, String>,
    /// `mirror://NAME/` to addresses.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// GENTOO_MIRRORS.
    pub gentoo_mirrors: Vec<String>,
    /// Licence groups and all licences in them.
    pub license_groups: BTreeMap<String, BTreeSet<String>>,
    /// Slots of which subjects have different instances, in words.
    pub disagreements: Vec<String>,
    /// What `native` became, in words.
    pub native: Vec<String>,
    /// Packages of the root that Portage would remove, as something in the plans blocks them; `CATEGORY/PF`, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uninstalls: Vec<String>,
    /// What was built for the root that this was planned in, generation by generation, in merge order. Indices in these are of this list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<PlannedPackage>,
    /// Packages of the base that are in the root as the base had them, by `CATEGORY/PF`, with `CATEGORY/NAME:SLOT`. Only where they are published.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub untouched: BTreeMap<String, String>,
}

impl JoinedPlan {
    /// What was built for the root of a plan that is made in the root this plan brings forth.
    #[must_use]
    pub fn into_below(self) -> Vec<PlannedPackage> {
        let mut below = self.below;
        let offset = below.len();
        below.extend(self.packages.into_iter().map(|mut planned| {
            planned.dependencies.iter_mut().for_each(|index| *index += offset);
            planned.runtime = planned.runtime.iter().map(|index| index + offset).collect();
            planned
        }));
        below
    }

    /// The package of [`below`](Self::below) that is in the root under this `CATEGORY/PF`, if farm built it: the last generation's.
    #[must_use]
    pub fn made(below: &[PlannedPackage], cpv: &str) -> Option<usize> {
        below.iter().rposition(|planned| planned.package.cpv == cpv)
    }
}

/// One package that is built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedPackage {
    /// `CATEGORY/PF`, with `@SUBJECT` where it differs from an earlier subject's.
    pub name: String,
    /// The subjects that have it.
    pub subjects: Vec<String>,
    /// What Portage says of it.
    pub package: Package,
    /// Indices of what is installed before it is built, in merge order.
    pub dependencies: Vec<usize>,
    /// Indices of what it needs at run time, other than packages of the root.
    pub runtime: BTreeSet<usize>,
    /// The root's packages that its build may use.
    pub installed: Vec<InstalledRecord>,
    /// Those of them that farm built, as indices into [`JoinedPlan::below`], sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<usize>,
    /// Slot and subslot of what it is bound to by `:=`, by `CATEGORY/NAME:SLOT`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bound: BTreeMap<String, String>,
    /// Digest of the root's files that no package owns.
    pub unowned: Digest,
    /// The version of Portage that builds it.
    pub portage: String,
    /// What is left out of its build root: CPV and reason.
    pub left_out: Vec<(String, String)>,
    /// Its ebuild, eclasses and files by input name.
    pub files: BTreeMap<String, Digest>,
}

impl PlannedPackage {
    /// Whether it is only there to break a circle. Such an instance is in build roots, and never published nor in an image.
    #[must_use]
    pub fn is_bootstrap(&self) -> bool {
        self.subjects.iter().all(|subject| subject == BOOTSTRAP)
    }
}

/// One subject in a joined plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubjectPlan {
    /// Everything of its plan, in merge order.
    pub packages: Vec<usize>,
    /// Its members and all they need at run time, in merge order.
    pub runtime: Vec<usize>,
    /// What of [`JoinedPlan::below`] its members need at run time, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<usize>,
    /// What it names: its members, of sets the atoms in them.
    pub members: BTreeSet<String>,
    /// What goes into the world file of an image.
    pub world: Vec<String>,
    /// The `emerge` command that was answered.
    pub command: String,
    /// The answer as it was given.
    pub answer: farm_store::Blob,
}

/// Reads the joined plan that a node of this rule made.
pub fn read(context: &Context, guard: &Guard) -> Result<JoinedPlan, Failure> {
    serde_json::from_slice(&context.read(&place::blob(guard, "joined")?)?)
        .map_err(|error| Failure::new(FailureKind::Bug, format!("the joined plan: {error}")))
}
