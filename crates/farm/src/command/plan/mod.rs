//! `farm plan`.

pub(super) mod diff;
mod estimate;
mod former;
pub(super) mod list;
mod published;
mod release;
pub(super) mod write;

use std::collections::BTreeMap;

use farm_engine::{Class, Event, EventSink, Guard, NodeState, Options, Summary};
use farm_resolver::{Answer, Outcome, Refusal};

pub use self::diff::plan_diff;
use self::former::Earlier;
use self::list::{FarmList, Listed, SubjectList};
use self::published::{Published, mark};
pub use self::release::plan_release;
pub use self::write::plan_and_write;
use super::pins::Pinning;
use super::recording::{Recording, recorded};
use super::session::{Access, Session, only_farms};
use super::{FarmError, Setup, Words, matrix};
use crate::action::Action;
use crate::names::{Goal, Wanted};
use crate::rules::join::{self, JoinedPlan};
use crate::rules::package;

/// Plans wait for each other, and for one root.
pub(super) const JOBS: usize = 1;

/// What will be built, as people read it and as data.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanView {
    /// The merge list of every subject, with the command that was answered.
    pub text: String,
    /// The same as data: subjects, packages, states, reasons.
    pub json: serde_json::Value,
    /// How the run that made it ended.
    pub failures: Vec<(String, farm_engine::Failure)>,
    /// What Portage refused, by the node of the plan (`FARM:plan/SUBJECT`).
    pub refusals: BTreeMap<String, Refusal>,
    /// The same as `json`, to be compared.
    pub(super) lists: Vec<FarmList>,
}

impl PlanView {
    /// Of several cells of a matrix.
    pub(super) fn together(cells: Vec<(matrix::Cell, Self)>) -> Self {
        let mut whole = Self {
            text: String::new(),
            json: serde_json::json!([]),
            failures: Vec::new(),
            refusals: BTreeMap::new(),
            lists: Vec::new(),
        };
        let mut farms = Vec::new();
        for (cell, view) in cells {
            if let (Some((farm, name)), false) = (&cell.name, view.text.is_empty()) {
                whole
                    .text
                    .push_str(&format!("# {farm} with {}\n\n", name.replace(',', " ")));
            }
            whole.text.push_str(&view.text);
            farms.extend(matrix::labelled(&cell, view.json));
            whole.failures.extend(view.failures);
            whole.refusals.extend(view.refusals);
            whole.lists.extend(view.lists);
        }
        whole.json = farms.into();
        whole
    }
}

/// Makes the plans of the farms, and says what of them is there already; of a farm with a matrix, of all its cells.
///
/// # Errors
///
/// What keeps the run from starting or going on.
pub fn plan(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<PlanView, FarmError> {
    let mut views = Vec::new();
    for cell in matrix::cells(setup, words)? {
        cell.announce(events);
        let view = plan_cell(setup, &cell.words, events)?;
        views.push((cell, view));
    }
    Ok(PlanView::together(views))
}

/// The plans with these values of all variables.
pub(super) fn plan_cell(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<PlanView, FarmError> {
    recorded(setup, false, JOBS, events, |events| {
        let (session, _) = Session::open(setup, words, Access::Write, Pinning::AddMissing, events)?;
        plan_in(session, events)
    })
}

/// The plans of an open session, which is closed.
pub(super) fn plan_in(mut session: Session, events: &Recording<'_>) -> Result<PlanView, FarmError> {
    only_farms(&session, "plan")?;
    for (farm, wanted) in &mut session.wanted {
        if session
            .farms
            .get(farm)
            .is_none_or(|loaded| loaded.farm.binfarm.is_none())
        {
            return Err(FarmError::input(format!(
                "{farm} has no `binfarm:`, so there is nothing to plan"
            )));
        }
        *wanted = Wanted::new([Goal::Everything]);
    }
    let options = Options {
        run: [Class::Plan, Class::Prepare].into(),
        // A subject that does not resolve leaves the others their plans.
        keep_going: true,
        ..Options::build(JOBS)
    };
    events.begin(&session.workspace.state());
    let summary = session.run(options, events)?;
    let mut view = PlanView {
        text: String::new(),
        json: serde_json::json!([]),
        failures: summary.failures.clone(),
        refusals: session.context.refusals(),
        lists: Vec::new(),
    };
    for farm in session.farms.keys() {
        if let Some(message) = waiting(&session, &summary, farm) {
            events.event(&Event::Note { message });
        }
    }
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    view.lists = lists(&session, &summary)?;
    view.text = view.lists.iter().map(|list| list.text(jobs)).collect();
    view.json = view.lists.iter().map(|list| list.json(jobs)).collect();
    session.close();
    Ok(view)
}

/// The plans of every farm that were made or found in this run; none of a farm that has none.
pub(super) fn lists(session: &Session, summary: &Summary) -> Result<Vec<FarmList>, FarmError> {
    let mut lists = Vec::new();
    for farm in session.farms.keys() {
        let mut plans = Vec::new();
        for local in crate::lower::plan_nodes() {
            if let Some(guard) = current(session, summary, &format!("{farm}:{local}")) {
                let joined = join::read(&session.context, &guard)?;
                plans.push((guard, joined));
            }
        }
        if !plans.is_empty() {
            lists.push(list(session, summary, farm, &plans)?);
        }
    }
    Ok(lists)
}

/// A joined plan, if it was made or found in this run.
fn current(session: &Session, summary: &Summary, name: &str) -> Option<Guard> {
    let report = summary.nodes.iter().find(|node| node.name == name)?;
    if report.state != NodeState::Cached {
        return None;
    }
    session.context.plan(name)
}

/// The joined plan of a farm, if it was made or found in this run.
pub(super) fn current_plan(session: &Session, summary: &Summary, farm: &str) -> Option<Guard> {
    current(session, summary, &format!("{farm}:plan"))
}

/// Why what comes after a generation of the root is not planned: a plan builds no packages.
fn waiting(session: &Session, summary: &Summary, farm: &str) -> Option<String> {
    let planned = crate::lower::plan_nodes().filter_map(|local| Some(local.strip_prefix("generation/")?.to_owned()));
    let last = planned
        .filter(|name| current(session, summary, &format!("{farm}:generation/{name}")).is_some())
        .last()?;
    let root = format!("{farm}:root/{last}");
    let is_there = |node: &farm_engine::NodeReport| node.name == root && node.state == NodeState::Cached;
    if summary.nodes.iter().any(is_there) {
        return None;
    }
    Some(format!(
        "what comes after the root with {last} is planned in that root: `farm build {root}` makes it"
    ))
}

fn list(
    session: &Session,
    summary: &Summary,
    farm: &str,
    plans: &[(Guard, JoinedPlan)],
) -> Result<FarmList, FarmError> {
    let states: BTreeMap<&str, (NodeState, String)> = summary
        .nodes
        .iter()
        .map(|node| {
            let reason = node.reason.as_ref().map(ToString::to_string).unwrap_or_default();
            (node.name.as_str(), (node.state, reason))
        })
        .collect();
    let mut list = FarmList {
        farm: farm.to_owned(),
        subjects: Vec::new(),
        packages: Vec::new(),
        disagreements: Vec::new(),
        native: Vec::new(),
        untouched: BTreeMap::new(),
        is_whole: current_plan(session, summary, farm).is_some() && failed_subject(summary, farm).is_none(),
    };
    for (guard, joined) in plans {
        let offset = list.packages.len();
        let earlier = Earlier::than(session, farm, guard);
        list.packages.extend(joined.packages.iter().map(|planned| {
            let node = package::node_name(farm, planned);
            let (state, reason) = states
                .get(node.as_str())
                .cloned()
                .unwrap_or((NodeState::Unknown, String::new()));
            let (before, last_ms) = earlier.of(session, farm, planned);
            let needs_hands = planned.package.restrict.iter().any(|word| word == "fetch");
            Listed {
                state,
                reason,
                last_ms,
                before,
                has_files: needs_hands && has_files(session, &states, farm, &node),
                package: planned.package.clone(),
                after: planned.dependencies.iter().map(|index| index + offset).collect(),
                node,
                published: Published::No,
            }
        }));
        for (name, plan) in &joined.subjects {
            let answer = Answer::parse(&session.context.read(&plan.answer)?)
                .map_err(|error| FarmError::bug(error.to_string()))?;
            if let Outcome::Plan(resolved) = answer.outcome {
                list.subjects.push(SubjectList {
                    name: name.clone(),
                    command: plan.command.clone(),
                    packages: plan.packages.iter().map(|index| index + offset).collect(),
                    lines: resolved.packages,
                });
            }
        }
        // Only the farm's own plan, the last, says it.
        list.untouched.extend(joined.untouched.clone());
        list.disagreements.extend(joined.disagreements.iter().cloned());
        for line in &joined.native {
            if !list.native.contains(line) {
                list.native.push(line.clone());
            }
        }
    }
    if let Some((_, last)) = plans.last() {
        mark(session, summary, &mut list, last)?;
    }
    Ok(list)
}

/// The first subject of a farm that does not resolve.
fn failed_subject<'a>(summary: &'a Summary, farm: &str) -> Option<&'a str> {
    let subject = format!("{farm}:plan/");
    summary
        .failures
        .iter()
        .find_map(|(node, _)| node.strip_prefix(&subject))
}

/// Whether farm has all source files of a package, or finds them in the folder that is looked into first.
fn has_files(session: &Session, states: &BTreeMap<&str, (NodeState, String)>, farm: &str, node: &str) -> bool {
    let Some(id) = session.graph.find(node) else {
        return false;
    };
    let Action::Package(data) = &session.graph.spec(id).action else {
        return false;
    };
    let folder = session
        .farms
        .get(farm)
        .and_then(|loaded| loaded.farm.distfiles.dir.as_ref())
        .map(|folder| session.context.workspace.join(&folder.value));
    let is_kept = |node: &str| states.get(node).is_some_and(|(state, _)| *state == NodeState::Cached);
    let lies_there = |name: &str| {
        let wanted = data.package.distfiles.iter().find(|file| file.name == name);
        let size = folder
            .as_ref()
            .and_then(|folder| Some(fs_err::metadata(folder.join(name)).ok()?.len()));
        size.is_some() && size == wanted.and_then(|file| file.size)
    };
    data.distfiles
        .iter()
        .all(|(node, name)| is_kept(node) || lies_there(name))
}
