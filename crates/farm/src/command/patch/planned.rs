//! Today's plan of a farm, and nodes beside those of the farm that are made of its packages.

use farm_engine::{Class, GuardStore as _, NodeSpec, Options, Summary};
use farm_portage::cpv::Cpv;

use super::super::build::BuildOptions;
use super::super::pins::Pinning;
use super::super::plan::current_plan;
use super::super::recording::Recording;
use super::super::session::{Access, Session};
use super::super::{FarmError, Setup};
use super::words::{Named, PatchWords};
use crate::action::Action;
use crate::names::{Goal, Wanted, local};
use crate::rules::join::{self, JoinedPlan, PlannedPackage};
use crate::rules::package::{self, PackageData};

/// A farm whose plan is known.
pub(super) struct Planned {
    pub(super) session: Session,
    pub(super) farm: String,
    pub(super) plan: JoinedPlan,
}

/// What became of planning.
pub(super) enum Planning {
    Made(Box<Planned>),
    /// A subject does not resolve, or what plans need could not be made.
    Failed(Summary),
}

impl Planned {
    /// Makes the plan, if it is not up to date.
    ///
    /// # Errors
    ///
    /// What keeps that from starting; failures of nodes are no errors.
    pub(super) fn of(setup: &Setup, words: &PatchWords, events: &Recording<'_>) -> Result<Planning, FarmError> {
        let (mut session, _) = Session::open(setup, &words.farm_words(), Access::Write, Pinning::AddMissing, events)?;
        let farm = words.farm.clone();
        let planned = session
            .farms
            .get(&farm)
            .is_some_and(|loaded| loaded.farm.binfarm.is_some());
        if !planned {
            return Err(FarmError::input(format!(
                "{farm} has no `binfarm:`, so it has no packages to patch"
            )));
        }
        want(&mut session, &farm, ["plan".to_owned()]);
        let options = Options {
            run: [Class::Plan, Class::Prepare].into(),
            ..Options::build(1)
        };
        events.begin(&session.workspace.state());
        let summary = session.run(options, events)?;
        let guard = current_plan(&session, &summary, &farm);
        let Some(guard) = guard.filter(|_| summary.failures.is_empty()) else {
            return Ok(Planning::Failed(summary));
        };
        let plan = join::read(&session.context, &guard)?;
        Ok(Planning::Made(Box::new(Self { session, farm, plan })))
    }

    /// The only package of the plan that a word means.
    ///
    /// # Errors
    ///
    /// The user's: there is none, or there are several.
    pub(super) fn package(&self, word: &str) -> Result<(&PlannedPackage, Cpv), FarmError> {
        let mut meant = Vec::new();
        for planned in &self.plan.packages {
            let cpv = cpv_of(planned)?;
            let named = Named {
                name: &planned.name,
                cpv: &cpv,
                slot: &planned.package.slot,
            };
            if named.is(word) {
                meant.push((planned, cpv));
            }
        }
        match (meant.pop(), meant.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => {
                let message = format!("no package of {}'s plan is {word}", self.farm);
                Err(FarmError::input(message).hint(format!("`farm plan {}` lists them", self.farm)))
            }
            (Some((last, _)), false) => {
                let mut names: Vec<&str> = meant.iter().map(|(planned, _)| planned.name.as_str()).collect();
                names.push(&last.name);
                Err(FarmError::input(format!("`{word}` means several packages: {}", names.join(", "))).hint("name one"))
            }
        }
    }

    /// The node of a package, and what it is built of.
    pub(super) fn node(&self, planned: &PlannedPackage) -> Result<(&NodeSpec<Action>, &PackageData), FarmError> {
        let name = package::node_name(&self.farm, planned);
        let spec = self.session.graph.find(&name).map(|id| self.session.graph.spec(id));
        match spec.map(|spec| (spec, &spec.action)) {
            Some((spec, Action::Package(data))) => Ok((spec, data)),
            _ => Err(FarmError::bug(format!("{name} is in the plan and not in the graph"))),
        }
    }

    /// Adds nodes to the graph and brings them up to date, with all they need.
    pub(super) fn run(
        &mut self,
        nodes: Vec<NodeSpec<Action>>,
        setup: &Setup,
        options: &BuildOptions,
        events: &Recording<'_>,
    ) -> Result<Summary, FarmError> {
        let names: Vec<String> = nodes.iter().map(|node| local(&node.name).to_owned()).collect();
        self.session.graph.add(nodes).map_err(farm_engine::EngineError::from)?;
        want(&mut self.session, &self.farm, names);
        self.session.run(options.engine(setup, events), events)
    }

    /// What is recorded of a node, if it is up to date after this run.
    pub(super) fn guard(&self, summary: &Summary, node: &str) -> Option<farm_engine::Guard> {
        let report = summary.nodes.iter().find(|report| report.name == node)?;
        let current = report.state == farm_engine::NodeState::Cached;
        current.then(|| self.session.guards.newest(node)).flatten()
    }
}

fn want(session: &mut Session, farm: &str, nodes: impl IntoIterator<Item = String>) {
    let wanted = Wanted::new(nodes.into_iter().map(Goal::Node));
    session.wanted = [(farm.to_owned(), wanted)].into();
}

/// The version of a package of the plan.
pub(super) fn cpv_of(planned: &PlannedPackage) -> Result<Cpv, FarmError> {
    let cpv = &planned.package.cpv;
    Cpv::parse(cpv).map_err(|error| FarmError::bug(format!("the plan has {cpv}: {error}")))
}
