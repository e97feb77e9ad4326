//! Names that must name something, and must not lead in a circle.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::model::{Farm, ImageFrom, Place, Target};
use crate::near;
use crate::span::Spanned;

/// Checks every name that one part of the manifest uses for another.
pub(super) fn check(farm: &Farm, diagnostics: &mut Vec<Diagnostic>) {
    let subjects: Vec<&str> = farm
        .subjects
        .iter()
        .map(|subject| subject.name.value.as_str())
        .collect();
    let images: Vec<&str> = farm.images.iter().map(|image| image.name.value.as_str()).collect();

    let mut subject_edges: BTreeMap<&str, Vec<Spanned<&str>>> = BTreeMap::new();
    for subject in &farm.subjects {
        for name in &subject.needs {
            known(name.as_ref().map(String::as_str), &subjects, "subject", diagnostics);
        }
        subject_edges.insert(
            &subject.name.value,
            subject
                .needs
                .iter()
                .map(|name| name.as_ref().map(String::as_str))
                .collect(),
        );
    }
    cycle(&subject_edges, "subjects need each other", diagnostics);

    let mut image_edges: BTreeMap<&str, Vec<Spanned<&str>>> = BTreeMap::new();
    for image in &farm.images {
        for name in &image.subjects {
            known(name.as_ref().map(String::as_str), &subjects, "subject", diagnostics);
        }
        let mut edges = Vec::new();
        match &image.from.value {
            ImageFrom::Image(name) => {
                let name = Spanned::new(name.as_str(), image.from.span);
                known(name, &images, "image", diagnostics);
                edges.push(name);
            }
            ImageFrom::Base | ImageFrom::Binfarm if farm.binfarm.is_none() => {
                diagnostics.push(
                    Diagnostic::error(image.from.span, "this farm has no `binfarm` to start from")
                        .help("say what everything starts from: `binfarm: { base: ... }`"),
                );
            }
            ImageFrom::Base | ImageFrom::Binfarm | ImageFrom::Reference(_) => {}
        }
        image_edges.insert(&image.name.value, edges);
    }
    cycle(&image_edges, "images start from each other", diagnostics);

    for task in &farm.tasks {
        match &task.place.value {
            Place::Image(name) => known(
                Spanned::new(name.as_str(), task.place.span),
                &images,
                "image",
                diagnostics,
            ),
            Place::Base | Place::Binfarm | Place::Env if farm.binfarm.is_none() => {
                diagnostics.push(Diagnostic::error(
                    task.place.span,
                    "this farm has no `binfarm` to run it in",
                ));
            }
            Place::Host | Place::Base | Place::Binfarm | Place::Env => {}
        }
        for need in &task.needs {
            target(farm, need, diagnostics);
        }
    }
    let task_edges: BTreeMap<&str, Vec<Spanned<&str>>> = farm
        .tasks
        .iter()
        .map(|task| {
            let edges = task.needs.iter().filter_map(|need| match &need.value {
                Target::Task(name) => Some(Spanned::new(name.as_str(), need.span)),
                _ => None,
            });
            (task.name.value.as_str(), edges.collect())
        })
        .collect();
    cycle(&task_edges, "tasks need each other", diagnostics);

    let publish = &farm.publish;
    let pkgs = publish.pkgs.iter().flat_map(|pkgs| &pkgs.needs);
    for need in pkgs.chain(publish.images.iter().flat_map(|images| &images.needs)) {
        if matches!(need.value, Target::PublishPkgs | Target::PublishImage) {
            diagnostics.push(Diagnostic::error(need.span, "publishing cannot wait for publishing"));
        } else {
            target(farm, need, diagnostics);
        }
    }
}

fn known(name: Spanned<&str>, names: &[&str], what: &str, diagnostics: &mut Vec<Diagnostic>) {
    if !names.contains(&name.value) {
        let help = near::suggestion(name.value, names.iter().copied());
        let message = format!("there is no {what} `{}`", name.value);
        diagnostics.push(Diagnostic::error(name.span, message).maybe_help(help));
    }
}

/// Checks that a target is one of this farm. Packages are known only when the plan is made.
fn target(farm: &Farm, need: &Spanned<Target>, diagnostics: &mut Vec<Diagnostic>) {
    let (name, names, what): (&str, Vec<&str>, &str) = match &need.value {
        Target::Task(name) => (
            name,
            farm.tasks.iter().map(|task| task.name.value.as_str()).collect(),
            "task",
        ),
        Target::Image(name) => (
            name,
            farm.images.iter().map(|image| image.name.value.as_str()).collect(),
            "image",
        ),
        Target::PkgsOf(name) => (
            name,
            farm.subjects
                .iter()
                .map(|subject| subject.name.value.as_str())
                .collect(),
            "subject",
        ),
        Target::Stage(name) => (
            name,
            farm.stages.iter().map(|stage| stage.name.as_str()).collect(),
            "stage",
        ),
        Target::Kernel(name) => (
            name,
            farm.kernels.iter().map(|kernel| kernel.name.as_str()).collect(),
            "kernel",
        ),
        Target::Disk(name) => (name, farm.disks.iter().map(|disk| disk.name.as_str()).collect(), "disk"),
        Target::Binfarm | Target::Env | Target::Pkgs | Target::Pkg(_) | Target::Binhost if farm.binfarm.is_none() => {
            diagnostics.push(Diagnostic::error(
                need.span,
                format!("this farm has no `binfarm`, so that it has no `{}`", need.value),
            ));
            return;
        }
        Target::PublishPkgs if farm.publish.pkgs.is_none() => {
            diagnostics.push(Diagnostic::error(need.span, "this farm has no `publish.pkgs`"));
            return;
        }
        Target::PublishImage if farm.publish.images.is_none() => {
            diagnostics.push(Diagnostic::error(need.span, "this farm has no `publish.images`"));
            return;
        }
        _ => return,
    };
    known(Spanned::new(name, need.span), &names, what, diagnostics);
}

/// Reports one cycle, naming its members in order. Iterative: what is in a cycle is what remains when everything that waits for
/// nothing has been taken away, again and again.
fn cycle(edges: &BTreeMap<&str, Vec<Spanned<&str>>>, message: &str, diagnostics: &mut Vec<Diagnostic>) {
    let mut left: BTreeMap<&str, &Vec<Spanned<&str>>> = edges.iter().map(|(name, targets)| (*name, targets)).collect();
    loop {
        let free: Vec<&str> = left
            .iter()
            .filter(|(_, targets)| !targets.iter().any(|target| left.contains_key(target.value)))
            .map(|(name, _)| *name)
            .collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            left.remove(name);
        }
    }
    let Some((first, _)) = left.first_key_value() else {
        return;
    };
    let mut path: Vec<(&str, &Spanned<&str>)> = Vec::new();
    let mut at = *first;
    while !path.iter().any(|(name, _)| *name == at) {
        let Some(next) = left[at].iter().find(|target| left.contains_key(target.value)) else {
            return;
        };
        path.push((at, next));
        at = next.value;
    }
    let start = path.iter().position(|(name, _)| *name == at).unwrap_or(0);
    let circle = &path[start..];
    let names: Vec<String> = circle
        .iter()
        .map(|(name, _)| *name)
        .chain([at])
        .map(|name| format!("`{name}`"))
        .collect();
    let mut diagnostic = Diagnostic::error(circle[0].1.span, format!("{}: {}", message, names.join(" -> ")));
    for (_, edge) in &circle[1..] {
        diagnostic = diagnostic.also(edge.span, "and this");
    }
    diagnostics.push(diagnostic);
}
