//! A run of the part of a graph on which changed files have an effect.
//!
//! The engine gets the nodes that look at the changed files, everything that hangs on those, and, as known to be up to date, what
//! these need besides. Of the other nodes nothing is read. What it comes to is what a look at everything would come to: keys are
//! computed from the same fields, and whatever else a run reads was seen to be as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use farm_engine::{Class, Event, EventSink, GuardStore as _, NodeReport, NodeSpec, Options, Summary};
use farm_store::{DirLock, FileHasher, Owner, Owners};

use super::nodes::Reader;
use super::record::{Columns, Settled, nodes_path};
use super::{cached, key_of};
use crate::action::Action;
use crate::command::recording::Recording;
use crate::command::session::{Access, Session};
use crate::command::{FarmError, Setup};
use crate::workspace::Workspace;

/// What is left to look at. Holds the workspace's lock.
pub(in crate::command) struct Part {
    path: PathBuf,
    workspace: Workspace,
    lock: DirLock,
    settled: Settled,
    columns: Columns,
    /// The nodes to look at, by their places in the record.
    affected: BTreeSet<Owner>,
}

impl Part {
    /// `changed` are the nodes that look at changed files. `None` if nodes would have to be looked at of which only a manifest knows.
    pub(super) fn new(
        path: PathBuf,
        workspace: Workspace,
        lock: DirLock,
        settled: Settled,
        changed: &BTreeSet<Owner>,
    ) -> Option<Self> {
        let columns = settled.columns()?;
        let affected = affected(&columns, changed)?;
        let all_kept = affected.iter().all(|&at| columns.slots[at as usize].len > 0);
        all_kept.then_some(Self {
            path,
            workspace,
            lock,
            settled,
            columns,
            affected,
        })
    }

    /// Runs it. `None` if it turns out that everything has to be looked at; nothing was told then.
    ///
    /// # Errors
    ///
    /// What keeps a run from starting or going on.
    pub(in crate::command) fn run(
        mut self,
        setup: &Setup,
        dry_run: bool,
        options: impl FnOnce() -> Options,
        events: &Recording<'_>,
    ) -> Result<Option<(Summary, Vec<PathBuf>)>, FarmError> {
        let access = if dry_run { Access::DryRun } else { Access::Write };
        let hasher = FileHasher::in_memory();
        let Some(nodes) = self.nodes(&hasher) else {
            return Ok(None);
        };
        let known: BTreeSet<Owner> = self.boundary().collect();
        let mut session = Session::open_state(
            setup,
            self.workspace,
            self.settled.basis.clone(),
            hasher,
            Some(self.lock),
            access,
            events,
        )?;
        let mut specs = Vec::new();
        for &at in &known {
            let (kind, name) = &self.settled.nodes[at as usize];
            let Some(key) = self.columns.keys[at as usize] else {
                return Ok(None);
            };
            if session.guards.find(name, &key).is_none() {
                return Ok(None);
            }
            specs.push(settled_node(kind, name, key));
        }
        specs.extend(nodes);
        session.graph.add(specs).map_err(farm_engine::EngineError::from)?;

        events.begin(&session.workspace.state());
        for message in &self.settled.notes {
            events.event(&Event::Note {
                message: message.clone(),
            });
        }
        let rest = self.settled.nodes.len() - known.len() - self.affected.len();
        let events = Around {
            inner: events,
            rest: rest as u64,
        };
        for (at, (kind, name)) in (0..).zip(&self.settled.nodes) {
            if !known.contains(&at) && !self.affected.contains(&at) {
                events.inner.event(&Event::cached(name, kind));
            }
        }
        let summary = session.run_all(options(), &events)?;
        let changed = session.save();
        let reports: BTreeMap<String, NodeReport> = summary
            .nodes
            .iter()
            .map(|report| (report.name.clone(), report.clone()))
            .collect();
        if !dry_run {
            let done = Done {
                path: &self.path,
                affected: &self.affected,
                reports: &reports,
            };
            // What cannot be recorded costs the next run its time.
            let _ = done.record(&session, &mut self.settled, self.columns);
        }
        let mut whole = Summary {
            nodes: Vec::with_capacity(self.settled.nodes.len()),
            ..summary
        };
        whole.counts.cached += rest as u64;
        let mut reports = reports;
        whole.nodes.extend(self.settled.nodes.into_iter().map(|(kind, name)| {
            let report = reports.remove(&name);
            report.unwrap_or_else(|| cached(kind, name))
        }));
        Ok(Some((whole, changed)))
    }

    /// The nodes to look at, with their files as they are now.
    fn nodes(&self, hasher: &FileHasher) -> Option<Vec<NodeSpec<Action>>> {
        let reader = Reader::open(&nodes_path(&self.path)).ok()?;
        let node = |&at: &Owner| {
            let (kind, name) = &self.settled.nodes[at as usize];
            let root = self.workspace.root.as_std_path();
            reader.read(self.columns.slots[at as usize], (kind, name), root, hasher)
        };
        self.affected.iter().map(node).collect()
    }

    /// What the nodes to look at need, and what is up to date.
    fn boundary(&self) -> impl Iterator<Item = Owner> {
        let needs = self.affected.iter().flat_map(|&at| &self.columns.needs[at as usize]);
        needs.copied().filter(|need| !self.affected.contains(need))
    }
}

/// Those that are not up to date or look at changed files, and everything that hangs on them. `None` if one of them does not exist.
fn affected(columns: &Columns, changed: &BTreeSet<Owner>) -> Option<BTreeSet<Owner>> {
    let mut dependants: Vec<Vec<Owner>> = vec![Vec::new(); columns.keys.len()];
    for (at, needs) in (0..).zip(&columns.needs) {
        for &need in needs {
            dependants[need as usize].push(at);
        }
    }
    let suspects = (0..).zip(&columns.keys).filter(|(_, key)| key.is_none());
    let mut pending: Vec<Owner> = suspects.map(|(at, _)| at).chain(changed.iter().copied()).collect();
    let mut affected = BTreeSet::new();
    while let Some(at) = pending.pop() {
        if affected.insert(at) {
            pending.extend(dependants.get(at as usize)?);
        }
    }
    Some(affected)
}

fn settled_node(kind: &str, name: &str, key: farm_engine::Key) -> NodeSpec<Action> {
    NodeSpec {
        name: name.to_owned(),
        kind: kind.to_owned(),
        rule_version: 0,
        class: Class::Build,
        inputs: Vec::new(),
        dependencies: Vec::new(),
        expands: false,
        pools: BTreeMap::new(),
        action: Action::Settled(key),
    }
}

/// What a part of a run came to.
struct Done<'a> {
    path: &'a std::path::Path,
    affected: &'a BTreeSet<Owner>,
    reports: &'a BTreeMap<String, NodeReport>,
}

impl Done<'_> {
    /// Brings the record up to date. When it was taken stays, so that once a day everything is looked at.
    fn record(&self, session: &Session, settled: &mut Settled, mut columns: Columns) -> Option<()> {
        let witness = session.context.hasher.witness();
        let mut owners = Owners::new();
        for &at in self.affected {
            let (_, name) = &settled.nodes[at as usize];
            let spec = session.graph.spec(session.graph.find(name)?);
            let report = self.reports.get(name)?;
            columns.keys[at as usize] = key_of(session, report, at, spec, &mut owners);
        }
        let root = session.workspace.root.as_std_path();
        settled.testimony = witness.amend(&settled.testimony, root, self.affected, &owners)?;
        settled.stamp = session.guards.stamp();
        let asked: BTreeSet<_> = settled.asked.iter().chain(&session.asked).cloned().collect();
        settled.asked = asked.into_iter().collect();
        settled.set_columns(&columns);
        settled.write(self.path).ok()
    }
}

/// Adds the nodes of which the engine knows nothing to what it counts.
struct Around<'a> {
    inner: &'a dyn EventSink,
    rest: u64,
}

impl EventSink for Around<'_> {
    fn event(&self, event: &Event) {
        let mut event = event.clone();
        match &mut event {
            Event::NodesWanted { total } => *total += self.rest,
            Event::BuildFinished { counts, .. } => counts.cached += self.rest,
            _ => {}
        }
        self.inner.event(&event);
    }
}
