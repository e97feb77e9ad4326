//! Tasks: their inputs are hashed when the graph is made, and what lies in another task's output makes an edge.

use std::collections::BTreeSet;

use farm_engine::{Class, Dependency, Input, NodeSpec};
use farm_manifest::model::{Place, Run as TaskCommand, Target, Task};
use farm_store::{FileKind, glob};

use super::{Lowering, Nodes};
use crate::action::{Action, TaskData};
use crate::command::FarmError;

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
        let mut nodes = Vec::new();
        for task in &self.farm.tasks {
            nodes.push(self.task(task)?);
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

    fn task(&self, task: &Task) -> Result<NodeSpec<Action>, FarmError> {
        let folder = self.context.workspace.join(&task.folder);
        let place = |message: String| {
            FarmError::input(format!(
                "{}: task {}: {message}",
                self.loaded.sources.place(task.span),
                task.name.value
            ))
        };
        let mut inputs = Vec::new();
        let mut dependencies: Vec<Dependency> = Vec::new();
        let mut brought = BTreeSet::new();
        for input in &task.inputs {
            if let Some((other, output)) = self.output_of(task, &input.value) {
                dependencies.push(Dependency::output(self.node(&format!("task/{other}")), output));
                continue;
            }
            let expansion = glob::expand(&folder, &[&input.value]).map_err(|error| place(error.to_string()))?;
            if !expansion.unmatched.is_empty() {
                let message = format!("its input {} matches nothing in {}", input.value, task.folder);
                return Err(place(message).hint("mend the path, or name the task that makes it under `needs:`"));
            }
            brought.extend(expansion.paths);
        }
        for path in &brought {
            self.hash_input(&folder, path, &mut inputs)
                .map_err(|error| place(error.to_string()))?;
        }
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
            let node = self.target_node(&need.value);
            let keyed = dependencies.iter().any(|dependency| dependency.node == node);
            if !keyed {
                dependencies.extend(self.need(&need.value, node));
            }
        }
        let image = match &task.place.value {
            Place::Host => None,
            Place::Base => Some(self.node("base")),
            Place::Binfarm => Some(self.node("binfarm")),
            Place::Env => Some(self.node("env")),
            Place::Image(name) => Some(self.node(&format!("image/{name}"))),
        };
        if let Some(image) = &image {
            dependencies.push(Dependency::output(image, "image"));
        }
        inputs.push(Input::text("in", if image.is_some() { "image" } else { "host" }));
        Ok(NodeSpec {
            name: self.node(&format!("task/{}", task.name.value)),
            kind: "task".to_owned(),
            rule_version: 1,
            class: Class::Build,
            inputs,
            dependencies,
            expands: false,
            memory: 0,
            action: Action::Task(Box::new(TaskData {
                task: task.clone(),
                image,
                inputs: brought.into_iter().collect(),
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

    /// The task and its declared output in which `input` is or lies.
    fn output_of(&self, task: &Task, input: &str) -> Option<(String, String)> {
        for other in self
            .farm
            .tasks
            .iter()
            .filter(|other| other.name.value != task.name.value)
        {
            if other.folder != task.folder {
                continue;
            }
            for output in &other.outputs {
                if covers(&output.value, input) {
                    return Some((other.name.value.clone(), output.value.clone()));
                }
            }
        }
        None
    }

    fn hash_input(&self, folder: &std::path::Path, path: &str, inputs: &mut Vec<Input>) -> Result<(), FarmError> {
        let full = folder.join(path);
        if full.is_dir() && !full.is_symlink() {
            let listing = farm_store::hash_tree(&full, &|_| true, &self.context.hasher)
                .map_err(|error| FarmError::environment(error.to_string()))?;
            inputs.push(Input::digest(format!("input/{path}"), listing.digest));
            return Ok(());
        }
        let found = self
            .context
            .hasher
            .hash(&full)
            .map_err(|error| FarmError::environment(error.to_string()))?;
        let kind = match (found.kind, found.executable) {
            (FileKind::Symlink, _) => "link",
            (FileKind::File, true) => "program",
            (FileKind::File, false) => "file",
        };
        inputs.push(Input::text(
            format!("input/{path}"),
            format!("{kind} {}", found.digest.to_hex()),
        ));
        Ok(())
    }
}

/// Whether a declared output is, holds, or matches an input.
fn covers(output: &str, input: &str) -> bool {
    let folder = output.trim_end_matches('/');
    input.trim_end_matches('/') == folder
        || input.starts_with(&format!("{folder}/"))
        || glob::matches(folder, input).unwrap_or(false)
        || (!glob::is_pattern(folder) && glob::matches(input, folder).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn an_input_that_is_or_lies_in_an_output_is_an_edge() {
        for (output, input) in [
            ("out.txt", "out.txt"),
            ("gen/", "gen/a/b.txt"),
            ("gen", "gen"),
            ("gen/*.o", "gen/x.o"),
            ("gen/x.o", "gen/*.o"),
        ] {
            assert!(covers(output, input), "{output} {input}");
        }
        for (output, input) in [("out.txt", "out.txt2"), ("gen", "generated/x"), ("gen/*.o", "gen/x.c")] {
            assert!(!covers(output, input), "{output} {input}");
        }
    }
}
