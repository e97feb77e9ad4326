//! Files that `env:` of a package names. Without the file Portage stops in the middle of a build.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use crate::diagnostic::Diagnostic;
use crate::layers::{Layer, RootTree};
use crate::model::Farm;
use crate::near;

/// Where the binfarm's literal root has files for package.env.
const ROOT_ENV: &str = "etc/portage/env";

/// The files of `env/` in all layers and in the literal root, by their path in it.
fn names(layers: &BTreeMap<String, Layer>, root: Option<&RootTree>) -> BTreeSet<String> {
    let layers = layers
        .values()
        .flat_map(|layer| layer.files.keys())
        .filter_map(|path| path.strip_prefix("env").ok());
    let root = root
        .into_iter()
        .flat_map(|root| root.files.keys())
        .filter_map(|path| path.strip_prefix(ROOT_ENV).ok());
    layers.chain(root).map(Utf8Path::to_string).collect()
}

/// The name of the file that `env: [name]` means: that name, or with `.conf` after it.
pub(crate) fn find(name: &str, layers: &BTreeMap<String, Layer>, root: Option<&RootTree>) -> Option<String> {
    let names = names(layers, root);
    [name.to_owned(), format!("{name}.conf")]
        .into_iter()
        .find(|candidate| names.contains(candidate))
}

/// Reports every name that no layer has a file for.
pub(super) fn check(
    farm: &Farm,
    layers: &BTreeMap<String, Layer>,
    root: Option<&RootTree>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let names = names(layers, root);
    for entry in farm.package_settings() {
        for name in &entry.settings.env {
            if names.contains(&name.value) || names.contains(&format!("{}.conf", name.value)) {
                continue;
            }
            let known = names.iter().map(|known| known.strip_suffix(".conf").unwrap_or(known));
            let help = near::suggestion(&name.value, known)
                .unwrap_or_else(|| format!("write `env/{}.conf` in a layer that `config` names", name.value));
            let message = format!(
                "no configuration layer has the file `env/{}` or `env/{0}.conf`",
                name.value
            );
            diagnostics.push(Diagnostic::error(name.span, message).help(help));
        }
    }
}
