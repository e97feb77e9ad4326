//! Where packages and images go.

use farm_remote::Address;

use super::{Lowering, local_folder};
use crate::command::FarmError;
use crate::rules::publish_images::PublishImagesPlan;
use crate::rules::publish_pkgs::PublishPkgsPlan;
use crate::rules::publish_remote;

impl Lowering<'_> {
    pub(super) fn publish_pkgs(&self) -> Result<Option<PublishPkgsPlan>, FarmError> {
        let Some(publish) = &self.farm.publish.pkgs else {
            return Ok(None);
        };
        let to = &publish.to.value;
        let (folder, remote) = match local_folder(to, &self.context.workspace) {
            Some(folder) => (folder.join(self.flavour()), None),
            None => {
                let address =
                    Address::parse(to).map_err(|error| FarmError::input(error.to_string()).hint(error.hint()))?;
                let address = address.join(self.flavour());
                let mirrors = self.context.state.join(publish_remote::MIRRORS);
                (mirrors.join(address.folder_name()), Some(address))
            }
        };
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
