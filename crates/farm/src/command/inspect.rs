//! Commands that only look: `targets`, `graph`, `log`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use farm_engine::{EventSink, NodeState};
use farm_guard_file::{GuardFile, Mode};
use serde::{Deserialize, Serialize};

use super::look::Look;
use super::session::Access;
use super::{FarmError, Setup, Words};
use crate::names::{Wanted, farm, local, wants_by_name};
use crate::workspace::Workspace;

/// One thing that can be built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetLine {
    /// `FARM:TARGET`.
    pub name: String,
    /// Its rule.
    pub kind: String,
    /// What it is.
    pub about: String,
}

/// The graph as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphView {
    /// All nodes.
    pub nodes: Vec<GraphNode>,
    /// All edges.
    pub edges: Vec<GraphEdge>,
}

/// A node of a [`GraphView`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphNode {
    /// `FARM:TARGET`.
    pub name: String,
    /// Its rule.
    pub kind: String,
    /// `cached`, `run` or `unknown`; `None` for what nobody wants today.
    pub state: Option<NodeState>,
}

/// An edge of a [`GraphView`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphEdge {
    /// Who needs.
    pub from: String,
    /// What it needs.
    pub to: String,
    /// Which output's digest enters the key; `None` for what must merely be there before.
    pub output: Option<String>,
}

/// What the farms can build.
pub fn targets(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<Vec<TargetLine>, FarmError> {
    let words = if words.targets.is_empty() {
        all_farms(setup, words)?
    } else {
        words.clone()
    };
    let Look { session, .. } = Look::at(setup, &words, Access::Read, events)?;
    let mut lines = Vec::new();
    for (farm, loaded) in &session.farms {
        let mut line = |target: &str, kind: &str, about: String| {
            let name = if target.is_empty() {
                farm.clone()
            } else {
                format!("{farm}:{target}")
            };
            lines.push(TargetLine {
                name,
                kind: kind.to_owned(),
                about,
            });
        };
        line("", "farm", "everything it can build locally".to_owned());
        let farm = &loaded.farm;
        if farm.binfarm.is_some() {
            line(
                "binfarm",
                "image",
                "the binfarm's root with people's tools, as an image".to_owned(),
            );
            line("env", "env", "the subjects' build environment as an image".to_owned());
            line("pkgs", "packages", "the packages of all subjects".to_owned());
            for subject in &farm.subjects {
                line(
                    &format!("pkgs/{}", subject.name.value),
                    "packages",
                    format!("the packages of {}", subject.name.value),
                );
            }
            line(
                "binhost",
                "binhost",
                "the packages as a folder that Portage installs from".to_owned(),
            );
        }
        for image in &farm.images {
            let subjects: Vec<&str> = image.subjects.iter().map(|subject| subject.value.as_str()).collect();
            line(
                &format!("image/{}", image.name.value),
                "image",
                format!("an image with {}", subjects.join(", ")),
            );
        }
        for stage in farm.buildable_stages() {
            let subjects: Vec<&str> = stage.subjects.iter().map(|subject| subject.value.as_str()).collect();
            let about = match subjects.as_slice() {
                [] => "a root file system as an archive".to_owned(),
                subjects => format!("a root file system with {} as an archive", subjects.join(", ")),
            };
            line(&format!("stage/{}", stage.name.value), "stage", about);
        }
        for task in &farm.tasks {
            line(&format!("task/{}", task.name.value), "task", "a task".to_owned());
        }
        if let Some(publish) = &farm.publish.pkgs {
            line("publish-pkgs", "publish", format!("packages to {}", publish.to.value));
        }
        if let Some(publish) = &farm.publish.images {
            line("publish-image", "publish", format!("images to {}", publish.to.value));
        }
    }
    for id in session.graph.ids() {
        let spec = session.graph.spec(id);
        if spec.kind == "package" {
            let about = "a binary package".to_owned();
            lines.push(TargetLine {
                name: spec.name.clone(),
                kind: spec.kind.clone(),
                about,
            });
        }
    }
    Ok(lines)
}

fn all_farms(setup: &Setup, words: &Words) -> Result<Words, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    Ok(Words {
        targets: workspace.farms()?,
        variables: words.variables.clone(),
    })
}

/// The graph as far as the plans that are there tell.
pub fn graph(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<GraphView, FarmError> {
    let look = Look::at(setup, words, Access::Read, events)?;
    let session = &look.session;
    let mut view = GraphView {
        nodes: Vec::new(),
        edges: Vec::new(),
    };
    for id in session.graph.ids() {
        let spec = session.graph.spec(id);
        let state = look.report_of(id).map(|report| report.state);
        view.nodes.push(GraphNode {
            name: spec.name.clone(),
            kind: spec.kind.clone(),
            state,
        });
        for dependency in &spec.dependencies {
            let output = dependency.need.role().map(str::to_owned);
            view.edges.push(GraphEdge {
                from: spec.name.clone(),
                to: dependency.node.clone(),
                output,
            });
        }
    }
    Ok(view)
}

/// Where the log of a node is.
pub fn log(setup: &Setup, words: &Words) -> Result<Option<PathBuf>, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let wanted = words.resolve(&workspace)?;
    let mut found = Vec::new();
    for (farm, wanted) in &wanted {
        let folder = workspace.state().join("logs").join(farm);
        for path in logs_below(&folder) {
            let Ok(relative) = path.strip_prefix(&folder) else {
                continue;
            };
            let local = relative.with_extension("").to_string_lossy().into_owned();
            if wants_by_name(wanted, &local) {
                found.push(path);
            }
        }
    }
    found.sort();
    match found.as_slice() {
        [] if has_run(&workspace, &wanted)? => Ok(None),
        [] => Err(FarmError::input("there is no log of that: it never ran here")),
        [only] => Ok(Some(only.clone())),
        several => {
            let list: Vec<String> = several.iter().map(|path| path.display().to_string()).collect();
            Err(FarmError::input(format!("several nodes have a log:\n  {}", list.join("\n  "))).hint("name one node"))
        }
    }
}

/// Whether anything that is meant was ever built here.
fn has_run(workspace: &Workspace, wanted: &BTreeMap<String, Wanted>) -> Result<bool, FarmError> {
    let guards = GuardFile::open(&workspace.state().join("guards"), Mode::Read)?.guards;
    let meant = |node: &str| {
        wanted
            .get(farm(node))
            .is_some_and(|wanted| wants_by_name(wanted, local(node)))
    };
    Ok(guards.all().iter().any(|guard| meant(&guard.node)))
}

fn logs_below(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        let Ok(entries) = fs_err::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                found.push(path);
            }
        }
    }
    found
}
