//! Images, and the stages that are packed from them.

use std::collections::{BTreeMap, BTreeSet};

use farm_manifest::model::{Binfarm, Image, ImageFrom, Stage};

use super::Lowering;
use crate::names::TOOLS_SUBJECT;
use crate::rules::image::ImagePlan;
use crate::rules::image_config::ImageConfigPlan;
use crate::rules::stage::StagePlan;

impl Lowering<'_> {
    /// Every image of a farm: those that all farms have, those of the manifest, and those that stages are packed from.
    pub(super) fn images(&self, binfarm: &Binfarm) -> Vec<ImagePlan> {
        let plain = |local: &str, with_settings: bool, subjects: Vec<String>| ImagePlan {
            local: local.to_owned(),
            from: self.node("root"),
            subjects,
            with_settings,
            is_root: false,
            strip: Vec::new(),
            scripts: Vec::new(),
            config: ImageConfigPlan {
                user: binfarm.user.as_ref().map(|user| user.value.clone()),
                ..ImageConfigPlan::default()
            },
            tag: self.tag(local),
        };
        let tools = if binfarm.packages.is_empty() {
            Vec::new()
        } else {
            vec![TOOLS_SUBJECT.to_owned()]
        };
        let mut images = vec![plain("binfarm", false, tools), plain("env", true, Vec::new())];
        images.extend(self.farm.images.iter().map(|image| self.image(image)));
        images.extend(self.farm.buildable_stages().filter_map(|stage| self.stage_root(stage)));
        images
    }

    fn image(&self, image: &Image) -> ImagePlan {
        let name = &image.name.value;
        let texts =
            |values: &[farm_manifest::Spanned<String>]| values.iter().map(|value| value.value.clone()).collect();
        let map = |values: &BTreeMap<String, farm_manifest::Spanned<String>>| {
            values
                .iter()
                .map(|(name, value)| (name.clone(), value.value.clone()))
                .collect()
        };
        ImagePlan {
            local: format!("image/{name}"),
            from: self.start(&image.from.value),
            subjects: image.subjects.iter().map(|subject| subject.value.clone()).collect(),
            with_settings: false,
            is_root: false,
            // A set: in what order things are left out says nothing.
            strip: image
                .strip
                .iter()
                .map(|strip| strip.value)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            scripts: Vec::new(),
            config: ImageConfigPlan {
                entrypoint: texts(&image.entrypoint),
                cmd: texts(&image.cmd),
                env: map(&image.env),
                user: image.user.as_ref().map(|user| user.value.clone()),
                workdir: image.workdir.as_ref().map(|workdir| workdir.value.clone()),
                labels: map(&image.labels),
            },
            tag: self.tag(name),
        }
    }

    /// The node whose image others start from.
    fn start(&self, from: &ImageFrom) -> String {
        match from {
            ImageFrom::Base => self.node("base"),
            ImageFrom::Binfarm => self.node("binfarm"),
            ImageFrom::Image(other) => self.node(&format!("image/{other}")),
            ImageFrom::Reference(reference) => self.node(&format!("base/{reference}")),
        }
    }

    /// The stages of a farm.
    pub(super) fn stages(&self) -> Vec<StagePlan> {
        self.farm.buildable_stages().map(|stage| self.stage(stage)).collect()
    }

    /// The image that a stage is packed from, unless it is that which it starts from.
    fn stage_root(&self, stage: &Stage) -> Option<ImagePlan> {
        // From a base of which packages were built anew, a stage gets those besides.
        let is_base = matches!(stage.from.value, ImageFrom::Base) && !self.generations().is_empty();
        if stage.subjects.is_empty() && stage.scripts.is_empty() && !is_base {
            return None;
        }
        Some(ImagePlan {
            local: format!("stage-root/{}", stage.name.value),
            from: self.start(&stage.from.value),
            subjects: stage.subjects.iter().map(|subject| subject.value.clone()).collect(),
            with_settings: false,
            is_root: false,
            strip: Vec::new(),
            scripts: self.scripts(&stage.scripts),
            config: ImageConfigPlan::default(),
            // A folder of its own among the names: an image may be called as a stage is.
            tag: self.tag(&stage.name.value).replacen("farm/", "farm/stage/", 1),
        })
    }

    fn stage(&self, stage: &Stage) -> StagePlan {
        let made = self.stage_root(stage).map(|plan| self.node(&plan.local));
        StagePlan {
            name: stage.name.value.clone(),
            image: made.unwrap_or_else(|| self.start(&stage.from.value)),
            remove: stage.remove.iter().map(|path| path.value.clone()).collect(),
            sign: stage.sign.as_ref().map(|sign| sign.value.clone()),
        }
    }
}
