//! From `vars:`, the environment and the command line to the values that hold.

use std::collections::BTreeMap;

use super::Overrides;
use crate::diagnostic::Diagnostic;
use crate::model::{Origin, Variable};
use crate::source::Sources;
use crate::span::{Span, Spanned};
use crate::tree::locate;
use crate::vars::{Declared, Given, Lookup, apply, expand, is_name, resolve};
use crate::yaml::{Entry, Kind, Node};

/// Names that stand for something by themselves.
const RESERVED: &[&str] = &["farm", "flavour", "image"];
/// What the environment's names start with.
const PREFIX: &str = "FARM_";

/// What names stand for in the manifest.
pub(super) struct Variables {
    pub(super) values: BTreeMap<String, Variable>,
    pub(super) fixed: BTreeMap<String, String>,
    pub(super) broken: Vec<String>,
}

/// Finds the value of every variable, and of `${farm}` and `${flavour}`.
pub(super) fn variables(
    manifest: &Node,
    farm: &str,
    overrides: &Overrides,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Variables {
    let mut declared = declared(manifest, diagnostics);
    let from_environment: Vec<(&str, &str)> = overrides
        .environment
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value.as_str())))
        .filter(|(name, _)| declared.contains_key(*name))
        .collect();
    let environment = given(sources, "<environment>", PREFIX, &from_environment);
    let from_command_line: Vec<(&str, &str)> = overrides
        .command_line
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let command_line = given(sources, "<command line>", "", &from_command_line);
    apply(&mut declared, environment, command_line, diagnostics);

    let mut fixed = BTreeMap::from([("farm".to_owned(), farm.to_owned())]);
    let sources = &*sources;
    let values = resolve(
        &declared,
        &fixed,
        |span: Span, word: &str| locate(sources, span, word),
        diagnostics,
    );
    let mut broken: Vec<String> = declared
        .keys()
        .filter(|name| !values.contains_key(*name))
        .cloned()
        .collect();
    match flavour(manifest, &values, &fixed) {
        Some(flavour) => {
            fixed.insert("flavour".to_owned(), flavour);
        }
        None => broken.push("flavour".to_owned()),
    }
    Variables { values, fixed, broken }
}

/// Reads `vars:`. Its texts are taken as written: `1.10` and `20251101` are no numbers.
fn declared(manifest: &Node, diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<String, Declared> {
    let mut declared = BTreeMap::new();
    let Some(vars) = entry(manifest, "vars").filter(|vars| !vars.is_null()) else {
        return declared;
    };
    let Kind::Mapping(entries) = &vars.kind else {
        diagnostics.push(
            Diagnostic::error(vars.span, format!("`vars` wants a map, not {}", vars.describe()))
                .help("write `{ NAME: value }`"),
        );
        return declared;
    };
    for Entry { key, value } in entries {
        if RESERVED.contains(&key.text.as_str()) {
            let message = format!("`{}` stands for something already and cannot be declared", key.text);
            diagnostics.push(Diagnostic::error(key.span, message));
            continue;
        }
        if !is_name(&key.text) {
            diagnostics.push(
                Diagnostic::error(key.span, format!("`{}` cannot name a variable", key.text))
                    .help("a name has letters, digits and `_`, and starts with no digit"),
            );
            continue;
        }
        let Kind::Scalar(scalar) = &value.kind else {
            let message = format!("the variable `{}` wants a text, not {}", key.text, value.describe());
            diagnostics.push(Diagnostic::error(value.span, message));
            continue;
        };
        let value = Spanned::new(scalar.text.clone(), value.span);
        declared.insert(
            key.text.clone(),
            Declared {
                value,
                origin: Origin::Manifest,
            },
        );
    }
    declared
}

fn entry<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.kind {
        Kind::Mapping(entries) => entries
            .iter()
            .find(|entry| entry.key.text == name)
            .map(|entry| &entry.value),
        _ => None,
    }
}

/// Writes the values down as a text of their own, so that messages can point into it.
fn given(sources: &mut Sources, path: &str, prefix: &str, values: &[(&str, &str)]) -> Vec<Given> {
    if values.is_empty() {
        return Vec::new();
    }
    let mut text = String::new();
    let mut places = Vec::new();
    for (name, value) in values {
        let start = text.len();
        text.push_str(prefix);
        text.push_str(name);
        let end = text.len();
        text.push('=');
        let value_start = text.len();
        text.push_str(value);
        places.push((start..end, value_start..text.len()));
        text.push('\n');
    }
    let file = sources.add(path, text.into_bytes());
    values
        .iter()
        .zip(places)
        .map(|((name, value), (name_place, value_place))| Given {
            name: Spanned::new((*name).to_owned(), sources.span(file, name_place.start, name_place.end)),
            value: Spanned::new(
                (*value).to_owned(),
                sources.span(file, value_place.start, value_place.end),
            ),
        })
        .collect()
}

/// The flavour as a value, since `${flavour}` stands for it elsewhere. What is wrong with it is reported when the tree is expanded.
fn flavour(manifest: &Node, values: &BTreeMap<String, Variable>, fixed: &BTreeMap<String, String>) -> Option<String> {
    let Some(node) = entry(manifest, "flavour").filter(|node| !node.is_null()) else {
        return Some("default".to_owned());
    };
    let Kind::Scalar(scalar) = &node.kind else { return None };
    let lookup = |name: &str| match (values.get(name), fixed.get(name)) {
        (Some(variable), _) => Lookup::Value(variable.value.value.as_str()),
        (None, Some(value)) => Lookup::Value(value.as_str()),
        (None, None) => Lookup::Undefined,
    };
    expand(&scalar.text, lookup).ok()
}
