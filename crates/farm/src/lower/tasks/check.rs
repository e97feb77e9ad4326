//! What is wrong with the tasks as a whole: outputs that two of them make, inputs that are not there, circles.

use std::collections::BTreeMap;
use std::path::Path;

use farm_manifest::model::{Farm, Target};
use farm_manifest::{Diagnostic, Span, circle};
use farm_store::Witness;

use super::outputs::Declared;
use super::wiring::{InputError, Wiring};
use crate::command::FarmError;

/// Finds every mistake in the tasks of a farm. Looks for the files that nobody makes, and hashes none.
///
/// # Errors
///
/// The environment's: a folder that cannot be read.
pub(in crate::lower) fn check(farm: &Farm, workspace: &Path, mistakes: &mut Vec<Diagnostic>) -> Result<(), FarmError> {
    let wiring = Wiring::of(farm);
    mistakes.extend(wiring.outputs.clashes().map(|(earlier, later)| clash(earlier, later)));
    let numbers: BTreeMap<&str, usize> = (0..)
        .zip(&farm.tasks)
        .map(|(at, task)| (task.name.value.as_str(), at))
        .collect();
    let mut edges: Vec<Vec<Edge>> = Vec::new();
    // What is seen here decides nothing: the files are looked at again when the workspace is locked.
    let witness = Witness::default();
    for task in &farm.tasks {
        let mut of_task = Vec::new();
        for need in &task.needs {
            if let Target::Task(name) = &need.value
                && let Some(to) = numbers.get(name.as_str())
            {
                of_task.push(Edge {
                    to: *to,
                    span: need.span,
                    what: None,
                });
            }
        }
        for input in &task.inputs {
            let made = match wiring.made(task, input) {
                Ok(made) => made,
                Err(mistake) => {
                    mistakes.push(*mistake);
                    continue;
                }
            };
            if made.is_empty() {
                match wiring.brought(task, input, &made, workspace, &witness) {
                    Ok(_) => {}
                    Err(InputError::Mistake(mistake)) => mistakes.push(*mistake),
                    Err(InputError::Disk(error)) => return Err(error.into()),
                }
            }
            for other in made {
                if let Some(to) = numbers.get(other.task.name.value.as_str()) {
                    of_task.push(Edge {
                        to: *to,
                        span: input.span,
                        what: Some(other.output.value.clone()),
                    });
                }
            }
        }
        edges.push(of_task);
    }
    mistakes.extend(wait_in_a_circle(farm, &edges));
    Ok(())
}

/// One task waits for another.
struct Edge {
    /// Where the other one is in the farm.
    to: usize,
    /// Where the manifest says so.
    span: Span,
    /// The output that is read; `None` for a need.
    what: Option<String>,
}

/// Two tasks that may leave the same file would take turns to overwrite it.
fn clash(earlier: &Declared<'_>, later: &Declared<'_>) -> Diagnostic {
    let (one, other) = (&earlier.task.name.value, &later.task.name.value);
    let message = if earlier.output.value == later.output.value {
        format!("the tasks `{one}` and `{other}` both make `{}`", later.output.value)
    } else {
        format!(
            "the output `{}` of the task `{other}` can be the output `{}` of the task `{one}`",
            later.output.value, earlier.output.value
        )
    };
    Diagnostic::error(later.output.span, message)
        .also(earlier.output.span, format!("made by `{one}`"))
        .help("only one task may make a file: rename an output, or write globs that match less")
}

fn wait_in_a_circle(farm: &Farm, edges: &[Vec<Edge>]) -> Option<Diagnostic> {
    let targets: Vec<Vec<usize>> = edges
        .iter()
        .map(|edges| edges.iter().map(|edge| edge.to).collect())
        .collect();
    let circle = circle(&targets)?;
    let name = |at: usize| farm.tasks[at].name.value.as_str();
    let said = |(from, at): (usize, usize)| {
        let edge = &edges[from][at];
        let (from, to) = (name(from), name(edge.to));
        let label = match &edge.what {
            None => format!("`{from}` needs `{to}`"),
            Some(output) => format!("`{from}` reads `{output}`, which `{to}` makes"),
        };
        (edge.span, label)
    };
    let (first, others) = circle.split_first()?;
    let names: Vec<String> = circle
        .iter()
        .chain([first])
        .map(|(at, _)| format!("`{}`", name(*at)))
        .collect();
    let (span, label) = said(*first);
    let diagnostic = Diagnostic::error(span, format!("tasks wait for each other: {}", names.join(" -> "))).label(label);
    Some(others.iter().fold(diagnostic, |diagnostic, edge| {
        let (span, label) = said(*edge);
        diagnostic.also(span, label)
    }))
}
