//! What a manifest does not let out, where no plan is made: licence groups are what the last plan found them to be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use farm_engine::GuardStore as _;
use farm_guard_file::{GuardFile, Mode};
use farm_manifest::model::Deny;
use farm_store::Store;

use crate::command::FarmError;
use crate::place;
use crate::rules::{join, publish_pkgs};

/// What a farm's manifest denies.
#[derive(Debug, Default)]
pub(super) struct Denied {
    pub(super) words: Vec<Deny>,
    /// The workspace's state.
    pub(super) state: PathBuf,
    pub(super) farm: String,
}

impl Denied {
    /// The same as the publisher takes it.
    ///
    /// # Errors
    ///
    /// The user's: a licence group that the last plan did not find, or of which no plan tells.
    pub(super) fn resolved(&self) -> Result<Vec<farm_publish::Deny>, FarmError> {
        let group = self.words.iter().find_map(|deny| match deny {
            Deny::License(name) if name.starts_with('@') => Some(name),
            _ => None,
        });
        let groups = match group {
            Some(name) => license_groups(&self.state, &self.farm).ok_or_else(|| {
                let message = format!("publish.deny: which licences are in {name}, no plan has told yet");
                FarmError::input(message).hint(format!("`farm plan {}` makes one", self.farm))
            })?,
            None => BTreeMap::new(),
        };
        let resolved = self.words.iter().map(|deny| publish_pkgs::resolved(deny, &groups));
        Ok(resolved.collect::<Result<_, _>>()?)
    }
}

/// The licence groups of a farm's last plan; `None` where none is to be had.
fn license_groups(state: &Path, farm: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let guards = GuardFile::open(&state.join("guards"), Mode::Read).ok()?.guards;
    let blob = place::blob(&guards.newest(&format!("{farm}:plan"))?, "joined").ok()?;
    let json = Store::open_read_only(&state.join("store")).read(&blob).ok()?;
    let plan: join::JoinedPlan = serde_json::from_slice(&json).ok()?;
    Some(plan.license_groups)
}
