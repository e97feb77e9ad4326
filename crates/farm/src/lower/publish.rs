//! Where packages and images go.

use std::path::{Path, PathBuf};

use farm_remote::Address;

use super::Lowering;
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
            base: self.farm.publish.base,
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

/// The folder that an address means, if it means one.
pub fn local_folder(to: &str, workspace: &Path) -> Option<PathBuf> {
    match to.strip_prefix("file://") {
        Some(path) => Some(workspace.join(path)),
        None if !to.contains("://") => Some(workspace.join(to)),
        None => None,
    }
}

/// The folder that `to` and a flavour mean for publishing: the one that clients read; or the mirror, in the workspace's state, of what
/// is at the address.
///
/// # Errors
///
/// The user's: the address is none.
pub fn published_to(
    to: &str,
    flavour: &str,
    workspace: &Path,
    state: &Path,
) -> Result<(PathBuf, Option<Address>), FarmError> {
    if let Some(folder) = local_folder(to, workspace) {
        return Ok((folder.join(flavour), None));
    }
    let address = Address::parse(to).map_err(|error| FarmError::input(error.to_string()).hint(error.hint()))?;
    let address = address.join(flavour);
    let mirrors = state.join(publish_remote::MIRRORS);
    Ok((mirrors.join(address.folder_name()), Some(address)))
}
