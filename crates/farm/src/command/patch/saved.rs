//! The user patches of a farm, as its layers have them.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use farm_manifest::Loaded;
use farm_manifest::model::Binfarm;
use farm_portage::user_patches::{PatchScope, is_patch};

use crate::lower::layers;
use crate::settings::RenderedLayer;

/// A user patch in a configuration layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SavedPatch {
    /// The layer's name.
    pub(super) layer: String,
    /// What it is for.
    pub(super) scope: PatchScope,
    /// The file's name.
    pub(super) file: String,
    /// Whether nothing is in it, so that it only takes others away.
    pub(super) empty: bool,
    /// The layer that has a file in the same place and comes later.
    pub(super) replaced_by: Option<String>,
}

impl SavedPatch {
    /// Where it is, relative to the workspace.
    pub(super) fn path(&self) -> Utf8PathBuf {
        folder(&self.layer, &self.scope).join(&self.file)
    }
}

/// The folder of a layer's patches for this, relative to the workspace.
pub(super) fn folder(layer: &str, scope: &PatchScope) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("profiles/{layer}/patches/{scope}"))
}

/// The user patches of a farm, in the order of its layers.
pub(super) fn of_farm(loaded: &Loaded, binfarm: &Binfarm) -> Vec<SavedPatch> {
    of_layers(&layers(loaded, binfarm))
}

/// The user patches of layers in their order.
pub(super) fn of_layers(layers: &[RenderedLayer]) -> Vec<SavedPatch> {
    let mut found: Vec<SavedPatch> = Vec::new();
    let mut newest: BTreeMap<String, usize> = BTreeMap::new();
    for layer in layers {
        for (path, node) in &layer.files {
            let Some((folder, file)) = path.strip_prefix("patches/").and_then(|path| path.rsplit_once('/')) else {
                continue;
            };
            let Some(scope) = PatchScope::parse(folder).filter(|_| is_patch(file)) else {
                continue;
            };
            if let Some(former) = newest.insert(path.clone(), found.len())
                && let Some(former) = found.get_mut(former)
            {
                former.replaced_by = Some(layer.name.clone());
            }
            let empty = match node {
                crate::files::FileNode::File { bytes, .. } => bytes.is_empty(),
                // A link to /dev/null is how people write an empty file.
                crate::files::FileNode::Link { target } => target == "/dev/null",
            };
            found.push(SavedPatch {
                layer: layer.name.clone(),
                scope,
                file: file.to_owned(),
                empty,
                replaced_by: None,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FileNode;

    fn layer(name: &str, files: &[(&str, &str)]) -> RenderedLayer {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), FileNode::text(*text)))
            .collect();
        RenderedLayer {
            name: name.to_owned(),
            files,
        }
    }

    #[test]
    fn patches_are_found_with_their_layers() {
        let layers = [
            layer(
                "common",
                &[
                    ("patches/a/b/1.patch", "text"),
                    ("patches/a/b/README", "text"),
                    ("patches/a/b/deep/2.patch", "text"),
                    ("package.use/x", ""),
                ],
            ),
            layer(
                "type/dbg",
                &[("patches/a/b/1.patch", "other"), ("patches/a/b-1:2/0.diff", "")],
            ),
        ];
        let found: Vec<(String, bool, Option<String>)> = of_layers(&layers)
            .into_iter()
            .map(|patch| (patch.path().into_string(), patch.empty, patch.replaced_by))
            .collect();
        let patch = |path: &str, empty, replaced: Option<&str>| (path.to_owned(), empty, replaced.map(str::to_owned));
        assert_eq!(
            found,
            [
                patch("profiles/common/patches/a/b/1.patch", false, Some("type/dbg")),
                patch("profiles/type/dbg/patches/a/b-1:2/0.diff", true, None),
                patch("profiles/type/dbg/patches/a/b/1.patch", false, None),
            ]
        );
    }
}
