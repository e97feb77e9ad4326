//! Which task reads what another one makes, and which files nobody makes.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use farm_manifest::model::{Farm, Task};
use farm_manifest::{Diagnostic, Spanned};
use farm_store::Witness;
use farm_store::glob::{self, GlobError};

use super::outputs::{Declared, Outputs};
use super::overlap::PathSet;
use crate::rules::task;

/// The tasks of a farm, and what they declare.
pub(super) struct Wiring<'a> {
    by_name: BTreeMap<&'a str, &'a Task>,
    /// What all of them make.
    pub(super) outputs: Outputs<'a>,
}

/// Why it cannot be said what a task reads.
pub(super) enum InputError {
    /// The manifest's fault.
    Mistake(Box<Diagnostic>),
    /// The disk's.
    Disk(io::Error),
}

impl<'a> Wiring<'a> {
    /// Knows the tasks of this farm.
    pub(super) fn of(farm: &'a Farm) -> Self {
        Self {
            by_name: farm.tasks.iter().map(|task| (task.name.value.as_str(), task)).collect(),
            outputs: Outputs::of(&farm.tasks),
        }
    }

    /// The task of this name.
    pub(super) fn task(&self, name: &str) -> Option<&'a Task> {
        self.by_name.get(name).copied()
    }

    /// The outputs of other tasks that one declared input can be.
    ///
    /// # Errors
    ///
    /// One of the task's own can be it, too.
    pub(super) fn made(&self, task: &Task, input: &Spanned<String>) -> Result<Vec<&Declared<'a>>, Box<Diagnostic>> {
        let made = self.outputs.meeting(&PathSet::new(task.folder.as_str(), &input.value));
        let Some(own) = made.iter().find(|other| other.task.name.value == task.name.value) else {
            return Ok(made);
        };
        let (name, output) = (&task.name.value, &own.output.value);
        let message = format!(
            "the input `{}` of the task `{name}` can be its output `{output}`",
            input.value
        );
        let help = "name its inputs one by one, or let it make its outputs in a folder of their own (written with a `/` at the end)";
        let mistake = Diagnostic::error(input.span, message).also(own.output.span, "its output");
        Err(Box::new(mistake.help(help)))
    }

    /// The paths that one declared input brings and that no task makes, relative to the task's folder. `made` is what tasks make
    /// of it.
    ///
    /// # Errors
    ///
    /// Nobody makes it and it is not there, or it is no path that can be read.
    pub(super) fn brought(
        &self,
        task: &Task,
        input: &Spanned<String>,
        made: &[&Declared<'a>],
        workspace: &Path,
        witness: &Witness,
    ) -> Result<Vec<String>, InputError> {
        if made.iter().any(|declared| is_exactly(task, input, declared)) {
            return Ok(Vec::new());
        }
        let folder = workspace.join(&task.folder);
        let mistake = |why: String| {
            let message = format!("the input `{}` of the task `{}`{why}", input.value, task.name.value);
            Diagnostic::error(input.span, message)
        };
        let expansion = glob::expand(&folder, &[&input.value], witness).map_err(|error| match error {
            GlobError::Io(error) => InputError::Disk(error),
            other => InputError::Mistake(Box::new(mistake(format!(": {other}")))),
        })?;
        if made.is_empty() {
            if !expansion.unmatched.is_empty() {
                let mistake = mistake(format!(" matches nothing in {}", task.folder))
                    .help("mend it, or name the file under `outputs:` of the task that makes it");
                return Err(InputError::Mistake(Box::new(mistake)));
            }
            return Ok(expansion.paths);
        }
        // Of a folder in which tasks leave something, only what they do not make is there to be hashed now.
        let mut brought = Vec::new();
        for path in expansion.paths {
            let files = task::leaves(&folder, &path, witness).map_err(InputError::Disk)?;
            let by_nobody = |file: &String| !self.outputs.hold(task.folder.as_str(), file);
            brought.extend(files.into_iter().filter(by_nobody));
        }
        Ok(brought)
    }
}

/// Whether an input is one output of another task, and nothing else: then whatever is there now does not matter.
fn is_exactly(task: &Task, input: &Spanned<String>, declared: &Declared<'_>) -> bool {
    let (wanted, made) = (&input.value, &declared.output.value);
    declared.task.folder == task.folder
        && !glob::is_pattern(wanted)
        && glob::normalise(wanted).is_ok_and(|wanted| glob::normalise(made).is_ok_and(|made| made == wanted))
}
