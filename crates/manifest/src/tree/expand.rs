//! Puts the values of variables into every text of the tree.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::model::Variable;
use crate::source::Sources;
use crate::span::Span;
use crate::vars::{self, Lookup, Problem};
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
const LATE: &[(&[&str], &str)] = &[
    (&["publish", "images", "to"], "image"),
    (&["publish", "images", "tag"], "image"),
];

/// Expands every text of the manifest except those of `vars:`, which have been.
///
/// Gives the places of the texts that could not be expanded. Something is reported for each of them, and what is said about such a text
/// afterwards would only be a consequence.
pub(crate) fn expand(
    node: &mut Node,
    scope: &Scope<'_>,
    sources: &Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Span> {
    let mut expander = Expander {
        scope,
        sources,
        diagnostics,
        path: Vec::new(),
        broken: Vec::new(),
    };
    expander.node(node);
    expander.broken
}

struct Expander<'a> {
    scope: &'a Scope<'a>,
    sources: &'a Sources,
    diagnostics: &'a mut Vec<Diagnostic>,
    path: Vec<String>,
    broken: Vec<Span>,
}

impl Expander<'_> {
    fn node(&mut self, node: &mut Node) {
        match &mut node.kind {
            Kind::Scalar(scalar) => self.text(&mut scalar.text, node.span),
            Kind::Sequence(items) => {
                for item in items {
                    self.node(item);
                }
            }
            Kind::Mapping(entries) => {
                for entry in entries {
                    if self.path.is_empty() && entry.key.text == "vars" {
                        continue;
                    }
                    self.text(&mut entry.key.text, entry.key.span);
                    self.path.push(entry.key.text.clone());
                    self.node(&mut entry.value);
                    self.path.pop();
                }
            }
        }
    }

    /// Expands one text in place. It stays as it is where something is wrong.
    fn text(&mut self, text: &mut String, span: Span) {
        if !text.contains("${") {
            return;
        }
        let scope = self.scope;
        let uses_broken = Cell::new(false);
        let is_late = |name: &str| {
            LATE.iter()
                .any(|(place, late)| *late == name && place.iter().eq(self.path.iter()))
        };
        let result = vars::expand(text, |name| {
            if is_late(name) {
                return Lookup::Late;
            }
            match (scope.variables.get(name), scope.fixed.get(name)) {
                (Some(variable), _) => Lookup::Value(&variable.value.value),
                (None, Some(value)) => Lookup::Value(value),
                (None, None) if scope.broken.iter().any(|broken| broken == name) => {
                    uses_broken.set(true);
                    Lookup::Late
                }
                (None, None) => Lookup::Undefined,
            }
        });
        if uses_broken.get() || result.is_err() {
            self.broken.push(span);
        }
        match result {
            Ok(expanded) => *text = expanded,
            Err(problems) => {
                for problem in problems {
                    self.report(problem, span);
                }
            }
        }
    }

    fn report(&mut self, problem: Problem, span: Span) {
        let known = self.scope.variables.keys().chain(self.scope.fixed.keys());
        let late = matches!(&problem, Problem::Undefined { name, .. } if name == "image");
        let mut diagnostic = vars::describe(problem, span, known, |span, word| locate(self.sources, span, word));
        if late {
            diagnostic = diagnostic.help("`${image}` stands for something only in `publish.images.to` and `.tag`");
        }
        self.diagnostics.push(diagnostic);
    }
}

/// The place of a word inside of a span; the whole span where it is not to be found (escapes of a quoted text).
pub(crate) fn locate(sources: &Sources, span: Span, word: &str) -> Span {
    match sources.slice(span).find(word) {
        Some(offset) => sources.span(span.file, span.start() + offset, span.start() + offset + word.len()),
        None => span,
    }
}
