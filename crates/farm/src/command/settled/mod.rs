//! The record of a run, so that the next one like it looks only at what changed.
//!
//! A run sees files (manifests, inputs, outputs, blobs) and asks engines for images. Its record holds what it saw, and its nodes
//! with their keys. While the guard file is in the same state and everything would be seen again as it was, a run with the same
//! words would find the same: nothing is parsed, hashed or looked up, only `stat` is asked, once a path. If only files changed that
//! nobody but certain tasks looks at (their sources, what they left), then only those tasks, and whatever hangs on them, are
//! given to the engine ([`part`]). Anything else, and the run looks at everything.
//!
//! The record is derived: it can be removed at any time, and one that is damaged, of another version of farm, or more than a day
//! old (guards in use are noted once a day) is not looked at. Two files for every way of asking, in `.farm/settled`.

mod nodes;
mod part;
mod record;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use farm_engine::{
    Clock as _, Counts, Event, EventSink, GuardStore as _, NodeReport, NodeResult, NodeSpec, NodeState, Summary,
    SystemClock,
};
use farm_store::{Comparison, FileHasher, Owner, Owners, Store};

use self::nodes::{Slot, Writer};
use self::part::Part;
use self::record::{Columns, Settled, nodes_path};
use super::clean::lock;
use super::killed::{is_marked, workspace_id};
use super::recording::Recording;
use super::session::Session;
use super::{FarmError, Setup, Words};
use crate::action::Action;
use crate::context::Context;
use crate::rules::task;
use crate::workspace::Workspace;

const FOLDER: &str = "settled";
/// A record is believed for so long: a day, as guards in use are noted once a day.
const BELIEVED_MS: u64 = 24 * 60 * 60 * 1000;

/// What the record of the last run like this one says.
pub(super) enum Recalled {
    /// Everything is up to date; that has been told.
    Settled(Summary),
    /// Everything but this is up to date.
    But(Box<Part>),
    /// Nothing that could be relied on.
    Nothing,
}

/// Says again what the last run with these words said, if nothing it saw has changed, or what is left to look at.
///
/// # Errors
///
/// The words' own: no workspace, no such farm.
pub(super) fn recall(setup: &Setup, words: &Words, events: &Recording<'_>) -> Result<Recalled, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let wanted = words.resolve(&workspace)?;
    let state = workspace.state();
    let path = path_of(&state, setup, words, &format!("{wanted:?}"));
    if !path.exists() {
        return Ok(Recalled::Nothing);
    }
    let begun_ms = SystemClock.now_ms();
    // While somebody else builds here nothing is settled; whoever goes on from here says who that is.
    let Ok(lock) = lock(&state, setup) else {
        return Ok(Recalled::Nothing);
    };
    if is_marked(&state) {
        return Ok(Recalled::Nothing);
    }
    let Some(settled) = Settled::read(&path) else {
        return Ok(Recalled::Nothing);
    };
    let believed = settled.taken_ms <= begun_ms && begun_ms - settled.taken_ms < BELIEVED_MS;
    if !believed || !settled.stamp.is_of(&state.join("guards")).unwrap_or(false) {
        return Ok(Recalled::Nothing);
    }
    let Comparison::Owners(changed) = settled.testimony.compare(workspace.root.as_std_path()) else {
        return Ok(Recalled::Nothing);
    };
    if !answers_hold(&settled, setup, &workspace) {
        return Ok(Recalled::Nothing);
    }
    if !changed.is_empty() || settled.has_suspects() {
        let part = Part::new(path, workspace, lock, settled, &changed);
        return Ok(part.map_or(Recalled::Nothing, |part| Recalled::But(Box::new(part))));
    }
    events.settled(&state);
    Ok(Recalled::Settled(tell(settled, begun_ms, events)))
}

/// Records what a run found. What cannot be recorded costs the next run its time and nothing else.
pub(super) fn record(setup: &Setup, words: &Words, session: &Session, summary: &Summary) {
    if let Some(program) = &setup.program {
        session.context.hasher.witness().look(program);
    }
    let path = path_of(
        &session.workspace.state(),
        setup,
        words,
        &format!("{:?}", session.wanted),
    );
    // A record that cannot be written is one that is not there.
    let _ = try_record(&path, session, summary);
}

fn try_record(path: &Path, session: &Session, summary: &Summary) -> Option<()> {
    let mut columns = Columns::default();
    let mut owners = Owners::new();
    let places: BTreeMap<&str, u32> = (0..)
        .zip(&summary.nodes)
        .map(|(at, node)| (node.name.as_str(), at))
        .collect();
    for (at, report) in (0..).zip(&summary.nodes) {
        let spec = session.graph.spec(session.graph.find(&report.name)?);
        let needs: Vec<u32> = spec
            .dependencies
            .iter()
            .filter_map(|dependency| places.get(dependency.node.as_str()).copied())
            .collect();
        columns.needs.push(needs);
        columns.keys.push(key_of(session, report, at, spec, &mut owners));
    }
    let root = session.workspace.root.as_std_path();
    let testimony = session.context.hasher.witness().testimony(root, &owners).ok()?;
    drop(owners);

    let folder = path.parent()?;
    fs_err::create_dir_all(folder).ok()?;
    let mut writer = Writer::new_in(folder).ok()?;
    for ((report, needs), key) in summary.nodes.iter().zip(&columns.needs).zip(&columns.keys) {
        let spec = session.graph.spec(session.graph.find(&report.name)?);
        // What was not looked at is not known: such a node cannot be looked at alone. What is known of its needs is kept, so that
        // a change below it makes farm look at everything.
        let slot = if needs.len() == spec.dependencies.len() {
            writer.add(spec).ok()?
        } else {
            Slot::default()
        };
        if key.is_none() && slot.len == 0 {
            return None;
        }
        columns.slots.push(slot);
    }
    let settled = Settled::new(
        SystemClock.now_ms(),
        session.guards.stamp(),
        session.basis.clone(),
        session.notes.clone(),
        session.asked.iter().cloned().collect(),
        summary
            .nodes
            .iter()
            .map(|node| (node.kind.clone(), node.name.clone()))
            .collect(),
        &columns,
        testimony,
    );
    writer.place(&nodes_path(path)).ok()?;
    settled.write(path).ok()
}

/// The key a node is up to date with, if it is and all that the node made was looked at. Adds the files that only this node looks
/// at to `owners`.
fn key_of(
    session: &Session,
    report: &NodeReport,
    at: Owner,
    spec: &NodeSpec<Action>,
    owners: &mut Owners,
) -> Option<farm_engine::Key> {
    let witness = session.context.hasher.witness();
    let mut seen = true;
    let guard = session.guards.newest(&report.name);
    if let Action::Task(data) = &spec.action {
        for file in task::owned_files(&session.context.workspace, spec, data, guard.as_ref()) {
            seen &= witness.has(&file);
            owners.entry(file.into_os_string()).or_default().push(at);
        }
    }
    let done = match report.result {
        Some(NodeResult::Cached | NodeResult::Cutoff) => true,
        // Where other nodes leave what they make was not looked at: only who finds it there tells the witness, or asks for it.
        Some(NodeResult::Built) => matches!(spec.action, Action::Task(_)),
        _ => false,
    };
    guard.filter(|_| done && seen).map(|guard| guard.key)
}

/// One name for every way of asking: what is wanted, and whatever gives variables their values.
fn path_of(state: &Path, setup: &Setup, words: &Words, wanted: &str) -> PathBuf {
    let asked = format!("{wanted}\n{:?}\n{:?}", words.variables, setup.environment);
    let name = farm_engine::Digest::of(asked.as_bytes()).short();
    state.join(FOLDER).join(name)
}

/// Whether engines and registries still say what they said.
fn answers_hold(settled: &Settled, setup: &Setup, workspace: &Workspace) -> bool {
    if settled.asked.is_empty() {
        return true;
    }
    let state = workspace.state();
    let connect = std::sync::Arc::clone(&setup.connect);
    let context = Context::new(
        workspace.root.as_std_path(),
        &state,
        Store::open_read_only(&state.join("store")),
        FileHasher::in_memory(),
        &setup.scratch,
        0,
        setup.cancel.clone(),
        workspace_id(&state).unwrap_or_default(),
        Box::new(move |labels| connect(labels)),
    );
    settled.asked.iter().all(|asked| asked.holds(&context))
}

/// The events and the summary of a run that finds every node up to date.
fn tell(settled: Settled, begun_ms: u64, events: &dyn EventSink) -> Summary {
    for message in settled.notes {
        events.event(&Event::Note { message });
    }
    let total = settled.nodes.len() as u64;
    events.event(&Event::NodesWanted { total });
    let mut summary = Summary {
        counts: Counts {
            cached: total,
            ..Counts::default()
        },
        ..Summary::default()
    };
    summary.nodes.reserve(settled.nodes.len());
    for (kind, name) in settled.nodes {
        events.event(&Event::cached(&name, &kind));
        summary.nodes.push(cached(kind, name));
    }
    events.event(&Event::BuildFinished {
        counts: summary.counts,
        not_reproducible: 0,
        ms: SystemClock.now_ms().saturating_sub(begun_ms),
        interrupted: false,
    });
    summary
}

/// What is said of a node that is up to date.
fn cached(kind: String, name: String) -> NodeReport {
    NodeReport {
        name,
        kind,
        state: NodeState::Cached,
        result: Some(NodeResult::Cached),
        reason: None,
        message: None,
        log: None,
    }
}
