//! `base`: the root filesystem everything starts from.

use std::io::{Seek, SeekFrom};

use farm_engine::{Class, Digest, Failure, FailureKind, Input, NodeSpec, Output, Run};
use farm_executor::{ImageId, ImageInfo, Progress};
use farm_hosted::{ErrorKind, HostedLock};
use farm_image::{ArchiveLayer, ImageConfig, Sha256Writer, docker_archive};
use fs_err as fs;

use super::network;
use super::scan;
use crate::action::Action;
use crate::context::{Context, LABEL, NODE_LABEL, chain, executor_failure, io_failure};
use crate::place::Place;

/// What programs are looked for by, in the image of a base that farm makes.
pub(super) const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The node of an image that is there or is pulled.
#[must_use]
pub fn image_node(name: String, reference: String) -> NodeSpec<Action> {
    NodeSpec {
        name,
        kind: "base".to_owned(),
        rule_version: 1,
        class: Class::Prepare,
        inputs: vec![Input::text("image", &reference)],
        dependencies: Vec::new(),
        expands: false,
        pools: network(),
        action: Action::BaseImage { reference },
    }
}

/// The node of a root made of Debian packages.
#[must_use]
pub fn hosted_node(name: String, lock: HostedLock, epoch: u64) -> NodeSpec<Action> {
    let mut inputs: Vec<Input> = lock
        .debs
        .iter()
        .map(|deb| {
            Input::text(
                format!("debian/{}", deb.name),
                format!("{} sha256:{}", deb.version, deb.sha256),
            )
        })
        .collect();
    inputs.push(Input::text("portage", lock.portage.to_string()));
    inputs.push(Input::digest("recipe", farm_hosted::recipe_digest()));
    inputs.push(Input::text("epoch", epoch.to_string()));
    NodeSpec {
        name,
        kind: "base".to_owned(),
        rule_version: 1,
        class: Class::Prepare,
        inputs,
        dependencies: Vec::new(),
        expands: false,
        pools: network(),
        action: Action::BaseHosted { lock: Box::new(lock) },
    }
}

/// Pulls an image and reads what it holds.
pub fn run_image(context: &Context, run: &Run<'_>, name: &str, reference: &str) -> Result<Vec<Output>, Failure> {
    let mut progress = Tell { run, name };
    let info = context
        .executor()?
        .pull(reference, &mut progress, &context.cancel)
        .map_err(|error| executor_failure(&error))?;
    progress.progress("reading what it holds");
    outputs(context, &info.id, None)
}

/// Makes a root of Debian packages and loads it as an image.
pub fn run_hosted(context: &Context, run: &Run<'_>, name: &str, lock: &HostedLock) -> Result<Vec<Output>, Failure> {
    let executor = context.executor()?;
    let mut progress = Tell { run, name };
    let downloads = context.state.join("downloads/debian");
    context.with_scratch(|scratch| {
        progress.progress("getting Debian packages");
        farm_hosted::fetch(lock, &|_| None, &downloads, scratch).map_err(|error| {
            let failure = Failure::new(failure_kind(error.kind()), chain(&error));
            match error {
                farm_hosted::FetchError::Gone { .. } => {
                    failure.hint("run `farm update` to take the versions there are")
                }
                _ => failure,
            }
        })?;
        progress.progress("putting the root together");
        let path = scratch.join("base.tar");
        let file = fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(|error| io_failure("make the base", &error))?;
        let mut tar = Sha256Writer::new(file);
        farm_hosted::build(
            lock,
            &downloads,
            scratch,
            context.epoch,
            &|| context.cancel.is_cancelled(),
            &mut tar,
        )
        .map_err(|error| Failure::new(failure_kind(error.kind()), chain(&error)))?;
        let (mut file, diff_id, _, size) = tar.finish();
        file.seek(SeekFrom::Start(0))
            .map_err(|error| io_failure("read the base", &error))?;

        progress.progress("loading it into the engine");
        let mut config = ImageConfig::new(&lock.architecture, context.epoch);
        config.env = vec![PATH.to_owned()];
        config.cmd = vec!["/bin/bash".to_owned()];
        config.labels.insert(LABEL.to_owned(), "1".to_owned());
        config.labels.insert(NODE_LABEL.to_owned(), "base".to_owned());
        config.diff_ids = vec![diff_id];
        let layers = vec![ArchiveLayer {
            diff_id,
            content: Some((size, Box::new(file))),
        }];
        let tag = format!("farm/base:{}", Digest::from(lock.digest()).short());
        let id = load(context, executor.as_ref(), &config, layers, std::slice::from_ref(&tag))?;
        progress.progress("reading what it holds");
        outputs(context, &id, Some(tag))
    })
}

/// The outputs of a base that is in the engine.
pub(super) fn outputs(context: &Context, id: &ImageId, tag: Option<String>) -> Result<Vec<Output>, Failure> {
    let scan = scan::image(context, id)?;
    let mut outputs = scan.outputs(context)?;
    outputs.push(Place::Image { id: id.clone(), tag }.output("image", Digest::of(id.0.as_bytes())));
    Ok(outputs)
}

/// Streams an archive of `layers` under `config` to the executor and returns the image's id.
pub fn load(
    context: &Context,
    executor: &dyn farm_executor::Executor,
    config: &ImageConfig,
    layers: Vec<ArchiveLayer<'_>>,
    tags: &[String],
) -> Result<ImageId, Failure> {
    let mut archive =
        tempfile::tempfile_in(&context.scratch).map_err(|error| io_failure("make an image archive", &error))?;
    let id = docker_archive(config, layers, tags, &mut std::io::BufWriter::new(&mut archive))
        .map_err(|error| Failure::new(FailureKind::Environment, chain(&error)))?;
    archive
        .seek(SeekFrom::Start(0))
        .map_err(|error| io_failure("read an image archive", &error))?;
    let taken = executor.load(&mut archive).map_err(|error| executor_failure(&error))?;
    if !taken {
        let message = "the engine lost a layer of the image this one is built on";
        return Err(
            Failure::new(FailureKind::Environment, message).hint("run farm again: it makes the lower image first")
        );
    }
    Ok(ImageId(format!("sha256:{}", id.to_hex())))
}

/// A configuration with the same settings and layers as an image that is there.
pub fn config_of(info: &ImageInfo, epoch: u64) -> Result<ImageConfig, Failure> {
    let mut config = ImageConfig::new(&info.architecture, epoch);
    config.os.clone_from(&info.os);
    config.env.clone_from(&info.env);
    config.entrypoint.clone_from(&info.entrypoint);
    config.cmd.clone_from(&info.cmd);
    config.user.clone_from(&info.user);
    config.workdir.clone_from(&info.workdir);
    for layer in &info.layers {
        let diff_id = layer
            .parse()
            .map_err(|_| Failure::new(FailureKind::Bug, format!("the engine names a layer {layer}")))?;
        config.diff_ids.push(diff_id);
    }
    Ok(config)
}

fn failure_kind(kind: ErrorKind) -> FailureKind {
    match kind {
        ErrorKind::Input => FailureKind::Input,
        ErrorKind::Environment => FailureKind::Environment,
        ErrorKind::Bug => FailureKind::Bug,
    }
}

/// Passes a transfer's words on as events.
pub struct Tell<'a, 'b> {
    /// Where to.
    pub run: &'a Run<'b>,
    /// The node's name.
    pub name: &'a str,
}

impl Progress for Tell<'_, '_> {
    fn progress(&mut self, line: &str) {
        (self.run.events)(farm_engine::Event::NodeProgress {
            name: self.name.to_owned(),
            message: line.to_owned(),
        });
    }
}
