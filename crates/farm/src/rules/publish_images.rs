//! `publish-image`: images to a registry.

use farm_engine::{Class, Dependency, Digest, Failure, FailureKind, Input, NodeSpec, Output, Presence, Run};

use super::base::Tell;
use super::join::JoinData;
use super::network;
use crate::action::Action;
use crate::context::{Context, executor_failure};
use crate::place::{self, Place};

/// Which images go where.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishImagesPlan {
    /// Image nodes, the name people gave the image, and the reference it is pushed to.
    pub images: Vec<(String, String, String)>,
    /// Nodes that must have succeeded.
    pub needs: Vec<String>,
}

/// What the rule needs.
pub type PublishImagesData = PublishImagesPlan;

/// The node of a publication.
#[must_use]
pub fn node(data: &JoinData, plan: &PublishImagesPlan) -> NodeSpec<Action> {
    let inputs = plan
        .images
        .iter()
        .map(|(_, name, reference)| Input::text(format!("to/{name}"), reference))
        .collect();
    let mut dependencies: Vec<Dependency> = plan
        .images
        .iter()
        .map(|(node, ..)| Dependency::output(node, "image"))
        .collect();
    dependencies.extend(plan.needs.iter().map(Dependency::before_run));
    NodeSpec {
        name: format!("{}:publish-image", data.farm),
        kind: "publish".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs,
        dependencies,
        expands: false,
        pools: network(),
        action: Action::PublishImages(Box::new(plan.clone())),
    }
}

/// Pushes every image, and says under which digest it can be pulled.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &PublishImagesData,
) -> Result<Vec<Output>, Failure> {
    let executor = context.executor()?;
    let mut outputs = Vec::new();
    for (node, name, reference) in &data.images {
        let guard = run
            .dependency(spec, node)
            .ok_or_else(|| Failure::new(FailureKind::Bug, format!("{node} is not there")))?;
        let failed = |error| executor_failure(&error);
        executor
            .tag(&place::image(guard, "image")?, reference)
            .map_err(failed)?;
        let pushed = executor
            .push(reference, &mut Tell { run, name: &spec.name }, &context.cancel)
            .map_err(failed)?;
        let digest = Digest::of(pushed.digest.as_bytes());
        outputs.push(
            Place::Pushed {
                reference: pushed.reference,
                digest: pushed.digest,
            }
            .output(name, digest),
        );
    }
    Ok(outputs)
}

/// Whether the registry still has it under that name. A registry that cannot be asked counts as one that lost it: the push
/// that follows says what is wrong.
#[must_use]
pub fn presence(context: &Context, reference: &str, digest: &str) -> Presence {
    let found = context
        .executor()
        .ok()
        .and_then(|executor| executor.resolve(reference).ok());
    if found.as_deref() == Some(digest) {
        Presence::Present
    } else {
        Presence::Lost(format!("{reference} is not what was published"))
    }
}
