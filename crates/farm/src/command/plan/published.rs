//! What of a plan would be published, as far as that is known before anything is built.

use std::collections::BTreeMap;

use farm_engine::{Digest, NodeState, Summary, todays};
use farm_portage::cpv::Cpv;
use farm_portage::index::Stanza;
use farm_publish::{Deny, refusal};
use farm_resolver::Package;

use super::super::FarmError;
use super::super::session::Session;
use super::list::{FarmList, Listed};
use crate::place;
use crate::rules::join::JoinedPlan;
use crate::rules::publish_list::published;
use crate::rules::publish_pkgs::resolved;

/// What a publication makes of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::command) enum Published {
    /// Nothing: it only breaks a circle, another build stands for it, or the farm publishes nowhere.
    #[default]
    No,
    /// Nothing, because it may not be, for this reason.
    Withheld(String),
    /// An instance, with this payload if the package is there.
    As(Option<Digest>),
}

/// Says of every package of a list what a publication of `joined`, the last plan that could be made, makes of it.
///
/// # Errors
///
/// The user's: what is denied is a licence group that no repository has.
pub(in crate::command) fn mark(
    session: &Session,
    summary: &Summary,
    list: &mut FarmList,
    joined: &JoinedPlan,
) -> Result<(), FarmError> {
    let farm = session.farms.get(&list.farm).map(|loaded| &loaded.farm);
    let Some((farm, publish)) = farm.and_then(|farm| Some((farm, farm.publish.pkgs.as_ref()?))) else {
        return Ok(());
    };
    let denied = farm.publish.deny.iter().chain(&publish.deny);
    let denied = denied.map(|deny| resolved(&deny.value, &joined.license_groups));
    let denied = denied.collect::<Result<Vec<Deny>, _>>()?;
    let going: Vec<String> = published(&list.farm, joined).into_iter().map(|one| one.node).collect();
    let payloads = payloads(session, summary, &list.packages);
    for listed in &mut list.packages {
        if !going.contains(&listed.node) {
            continue;
        }
        let reason = if publish.private {
            None
        } else {
            withheld(&listed.package, &denied)
        };
        listed.published = match reason {
            Some(reason) => Published::Withheld(reason),
            None => Published::As(payloads.get(&listed.node).copied()),
        };
    }
    Ok(())
}

/// The payloads of packages that are there, by node. What was built last need not be what is up to date, so that keys are asked.
fn payloads(session: &Session, summary: &Summary, packages: &[Listed]) -> BTreeMap<String, Digest> {
    let there = packages.iter().filter(|listed| listed.state == NodeState::Cached);
    let nodes: Vec<_> = there.filter_map(|listed| session.graph.find(&listed.node)).collect();
    let today = todays(&session.graph, &summary.nodes, &session.guards, session.salt(), &nodes);
    let guards = today.values().filter_map(|today| today.guard());
    guards
        .filter_map(|guard| Some((guard.node.clone(), place::output(guard, "payload").ok()?.digest)))
        .collect()
}

/// Why a package may not be published, by what the plan says of it.
fn withheld(package: &Package, denied: &[Deny]) -> Option<String> {
    let cpv = Cpv::parse(&package.cpv).ok()?;
    let stanza: Stanza = [
        ("RESTRICT", package.restrict.join(" ")),
        ("LICENSE", package.license.clone()),
        ("SLOT", format!("{}/{}", package.slot, package.subslot)),
        ("USE", package.use_flags.join(" ")),
        ("IUSE", package.iuse.join(" ")),
        ("repository", package.repository.clone()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    refusal(&cpv, &stanza, denied)
}
