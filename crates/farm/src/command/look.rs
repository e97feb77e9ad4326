//! What the commands that explain have in common: a look at everything wanted that runs nothing, and what it found of a node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use farm_engine::{
    EngineError, Event, EventSink, Guard, Key, NodeId, NodeReport, NodeResult, NodeState, Options, Reason, Summary,
    Today, todays,
};
use serde::{Deserialize, Serialize};

use super::pins::Pinning;
use super::session::{Access, Session};
use super::{FarmError, Setup, Words};
use crate::action::Action;
use crate::names::{farm, local};
use crate::rules::join;

/// A build that is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// The key it was built with.
    pub key: Key,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// When it was last found in use, in milliseconds since 1970; noted once a day.
    pub used_ms: u64,
}

impl Built {
    pub(super) fn of(guard: &Guard, used_ms: u64) -> Self {
        Self {
            key: guard.key,
            began_ms: guard.started_ms,
            took_ms: guard.duration_ms,
            used_ms,
        }
    }
}

/// A session and what a run in it found without building anything.
pub(super) struct Look {
    pub(super) session: Session,
    pub(super) summary: Summary,
    /// How many nodes there were before any plan brought some forth.
    pub(super) lowered: usize,
    reports: BTreeMap<NodeId, usize>,
}

impl Look {
    /// Looks at what is wanted: with [`Access::Read`] nothing is run, else plans are made whose inputs are there.
    pub(super) fn at(setup: &Setup, words: &Words, access: Access, events: &dyn EventSink) -> Result<Self, FarmError> {
        let (mut session, _) = Session::open(setup, words, access, Pinning::AddMissing, events)?;
        let lowered = session.graph.len();
        let options = Options {
            // A subject that does not resolve says nothing of the others.
            keep_going: true,
            ..Options::dry_run(access != Access::Read)
        };
        let summary = session.run(options, &())?;
        let number = |(at, report): (usize, &NodeReport)| Some((session.graph.find(&report.name)?, at));
        let reports = summary.nodes.iter().enumerate().filter_map(number).collect();
        if access != Access::Read {
            // What was hashed is not hashed again; what changed meanwhile is nobody's concern who only looks.
            session.save();
        }
        Ok(Self {
            session,
            summary,
            lowered,
            reports,
        })
    }

    /// Looks at what is wanted; makes plans only if some node that was asked for is known to none as they are.
    pub(super) fn at_asked(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<Self, FarmError> {
        let look = Self::at(setup, words, Access::Read, events)?;
        if look.knows_all_asked() {
            return Ok(look);
        }
        drop(look);
        let look = Self::at(setup, words, Access::DryRun, &())?;
        if look.asked().is_empty() {
            return Err(look.nothing_known());
        }
        Ok(look)
    }

    /// Looks at whole farms with all that their plans bring forth. Where a plan cannot be made here, what it would bring forth is
    /// left out, and a note says so.
    pub(super) fn at_everything(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<Self, FarmError> {
        let look = Self::at(setup, words, Access::Read, events)?;
        if look.unplanned().is_empty() {
            return Ok(look);
        }
        drop(look);
        let look = match Self::at(setup, words, Access::DryRun, &()) {
            Err(error) if error.kind == farm_engine::FailureKind::Environment => {
                Self::at(setup, words, Access::Read, &())?
            }
            look => look?,
        };
        for farm in look.unplanned() {
            let message = format!(
                "what the plan of {farm} brings forth is not known: {}",
                look.why_unplanned(&farm)
            );
            events.event(&Event::Note { message });
        }
        Ok(look)
    }

    /// Whether all is known that a farm's plan brings forth. A plan is up to date, too, when it lacks a subject that failed.
    pub(super) fn is_planned(&self, farm: &str) -> bool {
        self.report(&format!("{farm}:plan")).is_some_and(is_current) && self.unfinished_plan(farm).is_none()
    }

    /// The first plan of a farm, of a subject or of all, that is not up to date.
    fn unfinished_plan(&self, name: &str) -> Option<&NodeReport> {
        let mut plans = self.summary.nodes.iter().filter(|report| report.kind == "plan");
        plans.find(|report| farm(&report.name) == name && !is_current(report))
    }

    /// The farms of this look that have a plan of which nobody knows all that it brings forth.
    pub(super) fn unplanned(&self) -> BTreeSet<String> {
        let farms = self.session.farms.iter();
        let planned = farms.filter(|(_, loaded)| loaded.farm.binfarm.is_some());
        planned
            .map(|(farm, _)| farm.clone())
            .filter(|farm| !self.is_planned(farm))
            .collect()
    }

    /// Adds what the plan of a farm brings forth in any case, if it brought forth nothing: everything but packages and their sources.
    pub(super) fn add_stand_ins(&mut self, farm: &str) -> Result<(), FarmError> {
        let Some(plan) = self.session.graph.find(&format!("{farm}:plan")) else {
            return Ok(());
        };
        let spec = Arc::clone(self.session.graph.spec(plan));
        let is_planned = self.report_of(plan).is_some_and(is_current);
        if let (false, Action::Join(data)) = (is_planned, &spec.action) {
            let nodes = join::expand(&self.session.context, data, &join::JoinedPlan::default())?;
            self.session.graph.add(nodes).map_err(EngineError::from)?;
        }
        Ok(())
    }

    fn why_unplanned(&self, farm: &str) -> String {
        match self.unfinished_plan(farm) {
            Some(report) => format!("{} {}", report.name, fate(report)),
            None => match self.root_to_come(farm) {
                Some(root) => format!("{root} is not made"),
                None => format!("the names of {farm} are not pinned"),
            },
        }
    }

    /// The root in which the subjects of a farm will be planned, where it is that of a generation whose packages are not built.
    pub(super) fn root_to_come(&self, farm: &str) -> Option<String> {
        let graph = &self.session.graph;
        if graph.find(&format!("{farm}:plan")).is_some() {
            return None;
        }
        let generations =
            crate::lower::plan_nodes().filter_map(|local| Some(local.strip_prefix("generation/")?.to_owned()));
        let known = generations.filter(|name| graph.find(&format!("{farm}:generation/{name}")).is_some());
        Some(format!("{farm}:root/{}", known.last()?))
    }

    pub(super) fn nothing_known(&self) -> FarmError {
        let farms = self.unplanned().into_iter();
        let why: Vec<String> = farms.map(|farm| self.why_unplanned(&farm)).collect();
        let mut message =
            "nothing is known of that yet: its plan cannot be made before what it is made from".to_owned();
        if !why.is_empty() {
            message = format!("{message} ({})", why.join("; "));
        }
        FarmError::input(message).hint("`farm plan` makes that, and the plan")
    }

    /// What was found of a node; `None` for what nobody wants.
    pub(super) fn report(&self, name: &str) -> Option<&NodeReport> {
        self.report_of(self.session.graph.find(name)?)
    }

    pub(super) fn report_of(&self, node: NodeId) -> Option<&NodeReport> {
        self.summary.nodes.get(*self.reports.get(&node)?)
    }

    /// The nodes that were asked for, in the order of the graph.
    pub(super) fn asked(&self) -> Vec<NodeId> {
        let (session, graph) = (&self.session, &self.session.graph);
        let is_asked = |node: &NodeId| {
            let spec = graph.spec(*node);
            let wanted = session.wanted.get(farm(&spec.name));
            wanted.is_some_and(|wanted| wanted.wants(local(&spec.name), &spec.kind, &session.subjects_of(&spec.name)))
        };
        graph.ids().filter(is_asked).collect()
    }

    fn knows_all_asked(&self) -> bool {
        !self.asked().is_empty()
    }

    /// Today's keys of these nodes and of what enters them.
    pub(super) fn todays(&self, nodes: &[NodeId]) -> BTreeMap<NodeId, Today> {
        let session = &self.session;
        todays(
            &session.graph,
            &self.summary.nodes,
            &session.guards,
            session.salt(),
            nodes,
        )
    }

    /// The nodes for whose sake others wait or are skipped: they run, or failed, for reasons of their own.
    pub(super) fn leaves(&self) -> Vec<NodeId> {
        let waits = |report: &NodeReport| matches!(report.reason, Some(Reason::Waiting { .. }));
        let is_leaf = |report: &NodeReport| match report.result {
            Some(NodeResult::Failed) => true,
            Some(_) => false,
            None => report.state != NodeState::Cached && !waits(report),
        };
        let reports = self.reports.iter();
        let leaves = reports.filter(|(_, at)| self.summary.nodes.get(**at).is_some_and(is_leaf));
        leaves.map(|(node, _)| *node).collect()
    }
}

/// Whether a node is up to date.
pub(super) fn is_current(report: &NodeReport) -> bool {
    report.state == NodeState::Cached
}

/// Why a node runs, failed or is skipped, as a sentence fragment that follows its name.
pub(super) fn fate(report: &NodeReport) -> String {
    match (&report.result, &report.message) {
        (Some(NodeResult::Failed), Some(message)) => {
            format!("failed: {}", message.lines().next().unwrap_or_default())
        }
        (Some(NodeResult::Skipped), Some(message)) => format!("is skipped: {message}"),
        _ => match &report.reason {
            Some(reason) => format!("runs: {reason}"),
            None => "is up to date".to_owned(),
        },
    }
}
