//! Names that must name something, and must not lead in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::circle::circle;
use crate::diagnostic::Diagnostic;
use crate::model::{Farm, ImageFrom, NotYet, Place, Target};
use crate::near;
use crate::span::Spanned;

/// Checks every name that one part of the manifest uses for another.
pub(super) fn check(farm: &Farm, diagnostics: &mut Vec<Diagnostic>) {
    let names = Names::of(farm);
    let (subjects, images) = (&names.subjects, &names.images);

    let mut subject_edges: BTreeMap<&str, Vec<Spanned<&str>>> = BTreeMap::new();
    for subject in &farm.subjects {
        for name in &subject.needs {
            known(name.as_ref().map(String::as_str), subjects, "subject", diagnostics);
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
            known(name.as_ref().map(String::as_str), subjects, "subject", diagnostics);
        }
        let other = starts(farm, &image.from, images, diagnostics);
        image_edges.insert(&image.name.value, other.into_iter().collect());
    }
    cycle(&image_edges, "images start from each other", diagnostics);

    for stage in &farm.stages {
        for name in &stage.subjects {
            known(name.as_ref().map(String::as_str), subjects, "subject", diagnostics);
        }
        if let Some(kernel) = &stage.kernel {
            known(
                kernel.as_ref().map(String::as_str),
                &names.kernels,
                "kernel",
                diagnostics,
            );
        }
        starts(farm, &stage.from, images, diagnostics);
    }

    for task in &farm.tasks {
        match &task.place.value {
            Place::Image(name) => known(
                Spanned::new(name.as_str(), task.place.span),
                images,
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
            target(farm, &names, need, diagnostics);
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
            target(farm, &names, need, diagnostics);
        }
    }
}

/// Checks what an image or a stage starts from; gives the image, if it is one of this farm.
fn starts<'a>(
    farm: &Farm,
    from: &'a Spanned<ImageFrom>,
    images: &BTreeSet<&str>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Spanned<&'a str>> {
    match &from.value {
        ImageFrom::Image(name) => {
            let name = Spanned::new(name.as_str(), from.span);
            known(name, images, "image", diagnostics);
            return Some(name);
        }
        ImageFrom::Base | ImageFrom::Binfarm if farm.binfarm.is_none() => {
            diagnostics.push(
                Diagnostic::error(from.span, "this farm has no `binfarm` to start from")
                    .help("say what everything starts from: `binfarm: { base: ... }`"),
            );
        }
        ImageFrom::Base | ImageFrom::Binfarm | ImageFrom::Reference(_) => {}
    }
    None
}

fn known(name: Spanned<&str>, names: &BTreeSet<&str>, what: &str, diagnostics: &mut Vec<Diagnostic>) {
    if !names.contains(name.value) {
        let help = near::suggestion(name.value, names.iter().copied());
        let message = format!("there is no {what} `{}`", name.value);
        diagnostics.push(Diagnostic::error(name.span, message).maybe_help(help));
    }
}

/// The names of everything that a target can name.
struct Names<'a> {
    subjects: BTreeSet<&'a str>,
    images: BTreeSet<&'a str>,
    tasks: BTreeSet<&'a str>,
    stages: BTreeSet<&'a str>,
    kernels: BTreeSet<&'a str>,
    disks: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(farm: &'a Farm) -> Self {
        let not_yet = |entries: &'a [NotYet]| entries.iter().map(|entry| entry.name.as_str()).collect();
        Self {
            subjects: farm
                .subjects
                .iter()
                .map(|subject| subject.name.value.as_str())
                .collect(),
            images: farm.images.iter().map(|image| image.name.value.as_str()).collect(),
            tasks: farm.tasks.iter().map(|task| task.name.value.as_str()).collect(),
            stages: farm.stages.iter().map(|stage| stage.name.value.as_str()).collect(),
            kernels: not_yet(&farm.kernels),
            disks: not_yet(&farm.disks),
        }
    }
}

/// Checks that a target is one of this farm. Packages are known only when the plan is made.
fn target(farm: &Farm, names: &Names<'_>, need: &Spanned<Target>, diagnostics: &mut Vec<Diagnostic>) {
    let (name, names, what) = match &need.value {
        Target::Task(name) => (name, &names.tasks, "task"),
        Target::Image(name) => (name, &names.images, "image"),
        Target::PkgsOf(name) => (name, &names.subjects, "subject"),
        Target::Stage(name) => (name, &names.stages, "stage"),
        Target::Kernel(name) => (name, &names.kernels, "kernel"),
        Target::Disk(name) => (name, &names.disks, "disk"),
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
    known(Spanned::new(name, need.span), names, what, diagnostics);
}

/// Reports one circle, naming its members in order.
fn cycle(edges: &BTreeMap<&str, Vec<Spanned<&str>>>, message: &str, diagnostics: &mut Vec<Diagnostic>) {
    let numbers: BTreeMap<&str, usize> = (0..).zip(edges.keys()).map(|(at, name)| (*name, at)).collect();
    let known: Vec<Vec<(usize, &Spanned<&str>)>> = edges
        .values()
        .map(|targets| {
            let known = targets.iter().map(|target| (numbers.get(target.value), target));
            known.filter_map(|(to, target)| Some((*to?, target))).collect()
        })
        .collect();
    let targets: Vec<Vec<usize>> = known
        .iter()
        .map(|edges| edges.iter().map(|(to, _)| *to).collect())
        .collect();
    let circle: Vec<&Spanned<&str>> = circle(&targets)
        .into_iter()
        .flatten()
        .map(|(from, edge)| known[from][edge].1)
        .collect();
    let (Some(first), Some(last)) = (circle.first(), circle.last()) else {
        return;
    };
    let names: Vec<String> = [last]
        .into_iter()
        .chain(&circle)
        .map(|edge| format!("`{}`", edge.value))
        .collect();
    let diagnostic = Diagnostic::error(first.span, format!("{}: {}", message, names.join(" -> ")));
    diagnostics.push(
        circle[1..]
            .iter()
            .fold(diagnostic, |diagnostic, edge| diagnostic.also(edge.span, "and this")),
    );
}
