//! `farm gc`: removes from the workspace's state what no guard needs that is kept.
//!
//! Of every node the last five keys are kept, and whatever was used in the last 30 days. The guard file is replaced first, and only
//! then goes what the forgotten guards alone spoke of: a gc that is killed leaves garbage, and never a guard whose blob it took.
//!
//! Not touched are downloads (the lock file pins Debian packages that mirrors may have dropped), what was published, what tasks left
//! in the workspace with the record of it, files that were in the way of a task, and the engine. Images are named by no workspace:
//! the same inputs make the same image, so that a checkout beside this one may need it. `farm clean` removes them; so that it finds
//! them, their names are noted before the guards go.

mod files;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use farm_engine::{Clock as _, Digest, Event, EventSink, Guard, SystemClock};
use farm_executor::ImageId;
use farm_guard_file::{Entry, GuardFile, KEEP_MS, Mode, Retention};
use farm_store::{Blob, FileHasher, Store};
use fs_err as fs;
use serde::Serialize;

use super::clean::lock;
use super::{FarmError, Setup};
use crate::driver::{given_names, remember_name};
use crate::place::Place;
use crate::rules::container::log_below;
use crate::rules::join;
use crate::workspace::Workspace;

/// How much of something was removed, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Freed {
    /// How many.
    pub count: u64,
    /// How long they were together, in bytes.
    pub bytes: u64,
}

impl Freed {
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// Nothing was removed: this is what would be.
    pub dry_run: bool,
    /// Guards that are kept.
    pub kept: u64,
    /// Guards that are forgotten.
    pub guards: Freed,
    /// Blobs of the store.
    pub blobs: Freed,
    /// Logs of nodes without a guard.
    pub logs: Freed,
    /// Work trees of failures.
    pub failed: Freed,
    /// Digests of files that are gone.
    pub digests: u64,
    /// Images that no guard names any more, and that are left where they are.
    pub images: Vec<String>,
    /// Why blobs are left although no guard is known to need them.
    pub blobs_left: Option<String>,
}

impl GcReport {
    /// Whether there was nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        [self.guards, self.blobs, self.logs, self.failed] == [Freed::default(); 4] && self.digests == 0
    }

    /// All bytes together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        [self.guards, self.blobs, self.logs, self.failed]
            .iter()
            .map(|freed| freed.bytes)
            .sum()
    }
}

/// Removes what no kept guard needs, or only says what that is.
///
/// # Errors
///
/// The environment's: another run is under way, or the disk refuses.
pub fn gc(setup: &Setup, dry_run: bool, events: &dyn EventSink) -> Result<GcReport, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let state = workspace.state();
    let mut report = GcReport {
        dry_run,
        ..GcReport::default()
    };
    if !state.exists() {
        return Ok(report);
    }
    let _lock = lock(&state, setup)?;
    let path = state.join("guards");
    let opened = GuardFile::open(&path, if dry_run { Mode::Read } else { Mode::Write })?;
    for message in super::damage::in_words(&path, opened.torn_bytes, &opened.damaged) {
        events.event(&Event::Note { message });
    }
    let guards = opened.guards;
    let store = Store::open_read_only(&state.join("store"));
    let retention = guards.retention();
    let needed = Needed::of(&guards, &retention, &store, &state);
    report.kept = retention.kept.len() as u64;
    report.guards = Freed {
        count: retention.forgotten.len() as u64,
        bytes: retention.forgotten.iter().map(Entry::bytes).sum(),
    };
    let images = forgotten_images(&guards, &retention, &needed);
    report.images = images.iter().map(|(_, name)| name.clone()).collect();
    if !dry_run && !retention.forgotten.is_empty() {
        let known: BTreeSet<(String, String)> = given_names(&state)?.into_iter().collect();
        for (id, name) in images.difference(&known) {
            remember_name(&state, &ImageId(id.clone()), name)?;
        }
        guards.compact(&retention.kept)?;
        // They speak of the file as it was.
        remove_if_there(&state.join("settled"))?;
    }

    match &needed.unknown {
        Some(why) => report.blobs_left = Some(why.clone()),
        None => report.blobs = take_blobs(&store, &state, &needed, dry_run)?,
    }
    let before_ms = SystemClock.now_ms().saturating_sub(KEEP_MS);
    report.logs = files::take_logs(&state, &needed.logs, before_ms, dry_run)?;
    report.failed = files::take_failed(&state, before_ms, dry_run)?;
    let hasher = FileHasher::open(&state.join("stat-cache"));
    report.digests = hasher.forget_missing();
    if !dry_run && report.digests > 0 {
        hasher.save()?;
    }
    Ok(report)
}

/// What the kept guards need.
#[derive(Debug, Default)]
struct Needed {
    blobs: BTreeSet<Digest>,
    images: BTreeSet<String>,
    logs: BTreeSet<PathBuf>,
    /// Why nobody knows all that they need.
    unknown: Option<String>,
}

impl Needed {
    fn of(guards: &GuardFile, retention: &Retention, store: &Store, state: &Path) -> Self {
        let mut needed = Self::default();
        for entry in &retention.kept {
            match guards.guard(entry) {
                Some(guard) => needed.add(&guard, store, state),
                None => needed.unknown = Some("a record of the guard file cannot be read".to_owned()),
            }
        }
        needed
    }

    fn add(&mut self, guard: &Guard, store: &Store, state: &Path) {
        self.logs.insert(log_below(state, &guard.node));
        for output in &guard.outputs {
            let Some(place) = Place::parse(&output.place) else {
                let node = &guard.node;
                self.unknown = Some(format!("this version does not know where {node} keeps its outputs"));
                continue;
            };
            if let Place::Image { id, .. } | Place::Processor { root: id, .. } = &place {
                self.images.insert(id.0.clone());
            }
            for blob in place.blobs() {
                self.blobs.insert(blob.digest.into());
                if output.role == "joined" {
                    self.blobs.extend(answers(store, blob));
                }
            }
        }
    }
}

/// The answers of Portage that a joined plan names. One that is gone or of another version is not read by anybody.
fn answers(store: &Store, joined: &Blob) -> Vec<Digest> {
    let plan = store
        .read(joined)
        .ok()
        .and_then(|json| serde_json::from_slice::<join::JoinedPlan>(&json).ok());
    let subjects = plan.map(|plan| plan.subjects).unwrap_or_default();
    subjects.values().map(|subject| subject.answer.digest.into()).collect()
}

/// Images with a name of farm's that only forgotten guards speak of: id and name.
fn forgotten_images(guards: &GuardFile, retention: &Retention, needed: &Needed) -> BTreeSet<(String, String)> {
    let mut images = BTreeSet::new();
    for guard in retention.forgotten.iter().filter_map(|entry| guards.guard(entry)) {
        for output in &guard.outputs {
            if let Some(Place::Image { id, tag: Some(tag) }) = Place::parse(&output.place)
                && !needed.images.contains(&id.0)
            {
                images.insert((id.0, tag));
            }
        }
    }
    images
}

fn take_blobs(store: &Store, state: &Path, needed: &Needed, dry_run: bool) -> Result<Freed, FarmError> {
    let mut freed = Freed::default();
    if !state.join("store/blobs").exists() {
        return Ok(freed);
    }
    for blob in store.iter()? {
        if needed.blobs.contains(&blob.digest.into()) {
            continue;
        }
        if dry_run || store.remove(&blob)? {
            freed.add(blob.size);
        }
    }
    Ok(freed)
}

fn remove_if_there(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
#[path = "gc/tests.rs"]
mod tests;
