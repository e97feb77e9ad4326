//! Puts the values of variables into every text of the tree.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::model::Variable;
use crate::source::Sources;
use crate::span::Span;
use crate::vars::{self, Lookup};
use crate::yaml::{Kind, Node};

/// What names stand for.
pub(crate) struct Scope<'a> {
    pub(crate) variables: &'a BTreeMap<String, Variable>,
    /// Names that are there without being declared.
    pub(crate) fixed: &'a BTreeMap<String, String>,
    /// Declared names whose value could not be found; that was reported.
    pub(crate) broken: &'a [String],
}

/// Where `${image}` may stand: it is known only when an image is published.
const LATE: &[(&[&str], &str)] = &[(&["publish", "images", "to"], "image"), (&["publish", "images", "tag"], "image")];

/// Expands every text of the manifest except those of `vars:`, which have been.
pub(crate) fn expand(node: &mut Node, scope: &Scope<'_>, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) {
    expand_at(node, &mut Vec::new(), scope, sources, diagnostics);
}

fn expand_at(
    node: &mut Node,
    path: &mut Vec<String>,
    scope: &Scope<'_>,
    sources: &Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    match &mut node.kind {
        Kind::Scalar(scalar) => expand_text(&mut scalar.text, node.span, path, scope, sources, diagnostics),
        Kind::Sequence(items) => {
            for item in items {
                expand_at(item, path, scope, sources, diagnostics);
            }
        }
        Kind::Mapping(entries) => {
            for entry in entries {
                if path.is_empty() && entry.key.text == "vars" {
                    continue;
                }
                expand_text(&mut entry.key.text, entry.key.span, path, scope, sources, diagnostics);
                path.push(entry.key.text.clone());
                expand_at(&mut entry.value, path, scope, sources, diagnostics);
                path.pop();
            }
        }
    }
}

/// Expands one text in place. It stays as it is where something is wrong.
fn expand_text(
    text: &mut String,
    span: Span,
    path: &[String],
    scope: &Scope<'_>,
    sources: &Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if !text.contains("${") {
        return;
    }
    let is_late = |name: &str| LATE.iter().any(|(place, late)| *late == name && place.iter().eq(path.iter()));
    let result = vars::expand(text, |name| {
        if is_late(name) {
            return Lookup::Late;
        }
        match (scope.variables.get(name), scope.fixed.get(name)) {
            (Some(variable), _) => Lookup::Value(&variable.value.value),
            (None, Some(value)) => Lookup::Value(value),
            (None, None) if scope.broken.iter().any(|broken| broken == name) => Lookup::Late,
            (None, None) => Lookup::Undefined,
        }
    });
    match result {
        Ok(expanded) => *text = expanded,
        Err(problems) => {
            let known: Vec<&String> = scope.variables.keys().chain(scope.fixed.keys()).collect();
            for problem in problems {
                let place = |span, word: &str| locate(sources, span, word);
                let late = matches!(&problem, vars::Problem::Undefined { name, .. } if name == "image");
                let mut diagnostic = vars::describe(problem, span, known.iter().copied(), place);
                if late {
                    diagnostic = diagnostic.help("`${image}` stands for something only in `publish.images.to` and `.tag`");
                }
                diagnostics.push(diagnostic);
            }
        }
    }
}

/// The place of a word inside of a span; the whole span where it is not to be found (escapes of a quoted text).
pub(crate) fn locate(sources: &Sources, span: Span, word: &str) -> Span {
    match sources.slice(span).find(word) {
        Some(offset) => sources.span(span.file, span.start + offset, span.start + offset + word.len()),
        None => span,
    }
}
