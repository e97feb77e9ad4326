//! `farm plan` and `farm update`.

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{Class, Event, EventSink, Guard, GuardStore, NodeState, Options, Summary, Value};
use farm_resolver::mergelist::Former;
use farm_resolver::{Answer, Outcome, Refusal};

use super::pins::Pinning;
use super::plan_list::{FarmList, Listed, SubjectList, slot_of};
use super::plan_published::{Published, mark};
use super::recording::{Recording, recorded};
use super::session::{Access, Session, only_farms};
use super::{FarmError, Setup, Words, matrix};
use crate::names::{Goal, Wanted};
use crate::rules::join::{self, JoinedPlan, PlannedPackage};
use crate::rules::package;

/// Plans wait for each other, and for one root.
const JOBS: usize = 1;

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

/// What an update changed.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateView {
    /// One line a name that means something else now.
    pub changes: Vec<String>,
    /// What will be built.
    pub plan: Option<PlanView>,
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

/// Moves the lock files, and says what that brings.
///
/// # Errors
///
/// What keeps the run from starting or going on.
pub fn update(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<UpdateView, FarmError> {
    let (mut changes, mut views) = (Vec::new(), Vec::new());
    for cell in matrix::cells(setup, words)? {
        cell.announce(events);
        let view = update_cell(setup, &cell.words, events)?;
        // What two cells have in common moves once.
        changes.extend(view.changes);
        views.extend(view.plan.map(|plan| (cell, plan)));
    }
    let plan = (!views.is_empty()).then(|| PlanView::together(views));
    Ok(UpdateView { changes, plan })
}

fn update_cell(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<UpdateView, FarmError> {
    recorded(setup, false, JOBS, events, |events| {
        let (session, changes) = Session::open(setup, words, Access::Write, Pinning::Move, events)?;
        let has_plan = session.farms.values().any(|loaded| loaded.farm.binfarm.is_some());
        let plan = if has_plan {
            Some(plan_in(session, events)?)
        } else {
            None
        };
        Ok(UpdateView { changes, plan })
    })
}

fn plan_in(mut session: Session, events: &Recording<'_>) -> Result<PlanView, FarmError> {
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
    let mut farms = Vec::new();
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for farm in session.farms.keys() {
        let mut plans = Vec::new();
        for local in crate::lower::plan_nodes() {
            if let Some(guard) = current(&session, &summary, &format!("{farm}:{local}")) {
                let joined = join::read(&session.context, &guard)?;
                plans.push((guard, joined));
            }
        }
        if let Some(message) = waiting(&session, &summary, farm) {
            events.event(&Event::Note { message });
        }
        if plans.is_empty() {
            continue;
        }
        let list = list(&session, &summary, farm, &plans)?;
        view.text.push_str(&list.text(jobs));
        farms.push(list.json(jobs));
        view.lists.push(list);
    }
    view.json = farms.into();
    session.close();
    Ok(view)
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
        is_whole: current_plan(session, summary, farm).is_some() && failed_subject(summary, farm).is_none(),
    };
    for (guard, joined) in plans {
        let offset = list.packages.len();
        let earlier = earlier_packages(session, farm, guard);
        list.packages.extend(joined.packages.iter().map(|planned| {
            let node = package::node_name(farm, planned);
            let (state, reason) = states
                .get(node.as_str())
                .cloned()
                .unwrap_or((NodeState::Unknown, String::new()));
            let built = last_built(session, &node, planned, &earlier);
            Listed {
                state,
                reason,
                last_ms: built.as_ref().map(|(guard, _)| guard.duration_ms),
                former: built.map(|(guard, version)| former(&guard, version)),
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

/// The nodes and versions of packages that earlier plans had, by slot, the last plan first. Plans that were forgotten, or are of another
/// farm's form, are none.
fn earlier_packages(session: &Session, farm: &str, current: &Guard) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let history = session.guards.history(&current.node);
    for (guard, _) in history.iter().rev().filter(|(guard, _)| guard.key != current.key) {
        let Ok(joined) = join::read(&session.context, guard) else {
            continue;
        };
        for planned in &joined.packages {
            found
                .entry(slot_of(&planned.package))
                .or_default()
                .push((package::node_name(farm, planned), planned.package.version.clone()));
        }
    }
    found
}

/// What was built last of a package: of its own node, else of another version in its slot.
fn last_built(
    session: &Session,
    node: &str,
    planned: &PlannedPackage,
    earlier: &BTreeMap<String, Vec<(String, String)>>,
) -> Option<(Guard, String)> {
    let own = std::iter::once((node.to_owned(), planned.package.version.clone()));
    let others = earlier.get(&slot_of(&planned.package)).into_iter().flatten().cloned();
    own.chain(others)
        .find_map(|(node, version)| Some((session.guards.newest(&node)?, version)))
}

/// What a guard of a package says of it.
fn former(guard: &Guard, version: String) -> Former {
    let flags = guard.inputs.iter().find(|input| input.name == "env/USE");
    let flags = flags.map(|input| match &input.value {
        Value::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Digest(_) | Value::Absent => BTreeSet::new(),
    });
    Former {
        version,
        use_flags: flags.unwrap_or_default(),
    }
}
