//! What the manifest alone tells of what is wanted: names that it has not, and words for what farm does not build yet.

use farm_manifest::Loaded;
use farm_manifest::model::Target;

use super::FarmError;
use crate::lower::layers;
use crate::names::{Goal, Wanted};
use crate::settings::losing_lines;

/// What there is to say of a manifest that is no mistake.
pub(super) fn notes_on(loaded: &Loaded) -> Vec<String> {
    let mut notes = Vec::new();
    if !loaded.notes.is_empty() {
        notes.push(loaded.notes.render(&loaded.sources, false).trim_end().to_owned());
    }
    notes.extend(not_built_yet(loaded));
    if let Some(binfarm) = &loaded.farm.binfarm {
        notes.extend(losing_lines(&layers(loaded, binfarm)));
    }
    notes
}

/// What the manifest has words for and farm does not build yet.
fn not_built_yet(loaded: &Loaded) -> Vec<String> {
    let farm = &loaded.farm;
    let name = &farm.name.value;
    let later = [("kernels", &farm.kernels), ("disks", &farm.disks)]
        .into_iter()
        .filter(|(_, entries)| !entries.is_empty())
        .map(|(word, entries)| {
            let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
            format!("{name}: {word} are not built yet: {}", names.join(", "))
        });
    let with_kernel = farm.stages.iter().filter(|stage| stage.kernel.is_some());
    let with_kernel = with_kernel.map(|stage| {
        let stage = &stage.name.value;
        format!("{name}: stage/{stage} is not built: it has a kernel, and kernels are not built yet")
    });
    later.chain(with_kernel).collect()
}

/// Nobody says where packages of this farm go.
pub(super) fn nowhere(farm: &str) -> FarmError {
    FarmError::input(format!("{farm} does not say where packages are published"))
        .hint("add `publish: { pkgs: { to: file:///… } }` to its manifest")
}

/// Goals that the manifest alone can tell to be wrong.
pub(super) fn check_goals(loaded: &Loaded, wanted: &Wanted) -> Result<(), FarmError> {
    let farm = &loaded.farm;
    let name = &farm.name.value;
    let known = |what: &str, wanted: &str, known: Vec<&str>| {
        if known.contains(&wanted) {
            return Ok(());
        }
        let list = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        Err(FarmError::input(format!("{name} has no {what} `{wanted}`")).hint(format!("it has: {list}")))
    };
    for goal in wanted.goals() {
        let Goal::Target(target) = goal else { continue };
        match target {
            Target::Image(image) => known(
                "image",
                image,
                farm.images.iter().map(|image| image.name.value.as_str()).collect(),
            )?,
            Target::Task(task) => known(
                "task",
                task,
                farm.tasks.iter().map(|task| task.name.value.as_str()).collect(),
            )?,
            Target::PkgsOf(subject) => {
                known(
                    "subject",
                    subject,
                    farm.subjects
                        .iter()
                        .map(|subject| subject.name.value.as_str())
                        .collect(),
                )?;
            }
            Target::Stage(wanted) => {
                known(
                    "stage",
                    wanted,
                    farm.stages.iter().map(|stage| stage.name.value.as_str()).collect(),
                )?;
                if farm.stage(wanted).is_some_and(|stage| stage.kernel.is_some()) {
                    let message = format!("{target} has a kernel, and kernels are not built yet");
                    return Err(FarmError::input(message).hint("leave out `kernel:` for now"));
                }
            }
            Target::Kernel(_) | Target::Disk(_) => {
                return Err(FarmError::input(format!(
                    "{target}: kernels and disks are not built yet"
                )));
            }
            Target::PublishPkgs if farm.publish.pkgs.is_none() => {
                return Err(nowhere(name));
            }
            Target::PublishImage if farm.publish.images.is_none() => {
                return Err(
                    FarmError::input(format!("{name} does not say where images are published"))
                        .hint("add `publish: { images: { to: REGISTRY/NAME/${image} } }` to its manifest"),
                );
            }
            _ if farm.binfarm.is_none() => {
                return Err(FarmError::input(format!(
                    "{name} has no `binfarm:`, so it has no {target}"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}
