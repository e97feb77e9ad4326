//! Mistakes that the manifest reader could not know: those of the graph, and of what farm does not do yet.

use std::collections::BTreeMap;
use std::path::Path;

use farm_manifest::model::{Binfarm, Farm, Target};
use farm_manifest::{Diagnostic, Diagnostics, LoadError, Loaded, Span, Spanned};
use farm_remote::Address;

use super::{local_folder, tasks};
use crate::command::FarmError;
use crate::settings;

/// Checks a farm. Needs no names pinned, and writes nothing: whoever passes this can be lowered as soon as its names are pinned.
/// `workspace` is the folder in which the inputs of tasks are looked for.
///
/// # Errors
///
/// All mistakes of the user's at once, shown as the manifest reader shows its own; or a folder that cannot be read.
pub fn check(loaded: &Loaded, workspace: &Path) -> Result<(), FarmError> {
    let farm = &loaded.farm;
    let mut mistakes = Vec::new();
    needs(farm, &mut mistakes);
    match &farm.binfarm {
        Some(binfarm) => {
            if binfarm.profile.is_none() {
                mistakes.push(
                    Diagnostic::error(binfarm.span, "the binfarm has no profile")
                        .help("add `profile: REPOSITORY:PATH` to `binfarm:`"),
                );
            }
            layers(loaded, binfarm, &mut mistakes);
            root(loaded, binfarm, &mut mistakes);
        }
        None => {
            let images = farm.images.iter().map(|image| ("image", &image.name));
            let stages = farm.stages.iter().map(|stage| ("stage", &stage.name));
            mistakes.extend(images.chain(stages).map(|(what, name)| {
                let message = format!("the {what} `{}` needs a `binfarm:`, which the farm has not", name.value);
                Diagnostic::error(name.span, message).help("say what everything starts from: `binfarm: { base: ... }`")
            }));
        }
    }
    checkouts(farm, workspace, &mut mistakes);
    address(farm, &mut mistakes);
    tasks::check(farm, workspace, &mut mistakes)?;
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(refused(loaded, mistakes))
    }
}

/// Mistakes in a manifest that was read, as an error that shows them.
pub(super) fn refused(loaded: &Loaded, mistakes: Vec<Diagnostic>) -> FarmError {
    let mut diagnostics = Diagnostics(mistakes);
    diagnostics.sort();
    FarmError::from(LoadError::Invalid {
        farm: loaded.farm.name.value.clone(),
        diagnostics,
        sources: loaded.sources.clone(),
    })
}

/// What tasks and publications cannot wait for.
fn needs(farm: &Farm, mistakes: &mut Vec<Diagnostic>) {
    let mut refuse = |need: &Spanned<Target>, of_task: bool| {
        let (why, help) = match &need.value {
            Target::Kernel(_) | Target::Disk(_) => ("kernels and disks are not built yet", None),
            Target::Stage(name) if farm.stage(name).is_some_and(|stage| stage.kernel.is_some()) => {
                ("this stage has a kernel, and kernels are not built yet", None)
            }
            Target::Pkg(_) => (
                "packages cannot be needed one by one yet",
                Some("name the subject that brings it (`pkgs/SUBJECT`), or `binhost`"),
            ),
            Target::PublishPkgs | Target::PublishImage if of_task => {
                ("a task cannot publish: publications come last", None)
            }
            _ => return,
        };
        let mistake = Diagnostic::error(need.span, format!("needs `{}`: {why}", need.value));
        mistakes.push(mistake.maybe_help(help.map(str::to_owned)));
    };
    for need in farm.tasks.iter().flat_map(|task| &task.needs) {
        refuse(need, true);
    }
    let of_pkgs = farm.publish.pkgs.iter().flat_map(|pkgs| &pkgs.needs);
    let of_images = farm.publish.images.iter().flat_map(|images| &images.needs);
    for need in of_pkgs.chain(of_images) {
        refuse(need, false);
    }
}

/// Folders in the place of repositories that are none.
fn checkouts(farm: &Farm, workspace: &Path, mistakes: &mut Vec<Diagnostic>) {
    for entry in &farm.live {
        let folder = workspace.join(&entry.path.value);
        let message = match fs_err::metadata(&folder) {
            Ok(found) if found.is_dir() => continue,
            Ok(_) => format!("{} is no folder", entry.path.value),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("there is no {}", entry.path.value),
            Err(error) => format!("{} cannot be looked at: {error}", entry.path.value),
        };
        mistakes.push(
            Diagnostic::error(entry.path.span, message)
                .help("`path` is the folder with the source of the package, relative to the folder of the manifest"),
        );
    }
}

/// Files of layers that could not have the effect somebody means them to have.
fn layers(loaded: &Loaded, binfarm: &Binfarm, mistakes: &mut Vec<Diagnostic>) {
    let named = loaded.farm.subjects.iter().flat_map(|subject| &subject.config);
    let mut spans: BTreeMap<&str, Span> = BTreeMap::new();
    for name in binfarm.config.iter().chain(named) {
        spans.entry(&name.value).or_insert(name.span);
    }
    for (name, span) in spans {
        for (path, file) in loaded.layers.get(name).into_iter().flat_map(|layer| &layer.files) {
            let place = format!("profiles/{name}/{path}");
            let top = path.as_str().split('/').next().unwrap_or_default();
            let (message, help) = if matches!(top, "repos.conf" | "make.profile") {
                (
                    format!("{place}: farm itself writes /etc/portage/{top}"),
                    "name repositories under `binfarm.repos:`, the profile under `binfarm.profile:`",
                )
            } else if !settings::is_read_by_line(path.as_str()) {
                continue;
            } else if file.link.is_some() {
                (
                    format!("{place} is a symbolic link, which farm does not follow here"),
                    "put a copy of the file there",
                )
            } else if std::str::from_utf8(&file.bytes).is_err() {
                (format!("{place} is not UTF-8"), "convert it, for example with iconv")
            } else {
                continue;
            };
            mistakes.push(Diagnostic::error(span, message).help(help));
        }
    }
}

/// Literal files that would be settings, which are never part of the root.
fn root(loaded: &Loaded, binfarm: &Binfarm, mistakes: &mut Vec<Diagnostic>) {
    let (Some(root), Some(tree)) = (&binfarm.root, &loaded.root) else {
        return;
    };
    for folder in ["etc/portage", "var/db/repos"] {
        if let Some(path) = tree.files.keys().find(|path| path.starts_with(folder)) {
            mistakes.push(
                Diagnostic::error(root.span, format!("{} is never part of the root", tree.path.join(path)))
                    .help("put settings into a layer (profiles/NAME), and repositories under `binfarm.repos:`"),
            );
        }
    }
}

/// Where packages go. (The manifest reader knows the schemes; what follows them is the remote's to judge.)
fn address(farm: &Farm, mistakes: &mut Vec<Diagnostic>) {
    let Some(publish) = &farm.publish.pkgs else { return };
    if local_folder(&publish.to.value, "".as_ref()).is_some() {
        return;
    }
    if let Err(error) = Address::parse(&publish.to.value) {
        let message = format!("`{}` cannot be published to: {error}", publish.to.value);
        mistakes.push(Diagnostic::error(publish.to.span, message).help(error.hint()));
    }
}
