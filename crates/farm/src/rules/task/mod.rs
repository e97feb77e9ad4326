//! `task/NAME`: anything else, as a Makefile would do it: declared inputs, a command, declared outputs.

mod container;
mod host;
mod host_jobs;
mod inputs;
mod outputs;
mod record;

use std::path::Path;

use farm_engine::{Event, Failure, FailureKind, Guard, NodeSpec, Output, Presence, Run};
use farm_manifest::model::{Run as TaskCommand, Task};

pub use self::inputs::{InputError, hash_input};
pub use self::outputs::leaves;
use crate::action::{Action, TaskData};
use crate::context::Context;

/// Runs the task.
///
/// # Errors
///
/// The step's when the command fails, makes too little, or its inputs change meanwhile. What it left is then set aside.
pub fn run(context: &Context, run: &Run<'_>, spec: &NodeSpec<Action>, data: &TaskData) -> Result<Vec<Output>, Failure> {
    let folder = context.workspace.join(&data.task.folder);
    outputs::make_room(context, run, &spec.name, &folder, &data.task)?;
    let outcome = match &data.image {
        None => host::run(context, run, &spec.name, &folder, &data.task),
        Some(image) => container::run(context, run, spec, &folder, data, image),
    };
    let outcome = outcome
        .and_then(|()| unchanged(context, &folder, data))
        .and_then(|()| outputs::keep(context, &spec.name, &folder, &data.task));
    if outcome.is_err()
        && let Err(error) = outputs::set_aside(context, &spec.name, &folder, &data.task)
    {
        // Why the task failed matters more than where its remains are.
        note(run, format!("{}: cannot set aside what it left: {error}", spec.name));
    }
    outcome
}

/// Whether the outputs are there as they were recorded, or can be had from the store. If `restore` says so they are brought
/// back, and files that another state of the task left go away; without, nothing is touched.
#[must_use]
pub fn presence(context: &Context, spec: &NodeSpec<Action>, guard: &Guard, restore: bool) -> Presence {
    outputs::presence(context, &spec.name, guard, restore)
}

/// Takes away what the task left just now, so that what is recorded of it can come back.
///
/// # Errors
///
/// The environment's: a file cannot be removed.
pub fn take_away(context: &Context, spec: &NodeSpec<Action>, data: &TaskData) -> Result<(), Failure> {
    let folder = context.workspace.join(&data.task.folder);
    outputs::take_away(context, &spec.name, &folder, &data.task)
}

fn note(run: &Run<'_>, message: String) {
    (run.events)(Event::Note { message });
}

/// What was made of inputs that changed on the way must not be taken for what the key says.
fn unchanged(context: &Context, folder: &Path, data: &TaskData) -> Result<(), Failure> {
    for (path, keyed) in &data.inputs {
        let now = hash_input(&context.hasher, folder, path);
        if !now.is_ok_and(|now| now == *keyed) {
            let message = format!("{path} changed while the task ran; run farm again");
            return Err(Failure::new(FailureKind::Step, message));
        }
    }
    Ok(())
}

fn command_line(task: &Task) -> Vec<String> {
    match &task.run.value {
        TaskCommand::Shell(line) => vec!["/bin/sh".to_owned(), "-e".to_owned(), "-c".to_owned(), line.clone()],
        TaskCommand::Arguments(words) => words.clone(),
    }
}

/// The folder in which a declared output lies, unless only a glob tells.
fn parent_of(output: &str) -> Option<&Path> {
    let parent = Path::new(output.trim_end_matches('/')).parent()?;
    (!farm_store::glob::is_pattern(&parent.to_string_lossy())).then_some(parent)
}
