//! `plan`: the plans of all subjects as one, and the nodes it brings forth; and `generation/NAME`, the same of what is built for the
//! root itself.
//!
//! Subjects are soft dependencies: with `-k` a subject that does not resolve fails alone.

mod expand;
mod joined;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use farm_engine::{Class, Dependency, Event, Failure, FailureKind, Input, NodeSpec, Output, Run};
use farm_manifest::model::Rebuild;
use farm_resolver::{Answer, Instance, JoinError, Native, Outcome, Plan, Root, join, unsound};

pub use self::expand::expand;
pub use self::joined::{JoinedPlan, PlannedPackage, SubjectPlan, read};
use super::live::checkout::Checkout;
use super::repo::OpenRepo;
use super::scan::InstalledSet;
use super::{abi, image, publish_images, publish_pkgs, stage};
use crate::action::{Action, ContainerData};
use crate::client;
use crate::context::Context;
use crate::fetcher::Sources;
use crate::names::BOOTSTRAP;
use crate::place::{self, Place};
use crate::settings::Settings;

/// What the join needs, and what it hands to the nodes it brings forth.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinData {
    /// The farm's name.
    pub farm: String,
    /// What must not be mixed.
    pub flavour: String,
    /// Subjects and their plans' nodes, in the order of the manifest; people's tools last, under [`TOOLS_SUBJECT`](crate::names::TOOLS_SUBJECT).
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
    /// Folders that stand in for the repositories of live ebuilds, by `CATEGORY/NAME`.
    pub live: Arc<BTreeMap<String, Arc<Checkout>>>,
    /// How far a changed dependency reaches.
    pub rebuild: Rebuild,
    /// The node that has the ABIs of the root's packages, where these count.
    pub abis: Option<String>,
    /// What is built first to break circles.
    pub bootstrap: Option<Bootstrap>,
    /// The node of the generation that the root is made of.
    pub below: Option<String>,
    /// What it brings forth besides packages.
    pub brings: Brings,
}

/// The plan of what is built first to break circles.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    /// Its node.
    pub node: String,
    /// The configuration with the flags that it has.
    pub settings: Arc<Settings>,
}

/// What a joined plan brings forth besides packages and their sources.
#[derive(Debug, Clone, PartialEq)]
pub enum Brings {
    /// All that a farm makes of packages.
    Farm(Box<FarmParts>),
    /// A generation of the root, and what is known of everything that comes after it.
    Generation {
        /// Its name.
        name: &'static str,
        /// The root with the packages merged into it.
        root: Box<image::ImagePlan>,
        /// What comes after.
        later: Vec<NodeSpec<Action>>,
    },
}

/// What a farm makes of packages.
#[derive(Debug, Clone, PartialEq)]
pub struct FarmParts {
    /// The node of the base.
    pub base: String,
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

impl JoinData {
    /// The farm's part, unless this is a generation of the root.
    #[must_use]
    pub fn parts(&self) -> Option<&FarmParts> {
        match &self.brings {
            Brings::Farm(parts) => Some(parts),
            Brings::Generation { .. } => None,
        }
    }

    /// The node of the base, if what nobody built anew of it is published.
    #[must_use]
    pub fn published_base(&self) -> Option<&str> {
        let parts = self.parts()?;
        let publishes = parts.publish_pkgs.as_ref().is_some_and(|plan| plan.base);
        publishes.then_some(parts.base.as_str())
    }

    /// The configuration that a package is built with.
    #[must_use]
    pub fn settings_of(&self, planned: &PlannedPackage) -> &Arc<Settings> {
        match &self.bootstrap {
            Some(bootstrap) if planned.is_bootstrap() => &bootstrap.settings,
            _ => &self.settings,
        }
    }
}

/// The node of the joined plan, or of a generation.
#[must_use]
pub fn node(data: JoinData) -> NodeSpec<Action> {
    // Without what is built for it there is no root; a subject may fail alone.
    let (local, need): (_, fn(&str, &str) -> Dependency) = match &data.brings {
        Brings::Farm(_) => ("plan".to_owned(), |node, output| Dependency::soft(node, output)),
        Brings::Generation { name, .. } => (format!("generation/{name}"), |node, output| {
            Dependency::output(node, output)
        }),
    };
    let mut dependencies: Vec<Dependency> = data.subjects.iter().map(|(_, node)| need(node, "plan")).collect();
    dependencies.extend(
        data.bootstrap
            .iter()
            .map(|bootstrap| Dependency::output(&bootstrap.node, "plan")),
    );
    dependencies.extend(data.below.iter().map(|below| Dependency::output(below, "joined")));
    dependencies.extend(data.abis.iter().map(|abis| Dependency::output(abis, abi::ROLE)));
    dependencies.push(Dependency::output(&data.root, "installed"));
    dependencies.extend(data.published_base().map(|base| Dependency::output(base, "installed")));
    dependencies.extend(data.repos.iter().map(|(_, node)| Dependency::output(node, "tree")));
    NodeSpec {
        name: format!("{}:{local}", data.farm),
        kind: "plan".to_owned(),
        // Raised whenever the form of `JoinedPlan` changes so that what an older farm wrote must not be read.
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
    let first = match &data.bootstrap {
        Some(bootstrap) => {
            let guard = run
                .dependency(spec, &bootstrap.node)
                .ok_or_else(|| bug(format!("no {}", bootstrap.node)))?;
            let answer = context.read(&place::blob(guard, "plan")?)?;
            Some(Answer::parse(&answer).map_err(|error| bug(error.to_string()))?)
        }
        None => None,
    };
    let first = first.as_ref().and_then(|answer| Some((BOOTSTRAP, plan_of(answer)?)));
    let plans: Vec<(&str, &Plan)> = answers
        .iter()
        .filter_map(|(subject, _, answer)| Some((subject.as_str(), plan_of(answer)?)))
        .collect();
    let all = || first.iter().chain(&plans);
    let faults: BTreeSet<String> = all()
        .flat_map(|(_, plan)| unsound(plan))
        .map(|fault| fault.to_string())
        .collect();
    if !faults.is_empty() {
        let list: Vec<String> = faults.into_iter().collect();
        return Err(Failure::new(FailureKind::Input, list.join("\n")));
    }
    let native: BTreeSet<String> = all()
        .flat_map(|(_, plan)| &plan.native)
        .filter_map(Native::summary)
        .collect();
    for line in &native {
        let message = format!("{}: {line}", data.farm);
        (run.events)(Event::Note { message });
    }
    let joined = join(plans.iter().copied(), first).map_err(|error| cannot_be_built(&error))?;
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
    let mut installed = InstalledSet::read(context, root)?;
    if let Some(node) = &data.abis {
        let guard = run.dependency(spec, node).ok_or_else(|| bug(format!("no {node}")))?;
        let abis = abi::read(context, guard)?;
        let seen = plans.iter().flat_map(|(_, plan)| &plan.installed);
        for package in seen {
            if let (Some(record), Some(abi)) = (installed.packages.get_mut(&package.cpv), abis.get(&package.cpv)) {
                record.text = abi.text(package);
            }
        }
    }
    let below = match &data.below {
        Some(node) => {
            let guard = run.dependency(spec, node).ok_or_else(|| bug(format!("no {node}")))?;
            read(context, guard)?.into_below()
        }
        None => Vec::new(),
    };
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
    let root = PlannedIn {
        installed: &installed,
        below: &below,
        portage: &portage,
    };
    let mut packages = Vec::new();
    for instance in &joined.instances {
        let mut package = planned(instance, &root, &repos)?;
        if let Brings::Generation { name, .. } = &data.brings {
            // Subjects may have the same version again, built in the root that this brings forth.
            package.name = format!("{}@{name}", package.package.cpv);
        }
        packages.push(package);
    }
    let mut subjects = BTreeMap::new();
    for (subject, plan) in &plans {
        let (runtime, needed) = joined.runtime_closure(subject, plan);
        let needed: BTreeSet<usize> = needed.iter().filter_map(|cpv| JoinedPlan::made(&below, cpv)).collect();
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
            below: needed.into_iter().collect(),
            members: plan.roots.iter().map(named).collect(),
            world: world.into_iter().collect(),
            command,
            answer: blob,
        };
        subjects.insert((*subject).to_owned(), subject_plan);
    }
    let profile = plans.first().map(|(_, plan)| &plan.profile);
    let uninstalls: BTreeSet<&String> = plans.iter().flat_map(|(_, plan)| &plan.uninstalls).collect();
    let mut header = profile.map(|profile| profile.header.clone()).unwrap_or_default();
    if data.rebuild != Rebuild::Exact {
        // Whoever takes these packages may want to know that one may be older than what it was built with.
        header.insert("FARM_REBUILD".to_owned(), data.rebuild.word().to_owned());
    }
    let untouched = match data.published_base() {
        Some(node) => {
            let guard = run.dependency(spec, node).ok_or_else(|| bug(format!("no {node}")))?;
            let base = InstalledSet::read(context, guard)?;
            let built = packages.iter().filter(|planned| !planned.is_bootstrap()).chain(&below);
            untouched(&base, &installed, built)
        }
        None => BTreeMap::new(),
    };
    let joined_plan = JoinedPlan {
        untouched,
        uninstalls: uninstalls.into_iter().cloned().collect(),
        packages,
        subjects,
        header,
        mirrors: profile.map(|profile| profile.mirrors.clone()).unwrap_or_default(),
        gentoo_mirrors: profile
            .map(|profile| profile.gentoo_mirrors.clone())
            .unwrap_or_default(),
        license_groups: profile
            .map(|profile| profile.license_groups.clone())
            .unwrap_or_default(),
        disagreements,
        native: native.into_iter().collect(),
        below,
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

/// What is in the root as the base had it, and was not built in the same version: packages of the base but for stubs, which have no files.
fn untouched<'a>(
    base: &InstalledSet,
    root: &InstalledSet,
    built: impl Iterator<Item = &'a PlannedPackage>,
) -> BTreeMap<String, String> {
    let built: BTreeSet<&str> = built.map(|planned| planned.package.cpv.as_str()).collect();
    let packages = base.packages.iter();
    packages
        .filter(|(cpv, record)| !record.is_stub() && root.packages.contains_key(*cpv) && !built.contains(cpv.as_str()))
        .map(|(cpv, record)| (cpv.clone(), record.name.clone()))
        .collect()
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

fn plan_of(answer: &Answer) -> Option<&Plan> {
    match &answer.outcome {
        Outcome::Plan(plan) => Some(plan),
        Outcome::Refusal(_) => None,
    }
}

fn cannot_be_built(error: &JoinError) -> Failure {
    let failure = Failure::new(FailureKind::Input, error.to_string());
    let hint = match error {
        JoinError::Closure { error, .. } => farm_resolver::suggest::bootstrap_lines(error).first().map(|line| {
            format!(
                "break the circle with `bootstrap: {{ {} }}` and flags with which it needs less, or with other flags for all",
                line.text
            )
        }),
        JoinError::BootstrapAtRunTime { .. } => {
            Some("give it other flags below `bootstrap:`, or take it out there if nothing needs it any more".to_owned())
        }
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The root that is planned in.
struct PlannedIn<'a> {
    installed: &'a InstalledSet,
    /// What farm built of it.
    below: &'a [PlannedPackage],
    /// The version of its Portage.
    portage: &'a str,
}

fn planned(
    instance: &Instance,
    root: &PlannedIn<'_>,
    repos: &BTreeMap<&str, OpenRepo>,
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
    let (mut used, mut made) = (Vec::new(), BTreeSet::new());
    for cpv in &instance.installed {
        let record = root.installed.packages.get(cpv).ok_or_else(|| {
            Failure::new(
                FailureKind::Bug,
                format!("{cpv} is not among the packages that were read from the root"),
            )
        })?;
        used.push(record.clone());
        made.extend(JoinedPlan::made(root.below, cpv));
    }
    Ok(PlannedPackage {
        name: instance.name.clone(),
        subjects: instance.subjects.clone(),
        package: package.clone(),
        dependencies: instance.packages.clone(),
        runtime: instance.runtime.clone(),
        installed: used,
        made: made.into_iter().collect(),
        bound: instance.bound.clone(),
        unowned: root.installed.unowned,
        portage: root.portage.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::scan::InstalledRecord;

    fn installed(packages: &[(&str, &str)]) -> InstalledSet {
        let record = |(cpv, text): &(&str, &str)| {
            let record = InstalledRecord {
                name: format!("{}:0", cpv.rsplit_once('-').unwrap().0),
                text: format!("1 slot 0/0 USE=\"\" CHOST=x CFLAGS=\"\" CXXFLAGS=\"\" LDFLAGS=\"{text}"),
            };
            ((*cpv).to_owned(), record)
        };
        InstalledSet {
            packages: packages.iter().map(record).collect(),
            unowned: farm_engine::Digest::of(b""),
        }
    }

    fn built(cpv: &str, subject: &str) -> PlannedPackage {
        PlannedPackage {
            name: cpv.to_owned(),
            subjects: vec![subject.to_owned()],
            package: farm_resolver::Package {
                cpv: cpv.to_owned(),
                ..farm_resolver::Package::default()
            },
            dependencies: Vec::new(),
            runtime: BTreeSet::new(),
            installed: Vec::new(),
            made: Vec::new(),
            bound: BTreeMap::new(),
            unowned: farm_engine::Digest::of(b""),
            portage: String::new(),
            left_out: Vec::new(),
            files: BTreeMap::new(),
        }
    }

    #[test]
    fn untouched_is_what_the_root_has_of_the_base_and_nobody_built() {
        let base = installed(&[
            ("a/debian-1", "\" Debian 0123456789"),
            ("a/flags-1", "-Wl Debian \""),
            ("a/gone-1", "\""),
            ("a/rebuilt-1", "\""),
            ("a/stays-1", "\""),
            ("a/twice-1", "\""),
        ]);
        let root = installed(&[
            ("a/debian-1", "\" Debian 0123456789"),
            ("a/flags-1", "-Wl Debian \""),
            ("a/gone-2", "\""),
            ("a/new-1", "\""),
            ("a/rebuilt-1", "\""),
            ("a/stays-1", "\""),
            ("a/twice-1", "\""),
        ]);
        // Another version in the same slot, or what only breaks a circle, takes nobody's place.
        let built = [
            built("a/rebuilt-1", "update"),
            built("a/twice-1", "apps"),
            built("a/stays-2", "apps"),
        ];
        let untouched = untouched(&base, &root, built.iter());
        let names: Vec<_> = untouched
            .iter()
            .map(|(cpv, name)| (cpv.as_str(), name.as_str()))
            .collect();
        assert_eq!(names, [("a/flags-1", "a/flags:0"), ("a/stays-1", "a/stays:0")]);
    }
}
