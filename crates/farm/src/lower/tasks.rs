//! Tasks: their inputs are hashed when the graph is made, and what lies in another task's output makes an edge.

mod check;
mod outputs;
mod overlap;
mod readers;
mod wiring;

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{Class, Dependency, Input, NodeSpec};
use farm_manifest::Diagnostic;
use farm_manifest::model::{Place, Run, Target, Task};

pub(super) use self::check::check;
pub(crate) use self::readers::TaskFiles;
use self::wiring::{InputError, Wiring};
use super::{Lowering, Nodes, check::refused};
use crate::action::{Action, TaskCommand, TaskData};
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
        let mut nodes = Nodes::with_capacity(self.farm.tasks.len());
        let wiring = Wiring::of(self.farm);
        for task in &self.farm.tasks {
            nodes.push(self.task(task, &wiring)?);
        }
        // It takes as much memory as the nodes of a large farm.
        drop(wiring);
        let late = self.late(&nodes);
        if late.is_empty() {
            return Ok((nodes, Nodes::new()));
        }
        let (late, early) = nodes.into_iter().partition(|node| late.contains(&node.name));
        Ok((early, late))
    }

    /// The names of those that need, directly or through others, a node which only a plan brings forth.
    fn late(&self, nodes: &Nodes) -> BTreeSet<String> {
        let tasks: BTreeSet<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        let early = [self.node("root"), self.node("base")];
        let mut waiting: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut pending = Vec::new();
        for node in nodes {
            for other in node.dependencies.iter().map(|dependency| dependency.node.as_str()) {
                if tasks.contains(other) {
                    waiting.entry(other).or_default().push(&node.name);
                } else if !early.iter().any(|early| early == other) {
                    pending.push(node.name.as_str());
                }
            }
        }
        let mut late = BTreeSet::new();
        while let Some(name) = pending.pop() {
            if late.insert(name.to_owned()) {
                pending.extend(waiting.get(name).into_iter().flatten());
            }
        }
        late
    }

    fn task(&self, task: &Task, wiring: &Wiring<'_>) -> Result<NodeSpec<Action>, FarmError> {
        let mut dependencies = BTreeSet::new();
        let mut brought = BTreeSet::new();
        for input in &task.inputs {
            let made = wiring.made(task, input).map_err(|mistake| self.refused(*mistake))?;
            let files = wiring.brought(
                task,
                input,
                &made,
                &self.context.workspace,
                self.context.hasher.witness(),
            );
            brought.extend(files.map_err(|error| match error {
                InputError::Mistake(mistake) => self.refused(*mistake),
                InputError::Disk(error) => error.into(),
            })?);
            dependencies.extend(made.iter().map(|other| {
                let node = self.node(&format!("task/{}", other.task.name.value));
                Dependency::output(node, &other.output.value)
            }));
        }
        let folder = self.context.workspace.join(&task.folder);
        let mut keyed = BTreeMap::new();
        for path in brought {
            let input = task::hash_input(&self.context.hasher, &folder, &path).map_err(|error| {
                let place = self.loaded.sources.place(task.span);
                FarmError::input(format!("{place}: task {}: {error}", task.name.value))
            })?;
            keyed.insert(path, input);
        }
        // What is known of the task besides: its command, and whether it runs in an image.
        let mut inputs = Vec::with_capacity(keyed.len() + task.env.len() + task.outputs.len() + 2);
        inputs.extend(keyed.into_values());
        let (form, text, command) = match &task.run.value {
            Run::Shell(line) => ("shell", line.clone(), TaskCommand::Shell(line.clone())),
            Run::Arguments(words) => ("arguments", words.join("\u{0}"), TaskCommand::Arguments(words.clone())),
        };
        inputs.push(Input::text(format!("run/{form}"), text));
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
            dependencies.extend(self.need(wiring, &need.value));
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
            pools: BTreeMap::new(),
            action: Action::Task(Box::new(TaskData {
                folder: task.folder.clone(),
                command,
                env: task
                    .env
                    .iter()
                    .map(|(name, value)| (name.clone(), value.value.clone()))
                    .collect(),
                outputs: task.outputs.iter().map(|output| output.value.clone()).collect(),
                image,
            })),
        })
    }

    /// What a task needs decides its output, so that everything the other one makes enters the key.
    fn need(&self, wiring: &Wiring<'_>, target: &Target) -> Vec<Dependency> {
        let node = self.target_node(target);
        match target {
            Target::Task(name) => {
                let outputs = wiring
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
            Target::Stage(_) => vec![Dependency::output(node, "archive")],
            Target::Image(_) | Target::Binfarm | Target::Env => vec![Dependency::output(node, "image")],
            Target::Binhost | Target::Pkgs | Target::PkgsOf(_) => vec![Dependency::output(node, "index")],
            _ => vec![Dependency::before_run(node)],
        }
    }

    /// What was right when the farm was checked, and is not any more.
    fn refused(&self, mistake: Diagnostic) -> FarmError {
        refused(self.loaded, vec![mistake])
    }
}
