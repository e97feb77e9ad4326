//! Configuration layers that contradict each other on one flag of one atom.
//!
//! A later layer wins in Portage, silently. That is what layers are for, so the later one may say that it means it: with
//! `# !override` at the end of the line.

use std::collections::BTreeMap;

use farm_portage::lines::{Dialect, parse_use};

use crate::diagnostic::Diagnostic;
use crate::layers::Layer;
use crate::model::Farm;
use crate::source::Sources;
use crate::span::Span;

/// Checks the layers of each subject together with those of the binfarm below it.
pub(super) fn check(
    farm: &Farm,
    layers: &BTreeMap<String, Layer>,
    sources: &Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let below: Vec<&str> = farm
        .binfarm
        .iter()
        .flat_map(|binfarm| &binfarm.config)
        .map(|name| name.value.as_str())
        .collect();
    let mut stacks = vec![below.clone()];
    for subject in &farm.subjects {
        stacks.push(
            below
                .iter()
                .copied()
                .chain(subject.config.iter().map(|name| name.value.as_str()))
                .collect(),
        );
    }
    let mut flags: BTreeMap<&str, Vec<LayerFlag>> = BTreeMap::new();
    for (name, layer) in layers {
        flags.insert(name, layer_flags(layer, sources));
    }
    let mut found = Vec::new();
    for stack in stacks {
        let mut said: BTreeMap<(&str, &str), (&str, &LayerFlag)> = BTreeMap::new();
        for name in stack {
            for flag in flags.get(name).into_iter().flatten() {
                let earlier = said.insert((&flag.atom, &flag.name), (name, flag));
                let Some((other, earlier)) = earlier else { continue };
                if other != name && earlier.enabled != flag.enabled && !flag.overrides {
                    found.push(contradiction(flag, earlier, sources));
                }
            }
        }
    }
    // Two subjects over the same layers find the same thing twice.
    for diagnostic in found {
        if !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }
}

struct LayerFlag {
    atom: String,
    name: String,
    enabled: bool,
    overrides: bool,
    span: Span,
}

impl std::fmt::Display for LayerFlag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}{}", if self.enabled { "" } else { "-" }, self.name)
    }
}

fn contradiction(flag: &LayerFlag, earlier: &LayerFlag, sources: &Sources) -> Diagnostic {
    let message = format!(
        "`{flag}` of `{}` contradicts `{earlier}` of the layer below, at {}",
        flag.atom,
        sources.place(earlier.span)
    );
    Diagnostic::error(flag.span, message)
        .also(earlier.span, format!("`{earlier}` is set here"))
        .help("remove one of them, or put `# !override` at the end of the later line if it is to win")
}

/// The flags of `package.use`, as a file or as a folder of files, in the order in which Portage reads them. Lines that
/// Portage would not take are reported when the layer is read.
fn layer_flags(layer: &Layer, sources: &Sources) -> Vec<LayerFlag> {
    let mut found = Vec::new();
    for (path, file) in &layer.files {
        let (Some(source), Ok(text)) = (file.source, std::str::from_utf8(&file.bytes)) else {
            continue;
        };
        if path.as_str() != "package.use" && !path.starts_with("package.use/") {
            continue;
        }
        let lines: Vec<&str> = text.split('\n').collect();
        for entry in parse_use(text, Dialect::USER).entries {
            let line = lines.get(entry.place.line - 1).copied().unwrap_or_default();
            let overrides = line.split_once('#').is_some_and(|(_, comment)| {
                comment
                    .split_whitespace()
                    .any(|word| word.trim_end_matches([':', ',', '.', ';']) == "!override")
            });
            for value in &entry.values {
                let expanded = value.value.expanded();
                let (name, enabled) = expanded
                    .strip_prefix('-')
                    .map_or((expanded.as_str(), true), |name| (name, false));
                if name.ends_with('*') {
                    continue;
                }
                let span = sources.span(source, value.place.span.start, value.place.span.end);
                found.push(LayerFlag {
                    atom: entry.atom.to_string(),
                    name: name.to_owned(),
                    enabled,
                    overrides,
                    span,
                });
            }
        }
    }
    found
}
