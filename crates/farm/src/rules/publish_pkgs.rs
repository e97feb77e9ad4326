//! `binhost` and `publish-pkgs`: the packages of a plan as a folder that stock Portage installs from.
//!
//! Both are one rule: the local binhost is a publication to a folder of farm's own state, to which everything may go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use farm_engine::{Class, Dependency, Digest, Event, Failure, FailureKind, Input, NodeSpec, Output, Presence, Run};
use farm_publish::{Candidate, Deny, Publication, PublishError, publish};

use super::base::Tell;
use super::join::{JoinData, JoinedPlan, PlannedPackage};
use super::package;
use crate::action::Action;
use crate::command::FarmError;
use crate::context::Context;
use crate::pkgdir::Kept;
use crate::place::{self, Place};

/// Where and what a farm publishes.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishPkgsPlan {
    /// As people wrote it, with the flavour.
    pub to: String,
    /// The folder it means.
    pub folder: PathBuf,
    /// What is not published.
    pub deny: Vec<Deny>,
    /// Whether what may not be redistributed goes there, too.
    pub private: bool,
    /// Nodes that must have succeeded.
    pub needs: Vec<String>,
}

/// What the rule needs.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishPkgsData {
    /// Where to.
    pub plan: PublishPkgsPlan,
    /// The packages.
    pub packages: Vec<PublishedPackage>,
    /// Header of the index.
    pub header: BTreeMap<String, String>,
}

/// One package to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedPackage {
    /// Its node.
    pub node: String,
    /// `CATEGORY/PF`.
    pub cpv: String,
}

/// The node of the local binhost.
#[must_use]
pub fn binhost_node(data: &JoinData, joined: &JoinedPlan, folder: PathBuf, epoch: u64) -> NodeSpec<Action> {
    let plan = PublishPkgsPlan {
        to: format!("binhost/{}/{}", data.farm, data.flavour),
        folder,
        deny: Vec::new(),
        private: true,
        needs: Vec::new(),
    };
    node(data, plan, joined, "binhost", epoch)
}

/// The node of a publication.
#[must_use]
pub fn publish_node(data: &JoinData, plan: &PublishPkgsPlan, joined: &JoinedPlan, epoch: u64) -> NodeSpec<Action> {
    node(data, plan.clone(), joined, "publish-pkgs", epoch)
}

fn node(data: &JoinData, plan: PublishPkgsPlan, joined: &JoinedPlan, local: &str, epoch: u64) -> NodeSpec<Action> {
    let packages: Vec<PublishedPackage> = joined
        .packages
        .iter()
        .map(|planned| published(&data.farm, planned))
        .collect();
    let mut inputs = vec![Input::text("to", &plan.to), Input::text("epoch", epoch.to_string())];
    inputs.extend(
        joined
            .header
            .iter()
            .map(|(name, value)| Input::text(format!("header/{name}"), value)),
    );
    inputs.extend(
        plan.deny
            .iter()
            .map(|deny| Input::text(format!("deny/{}", deny_word(deny)), "yes")),
    );
    if plan.private {
        inputs.push(Input::text("private", "yes"));
    }
    let mut dependencies: Vec<Dependency> = packages
        .iter()
        .map(|package| Dependency::output(&package.node, "payload"))
        .collect();
    dependencies.extend(plan.needs.iter().map(Dependency::before_run));
    NodeSpec {
        name: format!("{}:{local}", data.farm),
        kind: if local == "binhost" { "binhost" } else { "publish" }.to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs,
        dependencies,
        expands: false,
        pools: BTreeMap::new(),
        action: Action::PublishPkgs(Box::new(PublishPkgsData {
            plan,
            packages,
            header: joined.header.clone(),
        })),
    }
}

/// A manifest's word on what is not published, as the publisher takes it.
///
/// # Errors
///
/// The user's: which licences are in a group is not looked up yet.
pub fn deny(deny: &farm_manifest::model::Deny) -> Result<Deny, FarmError> {
    match deny {
        farm_manifest::model::Deny::Package(atom) => Ok(Deny::Package(atom.clone())),
        farm_manifest::model::Deny::License(name) if name.starts_with('@') => Err(FarmError::input(format!(
            "publish.deny: licence groups such as {name} are not looked up yet"
        ))
        .hint("name the licences")),
        farm_manifest::model::Deny::License(name) => Ok(Deny::License(name.clone())),
    }
}

/// What is denied, as the manifest has it.
fn deny_word(deny: &Deny) -> String {
    match deny {
        Deny::Package(atom) => atom.to_string(),
        Deny::License(name) | Deny::LicenseGroup { name, .. } => format!("licence {name}"),
    }
}

fn published(farm: &str, planned: &PlannedPackage) -> PublishedPackage {
    PublishedPackage {
        node: package::node_name(farm, planned),
        cpv: planned.package.cpv.clone(),
    }
}

/// Publishes.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &PublishPkgsData,
) -> Result<Vec<Output>, Failure> {
    let mut candidates = Vec::new();
    for package in &data.packages {
        let guard = run
            .dependency(spec, &package.node)
            .ok_or_else(|| Failure::new(FailureKind::Bug, format!("{} is not there", package.node)))?;
        candidates.push(Candidate {
            cpv: package.cpv.clone(),
            payload: place::output(guard, "payload")?.digest.into(),
            file: context.store.path(&Kept::of(guard)?.package),
        });
    }
    let mut tell = Tell { run, name: &spec.name };
    let publication = Publication {
        folder: &data.plan.folder,
        candidates: &candidates,
        header: &data.header,
        epoch: context.epoch,
        deny: &data.plan.deny,
        private: data.plan.private,
    };
    let mut progress = |line: &str| farm_executor::Progress::progress(&mut tell, line);
    let published = publish(&publication, &mut progress).map_err(|error| failure(&error))?;
    for refused in &published.refused {
        let message = format!("{} is not published: {}", refused.cpv, refused.reason);
        (run.events)(Event::Note { message });
    }
    // What lies in farm's own state moves with the workspace, and is looked for where the workspace is then.
    let folder = data
        .plan
        .folder
        .strip_prefix(&context.state)
        .unwrap_or(&data.plan.folder);
    let place = Place::Published {
        to: folder.display().to_string(),
        index: published.index.into(),
    };
    Ok(vec![place.output("index", Digest::from(published.index))])
}

/// Whether what was published is still what is there.
#[must_use]
pub fn presence(folder: &std::path::Path, index: &Digest) -> Presence {
    match farm_publish::index_digest(folder) {
        Some(found) if Digest::from(found) == *index => Presence::Present,
        Some(_) => Presence::Lost(format!("the index in {} is another one", folder.display())),
        None => Presence::Lost(format!("{} is not what was published there", folder.display())),
    }
}

fn failure(error: &PublishError) -> Failure {
    let kind = match error.kind() {
        farm_publish::ErrorKind::Input => FailureKind::Input,
        farm_publish::ErrorKind::Environment => FailureKind::Environment,
        farm_publish::ErrorKind::Bug => FailureKind::Bug,
    };
    Failure::new(kind, error.to_string())
}
