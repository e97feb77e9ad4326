//! What a joined plan brings forth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use farm_engine::{Dependency, Failure, NodeSpec};

use super::super::{fetch, image, live, package, publish_images, publish_pkgs, quickpkg, stage};
use super::{Brings, FarmParts, JoinData, JoinedPlan, PlannedPackage};
use crate::action::Action;
use crate::context::Context;
use crate::names::TOOLS_SUBJECT;
use crate::rules::live::LiveData;

/// Everything below a plan: fetches, packages, and of a farm binhost, images, publications, and tasks that need them; of a generation the
/// root, and what comes after it.
///
/// # Errors
///
/// The user's: what is denied to publications is a licence group that no repository has.
pub fn expand(context: &Context, data: &JoinData, joined: &JoinedPlan) -> Result<Vec<NodeSpec<Action>>, Failure> {
    let mut nodes = packages(context, data, joined);
    match &data.brings {
        Brings::Farm(parts) => nodes.extend(of_farm(context, data, parts, joined)?),
        Brings::Generation { root, later, .. } => {
            let order = joined.subjects.values().flat_map(|subject| &subject.packages);
            let contents = image::Contents {
                packages: order
                    .map(|&index| node_and_cpv(&data.farm, &joined.packages[index]))
                    .collect(),
                uninstalls: joined.uninstalls.clone(),
                ..image::Contents::default()
            };
            nodes.push(image::node(data, root, contents, &[], context.epoch));
            nodes.extend(later.iter().cloned());
        }
    }
    Ok(nodes)
}

/// Packages and their sources.
fn packages(context: &Context, data: &JoinData, joined: &JoinedPlan) -> Vec<NodeSpec<Action>> {
    let farm = &data.farm;
    let mut nodes = Vec::new();
    let sources = Arc::new(
        data.sources
            .clone()
            .with_profile(&joined.mirrors, &joined.gentoo_mirrors),
    );
    // What was fetched for the root is there under the name it got then.
    let mut fetches: BTreeMap<String, String> = BTreeMap::new();
    for file in joined.below.iter().flat_map(|planned| &planned.package.distfiles) {
        fetches.insert(fetch::name(farm, file, &fetches), fetch::identity(file));
    }
    for planned in &joined.packages {
        for file in &planned.package.distfiles {
            let name = fetch::name(farm, file, &fetches);
            if fetches.insert(name.clone(), fetch::identity(file)).is_none() {
                nodes.push(fetch::node(name, file, &planned.package, Arc::clone(&sources)));
            }
        }
    }
    let mut sources = live_sources(context, data, joined);
    for planned in &joined.packages {
        let source = sources.by_package.remove(&planned.name);
        nodes.push(package::node(data, joined, planned, &fetches, source, context.epoch));
    }
    nodes.extend(sources.nodes);
    nodes
}

/// What live ebuilds are built from.
struct LiveSources {
    /// By the name of the package: the source's node, and what it is.
    by_package: BTreeMap<String, (String, LiveData)>,
    /// What is not there for a lower generation already.
    nodes: Vec<NodeSpec<Action>>,
}

/// The sources of live ebuilds. Packages of one repository share a source, if they want the same of it: it is called after the first of them.
fn live_sources(context: &Context, data: &JoinData, joined: &JoinedPlan) -> LiveSources {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut sources = LiveSources {
        by_package: BTreeMap::new(),
        nodes: Vec::new(),
    };
    for (planned, is_new) in joined
        .below
        .iter()
        .map(|planned| (planned, false))
        .chain(joined.packages.iter().map(|planned| (planned, true)))
    {
        let Some(source) = LiveData::of(context, &data.farm, &planned.package, &data.live) else {
            continue;
        };
        let own = format!("{}:live/{}", data.farm, planned.name);
        let name = names.entry(source.identity()).or_insert_with(|| own.clone()).clone();
        if is_new && name == own {
            sources
                .nodes
                .push(live::node(name.clone(), source.clone(), context.epoch));
        }
        sources.by_package.insert(planned.name.clone(), (name, source));
    }
    sources
}

fn node_and_cpv(farm: &str, planned: &PlannedPackage) -> (String, String) {
    (package::node_name(farm, planned), planned.package.cpv.clone())
}

/// What of the packages that were built for the root an image from the base needs besides its own, in merge order: those that replace a
/// package of the base, those that its packages need, and what these need.
fn of_root(joined: &JoinedPlan, subjects: &[String]) -> Vec<usize> {
    let replacing = (0..joined.below.len()).filter(|&index| joined.below[index].package.replaces.is_some());
    let needed = subjects.iter().filter_map(|subject| joined.subjects.get(subject));
    let mut pending: Vec<usize> = replacing
        .chain(needed.flat_map(|subject| subject.below.iter().copied()))
        .collect();
    let mut found = BTreeSet::new();
    while let Some(index) = pending.pop() {
        if found.insert(index) {
            pending.extend(&joined.below[index].runtime);
        }
    }
    // A later generation's instance takes the place of an earlier one's.
    let last: BTreeMap<_, usize> = found.iter().map(|&index| (slot(&joined.below[index]), index)).collect();
    let mut last: Vec<usize> = last.into_values().collect();
    last.sort_unstable();
    last
}

fn slot(planned: &PlannedPackage) -> (&str, &str, &str) {
    let package = &planned.package;
    (&package.category, &package.name, &package.slot)
}

fn of_farm(
    context: &Context,
    data: &JoinData,
    parts: &FarmParts,
    joined: &JoinedPlan,
) -> Result<Vec<NodeSpec<Action>>, Failure> {
    let farm = &data.farm;
    let complete = data
        .subjects
        .iter()
        .all(|(subject, _)| joined.subjects.contains_key(subject));
    let failed: Vec<&str> = data
        .subjects
        .iter()
        .filter(|(subject, _)| !joined.subjects.contains_key(subject))
        .map(|(_, node)| node.as_str())
        .collect();
    let folder = context
        .state
        .join(publish_pkgs::LOCAL_BINHOSTS)
        .join(farm)
        .join(&data.flavour);
    let mut tail = vec![publish_pkgs::binhost_node(data, joined, folder, context.epoch)];
    for plan in &parts.images {
        let mut packages: Vec<usize> = Vec::new();
        let mut world: BTreeSet<String> = BTreeSet::new();
        let mut missing = Vec::new();
        for subject in &plan.subjects {
            match joined.subjects.get(subject) {
                Some(subject_plan) => {
                    packages.extend(
                        subject_plan
                            .runtime
                            .iter()
                            .filter(|index| !packages.contains(index))
                            .copied()
                            .collect::<Vec<_>>(),
                    );
                    if subject != TOOLS_SUBJECT || plan.subjects.len() == 1 {
                        world.extend(subject_plan.world.iter().cloned());
                    }
                }
                None => missing.extend(
                    data.subjects
                        .iter()
                        .filter(|(name, _)| name == subject)
                        .map(|(_, node)| node.clone()),
                ),
            }
        }
        packages.sort_unstable();
        let conflict = conflict(joined, &packages);
        let mut named: Vec<(String, String)> = Vec::new();
        if plan.from == parts.base {
            let own: BTreeSet<_> = packages.iter().map(|&index| slot(&joined.packages[index])).collect();
            let of_root = of_root(joined, &plan.subjects)
                .into_iter()
                .map(|index| &joined.below[index]);
            let of_root = of_root.filter(|planned| !own.contains(&slot(planned)));
            named.extend(of_root.map(|planned| node_and_cpv(farm, planned)));
        }
        named.extend(
            packages
                .iter()
                .map(|&index| node_and_cpv(farm, &joined.packages[index])),
        );
        let contents = image::Contents {
            packages: named,
            world: world.into_iter().collect(),
            conflict,
            uninstalls: Vec::new(),
        };
        tail.push(image::node(data, plan, contents, &missing, context.epoch));
    }
    for plan in &parts.stages {
        tail.extend(stage::nodes(farm, &data.flavour, plan, context.epoch));
    }
    if let Some(plan) = &parts.publish_pkgs {
        if !joined.untouched.is_empty() && plan.base {
            tail.push(quickpkg::node(farm, &parts.base, context.epoch));
        }
        tail.push(publish_pkgs::publish_node(data, plan, joined, context.epoch)?);
    }
    if let Some(plan) = &parts.publish_images {
        tail.push(publish_images::node(data, plan));
    }
    tail.extend(parts.late.iter().cloned());
    if !complete {
        // What is made of all subjects cannot be made: it waits for the plan that failed, and is skipped for that reason.
        for node in &mut tail {
            if matches!(node.action, Action::PublishPkgs(_)) {
                node.dependencies
                    .extend(failed.iter().map(|plan| Dependency::output(*plan, "plan")));
            }
        }
    }
    Ok(tail)
}

/// Two packages for one slot, in words: an image can hold one of them only.
fn conflict(joined: &JoinedPlan, packages: &[usize]) -> Option<String> {
    let mut slots: BTreeMap<String, &PlannedPackage> = BTreeMap::new();
    for planned in packages.iter().map(|&index| &joined.packages[index]) {
        let package = &planned.package;
        let slot = format!("{}/{}:{}", package.category, package.name, package.slot);
        if let Some(other) = slots.insert(slot.clone(), planned) {
            return Some(format!(
                "its subjects disagree on {slot}: {} for {}, {} for {}",
                other.name,
                other.subjects.join(", "),
                planned.name,
                planned.subjects.join(", ")
            ));
        }
    }
    None
}
