//! `binhost` and `publish-pkgs`: the packages of a plan as a folder that stock Portage installs from.
//!
//! Both are one rule: the local binhost is a publication to a folder of farm's own state, to which everything may go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use farm_engine::{
    Class, Dependency, Digest, Event, Failure, FailureKind, Guard, Input, NodeSpec, Output, Presence, Run,
};
use farm_publish::{
    Candidate, ClientFiles, Deny, InForce, Publication, PublishError, ReleaseSigner, in_force, publish,
};
use farm_remote::Address;

use super::base::Tell;
use super::join::{JoinData, JoinedPlan};
use super::publish_list::{PublishedPackage, Untouched, obstacles, of_lacking, published};
use super::publish_remote;
use super::quickpkg::{self, BasePackages};
use crate::action::Action;
use crate::client::{self, Client, SignedBy};
use crate::context::Context;
use crate::pkgdir::Kept;
use crate::place::{self, Place};
use crate::signing::PackageSigner;

/// The folder of the workspace's state that holds the local binhosts: `FARM/FLAVOUR/` each.
pub const LOCAL_BINHOSTS: &str = "binhost";

/// Where and what a farm publishes.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishPkgsPlan {
    /// As people wrote it, with the flavour.
    pub to: String,
    /// The folder it means; of a remote the mirror.
    pub folder: PathBuf,
    /// The remote with the flavour, if it is not a folder.
    pub remote: Option<Address>,
    /// Where readers find it, with the flavour, if that is another address than `to`.
    pub url: Option<String>,
    /// What is not published, as people wrote it: which licences are in a group, a plan tells.
    pub deny: Vec<farm_manifest::model::Deny>,
    /// Whether what may not be redistributed goes there, too.
    pub private: bool,
    /// Whether packages of the base that nobody built anew go there, too.
    pub base: bool,
    /// The key that signs, as people named it. It is in no key: what is published otherwise is gone (see [`presence`]).
    pub sign: Option<String>,
    /// Nodes that must have succeeded.
    pub needs: Vec<String>,
}

/// What the rule needs.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishPkgsData {
    /// Where to.
    pub plan: PublishPkgsPlan,
    /// What is not published.
    pub deny: Vec<Deny>,
    /// The packages.
    pub packages: Vec<PublishedPackage>,
    /// Packages of the base besides.
    pub untouched: Untouched,
    /// Header of the index.
    pub header: BTreeMap<String, String>,
    /// What its clients need; `None` for farm's own state, which has none.
    pub client: Option<Client>,
}

/// The node of the local binhost.
#[must_use]
pub fn binhost_node(data: &JoinData, joined: &JoinedPlan, folder: PathBuf, epoch: u64) -> NodeSpec<Action> {
    let plan = PublishPkgsPlan {
        to: format!("binhost/{}/{}", data.farm, data.flavour),
        folder,
        remote: None,
        url: None,
        deny: Vec::new(),
        private: true,
        base: false,
        // Whoever may read farm's own state need not be told who wrote it.
        sign: None,
        needs: Vec::new(),
    };
    node(data, plan, Vec::new(), joined, None, epoch)
}

/// The node of a publication.
///
/// # Errors
///
/// The user's: what is denied is a licence group that no repository has.
pub fn publish_node(
    data: &JoinData,
    plan: &PublishPkgsPlan,
    joined: &JoinedPlan,
    epoch: u64,
) -> Result<NodeSpec<Action>, Failure> {
    let deny = plan.deny.iter().map(|deny| resolved(deny, &joined.license_groups));
    let deny = deny.collect::<Result<_, _>>()?;
    let client = Client::new(data, joined, &plan.to, plan.url.as_deref());
    Ok(node(data, plan.clone(), deny, joined, Some(client), epoch))
}

/// What is denied, with the licences of a group.
///
/// # Errors
///
/// The user's: there is no such group.
pub(crate) fn resolved(
    deny: &farm_manifest::model::Deny,
    groups: &BTreeMap<String, BTreeSet<String>>,
) -> Result<Deny, Failure> {
    let name = match deny {
        farm_manifest::model::Deny::Package(atom) => return Ok(Deny::Package(atom.clone())),
        farm_manifest::model::Deny::License(name) => name,
    };
    let Some(group) = name.strip_prefix('@') else {
        return Ok(Deny::License(name.clone()));
    };
    let members = groups.get(group).cloned().ok_or_else(|| {
        let message = format!("publish.deny: no repository has the licence group {name}");
        let known: Vec<String> = groups.keys().map(|group| format!("@{group}")).collect();
        let hint = match known.as_slice() {
            [] => "they have none: name the licences".to_owned(),
            known => format!("they have {}", known.join(", ")),
        };
        Failure::new(FailureKind::Input, message).hint(hint)
    })?;
    Ok(Deny::LicenseGroup {
        name: name.clone(),
        members,
    })
}

fn node(
    data: &JoinData,
    plan: PublishPkgsPlan,
    deny: Vec<Deny>,
    joined: &JoinedPlan,
    client: Option<Client>,
    epoch: u64,
) -> NodeSpec<Action> {
    let packages = published(&data.farm, joined);
    let untouched = match plan.base {
        true => Untouched::of(&data.farm, joined),
        false => Untouched::default(),
    };
    let mut inputs = vec![Input::text("to", &plan.to), Input::text("epoch", epoch.to_string())];
    inputs.extend(
        joined
            .header
            .iter()
            .map(|(name, value)| Input::text(format!("header/{name}"), value)),
    );
    inputs.extend(deny.iter().map(deny_input));
    inputs.extend(
        untouched
            .packages
            .keys()
            .map(|cpv| Input::text(format!("base/{cpv}"), "yes")),
    );
    if plan.private {
        inputs.push(Input::text("private", "yes"));
    }
    // Who signs is in no key, so these are the files of an unsigned release.
    let files = client.as_ref().map(|client| client.files(&BTreeMap::new(), None));
    inputs.extend(
        files
            .iter()
            .flatten()
            .map(|(path, bytes)| Input::digest(format!("client/{path}"), Digest::of(bytes))),
    );
    // Where one goes on after a failure, what was built well is published; whoever takes packages out of farm's own state wants all.
    let need = if client.is_some() {
        Dependency::soft
    } else {
        Dependency::output
    };
    let mut dependencies: Vec<Dependency> = packages
        .iter()
        .map(|package| need(package.node.clone(), "payload".to_owned()))
        .collect();
    dependencies.extend(untouched.node.iter().map(|node| Dependency::soft(node, quickpkg::ROLE)));
    dependencies.extend(
        client
            .iter()
            .map(|client| Dependency::output(client.plan.clone(), client::ROLE)),
    );
    dependencies.extend(plan.needs.iter().map(Dependency::before_run));
    let (local, kind) = match client {
        Some(_) => ("publish-pkgs", "publish"),
        None => ("binhost", "binhost"),
    };
    NodeSpec {
        name: format!("{}:{local}", data.farm),
        kind: kind.to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs,
        dependencies,
        expands: false,
        pools: BTreeMap::new(),
        action: Action::PublishPkgs(Box::new(PublishPkgsData {
            plan,
            deny,
            packages,
            untouched,
            header: joined.header.clone(),
            client,
        })),
    }
}

/// What is denied, by the word that the manifest has for it; of a group, its licences as well.
fn deny_input(deny: &Deny) -> Input {
    match deny {
        Deny::Package(atom) => Input::text(format!("deny/{atom}"), "yes"),
        Deny::License(name) => Input::text(format!("deny/licence {name}"), "yes"),
        Deny::LicenseGroup { name, members } => {
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            Input::text(format!("deny/licence {name}"), members.join(" "))
        }
    }
}

/// Publishes.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &PublishPkgsData,
) -> Result<Vec<Output>, Failure> {
    let guards: Vec<Option<&Guard>> = data
        .packages
        .iter()
        .map(|package| run.dependency(spec, &package.node))
        .collect();
    let obstacles = obstacles(&data.packages, |at| guards[at].is_some());
    let (mut candidates, mut lacking) = (Vec::new(), Vec::new());
    for ((package, guard), obstacle) in data.packages.iter().zip(&guards).zip(&obstacles) {
        match (guard, obstacle) {
            (Some(guard), None) => candidates.push(Candidate {
                cpv: package.cpv.clone(),
                payload: place::output(guard, "payload")?.digest.into(),
                file: context.store.path(&Kept::of(guard)?.package),
            }),
            _ => lacking.push(package.place.clone()),
        }
    }
    let mut of_base = Vec::new();
    if let Some(node) = &data.untouched.node {
        match run.dependency(spec, node) {
            Some(guard) => {
                let base = BasePackages::read(context, guard)?;
                for cpv in data.untouched.packages.keys() {
                    match base.get(cpv) {
                        Ok((payload, file)) => candidates.push(Candidate {
                            cpv: cpv.clone(),
                            payload: payload.into(),
                            file: context.store.path(&file),
                        }),
                        Err(reason) => of_base.push(format!("{cpv} is not published: {reason}")),
                    }
                }
            }
            None => {
                lacking.extend(data.untouched.packages.values().cloned());
                of_base.push(data.untouched.not_packed());
            }
        }
    }
    if candidates.is_empty() && !lacking.is_empty() {
        let message = "none of its packages was built with all that it needs, so nothing is published";
        return Err(Failure::new(FailureKind::Step, message));
    }
    let signer = match &data.plan.sign {
        Some(name) => Some(PackageSigner(context.signing.key(name)?)),
        None => None,
    };
    let client = match &data.client {
        Some(client) => Some(client_files(context, run, spec, client, signer.as_ref())?),
        None => None,
    };
    let mut tell = Tell { run, name: &spec.name };
    let publication = Publication {
        folder: &data.plan.folder,
        candidates: &candidates,
        lacking: &lacking,
        header: &data.header,
        epoch: context.epoch,
        deny: &data.deny,
        private: data.plan.private,
        signer: signer.as_ref().map(|signer| signer as &dyn ReleaseSigner),
        client: client.as_ref(),
    };
    let mut progress = |line: &str| farm_executor::Progress::progress(&mut tell, line);
    let published = match &data.plan.remote {
        None => publish(&publication, &mut progress).map_err(|error| failure(&error))?,
        Some(address) => publish_remote::publish(context, run, &spec.name, address, &publication)?,
    };
    let notes = of_lacking(&data.packages, &obstacles, &published.held).into_iter();
    for note in of_base.into_iter().chain(notes) {
        (run.events)(Event::Note { message: note });
    }
    for refused in &published.refused {
        let message = format!("{} is not published: {}", refused.cpv, refused.reason);
        (run.events)(Event::Note { message });
    }
    // What lies in farm's own state moves with the workspace, and is looked for where the workspace is then.
    let folder = || {
        let folder = &data.plan.folder;
        folder
            .strip_prefix(&context.state)
            .unwrap_or(folder)
            .display()
            .to_string()
    };
    let place = Place::Published {
        to: data.plan.remote.as_ref().map_or_else(folder, ToString::to_string),
        index: published.index.into(),
    };
    Ok(vec![place.output("index", Digest::from(published.index))])
}

/// What goes to `client/`, with the key that signs.
fn client_files(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    client: &Client,
    signer: Option<&PackageSigner>,
) -> Result<ClientFiles, Failure> {
    let bug = |what: String| Failure::new(FailureKind::Bug, what);
    let guard = run
        .dependency(spec, &client.plan)
        .ok_or_else(|| bug(format!("{} is not there", client.plan)))?;
    let of_portage = serde_json::from_slice(&context.read(&place::blob(guard, client::ROLE)?)?)
        .map_err(|error| bug(format!("the profile for clients: {error}")))?;
    let public = signer.map(PackageSigner::public).transpose()?;
    let signed = signer.zip(public.as_deref()).map(|(signer, public)| SignedBy {
        fingerprint: signer.fingerprint(),
        public,
    });
    Ok(client.files(&of_portage, signed))
}

/// Whether what was published is still what is there, signed by the key that the manifest now names, or by none. `to` is the folder or
/// the address as [`Place::Published`] has it.
///
/// After a rollback it is not, whatever release that went back to: whoever runs `publish-pkgs` asks for the plan's packages.
#[must_use]
pub fn presence(context: &Context, to: &str, index: &Digest, sign: Option<&str>) -> Presence {
    match Address::parse(to) {
        Ok(address) => {
            // Of the mirror, because it is at hand; then whether clients see the same.
            let mirror = context.state.join(publish_remote::MIRRORS).join(address.folder_name());
            match presence_in(context, &mirror, index, sign) {
                Presence::Present => publish_remote::presence(context, &address, &mirror),
                lost => lost,
            }
        }
        Err(_) => presence_in(context, &context.state.join(to), index, sign),
    }
}

fn presence_in(context: &Context, folder: &Path, index: &Digest, sign: Option<&str>) -> Presence {
    let Some(release) = in_force(folder) else {
        return Presence::Lost(format!("{} is not what was published there", folder.display()));
    };
    if Digest::from(release.index) != *index {
        return Presence::Lost(format!("the index in {} is another one", folder.display()));
    }
    match signed_otherwise(context, &release, sign) {
        Some(how) => Presence::Lost(format!("what is in {} {how}", folder.display())),
        None => Presence::Present,
    }
}

/// How a release is signed, if that is not what the manifest says.
fn signed_otherwise(context: &Context, release: &InForce, sign: Option<&str>) -> Option<String> {
    let mut signers = release.signers.iter().flatten();
    let Some(name) = sign else {
        return signers
            .next()
            .map(|signer| format!("is signed by {signer}, and the manifest names no key"));
    };
    if release.signers.contains(&None) {
        return Some(format!("is not signed, and the manifest names the key {name}"));
    }
    // Only where the name does not tell, the key must be looked for.
    let doubtful: Vec<&String> = signers
        .filter(|signer| !farm_signing::is_name_of(name, signer))
        .collect();
    if doubtful.is_empty() {
        return None;
    }
    match context.signing.key(name) {
        Ok(key) => doubtful
            .into_iter()
            .find(|signer| *signer != key.fingerprint())
            .map(|signer| format!("is signed by {signer}, and the manifest names the key {name}")),
        Err(failure) => Some(format!("may be signed by another key than {name}: {}", failure.message)),
    }
}

pub(super) fn failure(error: &PublishError) -> Failure {
    let kind = match error.kind() {
        farm_publish::ErrorKind::Input => FailureKind::Input,
        farm_publish::ErrorKind::Environment => FailureKind::Environment,
        farm_publish::ErrorKind::Bug => FailureKind::Bug,
    };
    let failure = Failure::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
