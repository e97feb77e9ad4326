//! The manifest and those it includes, merged into one tree.

use super::{Disk, LoadError, manifest_of, names_of_farms};
use crate::diagnostic::Diagnostic;
use crate::model::is_target_word;
use crate::near;
use crate::reader::is_name;
use crate::source::Sources;
use crate::span::Spanned;
use crate::tree;
use crate::yaml::{self, Entry, Kind, Node};

/// Reads the manifest of a farm; `None` where it holds nothing that could be looked at further.
pub(super) fn read(
    disk: Disk<'_>,
    name: &str,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Option<Node>, LoadError> {
    let Some(own) = parse(disk, name, sources, diagnostics)? else {
        return Ok(None);
    };
    check_name(&own, name, diagnostics);
    let mut visited = vec![name.to_owned()];
    Ok(Some(with_includes(disk, own, &mut visited, sources, diagnostics)?))
}

fn parse(
    disk: Disk<'_>,
    name: &str,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Option<Node>, LoadError> {
    let path = manifest_of(name);
    let bytes = disk.read(&path)?;
    let valid_up_to = std::str::from_utf8(&bytes).err().map(|error| error.valid_up_to());
    let file = sources.add(path, bytes);
    if let Some(offset) = valid_up_to {
        let message = format!("the file is not UTF-8 from byte {offset} on");
        diagnostics.push(Diagnostic::error(sources.span(file, 0, 0), message).help("save it in UTF-8"));
        return Ok(None);
    }
    let before = diagnostics.len();
    let tree = yaml::parse(sources, file, diagnostics);
    let tree = tree.filter(|node| !node.is_null());
    match tree {
        Some(mut node) => {
            tree::unique_keys(&mut node, sources, diagnostics);
            Ok(Some(node))
        }
        None if diagnostics.len() == before => {
            let help = format!("a manifest starts with `farm: {name}`");
            diagnostics.push(Diagnostic::error(sources.span(file, 0, 0), "the manifest is empty").help(help));
            Ok(None)
        }
        None => Ok(None),
    }
}

/// A farm's name must not be mistaken for a target on the command line.
fn check_name(node: &Node, name: &str, diagnostics: &mut Vec<Diagnostic>) {
    let span = value(node, "farm").map_or(node.span, |value| value.span);
    if is_target_word(name) {
        diagnostics.push(
            Diagnostic::error(span, format!("a farm cannot be called `{name}`, which names a target"))
                .help("rename its folder and write the new name here"),
        );
    } else if !is_name(name) {
        diagnostics.push(
            Diagnostic::error(span, format!("a farm cannot be called `{name}`"))
                .help("a name has letters, digits, `_`, `-`, `+` and `.`, and starts with a letter or a digit"),
        );
    }
}

fn value<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.kind {
        Kind::Mapping(entries) => entries
            .iter()
            .find(|entry| entry.key.text == name)
            .map(|entry: &Entry| &entry.value),
        _ => None,
    }
}

/// Lays a manifest over those it includes. Each farm is taken once, where it is named first.
fn with_includes(
    disk: Disk<'_>,
    own: Node,
    visited: &mut Vec<String>,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Node, LoadError> {
    let mut below: Option<Node> = None;
    for include in includes(&own, diagnostics) {
        let name = &include.value;
        if visited.contains(name) {
            if visited.first() == Some(name) {
                diagnostics.push(Diagnostic::error(
                    include.span,
                    format!("the farm `{name}` includes itself"),
                ));
            }
            continue;
        }
        visited.push(name.clone());
        if !is_name(name) || !disk.at(manifest_of(name)).is_file() {
            let known = names_of_farms(disk)?;
            let help = near::suggestion(name, known.iter().map(String::as_str));
            diagnostics.push(
                Diagnostic::error(include.span, format!("there is no farm `{name}` to include")).maybe_help(help),
            );
            continue;
        }
        let Some(node) = parse(disk, name, sources, diagnostics)? else {
            continue;
        };
        // The depth is bounded by the number of farms, since each is visited once.
        let included = with_includes(disk, node, visited, sources, diagnostics)?;
        below = Some(match below {
            None => included,
            Some(earlier) => tree::merge(earlier, included, sources, diagnostics),
        });
    }
    Ok(match below {
        None => own,
        Some(below) => tree::merge(below, own, sources, diagnostics),
    })
}

/// The farms named by `include:`, a text or a list of texts. Variables are not known yet and cannot be used.
fn includes(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Vec<Spanned<String>> {
    let Some(include) = value(node, "include").filter(|value| !value.is_null()) else {
        return Vec::new();
    };
    let items = match &include.kind {
        Kind::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(include),
    };
    let mut names = Vec::new();
    for item in items {
        match &item.kind {
            Kind::Scalar(scalar) if !scalar.text.contains("${") => {
                names.push(Spanned::new(scalar.text.clone(), item.span));
            }
            Kind::Scalar(_) => {
                diagnostics.push(Diagnostic::error(
                    item.span,
                    "`include` cannot use variables, which come from what it includes",
                ));
            }
            _ => diagnostics.push(
                Diagnostic::error(
                    item.span,
                    format!("`include` wants the name of a farm, not {}", item.describe()),
                )
                .help("write `include: [NAME]`"),
            ),
        }
    }
    names
}
