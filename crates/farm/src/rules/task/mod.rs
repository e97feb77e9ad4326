//! `task/NAME`: anything else, as a Makefile would do it: declared inputs, a command, declared outputs.

mod container;
mod direct;
mod folders;
mod host;
mod host_jobs;
mod inputs;
mod outputs;
mod record;
mod simple_line;
mod watchdog;

use std::path::{Path, PathBuf};

use farm_engine::{Event, Failure, FailureKind, Guard, GuardStore, NodeSpec, Output, Presence, Run};

pub(crate) use self::folders::TaskFolders;
pub use self::inputs::{InputError, hash_input, input_path};
pub use self::outputs::{is_in_the_way, leaves};
pub(crate) use self::watchdog::Watchdog;
use crate::action::{Action, TaskData};
use crate::context::Context;

/// Runs the task.
///
/// # Errors
///
/// The step's when the command fails, makes too little, or its inputs change meanwhile. What it left is then set aside.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &TaskData,
    guards: &dyn GuardStore,
) -> Result<Vec<Output>, Failure> {
    let folder = context.workspace.join(&data.folder);
    outputs::make_room(context, run, &spec.name, &folder, data, guards)?;
    let outcome = match &data.image {
        None => host::run(context, run, &spec.name, &folder, data),
        Some(image) => container::run(context, run, spec, &folder, data, image),
    };
    let outcome = outcome
        .and_then(|()| unchanged(context, &folder, spec))
        .and_then(|()| outputs::keep(context, &spec.name, &folder, data));
    if outcome.is_err()
        && let Err(error) = outputs::set_aside(context, &spec.name, &folder, data)
    {
        // Why the task failed matters more than where its remains are.
        note(run, format!("{}: cannot set aside what it left: {error}", spec.name));
    }
    outcome
}

/// Whether the outputs are there as they were recorded, or can be had from the store. If `restore` says so they are brought
/// back, and files that another state of the task left go away; without, nothing is touched.
#[must_use]
pub fn presence(
    context: &Context,
    spec: &NodeSpec<Action>,
    guard: &Guard,
    guards: &dyn GuardStore,
    restore: bool,
) -> Presence {
    outputs::presence(context, &spec.name, guard, guards, restore)
}

/// The files that only this task, and tasks like it, look at: its inputs that no task makes, and what `guard` says that it left.
/// Absolute paths.
#[must_use]
pub fn owned_files(workspace: &Path, spec: &NodeSpec<Action>, data: &TaskData, guard: Option<&Guard>) -> Vec<PathBuf> {
    let folder = workspace.join(&data.folder);
    let made = guard
        .and_then(|guard| record::files(&guard.outputs).ok())
        .unwrap_or_default();
    let made = made.into_keys().map(|path| workspace.join(path));
    inputs::owned(&folder, &spec.inputs).chain(made).collect()
}

/// Takes away what the task made just now, `left`, so that what is recorded of it can come back.
///
/// # Errors
///
/// The environment's: a file cannot be removed.
pub fn take_away(context: &Context, data: &TaskData, left: &[Output]) -> Result<(), Failure> {
    outputs::take_away(context, &context.workspace.join(&data.folder), data, left)
}

fn note(run: &Run<'_>, message: String) {
    (run.events)(Event::Note { message });
}

/// What was made of inputs that changed on the way must not be taken for what the key says.
fn unchanged(context: &Context, folder: &Path, spec: &NodeSpec<Action>) -> Result<(), Failure> {
    for keyed in &spec.inputs {
        let Some(path) = input_path(keyed) else { continue };
        let now = hash_input(&context.hasher, folder, path);
        if !now.is_ok_and(|now| now == *keyed) {
            let message = format!("{path} changed while the task ran; run farm again");
            return Err(Failure::new(FailureKind::Step, message));
        }
    }
    Ok(())
}

/// The folder in which a declared output lies, unless only a glob tells.
fn parent_of(output: &str) -> Option<&Path> {
    let parent = Path::new(output.trim_end_matches('/')).parent()?;
    (!farm_store::glob::is_pattern(&parent.to_string_lossy())).then_some(parent)
}
