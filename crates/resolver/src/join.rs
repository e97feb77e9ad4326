//! The plans of several subjects as one list of things to build.

use std::collections::{BTreeMap, BTreeSet};

use farm_portage::cpv::Cpv;

use crate::build_root::runtime_needs;
use crate::{
    BuildRoot, ClosureError, LeftOut, LeftOutReason, NodeRef, Operation, Package, Plan, bootstrap, closures,
    runtime_closure,
};

/// One package to be built, once for all subjects that need exactly this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `CATEGORY/PF`; with `@SUBJECT` where it differs from what an earlier subject has under that name.
    pub name: String,
    /// The subjects that have it, in the order of the plans.
    pub subjects: Vec<String>,
    /// The package, as the first of them has it.
    pub package: Package,
    /// Indices into [`Joined::instances`] of what is installed before the build, in merge order.
    pub packages: Vec<usize>,
    /// CPVs of the binfarm root's packages that the build may use, sorted.
    pub installed: Vec<String>,
    /// What is left out of the build root, sorted.
    pub left_out: Vec<LeftOut>,
    /// Slot and subslot of what it is bound to by `:=`, by `CATEGORY/NAME:SLOT`: what Portage builds a package again for.
    pub bound: BTreeMap<String, String>,
    /// Indices into [`Joined::instances`] of what it needs at run time, in any of its subjects, directly or through packages of the
    /// binfarm root.
    pub runtime: BTreeSet<usize>,
}

/// The plans of all subjects, joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Every instance once. An instance comes after everything in its `packages`.
    pub instances: Vec<Instance>,
    /// Subject to the instance of each package of its plan, by the package's index there (so in merge order).
    pub by_subject: BTreeMap<String, Vec<usize>>,
    /// Slots of which the subjects have different instances.
    pub disagreements: Vec<Disagreement>,
}

/// A slot of a package that is not the same for all subjects. They can be built, but not put into one image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Disagreement {
    /// `category/name:slot`.
    pub slot: String,
    /// Each instance's name and its subjects, in the order of the plans.
    pub choices: Vec<(String, Vec<String>)>,
}

impl Joined {
    /// The instances, in merge order, of a subject's members and all they need at run time, and the CPVs of the binfarm root's packages that these
    /// need. `plan` is the subject's. Empty if there is no such subject.
    #[must_use]
    pub fn runtime_closure(&self, subject: &str, plan: &Plan) -> (Vec<usize>, Vec<String>) {
        let Some(instances) = self.by_subject.get(subject) else {
            return Default::default();
        };
        let closure = runtime_closure(plan, plan.roots.iter().map(|root| root.node));
        let packages = closure
            .packages
            .iter()
            .filter_map(|&index| instances.get(index).copied())
            .collect();
        (
            packages,
            closure
                .installed
                .iter()
                .map(|&index| plan.installed[index].cpv.clone())
                .collect(),
        )
    }
}

/// Joins the plans of several subjects, given in the manifest's order, and the plan of what is built first for their sake, with its name.
///
/// Packages with the same record and the same build root are one instance. Of differing ones with one CPV the first subject's keeps the plain name;
/// each other one is called after the first subject that has it. What only the bootstrap plan has never gets a plain name.
///
/// # Errors
/// [`JoinError`], the first there is.
pub fn join<'plan>(
    plans: impl IntoIterator<Item = (&'plan str, &'plan Plan)>,
    first: Option<(&'plan str, &'plan Plan)>,
) -> Result<Joined, JoinError> {
    let mut joining = Joining::default();
    if let Some((name, plan)) = first {
        joining.add(name, plan, &BTreeMap::new())?;
    }
    let stand_ins = first
        .map(|(name, plan)| joining.stand_ins(name, plan))
        .unwrap_or_default();
    for (subject, plan) in plans {
        refuse_bootstrap_at_run_time(subject, plan, &stand_ins)?;
        joining.add(subject, plan, &stand_ins)?;
    }
    Ok(joining.finish(first.map(|(name, _)| name)))
}

/// Plans that cannot be built. All are the user's to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// A subject's plan has a circle.
    #[error("{subject}: {error}")]
    Closure {
        /// The subject.
        subject: String,
        /// The circle.
        error: ClosureError,
    },
    /// What is built first, and never published, is all that a subject would get.
    #[error(
        "{subject} would be given {cpv} as `bootstrap` has it, which is for breaking circles only: its flags are those that the farm wants"
    )]
    BootstrapAtRunTime {
        /// The subject.
        subject: String,
        /// The package.
        cpv: String,
    },
}

/// An instance of the bootstrap plan that stands in for a package of the root, with what it needs.
#[derive(Default)]
struct StandIn {
    /// It and what it needs at run time, in merge order.
    instances: Vec<usize>,
    /// The root's packages that these need.
    installed: Vec<String>,
}

/// Portage saw the instance of the bootstrap plan as installed. If it is content with it for whoever uses the subject, no flag differs and
/// nothing builds the real one.
fn refuse_bootstrap_at_run_time(
    subject: &str,
    plan: &Plan,
    stand_ins: &BTreeMap<&str, StandIn>,
) -> Result<(), JoinError> {
    if stand_ins.is_empty() {
        return Ok(());
    }
    let closure = runtime_closure(plan, plan.roots.iter().map(|root| root.node));
    let mut installed = closure.installed.iter().map(|&index| &plan.installed[index].cpv);
    match installed.find(|cpv| stand_ins.contains_key(cpv.as_str())) {
        Some(cpv) => Err(JoinError::BootstrapAtRunTime {
            subject: subject.to_owned(),
            cpv: cpv.clone(),
        }),
        None => Ok(()),
    }
}

#[derive(Default)]
struct Joining {
    joined: Joined,
    /// The subjects as they came.
    subjects: Vec<String>,
    by_cpv: BTreeMap<String, Vec<usize>>,
}

impl Joining {
    fn add(&mut self, subject: &str, plan: &Plan, stand_ins: &BTreeMap<&str, StandIn>) -> Result<(), JoinError> {
        let roots = closures(plan).map_err(|error| JoinError::Closure {
            subject: subject.to_owned(),
            error,
        })?;
        let mut places: Vec<Option<usize>> = vec![None; plan.packages.len()];
        for index in build_order(&roots) {
            let mut candidate = instance(plan, &roots[index], index, &places, subject);
            self.stand_in(&mut candidate, stand_ins);
            let siblings = self.by_cpv.entry(candidate.package.cpv.clone()).or_default();
            let instances = &mut self.joined.instances;
            let place = if let Some(&same) = siblings.iter().find(|&&other| same(&instances[other], &candidate)) {
                instances[same].subjects.push(subject.to_owned());
                same
            } else {
                siblings.push(instances.len());
                instances.push(candidate);
                instances.len() - 1
            };
            places[index] = Some(place);
        }
        for (needs, place) in runtime_needs(plan).into_iter().zip(&places) {
            let needs = needs.into_iter().filter_map(|index| places[index]);
            if let Some(place) = place {
                self.joined.instances[*place].runtime.extend(needs);
            }
        }
        self.subjects.push(subject.to_owned());
        self.joined
            .by_subject
            .insert(subject.to_owned(), places.into_iter().flatten().collect());
        Ok(())
    }

    fn stand_ins<'plan>(&self, name: &str, plan: &'plan Plan) -> BTreeMap<&'plan str, StandIn> {
        let places = &self.joined.by_subject[name];
        let with_needs = |index| {
            let (instances, installed) = bootstrap::with_needs(plan, index);
            StandIn {
                instances: instances.into_iter().map(|index| places[index]).collect(),
                installed,
            }
        };
        let chosen = bootstrap::instances(plan).into_iter();
        chosen.map(|(cpv, index)| (cpv, with_needs(index))).collect()
    }

    /// Puts what is built first into the build root in the place of what Portage took for packages of the root.
    fn stand_in(&self, candidate: &mut Instance, stand_ins: &BTreeMap<&str, StandIn>) {
        let is_stand_in = |cpv: &String| stand_ins.contains_key(cpv.as_str());
        let (used, kept): (Vec<String>, Vec<String>) = std::mem::take(&mut candidate.installed)
            .into_iter()
            .partition(is_stand_in);
        candidate.installed = kept;
        let slot = |index: usize| {
            let package = &self.joined.instances[index].package;
            (&package.category, &package.name, &package.slot)
        };
        let present: BTreeSet<_> = candidate.packages.iter().map(|&index| slot(index)).collect();
        let mut first: Vec<usize> = Vec::new();
        for stand_in in used.iter().filter_map(|cpv| stand_ins.get(cpv.as_str())) {
            for &index in &stand_in.instances {
                if !present.contains(&slot(index)) && !first.contains(&index) {
                    first.push(index);
                }
            }
            candidate.installed.extend(stand_in.installed.iter().cloned());
        }
        candidate.installed.sort();
        candidate.installed.dedup();
        candidate.packages.splice(0..0, first);
        for left in &mut candidate.left_out {
            if let LeftOutReason::InRoot(cpv) = &left.reason
                && is_stand_in(cpv)
            {
                left.reason = LeftOutReason::Bootstrap(cpv.clone());
            }
        }
    }

    fn finish(mut self, first: Option<&str>) -> Joined {
        for siblings in self.by_cpv.values_mut() {
            let named_after = |instance: &Instance| {
                let mut subjects = instance.subjects.iter();
                subjects.find(|subject| Some(subject.as_str()) != first).cloned()
            };
            let came = |subject: &String| self.subjects.iter().position(|other| other == subject);
            siblings.sort_by_key(|&index| named_after(&self.joined.instances[index]).as_ref().and_then(came));
            let mut plain_is_free = true;
            for &index in siblings.iter() {
                let instance = &mut self.joined.instances[index];
                let subject = named_after(instance);
                let cpv = &instance.package.cpv;
                instance.name = match subject {
                    Some(_) if plain_is_free => {
                        plain_is_free = false;
                        cpv.clone()
                    }
                    Some(subject) => format!("{cpv}@{subject}"),
                    None => format!("{cpv}@{}", first.unwrap_or_default()),
                };
            }
        }
        self.joined.disagreements = disagreements(&self.joined, first);
        self.joined
    }
}

/// The packages so that each comes after everything in its build root, otherwise in merge order. There is such an order because the waits
/// of [`closures`] form no circle.
fn build_order(roots: &[BuildRoot]) -> Vec<usize> {
    let mut waits: Vec<usize> = roots.iter().map(|root| root.packages.len()).collect();
    let mut wanted_by = vec![Vec::new(); roots.len()];
    for (index, root) in roots.iter().enumerate() {
        for &dependency in &root.packages {
            wanted_by[dependency].push(index);
        }
    }
    let mut ready: BTreeSet<usize> = (0..roots.len()).filter(|&index| waits[index] == 0).collect();
    let mut order = Vec::with_capacity(roots.len());
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for &other in &wanted_by[index] {
            waits[other] -= 1;
            if waits[other] == 0 {
                ready.insert(other);
            }
        }
    }
    order
}

fn instance(plan: &Plan, root: &BuildRoot, index: usize, places: &[Option<usize>], subject: &str) -> Instance {
    Instance {
        name: String::new(),
        subjects: vec![subject.to_owned()],
        package: plan.packages[index].clone(),
        packages: root
            .packages
            .iter()
            .filter_map(|&dependency| places[dependency])
            .collect(),
        installed: root
            .installed
            .iter()
            .map(|&index| plan.cpv(NodeRef::Installed(index)).to_owned())
            .collect(),
        left_out: root.left_out.clone(),
        bound: bound(plan, index),
        // Known when all of the plan have their places.
        runtime: BTreeSet::new(),
    }
}

fn bound(plan: &Plan, index: usize) -> BTreeMap<String, String> {
    let parent = NodeRef::Package(index);
    let edges = plan
        .edges
        .iter()
        .filter(|edge| edge.parent == parent && edge.slot_operator);
    let slots = edges.filter_map(|edge| {
        let (slot, subslot) = match edge.child {
            NodeRef::Package(child) => (&plan.packages[child].slot, &plan.packages[child].subslot),
            NodeRef::Installed(child) => (&plan.installed[child].slot, &plan.installed[child].subslot),
        };
        let cp = Cpv::parse(plan.cpv(edge.child)).ok()?.cp();
        Some((format!("{cp}:{slot}"), format!("{slot}/{subslot}")))
    });
    slots.collect()
}

/// Whether two builds of one CPV are the same: what emerge prints of them and what they replace is not part of that.
fn same(one: &Instance, other: &Instance) -> bool {
    let bare = |package: &Package| Package {
        line: String::new(),
        operation: Operation::New,
        replaces: None,
        ..package.clone()
    };
    let set = |list: &[usize]| list.iter().copied().collect::<BTreeSet<_>>();
    set(&one.packages) == set(&other.packages)
        && one.installed == other.installed
        && one.left_out == other.left_out
        && one.bound == other.bound
        && bare(&one.package) == bare(&other.package)
}

fn disagreements(joined: &Joined, first: Option<&str>) -> Vec<Disagreement> {
    let mut slots: BTreeMap<String, Vec<(String, Vec<String>)>> = BTreeMap::new();
    let only_first = |instance: &&Instance| instance.subjects.iter().all(|subject| Some(subject.as_str()) == first);
    for instance in joined.instances.iter().filter(|instance| !only_first(instance)) {
        let package = &instance.package;
        let slot = format!("{}/{}:{}", package.category, package.name, package.slot);
        slots
            .entry(slot)
            .or_default()
            .push((instance.name.clone(), instance.subjects.clone()));
    }
    slots
        .into_iter()
        .filter(|(_, choices)| choices.len() > 1)
        .map(|(slot, choices)| Disagreement { slot, choices })
        .collect()
}
