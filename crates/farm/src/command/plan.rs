//! `farm plan` and `farm update`.

use std::collections::BTreeMap;

use farm_engine::{Class, EventSink, GuardStore, NodeState, Options, Summary};
use farm_resolver::mergelist::{Colour, render};
use farm_resolver::{Answer, Outcome, Refusal};

use super::pins::Pinning;
use super::recording::{Recording, recorded};
use super::session::{Access, Session, only_farms};
use super::{FarmError, Setup, Words};
use crate::names::{Goal, Wanted};
use crate::rules::join::{self, JoinedPlan};
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
}

/// What an update changed.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateView {
    /// One line a name that means something else now.
    pub changes: Vec<String>,
    /// What will be built.
    pub plan: Option<PlanView>,
}

/// Makes the plans of the farms, and says what of them is there already.
pub fn plan(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<PlanView, FarmError> {
    recorded(setup, false, JOBS, events, |events| {
        let (session, _) = Session::open(setup, words, Access::Write, Pinning::AddMissing, events)?;
        plan_in(session, events)
    })
}

/// Moves the lock files, and says what that brings.
pub fn update(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<UpdateView, FarmError> {
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
    };
    let mut farms = Vec::new();
    for farm in session.farms.keys() {
        let Some(guard) = current_plan(&session, &summary, farm) else {
            continue;
        };
        let joined = join::read(&session.context, &guard)?;
        let (text, json) = show(&session, &summary, farm, &joined)?;
        view.text.push_str(&text);
        farms.push(json);
    }
    view.json = farms.into();
    session.close();
    Ok(view)
}

/// The joined plan, if it was made or found in this run.
fn current_plan(session: &Session, summary: &Summary, farm: &str) -> Option<farm_engine::Guard> {
    let name = format!("{farm}:plan");
    let report = summary.nodes.iter().find(|node| node.name == name)?;
    if report.state != NodeState::Cached {
        return None;
    }
    session.guards.newest(&name)
}

fn show(
    session: &Session,
    summary: &Summary,
    farm: &str,
    joined: &JoinedPlan,
) -> Result<(String, serde_json::Value), FarmError> {
    let states: BTreeMap<&str, (NodeState, String)> = summary
        .nodes
        .iter()
        .map(|node| {
            let reason = node.reason.as_ref().map(ToString::to_string).unwrap_or_default();
            (node.name.as_str(), (node.state, reason))
        })
        .collect();
    let note = |index: usize| {
        let name = package::node_name(farm, &joined.packages[index]);
        match states.get(name.as_str()) {
            Some((NodeState::Cached, _)) => "cached".to_owned(),
            Some((NodeState::Run, reason)) => format!("build: {reason}"),
            Some((NodeState::Unknown, reason)) => format!("perhaps: {reason}"),
            None => String::new(),
        }
    };
    let mut text = String::new();
    let mut subjects = serde_json::Map::new();
    for (subject, plan) in &joined.subjects {
        let answer =
            Answer::parse(&session.context.read(&plan.answer)?).map_err(|error| FarmError::bug(error.to_string()))?;
        let Outcome::Plan(resolved) = &answer.outcome else {
            continue;
        };
        let notes: Vec<String> = plan.packages.iter().map(|index| note(*index)).collect();
        text.push_str(&format!("{farm}: {subject}\n{}\n\n", plan.command));
        text.push_str(&render(resolved, &notes, Colour::Never));
        text.push('\n');
        let packages: Vec<serde_json::Value> = plan
            .packages
            .iter()
            .map(|index| {
                let name = package::node_name(farm, &joined.packages[*index]);
                let (state, reason) = states
                    .get(name.as_str())
                    .cloned()
                    .unwrap_or((NodeState::Unknown, String::new()));
                serde_json::json!({ "name": name, "state": state, "reason": reason })
            })
            .collect();
        subjects.insert(
            subject.clone(),
            serde_json::json!({ "command": plan.command, "packages": packages }),
        );
    }
    for line in joined.native.iter().chain(&joined.disagreements) {
        text.push_str(&format!("{line}\n"));
    }
    Ok((
        text,
        serde_json::json!({
            "farm": farm,
            "subjects": subjects,
            "disagreements": joined.disagreements,
            "native": joined.native,
        }),
    ))
}
