//! The plans of several subjects as one list of things to build.

use std::collections::{BTreeMap, BTreeSet};

use crate::build_root::runtime_needs;
use crate::{BuildRoot, ClosureError, LeftOut, NodeRef, Operation, Package, Plan, closures, runtime_closure};

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

/// Joins the plans of several subjects, given in the manifest's order.
///
/// Packages with the same record and the same build root are one instance. Of differing ones with one CPV the first subject's keeps the plain name;
/// each other one is called after the first subject that has it.
///
/// # Errors
/// [`ClosureError`], the first there is, with its subject.
pub fn join<'plan>(
    plans: impl IntoIterator<Item = (&'plan str, &'plan Plan)>,
) -> Result<Joined, (String, ClosureError)> {
    let mut joined = Joined::default();
    let mut by_cpv: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (subject, plan) in plans {
        let roots = closures(plan).map_err(|error| (subject.to_owned(), error))?;
        let mut places: Vec<Option<usize>> = vec![None; plan.packages.len()];
        for index in build_order(&roots) {
            let candidate = instance(plan, &roots[index], index, &places, subject);
            let siblings = by_cpv.entry(candidate.package.cpv.clone()).or_default();
            let place = if let Some(&same) = siblings
                .iter()
                .find(|&&other| same(&joined.instances[other], &candidate))
            {
                joined.instances[same].subjects.push(subject.to_owned());
                same
            } else {
                let plain = siblings.is_empty();
                siblings.push(joined.instances.len());
                let name = if plain {
                    candidate.package.cpv.clone()
                } else {
                    format!("{}@{subject}", candidate.package.cpv)
                };
                joined.instances.push(Instance { name, ..candidate });
                joined.instances.len() - 1
            };
            places[index] = Some(place);
        }
        for (needs, place) in runtime_needs(plan).into_iter().zip(&places) {
            let needs = needs.into_iter().filter_map(|index| places[index]);
            if let Some(place) = place {
                joined.instances[*place].runtime.extend(needs);
            }
        }
        joined
            .by_subject
            .insert(subject.to_owned(), places.into_iter().flatten().collect());
    }
    joined.disagreements = disagreements(&joined);
    Ok(joined)
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
        // Known when all of the plan have their places.
        runtime: BTreeSet::new(),
    }
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
        && bare(&one.package) == bare(&other.package)
}

fn disagreements(joined: &Joined) -> Vec<Disagreement> {
    let mut slots: BTreeMap<String, Vec<(String, Vec<String>)>> = BTreeMap::new();
    for instance in &joined.instances {
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
