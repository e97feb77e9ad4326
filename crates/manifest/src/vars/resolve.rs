//! Which value of a variable holds, and what the variables in it stand for.

use std::collections::{BTreeMap, BTreeSet};

use super::expand::{Lookup, Problem, expand};
use crate::diagnostic::Diagnostic;
use crate::model::{Origin, Variable};
use crate::near;
use crate::span::{Span, Spanned};

/// A variable as the manifest declares it.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    /// The value as it holds now, not yet expanded.
    pub(crate) value: Spanned<String>,
    /// Who gave that value.
    pub(crate) origin: Origin,
}

/// A value given from outside.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) name: Spanned<String>,
    pub(crate) value: Spanned<String>,
}

/// Lays the values of the environment, then those of the command line over the declared ones.
///
/// A name of the environment that is not declared is somebody else's (`FARM_SCRATCH`); one of the command line is an error.
pub(crate) fn apply(
    declared: &mut BTreeMap<String, Declared>,
    environment: Vec<Given>,
    command_line: Vec<Given>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for given in environment {
        if let Some(variable) = declared.get_mut(&given.name.value) {
            variable.value = given.value;
            variable.origin = Origin::Environment;
        }
    }
    for given in command_line {
        match declared.get_mut(&given.name.value) {
            Some(variable) => {
                variable.value = given.value;
                variable.origin = Origin::CommandLine;
            }
            None => {
                let name = &given.name.value;
                let help = near::suggestion(name, declared.keys().map(String::as_str))
                    .unwrap_or_else(|| format!("declare it in the manifest: `vars: {{ {name}: ... }}`"));
                diagnostics.push(
                    Diagnostic::error(given.name.span, format!("this farm declares no variable `{name}`")).help(help),
                );
            }
        }
    }
}

/// Expands the variables in the values of variables.
///
/// `fixed` are names that stand for something without being declared (`farm`). Variables in a cycle, or that use something
/// undefined, are reported and left out.
pub(crate) fn resolve(
    declared: &BTreeMap<String, Declared>,
    fixed: &BTreeMap<String, String>,
    locate: impl Fn(Span, &str) -> Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Variable> {
    let mut done: BTreeMap<String, Variable> = BTreeMap::new();
    let mut left: BTreeSet<&str> = declared.keys().map(String::as_str).collect();
    // Each round finishes every variable whose parts are known, so that no recursion is needed; a round without progress
    // leaves cycles and what hangs on them.
    loop {
        let mut progress = false;
        for name in left.clone() {
            let variable = &declared[name];
            let mut waits = false;
            let result = expand(&variable.value.value, |used| match (done.get(used), fixed.get(used)) {
                (Some(known), _) => Lookup::Value(known.value.value.as_str()),
                (None, Some(value)) => Lookup::Value(value),
                (None, None) => Lookup::Undefined,
            });
            let value = match result {
                Ok(text) => Some(text),
                Err(problems) => {
                    waits = problems.iter().any(
                        |problem| matches!(problem, Problem::Undefined { name, .. } if left.contains(name.as_str())),
                    );
                    if !waits {
                        // A declared name that is not there was reported for itself.
                        let news = problems.into_iter().filter(
                            |problem| !matches!(problem, Problem::Undefined { name, .. } if declared.contains_key(name)),
                        );
                        for problem in news {
                            diagnostics.push(describe(problem, variable.value.span, declared.keys(), &locate));
                        }
                    }
                    None
                }
            };
            if waits {
                continue;
            }
            progress = true;
            left.remove(name);
            if let Some(text) = value {
                let value = Spanned::new(text, variable.value.span);
                done.insert(
                    name.to_owned(),
                    Variable {
                        value,
                        origin: variable.origin,
                    },
                );
            }
        }
        if !progress {
            break;
        }
    }
    if let Some(cycle) = find_cycle(declared, &left) {
        let first = &declared[cycle[0]];
        let names: Vec<String> = cycle
            .iter()
            .chain(cycle.first())
            .map(|name| format!("`{name}`"))
            .collect();
        let mut diagnostic = Diagnostic::error(
            first.value.span,
            format!("variables use each other in a cycle: {}", names.join(" -> ")),
        );
        for name in &cycle[1..] {
            diagnostic = diagnostic.also(declared[*name].value.span, "and this");
        }
        diagnostics.push(diagnostic);
    }
    done
}

/// Turns a problem of a text into a diagnostic. `locate` finds the place of a word inside of a span.
pub(crate) fn describe<'a>(
    problem: Problem,
    span: Span,
    known: impl Iterator<Item = &'a String>,
    locate: impl Fn(Span, &str) -> Span,
) -> Diagnostic {
    match problem {
        Problem::Undefined { name, .. } => {
            let place = locate(span, &format!("${{{name}}}"));
            let literal = format!("for a literal `${{{name}}}` write `$${{{name}}}`");
            let near = near::near(&name, known.map(String::as_str));
            let help = match near.first() {
                Some(near) => format!("did you mean `${{{near}}}`? {literal}"),
                None => format!("declare it under `vars:`; {literal}"),
            };
            Diagnostic::error(place, format!("the variable `{name}` is not defined")).help(help)
        }
        Problem::Malformed { .. } => {
            Diagnostic::error(locate(span, "${"), "this `${` is not followed by a name and `}`")
                .help("a variable is written `${NAME}`; for a literal `${` write `$${`")
        }
    }
}

/// Follows the first use of a variable that is not finished until one comes a second time.
fn find_cycle<'a>(declared: &'a BTreeMap<String, Declared>, left: &BTreeSet<&'a str>) -> Option<Vec<&'a str>> {
    let mut path: Vec<&str> = vec![left.first()?];
    loop {
        let value = &declared[*path.last()?].value.value;
        let next = match expand(value, |_| Lookup::Undefined) {
            Err(problems) => problems.into_iter().find_map(|problem| match problem {
                Problem::Undefined { name, .. } => left.get(name.as_str()).copied(),
                Problem::Malformed { .. } => None,
            })?,
            Ok(_) => return None,
        };
        if let Some(start) = path.iter().position(|name| *name == next) {
            return Some(path.split_off(start));
        }
        path.push(next);
    }
}
