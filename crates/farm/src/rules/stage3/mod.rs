//! `base` of a stage3 archive: nothing of it is unpacked before its signature was found good.

mod source;
mod unpack;

use std::io::{Seek, SeekFrom};

use farm_engine::{Class, Digest, Event, Failure, Input, NodeSpec, Output, Run};
use farm_executor::Progress as _;
use farm_image::{ArchiveLayer, ImageConfig};
use fs_err as fs;

pub(crate) use self::source::sweep_parts;
pub use self::source::{Stage3Pin, Stage3Source, Verified};
use super::base::{self, Tell, load};
use super::network;
use crate::action::Action;
use crate::context::{Context, LABEL, NODE_LABEL, io_failure};

/// What the rule needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage3Data {
    /// Where it comes from.
    pub source: Stage3Source,
    /// What it is.
    pub pin: Stage3Pin,
}

/// The node of a stage3 archive. Where it comes from, who signed it and which keys are trusted decide whether it is used, and not what it is.
#[must_use]
pub fn node(name: String, data: Stage3Data, epoch: u64) -> NodeSpec<Action> {
    NodeSpec {
        name,
        kind: "base".to_owned(),
        rule_version: 1,
        class: Class::Prepare,
        inputs: vec![
            Input::text("stage3", data.pin.digest.to_string()),
            Input::text("epoch", epoch.to_string()),
        ],
        dependencies: Vec::new(),
        expands: false,
        pools: network(),
        action: Action::BaseStage3(Box::new(data)),
    }
}

/// Checks the archive, and loads it as an image.
pub fn run(context: &Context, run: &Run<'_>, name: &str, data: &Stage3Data) -> Result<Vec<Output>, Failure> {
    let executor = context.executor()?;
    let mut tell = Tell { run, name };
    let archive = data
        .source
        .verified(context, Some(&data.pin), &mut |line| tell.progress(line))?;
    (run.events)(Event::Note {
        message: format!("{name}: {} is signed by {}", data.source.archive, archive.signer),
    });
    tell.progress("unpacking it");
    context.with_scratch(|scratch| {
        let path = scratch.join("base.tar");
        let mut tar = fs::File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| io_failure("unpack an archive", &error))?;
        let unpacked = unpack::unpack(&context.cancel, archive, &mut tar)?;
        tar.seek(SeekFrom::Start(0))
            .map_err(|error| io_failure("read a layer", &error))?;

        tell.progress("loading it into the engine");
        let mut config = ImageConfig::new(unpacked.architecture, context.epoch);
        config.env = vec![base::PATH.to_owned()];
        config.cmd = vec!["/bin/bash".to_owned()];
        config.labels.insert(LABEL.to_owned(), "1".to_owned());
        config.labels.insert(NODE_LABEL.to_owned(), "base".to_owned());
        config.diff_ids = vec![unpacked.diff_id];
        let layers = vec![ArchiveLayer {
            diff_id: unpacked.diff_id,
            content: Some((unpacked.size, Box::new(tar))),
        }];
        let tag = format!("farm/base:{}", Digest::of(data.pin.digest.as_bytes()).short());
        let id = load(context, executor.as_ref(), &config, layers, std::slice::from_ref(&tag))?;
        tell.progress("reading what it holds");
        base::outputs(context, &id, Some(tag))
    })
}
