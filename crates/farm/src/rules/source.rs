//! `source/CATEGORY/PF`: the source of a package as its ebuild leaves it after `src_prepare`, user patches included; and
//! `trial/CATEGORY/PF`: the package built with one more user patch, to see whether it can be.
//!
//! Both run in the package's own build root and have its key with what is run in place of the build. They are no part of a farm: only
//! who works on patches adds them to the graph. Of a trial nothing is kept but that it ended well.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use farm_engine::{Digest, Failure, FailureKind, Guard, Input, NodeSpec, Output, Run};
use farm_executor::{Collect, OutputSink};
use farm_portage::cpv::Cpv;
use farm_portage::user_patches::{PatchLog, PatchScope};
use farm_store::{Blob, Store};
use fs_err as fs;

use super::container;
use super::package::{self, BUILD, InRoot, PackageData, WORK_TREE, failed_tree, keep_work_tree};
use crate::action::Action;
use crate::context::Context;
use crate::files::FileNode;
use crate::names::local;
use crate::place::{self, Place};

/// Prepares the source and puts what the ebuild calls S where it is taken out. `$1` is the package's CPV, `$2` its ebuild.
const PREPARE_SOURCE: &str = r#". /.farm/jobs.sh
echo ">>> Preparing $1"
ebuild --color=n "$2" prepare
source=$(bash -c '. "$1" >/dev/null 2>&1; printf %s "$S"' bash "/var/tmp/portage/$1/temp/environment")
[ -d "$source" ] || source=/var/tmp/portage/$1/work
mv "$(readlink -f "$source")" /.farm/source
"#;
const SOURCE: &str = "/.farm/source";

/// The name of the difference that is tried, as a user patch: behind all names that people give.
pub const TRIED_PATCH: &str = "~difference.patch";

/// The role of the source itself: a tar, compressed by zstd, of a folder `source`.
const TREE: &str = "tree";
/// The role of the names of the user patches that were applied.
const PATCHES: &str = "patches";

/// The name of the node that makes the source of a package, by the name of the package's own.
#[must_use]
pub fn node_name(package: &str) -> String {
    renamed(package, "source")
}

/// The name of the node that tries a difference.
#[must_use]
pub fn trial_name(package: &str) -> String {
    renamed(package, "trial")
}

fn renamed(package: &str, kind: &str) -> String {
    let farm = crate::names::farm(package);
    let name = local(package).strip_prefix("pkg/").unwrap_or(package);
    format!("{farm}:{kind}/{name}")
}

/// The node that makes the source of a package with this node.
#[must_use]
pub fn node(package: &NodeSpec<Action>, data: &PackageData) -> NodeSpec<Action> {
    let mut node = NodeSpec {
        name: node_name(&package.name),
        kind: "source".to_owned(),
        rule_version: 1,
        action: Action::Source(Box::new(data.clone())),
        ..package.clone()
    };
    node.inputs
        .push(Input::digest("source script", Digest::of(PREPARE_SOURCE.as_bytes())));
    node
}

/// The node that builds a package with a difference as one more user patch.
///
/// # Errors
///
/// A bug of ours: the package's name is none.
pub fn trial(package: &NodeSpec<Action>, data: &PackageData, difference: Vec<u8>) -> Result<NodeSpec<Action>, Failure> {
    let cpv = Cpv::parse(&data.package.cpv).map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?;
    let digest = Digest::of(&difference);
    let path = format!("patches/{}/{TRIED_PATCH}", PatchScope::revision(&cpv));
    let mut settings = (*data.settings).clone();
    let patch = FileNode::File {
        bytes: difference,
        executable: false,
    };
    settings.etc.insert(path, patch);
    let data = PackageData {
        settings: Arc::new(settings),
        ..data.clone()
    };
    let mut node = NodeSpec {
        name: trial_name(&package.name),
        kind: "trial".to_owned(),
        rule_version: 1,
        action: Action::Trial(Box::new(data)),
        ..package.clone()
    };
    node.inputs.push(Input::digest("difference", digest));
    Ok(node)
}

/// Prepares the source.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &PackageData,
) -> Result<Vec<Output>, Failure> {
    let package = &data.package;
    let ebuild = format!("/var/db/repos/{}/{}", package.repository, package.ebuild);
    let mut taken = Taken::new(context, spec);
    let work = InRoot {
        script: PREPARE_SOURCE,
        arguments: vec![package.cpv.clone(), ebuild],
        collect: vec![Collect::OnSuccess(SOURCE.to_owned()), on_failure(data)],
    };
    let ended = package::run_in_root(context, run, spec, data, work, &mut taken);
    ended.map_err(|failure| naming_patch(context, &spec.name, failure))?;
    let tree = taken
        .source
        .ok_or_else(|| Failure::new(FailureKind::Bug, "src_prepare ended well and left no source"))?;
    // What was kept of an earlier failure has no reader any more.
    let _ = fs::remove_file(&taken.failed);
    let applied = patch_log(context, &spec.name).applied;
    Ok(vec![
        Place::Store { blob: tree }.output(TREE, tree.digest),
        names(context, &applied)?,
    ])
}

/// Tries the difference.
pub fn run_trial(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &PackageData,
) -> Result<Vec<Output>, Failure> {
    let mut taken = Taken::new(context, spec);
    let work = InRoot {
        script: BUILD,
        arguments: vec![data.package.cpv.clone()],
        collect: vec![on_failure(data)],
    };
    let ended = package::run_in_root(context, run, spec, data, work, &mut taken);
    ended.map_err(|failure| naming_patch(context, &spec.name, failure))?;
    let _ = fs::remove_file(&taken.failed);
    let applied = patch_log(context, &spec.name).applied;
    if !applied.iter().any(|name| name == TRIED_PATCH) {
        let message = format!("{} was built without the difference", data.package.cpv);
        return Err(Failure::new(FailureKind::Input, message).hint(
            "its ebuild applies no user patches: that begins with EAPI 6, and needs eapply_user in src_prepare",
        ));
    }
    Ok(vec![names(context, &applied)?])
}

fn on_failure(data: &PackageData) -> Collect {
    Collect::OnFailure(format!("{WORK_TREE}/{}", data.package.cpv))
}

fn names(context: &Context, applied: &[String]) -> Result<Output, Failure> {
    let json = serde_json::to_vec(applied).map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?;
    let blob = context.keep(&json)?;
    Ok(Place::Store { blob }.output(PATCHES, blob.digest))
}

/// The source that a node of this rule made.
pub fn tree(guard: &Guard) -> Result<Blob, Failure> {
    place::blob(guard, TREE)
}

/// The names of the user patches that were applied where this guard comes from, in their order.
pub fn patches(context: &Context, guard: &Guard) -> Result<Vec<String>, Failure> {
    let json = context.read(&place::blob(guard, PATCHES)?)?;
    serde_json::from_slice(&json)
        .map_err(|error| Failure::new(FailureKind::Bug, format!("the names of patches: {error}")))
}

/// What the log of a node says of user patches.
#[must_use]
pub fn patch_log(context: &Context, node: &str) -> PatchLog {
    let log = fs::read(container::log_path(context, node)).unwrap_or_default();
    PatchLog::read(&String::from_utf8_lossy(&log))
}

/// A failure that a user patch brought about says which.
pub(super) fn naming_patch(context: &Context, node: &str, failure: Failure) -> Failure {
    match patch_log(context, node).failed {
        Some(name) if name == TRIED_PATCH => failure
            .hint("the difference does not apply: user patches were saved or changed since the source was prepared"),
        Some(name) => failure.hint(format!("the user patch {name} does not apply any more")),
        None => failure,
    }
}

/// Takes the source, or what is left of a failure.
struct Taken<'a> {
    store: &'a Store,
    source: Option<Blob>,
    failed: PathBuf,
}

impl<'a> Taken<'a> {
    fn new(context: &'a Context, spec: &NodeSpec<Action>) -> Self {
        Self {
            store: &context.store,
            source: None,
            failed: failed_tree(context, &spec.name),
        }
    }
}

impl OutputSink for Taken<'_> {
    fn collected(&mut self, path: &str, tar: &mut dyn Read) -> std::io::Result<()> {
        if path != SOURCE {
            return keep_work_tree(&self.failed, tar);
        }
        let mut packed = zstd::Encoder::new(self.store.writer()?, 1)?;
        std::io::copy(tar, &mut packed)?;
        self.source = Some(packed.finish()?.finish()?);
        Ok(())
    }

    fn absent(&mut self, _: &str) {}
}
