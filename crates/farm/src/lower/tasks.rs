//! Tasks: their inputs are hashed when the graph is made, and what lies in another task's output makes an edge.

mod overlap;

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{Class, Dependency, Input, NodeSpec};
use farm_manifest::model::{Place, Run as TaskCommand, Target, Task};
use farm_manifest::{Span, Spanned};
use farm_store::glob;

use self::overlap::PathSet;
use super::{Lowering, Nodes};
use crate::action::{Action, TaskData};
use crate::command::FarmError;
use crate::rules::task;

impl Lowering<'_> {
    /// The node that stands for a target in somebody's `needs:`. All packages together are the binhost.
    pub(super) fn target_node(&self, target: &Target) -> String {
        match target {
            Target::Pkgs | Target::PkgsOf(_) => self.node("binhost"),
            other => self.node(&other.to_string()),
        }
    }

    /// The tasks that can be described before Portage is asked, and those that need what a plan brings forth.
    pub(super) fn tasks(&self) -> Result<(Nodes, Nodes), FarmError> {
        self.check_no_package_is_needed()?;
        let declared = self.declared();
        self.check_outputs(&declared)?;
        let mut nodes = Vec::new();
        for task in &self.farm.tasks {
            nodes.push(self.task(task, &declared)?);
        }
        let names: BTreeSet<String> = nodes.iter().map(|node| node.name.clone()).collect();
        let early_nodes = [self.node("root"), self.node("base")];
        let mut late: BTreeSet<String> = BTreeSet::new();
        loop {
            let before = late.len();
            for node in &nodes {
                let waits = node.dependencies.iter().any(|dependency| {
                    let other = &dependency.node;
                    late.contains(other) || !(names.contains(other) || early_nodes.contains(other))
                });
                if waits {
                    late.insert(node.name.clone());
                }
            }
            if late.len() == before {
                break;
            }
        }
        Ok(nodes.into_iter().partition(|node| !late.contains(&node.name)))
    }

    fn task(&self, task: &Task, declared: &[Declared<'_>]) -> Result<NodeSpec<Action>, FarmError> {
        let mut dependencies = BTreeSet::new();
        let mut brought = BTreeSet::new();
        for input in &task.inputs {
            self.input(task, input, declared, &mut dependencies, &mut brought)?;
        }
        let folder = self.context.workspace.join(&task.folder);
        let mut keyed = BTreeMap::new();
        for path in brought {
            let input = task::hash_input(&self.context.hasher, &folder, &path)
                .map_err(|error| self.wrong(task, task.span, &error.to_string()))?;
            keyed.insert(path, input);
        }
        let mut inputs: Vec<Input> = keyed.values().cloned().collect();
        let (command, text) = match &task.run.value {
            TaskCommand::Shell(line) => ("shell", line.clone()),
            TaskCommand::Arguments(words) => ("arguments", words.join("\u{0}")),
        };
        inputs.push(Input::text(format!("run/{command}"), text));
        inputs.extend(
            task.env
                .iter()
                .map(|(name, value)| Input::text(format!("env/{name}"), &value.value)),
        );
        inputs.extend(
            task.outputs
                .iter()
                .map(|output| Input::text(format!("output/{}", output.value), "declared")),
        );
        for need in &task.needs {
            dependencies.extend(self.need(&need.value, self.target_node(&need.value)));
        }
        let image = match &task.place.value {
            Place::Host => None,
            Place::Base => Some(self.node("base")),
            Place::Binfarm => Some(self.node("binfarm")),
            Place::Env => Some(self.node("env")),
            Place::Image(name) => Some(self.node(&format!("image/{name}"))),
        };
        if let Some(image) = &image {
            dependencies.insert(Dependency::output(image, "image"));
        }
        inputs.push(Input::text("in", if image.is_some() { "image" } else { "host" }));
        Ok(NodeSpec {
            name: self.node(&format!("task/{}", task.name.value)),
            kind: "task".to_owned(),
            rule_version: 1,
            class: Class::Build,
            inputs,
            dependencies: dependencies.into_iter().collect(),
            expands: false,
            memory: 0,
            action: Action::Task(Box::new(TaskData {
                task: task.clone(),
                image,
                inputs: keyed,
            })),
        })
    }

    /// What a task needs decides its output, so that everything the other one makes enters the key.
    fn need(&self, target: &Target, node: String) -> Vec<Dependency> {
        match target {
            Target::Task(name) => {
                let outputs = self
                    .farm
                    .task(name)
                    .map(|task| task.outputs.as_slice())
                    .unwrap_or_default();
                if outputs.is_empty() {
                    return vec![Dependency::output(node, "done")];
                }
                outputs
                    .iter()
                    .map(|output| Dependency::output(&node, &output.value))
                    .collect()
            }
            Target::Image(_) | Target::Binfarm | Target::Env => vec![Dependency::output(node, "image")],
            Target::Binhost | Target::Pkgs | Target::PkgsOf(_) => vec![Dependency::output(node, "index")],
            _ => vec![Dependency::before_run(node)],
        }
    }

    /// What one declared input stands for: outputs of other tasks, files that nobody makes, or both.
    fn input<'a>(
        &self,
        task: &Task,
        input: &Spanned<String>,
        declared: &[Declared<'a>],
        dependencies: &mut BTreeSet<Dependency>,
        brought: &mut BTreeSet<String>,
    ) -> Result<(), FarmError> {
        let wanted = PathSet::new(task.folder.as_str(), &input.value);
        let (own, made): (Vec<&Declared<'a>>, Vec<_>) = declared
            .iter()
            .filter(|other| other.paths.overlaps(&wanted))
            .partition(|other| other.task.name.value == task.name.value);
        if let Some(own) = own.first() {
            let message = format!("its input {} can be its output {}", input.value, own.output.value);
            return Err(self.wrong(task, input.span, &message).hint(
                "name its inputs one by one, or let it make its outputs in a folder of their own (written with a `/` at the end)",
            ));
        }
        for other in &made {
            let node = self.node(&format!("task/{}", other.task.name.value));
            dependencies.insert(Dependency::output(node, &other.output.value));
        }
        let folder = self.context.workspace.join(&task.folder);
        let wrong = |message: &str| self.wrong(task, input.span, message);
        let expansion = glob::expand(&folder, &[&input.value]).map_err(|error| wrong(&error.to_string()))?;
        if made.is_empty() {
            if !expansion.unmatched.is_empty() {
                let message = format!("its input {} matches nothing in {}", input.value, task.folder);
                return Err(wrong(&message).hint("mend the path, or name the task that makes it under `needs:`"));
            }
            brought.extend(expansion.paths);
            return Ok(());
        }
        // Of a folder in which tasks leave something, only what they do not make is there to be hashed now.
        for path in expansion.paths {
            let files = task::leaves(&folder, &path).map_err(|error| wrong(&error.to_string()))?;
            let by_nobody = |file: &String| !made.iter().any(|other| other.paths.holds(task.folder.as_str(), file));
            brought.extend(files.into_iter().filter(by_nobody));
        }
        Ok(())
    }

    fn declared(&self) -> Vec<Declared<'_>> {
        let tasks = self.farm.tasks.iter();
        let outputs = tasks.flat_map(|task| task.outputs.iter().map(move |output| (task, output)));
        let declared = outputs.map(|(task, output)| Declared {
            task,
            output,
            paths: PathSet::new(task.folder.as_str(), &output.value),
        });
        declared.collect()
    }

    /// Two tasks that may leave the same file would take turns to overwrite it.
    fn check_outputs(&self, declared: &[Declared<'_>]) -> Result<(), FarmError> {
        for (at, later) in declared.iter().enumerate() {
            let earlier = declared[..at].iter().find(|earlier| {
                earlier.task.name.value != later.task.name.value && earlier.paths.overlaps(&later.paths)
            });
            if let Some(earlier) = earlier {
                let message = if earlier.output.value == later.output.value {
                    format!(
                        "task {} makes its output {} too",
                        earlier.task.name.value, later.output.value
                    )
                } else {
                    format!(
                        "its output {} can be the output {} of task {}",
                        later.output.value, earlier.output.value, earlier.task.name.value
                    )
                };
                return Err(self
                    .wrong(later.task, later.output.span, &message)
                    .hint("only one task may make a file: rename an output, or write globs that match less"));
            }
        }
        Ok(())
    }

    /// A package's node has a name that only its plan knows.
    fn check_no_package_is_needed(&self) -> Result<(), FarmError> {
        let publish = &self.farm.publish;
        let of_tasks = self.farm.tasks.iter().flat_map(|task| &task.needs);
        let of_pkgs = publish.pkgs.iter().flat_map(|pkgs| &pkgs.needs);
        let of_images = publish.images.iter().flat_map(|images| &images.needs);
        let mut needs = of_tasks.chain(of_pkgs).chain(of_images);
        let Some(need) = needs.find(|need| matches!(need.value, Target::Pkg(_))) else {
            return Ok(());
        };
        let place = self.loaded.sources.place(need.span);
        let message = format!(
            "{place}: needs {}: packages cannot be needed one by one yet",
            need.value
        );
        Err(FarmError::input(message).hint("name the subject that brings it (`pkgs/SUBJECT`), or `binhost`"))
    }

    /// A mistake in a task, with the place where it was made.
    fn wrong(&self, task: &Task, span: Span, message: &str) -> FarmError {
        let place = self.loaded.sources.place(span);
        FarmError::input(format!("{place}: task {}: {message}", task.name.value))
    }
}

/// One declared output, and what it can be.
struct Declared<'a> {
    task: &'a Task,
    output: &'a Spanned<String>,
    paths: PathSet,
}
