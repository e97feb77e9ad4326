//! `root`: the binfarm root, which is the base with literal files laid over it and scripts run in it.
//!
//! What the scripts changed is captured without `/etc/portage`, `/var/db/repos`, caches, logs and `/run`: the farm's settings
//! are never in the root, they reach a package only as what Portage resolves for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use farm_engine::{Class, Dependency, Digest, Failure, FailureKind, Input, NodeSpec, Output, Run};
use farm_executor::{Collect, Network};
use farm_image::{ArchiveLayer, Exclusions, Index, LayerOptions, diff};
use fs_err as fs;

use super::base::{config_of, load};
use super::container::{self, ContainerRun, Take, capabilities_input};
use super::scan;
use crate::action::{Action, RootData};
use crate::context::{Context, LABEL, NODE_LABEL, io_failure};
use crate::files::{FileNode, Files};
use crate::place::{self, Place};
use crate::upload::{STAGING, Upload};

/// Runs the scripts one after the other, each in `/`, and stops at the first that fails.
const RUN_SCRIPTS: &str =
    "set -e\nfor script in /.farm/scripts/*; do\n  echo \">>> ${script##*/}\"\n  \"$script\"\ndone\n";

/// The node of the binfarm root.
#[must_use]
pub fn node(name: String, data: RootData, epoch: u64) -> NodeSpec<Action> {
    let mut inputs: Vec<Input> = data
        .files
        .iter()
        .map(|(path, file)| Input::digest(format!("file/{path}"), file.digest()))
        .collect();
    inputs.extend(script_inputs(&data.scripts));
    for (variable, value) in &data.container.env {
        inputs.push(Input::text(format!("env/{variable}"), value));
    }
    inputs.extend(capabilities_input(&data.container));
    inputs.push(Input::text("epoch", epoch.to_string()));
    NodeSpec {
        name,
        kind: "root".to_owned(),
        rule_version: 1,
        class: Class::Prepare,
        inputs,
        dependencies: vec![Dependency::output(&data.base, "image")],
        expands: false,
        pools: BTreeMap::new(),
        action: Action::Root(Arc::new(data)),
    }
}

/// Scripts as inputs, in the order they are run.
pub(super) fn script_inputs(scripts: &[(String, Vec<u8>)]) -> impl Iterator<Item = Input> {
    let numbered = scripts.iter().enumerate();
    numbered.map(|(at, (file, bytes))| Input::digest(format!("script/{at:02}-{file}"), Digest::of(bytes)))
}

/// Scripts and what runs them, as they lie in a container's staging folder.
pub(super) fn staged_scripts(scripts: &[(String, Vec<u8>)]) -> Files {
    let mut staged = Files::new();
    for (at, (file, bytes)) in scripts.iter().enumerate() {
        let node = FileNode::File {
            bytes: bytes.clone(),
            executable: true,
        };
        staged.insert(format!("scripts/{at:02}-{file}"), node);
    }
    staged.insert("run-scripts.sh".to_owned(), FileNode::program(RUN_SCRIPTS));
    staged
}

/// What is left out of the captured difference, besides what every capture leaves out.
#[must_use]
pub fn exclusions() -> Exclusions {
    Exclusions::standard()
        .with_tree(STAGING)
        .with_tree("etc/portage")
        .with_tree("var/db/repos")
        .with_contents("var/cache")
        .with_contents("var/log")
}

/// Makes the root.
pub fn run(context: &Context, run: &Run<'_>, spec: &NodeSpec<Action>, data: &RootData) -> Result<Vec<Output>, Failure> {
    let base = run
        .dependency(spec, &data.base)
        .ok_or_else(|| Failure::new(FailureKind::Bug, "the root has no base"))?;
    let base_image = place::image(base, "image")?;
    if data.files.is_empty() && data.scripts.is_empty() {
        return Ok(base.outputs.clone());
    }
    let lower = Index::decode(&context.read(&place::blob(base, "index")?)?)
        .map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?;

    let over = Upload::new(context).over_existing().files("", data.files.clone());
    let staged = Upload::new(context)
        .folder(format!("{STAGING}/scripts"))
        .files(STAGING, staged_scripts(&data.scripts));
    let argv: &[&str] = if data.scripts.is_empty() {
        &["/bin/true"]
    } else {
        &["/bin/sh", "/.farm/run-scripts.sh"]
    };

    context.with_scratch(|scratch| {
        let layer_path = scratch.join("layer.tar");
        let mut made = None;
        let mut take = Take(|_: &str, tar: &mut dyn std::io::Read| {
            let mut layer = fs::File::create(&layer_path)?;
            let options = LayerOptions {
                exclusions: &exclusions(),
                epoch: context.epoch,
                scratch,
            };
            made = Some(diff(&lower, tar, &options, &mut layer).map_err(std::io::Error::other)?);
            Ok(())
        });
        container::run(
            context,
            run,
            ContainerRun {
                name: &spec.name,
                image: base_image.clone(),
                files: vec![Box::new(over), Box::new(staged)],
                argv: argv.iter().map(|word| (*word).to_owned()).collect(),
                env: [].into(),
                network: Network::None,
                container: &data.container,
                collect: vec![Collect::OnSuccess("/".to_owned())],
                companion: None,
            },
            &mut take,
        )?;
        let made = made.ok_or_else(|| Failure::new(FailureKind::Bug, "the executor gave no tree"))?;

        let mut config = config_of(&context.image_info(&base_image.0)?, context.epoch)?;
        let mut layers: Vec<ArchiveLayer<'_>> = config
            .diff_ids
            .iter()
            .map(|diff_id| ArchiveLayer {
                diff_id: *diff_id,
                content: None,
            })
            .collect();
        config.diff_ids.push(made.layer.diff_id);
        config.labels.insert(LABEL.to_owned(), "1".to_owned());
        config.labels.insert(NODE_LABEL.to_owned(), "root".to_owned());
        let file = fs::File::open(&layer_path).map_err(|error| io_failure("read a layer", &error))?;
        layers.push(ArchiveLayer {
            diff_id: made.layer.diff_id,
            content: Some((made.layer.size, Box::new(file))),
        });
        let id = load(
            context,
            context.executor()?.as_ref(),
            &config,
            layers,
            std::slice::from_ref(&data.tag),
        )?;

        // What is installed is read from the image itself, so that it is what builds will see.
        let mut scan = scan::image(context, &id)?;
        scan.count_changes(&lower);
        let mut outputs = scan.outputs(context)?;
        let digest = Digest::of(id.0.as_bytes());
        outputs.push(
            Place::Image {
                id,
                tag: Some(data.tag.clone()),
            }
            .output("image", digest),
        );
        Ok(outputs)
    })
}
