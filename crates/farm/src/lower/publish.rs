//! Where packages and images go.

use super::{Lowering, published_to};
use crate::command::FarmError;
use crate::rules::publish_images::PublishImagesPlan;
use crate::rules::publish_pkgs::PublishPkgsPlan;

impl Lowering<'_> {
    pub(super) fn publish_pkgs(&self) -> Result<Option<PublishPkgsPlan>, FarmError> {
        let Some(publish) = &self.farm.publish.pkgs else {
            return Ok(None);
        };
        let to = &publish.to.value;
        let (folder, remote) = published_to(to, self.flavour(), &self.context.workspace, &self.context.state)?;
        let deny = self.farm.publish.deny.iter().chain(&publish.deny);
        Ok(Some(PublishPkgsPlan {
            to: format!("{}/{}", to.trim_end_matches('/'), self.flavour()),
            folder,
            remote,
            url: publish
                .url
                .as_ref()
                .map(|url| format!("{}/{}", url.value.trim_end_matches('/'), self.flavour())),
            deny: deny.map(|deny| deny.value.clone()).collect(),
            private: publish.private,
            sign: publish.sign.as_ref().map(|sign| sign.value.clone()),
            needs: publish
                .needs
                .iter()
                .map(|target| self.target_node(&target.value))
                .collect(),
        }))
    }

    pub(super) fn publish_images(&self) -> Option<PublishImagesPlan> {
        let publish = self.farm.publish.images.as_ref()?;
        let images = self
            .farm
            .images
            .iter()
            .map(|image| {
                let name = &image.name.value;
                (
                    self.node(&format!("image/{name}")),
                    name.clone(),
                    publish.reference(name),
                )
            })
            .collect();
        let needs = publish
            .needs
            .iter()
            .map(|target| self.target_node(&target.value))
            .collect();
        Some(PublishImagesPlan { images, needs })
    }
}
