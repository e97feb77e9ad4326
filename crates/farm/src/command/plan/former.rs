//! What was built of a plan's packages before, as guards and earlier plans tell: in the place of what emerge finds installed.

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{Guard, GuardStore, Value};
use farm_resolver::Operation;
use farm_resolver::mergelist::{Before, Former};

use super::super::session::Session;
use crate::rules::join::{self, PlannedPackage};
use crate::rules::package;

/// The packages that earlier plans of a farm had, the last plan first, by `category/name` and slot.
#[derive(Debug, Default)]
pub(super) struct Earlier(BTreeMap<String, BTreeMap<String, Vec<Candidate>>>);

/// A package that may have been built.
#[derive(Debug, Clone)]
struct Candidate {
    node: String,
    is_bootstrap: bool,
    version: String,
    slot: String,
    subslot: String,
    repository: String,
}

impl Candidate {
    fn of(farm: &str, planned: &PlannedPackage) -> Self {
        let package = &planned.package;
        Self {
            node: package::node_name(farm, planned),
            is_bootstrap: planned.is_bootstrap(),
            version: package.version.clone(),
            slot: package.slot.clone(),
            subslot: package.subslot.clone(),
            repository: package.repository.clone(),
        }
    }
}

impl Earlier {
    /// Reads the plans that were made before this one. Those that were forgotten, or are of another farm's form, are none.
    pub(super) fn than(session: &Session, farm: &str, current: &Guard) -> Self {
        let mut found = Self::default();
        let history = session.guards.history(&current.node);
        for (guard, _) in history.iter().rev().filter(|(guard, _)| guard.key != current.key) {
            let Ok(joined) = join::read(&session.context, guard) else {
                continue;
            };
            for planned in &joined.packages {
                let slots = found.0.entry(name_of(planned)).or_default();
                slots
                    .entry(planned.package.slot.clone())
                    .or_default()
                    .push(Candidate::of(farm, planned));
            }
        }
        found
    }

    /// What a package's line compares with, and how long it took: what was built last of its own node, else of another version in its slot. Where
    /// neither was built nor anything is in the root, what was built in other slots.
    pub(super) fn of(&self, session: &Session, farm: &str, planned: &PlannedPackage) -> (Before, Option<u64>) {
        let own = Candidate::of(farm, planned);
        let slots = self.0.get(&name_of(planned));
        let in_slot = |slot: &str| slots.and_then(|slots| slots.get(slot)).into_iter().flatten();
        // An earlier plan knows of which subslot and repository the same version was.
        let same = in_slot(&own.slot).filter(|other| other.node == own.node);
        let others = in_slot(&own.slot).filter(|other| other.is_bootstrap == own.is_bootstrap);
        let mut candidates = same.chain(std::iter::once(&own)).chain(others);
        if let Some((candidate, guard)) = candidates.find_map(|one| Some((one, session.guards.newest(&one.node)?))) {
            return (Before::Slot(former(candidate, &guard)), Some(guard.duration_ms));
        }
        if planned.package.operation != Operation::New {
            return (Before::Root, None);
        }
        let elsewhere: Vec<Former> = slots
            .into_iter()
            .flatten()
            .filter_map(|(_, candidates)| {
                let mut built = candidates.iter().filter(|other| !other.is_bootstrap);
                built.find_map(|other| Some(former(other, &session.guards.newest(&other.node)?)))
            })
            .collect();
        if elsewhere.is_empty() {
            (Before::Root, None)
        } else {
            (Before::OtherSlots(elsewhere), None)
        }
    }
}

fn name_of(planned: &PlannedPackage) -> String {
    format!("{}/{}", planned.package.category, planned.package.name)
}

/// What a guard of a package says of it.
fn former(candidate: &Candidate, guard: &Guard) -> Former {
    let text = |name: &str| {
        let input = guard.inputs.iter().find(|input| input.name == name)?;
        match &input.value {
            Value::Text(text) => Some(text.as_str()),
            Value::Digest(_) | Value::Absent => None,
        }
    };
    let words =
        |name: &str| -> Option<BTreeSet<String>> { Some(text(name)?.split_whitespace().map(str::to_owned).collect()) };
    Former {
        version: candidate.version.clone(),
        slot: candidate.slot.clone(),
        subslot: candidate.subslot.clone(),
        repository: text("repository").unwrap_or(&candidate.repository).to_owned(),
        iuse: words("env/IUSE_EFFECTIVE"),
        use_flags: words("env/USE").unwrap_or_default(),
    }
}
