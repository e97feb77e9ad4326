//! What can only be checked when the whole farm is known.

mod env_files;
mod flags;
mod layer_flags;
mod layer_lines;
mod references;

use std::collections::BTreeMap;

pub(crate) use self::env_files::find as find_env_file;
use crate::diagnostic::Diagnostic;
use crate::layers::{Layer, RootTree};
use crate::model::Farm;
use crate::source::Sources;

/// Checks the farm as a whole.
pub(crate) fn check(
    farm: &Farm,
    layers: &BTreeMap<String, Layer>,
    root: Option<&RootTree>,
    sources: &Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    references::check(farm, diagnostics);
    flags::check(farm, sources, diagnostics);
    env_files::check(farm, layers, root, diagnostics);
    layer_lines::check(layers, sources, diagnostics);
    layer_flags::check(farm, layers, sources, diagnostics);
}
