//! `plan`: the plans of all subjects as one, and the nodes it brings forth.
//!
//! Subjects are soft dependencies: with `-k` a subject that does not resolve fails alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use farm_engine::{Class, Dependency, Digest, Event, Failure, FailureKind, Guard, Input, NodeSpec, Output, Run};
use farm_resolver::{Answer, Instance, Native, Outcome, Package, Plan, Root, join, unsound};
use serde::{Deserialize, Serialize};

use super::repo::OpenRepo;
use super::scan::{InstalledRecord, InstalledSet};
use super::{fetch, image, package, publish_images, publish_pkgs, stage};
use crate::action::{Action, ContainerData};
use crate::client;
use crate::context::Context;
use crate::fetcher::Sources;
use crate::names::TOOLS_SUBJECT;
use crate::place::{self, Place};
use crate::settings::Settings;

/// What the join needs, and what it hands to the nodes it brings forth.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinData {
    /// The farm's name.
    pub farm: String,
    /// What must not be mixed.
    pub flavour: String,
    /// Subjects and their plans' nodes, in the order of the manifest; people's tools last, under [`TOOLS_SUBJECT`].
    pub subjects: Vec<(String, String)>,
    /// The root's node.
    pub root: String,
    /// Repositories and their nodes.
    pub repos: Vec<(String, String)>,
    /// The configuration.
    pub settings: Arc<Settings>,
    /// How containers run.
    pub container: ContainerData,
    /// Where sources come from.
    pub sources: Sources,
    /// Images made of packages.
    pub images: Vec<image::ImagePlan>,
    /// Stages made of images.
    pub stages: Vec<stage::StagePlan>,
    /// Where packages are published.
    pub publish_pkgs: Option<publish_pkgs::PublishPkgsPlan>,
    /// Where images are published.
    pub publish_images: Option<publish_images::PublishImagesPlan>,
    /// Tasks that run in images this node brings forth, or need them.
    pub late: Vec<NodeSpec<Action>>,
}

/// All plans together, in the words that nodes need. The default is that of no subject.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JoinedPlan {
    /// Everything that is built, each after what it depends on.
    pub packages: Vec<PlannedPackage>,
    /// By subject: what it holds and what its members need to run. A subject that does not resolve is not here.
    pub subjects: BTreeMap<String, SubjectPlan>,
    /// Header of the binhost's index.
    pub header: BTreeMap<String, String>,
    /// `mirror://NAME/` to addresses.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// GENTOO_MIRRORS.
    pub gentoo_mirrors: Vec<String>,
    /// Licence groups and all licences in them.
    pub license_groups: BTreeMap<String, BTreeSet<String>>,
    /// Slots of which subjects have different instances, in words.
    pub disagreements: Vec<String>,
    /// What `native` became, in words.
    pub native: Vec<String>,
}

/// One package that is built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedPackage {
    /// `CATEGORY/PF`, with `@SUBJECT` where it differs from an earlier subject's.
    pub name: String,
    /// The subjects that have it.
    pub subjects: Vec<String>,
    /// What Portage says of it.
    pub package: Package,
    /// Indices of what is installed before it is built, in merge order.
    pub dependencies: Vec<usize>,
    /// Indices of what it needs at run time, other than packages of the root.
    pub runtime: BTreeSet<usize>,
    /// The root's packages that its build may use.
    pub installed: Vec<InstalledRecord>,
    /// Digest of the root's files that no package owns.
    pub unowned: Digest,
    /// The version of Portage that builds it.
    pub portage: String,
    /// What is left out of its build root: CPV and reason.
    pub left_out: Vec<(String, String)>,
    /// Its ebuild, eclasses and files by input name.
    pub files: BTreeMap<String, Digest>,
}

/// One subject in a joined plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubjectPlan {
    /// Everything of its plan, in merge order.
    pub packages: Vec<usize>,
    /// Its members and all they need at run time, in merge order.
    pub runtime: Vec<usize>,
    /// What it names: its members, of sets the atoms in them.
    pub members: BTreeSet<String>,
    /// What goes into the world file of an image.
    pub world: Vec<String>,
    /// The `emerge` command that was answered.
    pub command: String,
    /// The answer as it was given.
    pub answer: farm_store::Blob,
}

/// The node of the joined plan.
#[must_use]
pub fn node(data: JoinData) -> NodeSpec<Action> {
    let mut dependencies: Vec<Dependency> = data
        .subjects
        .iter()
        .map(|(_, node)| Dependency::soft(node, "plan"))
        .collect();
    dependencies.push(Dependency::output(&data.root, "installed"));
    dependencies.extend(data.repos.iter().map(|(_, node)| Dependency::output(node, "tree")));
    NodeSpec {
        name: format!("{}:plan", data.farm),
        kind: "plan".to_owned(),
        // Raised whenever the form of `JoinedPlan` changes: what an older farm wrote must not be read.
        rule_version: 6,
        class: Class::Plan,
        inputs: vec![Input::text(
            "subjects",
            data.subjects
                .iter()
                .map(|(name, _)| name.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        )],
        dependencies,
        expands: true,
        pools: BTreeMap::new(),
        action: Action::Join(Arc::new(data)),
    }
}

/// Joins the plans.
pub fn run(context: &Context, run: &Run<'_>, spec: &NodeSpec<Action>, data: &JoinData) -> Result<Vec<Output>, Failure> {
    let bug = |what: String| Failure::new(FailureKind::Bug, what);
    let mut answers: Vec<(String, farm_store::Blob, Answer)> = Vec::new();
    for (subject, node) in &data.subjects {
        let Some(guard) = run.dependency(spec, node) else {
            continue;
        };
        let blob = place::blob(guard, "plan")?;
        let answer = Answer::parse(&context.read(&blob)?).map_err(|error| bug(error.to_string()))?;
        answers.push((subject.clone(), blob, answer));
    }
    let plans: Vec<(&str, &Plan)> = answers
        .iter()
        .filter_map(|(subject, _, answer)| match &answer.outcome {
            Outcome::Plan(plan) => Some((subject.as_str(), plan.as_ref())),
            Outcome::Refusal(_) => None,
        })
        .collect();
    let faults: BTreeSet<String> = plans
        .iter()
        .flat_map(|(_, plan)| unsound(plan))
        .map(|fault| fault.to_string())
        .collect();
    if !faults.is_empty() {
        let list: Vec<String> = faults.into_iter().collect();
        return Err(Failure::new(FailureKind::Input, list.join("\n")));
    }
    let native: BTreeSet<String> = plans
        .iter()
        .flat_map(|(_, plan)| &plan.native)
        .filter_map(Native::summary)
        .collect();
    for line in &native {
        let message = format!("{}: {line}", data.farm);
        (run.events)(Event::Note { message });
    }
    let joined = join(plans.iter().copied()).map_err(|(subject, error)| {
        let lines = farm_resolver::suggest::bootstrap_lines(&error);
        let failure = Failure::new(FailureKind::Input, format!("{subject}: {error}"));
        match lines.first() {
            Some(line) => failure.hint(format!(
                "break the circle with `bootstrap: {{ {} }}` (which is not built yet), or with other flags",
                line.text
            )),
            None => failure,
        }
    })?;
    let disagreements: Vec<String> = joined
        .disagreements
        .iter()
        .map(|disagreement| {
            let choices: Vec<String> = disagreement
                .choices
                .iter()
                .map(|(name, subjects)| format!("{name} for {}", subjects.join(", ")))
                .collect();
            format!("subjects disagree on {}: {}", disagreement.slot, choices.join("; "))
        })
        .collect();
    for message in &disagreements {
        (run.events)(Event::Note {
            message: message.clone(),
        });
    }

    let root = run
        .dependency(spec, &data.root)
        .ok_or_else(|| bug("no root".to_owned()))?;
    let installed: InstalledSet = serde_json::from_slice(&context.read(&place::blob(root, "installed")?)?)
        .map_err(|error| bug(error.to_string()))?;
    let mut repos = BTreeMap::new();
    for (name, node) in &data.repos {
        let guard = run.dependency(spec, node).ok_or_else(|| bug(format!("no {node}")))?;
        repos.insert(name.as_str(), OpenRepo::open(context, guard)?);
    }
    // All answers come from one root.
    let portage = answers
        .first()
        .map(|(.., answer)| answer.portage.clone())
        .unwrap_or_default();
    let mut packages = Vec::new();
    for instance in &joined.instances {
        packages.push(planned(instance, &installed, &repos, &portage)?);
    }
    let mut subjects = BTreeMap::new();
    for (subject, plan) in &plans {
        let (runtime, _) = joined.runtime_closure(subject, plan);
        let (blob, command) = answers
            .iter()
            .find(|(name, ..)| name == subject)
            .map(|(_, blob, answer)| (*blob, answer.command.join(" ")))
            .ok_or_else(|| bug(format!("no plan of {subject}")))?;
        let world: BTreeSet<String> = plan
            .roots
            .iter()
            .map(|root| world_line(&root.member, plan.cpv(root.node)))
            .collect();
        let subject_plan = SubjectPlan {
            packages: joined.by_subject.get(*subject).cloned().unwrap_or_default(),
            runtime,
            members: plan.roots.iter().map(named).collect(),
            world: world.into_iter().collect(),
            command,
            answer: blob,
        };
        subjects.insert((*subject).to_owned(), subject_plan);
    }
    let profile = plans.first().map(|(_, plan)| &plan.profile);
    let joined_plan = JoinedPlan {
        packages,
        subjects,
        header: profile.map(|profile| profile.header.clone()).unwrap_or_default(),
        mirrors: profile.map(|profile| profile.mirrors.clone()).unwrap_or_default(),
        gentoo_mirrors: profile
            .map(|profile| profile.gentoo_mirrors.clone())
            .unwrap_or_default(),
        license_groups: profile
            .map(|profile| profile.license_groups.clone())
            .unwrap_or_default(),
        disagreements,
        native: native.into_iter().collect(),
    };
    let json = serde_json::to_vec(&joined_plan).map_err(|error| bug(error.to_string()))?;
    let blob = context.keep(&json)?;
    // All plans are of one configuration. An output by itself, because only who publishes for others reads it.
    let client = profile.map(|profile| profile.client.clone()).unwrap_or_default();
    let json = serde_json::to_vec(&client).map_err(|error| bug(error.to_string()))?;
    let client = context.keep(&json)?;
    Ok(vec![
        Place::Store { blob }.output("joined", blob.digest),
        Place::Store { blob: client }.output(client::ROLE, client.digest),
    ])
}

/// What a subject names: of a set, an atom in it.
fn named(root: &Root) -> String {
    let is_set = root.member.starts_with('@');
    if is_set { root.atom.clone() } else { root.member.clone() }
}

/// A member as the world file has it: `CATEGORY/NAME`, or `@set`.
fn world_line(member: &str, cpv: &str) -> String {
    if member.starts_with('@') {
        return member.to_owned();
    }
    farm_portage::cpv::Cpv::parse(cpv).map_or_else(|_| member.to_owned(), |cpv| cpv.cp())
}

fn planned(
    instance: &Instance,
    installed: &InstalledSet,
    repos: &BTreeMap<&str, OpenRepo>,
    portage: &str,
) -> Result<PlannedPackage, Failure> {
    let package = &instance.package;
    let digest = |repository: &str, path: &str| {
        let file = repos.get(repository).and_then(|repo| repo.listing.files.get(path));
        file.map(|file| file.digest).ok_or_else(|| {
            let message = format!(
                "{}: {path} is not in the repository {repository} that was read",
                package.cpv
            );
            Failure::new(FailureKind::Bug, message)
        })
    };
    let mut files = BTreeMap::new();
    files.insert("ebuild".to_owned(), digest(&package.repository, &package.ebuild)?);
    for (name, eclass) in &package.eclasses {
        files.insert(format!("eclass/{name}"), digest(&eclass.repository, &eclass.path)?);
    }
    let folder = format!("{}/{}/", package.category, package.name);
    for path in &package.files {
        let shown = path.strip_prefix(&folder).unwrap_or(path);
        files.insert(shown.to_owned(), digest(&package.repository, path)?);
    }
    let mut used = Vec::new();
    for cpv in &instance.installed {
        let record = installed.packages.get(cpv).ok_or_else(|| {
            Failure::new(
                FailureKind::Bug,
                format!("{cpv} is not among the packages that were read from the root"),
            )
        })?;
        used.push(record.clone());
    }
    Ok(PlannedPackage {
        name: instance.name.clone(),
        subjects: instance.subjects.clone(),
        package: package.clone(),
        dependencies: instance.packages.clone(),
        runtime: instance.runtime.clone(),
        installed: used,
        unowned: installed.unowned,
        portage: portage.to_owned(),
        left_out: instance
            .left_out
            .iter()
            .map(|left| {
                (
                    left.cpv.clone(),
                    format!("wanted by {}, {}", left.wanted_by, left.reason),
                )
            })
            .collect(),
        files,
    })
}

/// Reads the joined plan that a node of this rule made.
pub fn read(context: &Context, guard: &Guard) -> Result<JoinedPlan, Failure> {
    serde_json::from_slice(&context.read(&place::blob(guard, "joined")?)?)
        .map_err(|error| Failure::new(FailureKind::Bug, format!("the joined plan: {error}")))
}

/// Everything below a plan: fetches, packages, binhost, images, publications, and tasks that need them.
pub fn expand(context: &Context, data: &JoinData, joined: &JoinedPlan) -> Result<Vec<NodeSpec<Action>>, Failure> {
    let farm = &data.farm;
    let mut nodes = Vec::new();
    let sources = Arc::new(
        data.sources
            .clone()
            .with_profile(&joined.mirrors, &joined.gentoo_mirrors),
    );
    let mut fetches: BTreeMap<String, String> = BTreeMap::new();
    for planned in &joined.packages {
        for file in &planned.package.distfiles {
            let name = fetch::name(farm, file, &fetches);
            if fetches.insert(name.clone(), fetch::identity(file)).is_none() {
                nodes.push(fetch::node(name, file, &planned.package, Arc::clone(&sources)));
            }
        }
    }
    for planned in &joined.packages {
        nodes.push(package::node(data, joined, planned, &fetches, context.epoch));
    }
    let name_of = |index: &usize| package::node_name(farm, &joined.packages[*index]);

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
    for plan in &data.images {
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
        let named = packages
            .iter()
            .map(|index| (name_of(index), joined.packages[*index].package.cpv.clone()))
            .collect();
        let contents = image::Contents {
            packages: named,
            world: world.into_iter().collect(),
            conflict,
        };
        tail.push(image::node(data, plan, contents, &missing, context.epoch));
    }
    for plan in &data.stages {
        tail.extend(stage::nodes(farm, &data.flavour, plan, context.epoch));
    }
    if let Some(plan) = &data.publish_pkgs {
        tail.push(publish_pkgs::publish_node(data, plan, joined, context.epoch)?);
    }
    if let Some(plan) = &data.publish_images {
        tail.push(publish_images::node(data, plan));
    }
    tail.extend(data.late.iter().cloned());
    if !complete {
        // What is made of all subjects cannot be made: it waits for the plan that failed, and is skipped for that reason.
        for node in &mut tail {
            if matches!(node.action, Action::PublishPkgs(_)) {
                node.dependencies
                    .extend(failed.iter().map(|plan| Dependency::output(*plan, "plan")));
            }
        }
    }
    nodes.extend(tail);
    Ok(nodes)
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
