//! `farm update`: names move to what they stand for today, and what is newer than the names is proposed.

mod newer;
mod proposals;
mod write;

use std::collections::BTreeSet;

use farm_engine::EventSink;

pub use self::proposals::Proposal;
use self::proposals::propose;
use self::write::write;
use super::look::Look;
use super::pins::Pinning;
use super::plan::diff::since;
use super::plan::list::FarmList;
use super::plan::{JOBS, PlanView, lists, plan_in};
use super::recording::recorded;
use super::session::{Access, Session};
use super::{FarmError, Setup, Words, matrix};
use crate::lockfile::FarmLock;

/// What an update changed.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateView {
    /// One line a name that means something else now.
    pub changes: Vec<String>,
    /// What is newer than what the manifests named.
    pub proposals: Vec<Proposal>,
    /// What will be built.
    pub plan: Option<PlanView>,
    /// In what that differs from the plan before, of farms that had one: for people, and as data.
    pub difference: Option<(String, serde_json::Value)>,
}

/// Moves the lock files, and says what that brings, and what is newer than what the manifests name. With `writes`, that is put into the manifests
/// first.
///
/// # Errors
///
/// What keeps the run from starting or going on. A registry or repository that does not tell what is newer is none, but a note.
pub fn update(setup: &Setup, words: &Words, writes: bool, events: &dyn EventSink) -> Result<UpdateView, FarmError> {
    let (mut changes, mut views) = (Vec::new(), Vec::new());
    let (mut proposals, mut texts, mut farms) = (BTreeSet::new(), String::new(), Vec::new());
    for cell in matrix::cells(setup, words)? {
        cell.announce(events);
        let view = update_cell(setup, &cell.words, writes, events)?;
        // What two cells have in common moves once.
        changes.extend(view.changes);
        proposals.extend(view.proposals);
        if let Some((text, json)) = view.difference {
            texts.push_str(&text);
            farms.extend(matrix::labelled(&cell, json));
        }
        views.extend(view.plan.map(|plan| (cell, plan)));
    }
    Ok(UpdateView {
        changes,
        proposals: proposals.into_iter().collect(),
        plan: (!views.is_empty()).then(|| PlanView::together(views)),
        difference: (!farms.is_empty()).then(|| (texts, farms.into())),
    })
}

fn update_cell(setup: &Setup, words: &Words, writes: bool, events: &dyn EventSink) -> Result<UpdateView, FarmError> {
    let Before { lists, proposals } = Before::look(setup, words, events);
    if writes {
        write(setup, words, &proposals, events)?;
    }
    recorded(setup, false, JOBS, events, |events| {
        let (session, changes) = Session::open(setup, words, Access::Write, Pinning::Move, events)?;
        let has_plan = session.farms.values().any(|loaded| loaded.farm.binfarm.is_some());
        let plan = if has_plan {
            Some(plan_in(session, events)?)
        } else {
            None
        };
        let difference = plan.as_ref().and_then(|plan| since(&lists, &plan.lists));
        Ok(UpdateView {
            changes,
            proposals,
            plan,
            difference,
        })
    })
}

/// How things are before anything moves.
#[derive(Default)]
struct Before {
    /// The plans, of farms that have them: none is made for this.
    lists: Vec<FarmList>,
    proposals: Vec<Proposal>,
}

impl Before {
    /// Looks, and asks what is newer. Whatever keeps it from looking is said when names move.
    fn look(setup: &Setup, words: &Words, events: &dyn EventSink) -> Self {
        let Ok(look) = Look::at(setup, words, Access::Read, &()) else {
            return Self::default();
        };
        let session = &look.session;
        let proposals = session.farms.iter().flat_map(|(farm, loaded)| {
            let lock = FarmLock::read(&session.workspace.lock_file(farm)).unwrap_or_default();
            propose(&session.context, loaded, &lock, events)
        });
        Self {
            proposals: proposals.collect(),
            lists: lists(session, &look.summary).unwrap_or_default(),
        }
    }
}
