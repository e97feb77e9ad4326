//! How the same graph is said to each tool, and how each is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use super::graph::{Graph, output, source};
use crate::{Outcome, failed};

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Ours.
    Farm,
    /// Ninja with the command lines of all.
    Ninja,
    /// Ninja with a comparison after each command whose output may stay the same: it can then stop there.
    NinjaRestat,
    /// GNU make, without its built-in rules.
    Make,
    /// Tup, which compares outputs if told so.
    Tup,
}

impl Tool {
    /// All but farm, with their names.
    pub(crate) const RIVALS: [(Self, &str); 4] = [
        (Self::Ninja, "ninja"),
        (Self::NinjaRestat, "ninja-restat"),
        (Self::Make, "make"),
        (Self::Tup, "tup"),
    ];

    /// What it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        Self::RIVALS
            .iter()
            .find(|(tool, _)| *tool == self)
            .map_or("farm", |(_, name)| name)
    }

    /// The program, and where to get it.
    pub(crate) fn program(self) -> (&'static str, &'static str) {
        match self {
            Self::Farm => ("farm", "this repository"),
            Self::Ninja | Self::NinjaRestat => ("ninja", "Debian package ninja-build, or PyPI package ninja"),
            Self::Make => ("make", "Debian package make"),
            Self::Tup => ("tup", "Debian package tup"),
        }
    }
}

/// A folder in which a tool can make the outputs of a graph.
pub(crate) struct Place {
    /// Whose it is.
    pub(crate) tool: Tool,
    program: PathBuf,
    folder: PathBuf,
    jobs: usize,
}

impl Place {
    /// A place that has not been laid out. `farm` is the program to call if the tool is farm.
    pub(crate) fn new(tool: Tool, farm: &Path, folder: PathBuf, jobs: usize) -> Self {
        let program = if tool == Tool::Farm {
            farm
        } else {
            Path::new(tool.program().0)
        };
        Self {
            tool,
            program: program.to_owned(),
            folder,
            jobs,
        }
    }

    /// Makes the folder anew: sources, the tool's description of the graph, and no outputs.
    pub(crate) fn lay_out(&self, graph: &Graph) -> Outcome {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(failed)?;
        }
        let work = self.work();
        for folder in ["src", "out"] {
            fs::create_dir_all(work.join(folder)).map_err(failed)?;
        }
        for number in 0..graph.sources {
            fs::write(work.join(source(number)), format!("{number}\n")).map_err(failed)?;
        }
        let (name, text) = match self.tool {
            Tool::Farm => ("farm.yaml", farm(graph)),
            Tool::Ninja => ("build.ninja", ninja(graph, false)),
            Tool::NinjaRestat => ("build.ninja", ninja(graph, true)),
            Tool::Make => ("Makefile", make(graph)),
            Tool::Tup => ("Tupfile", tup(graph)),
        };
        fs::write(work.join(name), text).map_err(failed)?;
        if self.tool == Tool::Tup {
            crate::command::output(self.command().arg("init"))?;
        }
        Ok(())
    }

    /// Adds a line to a source.
    pub(crate) fn edit(&self, number: usize, line: &str) -> Outcome {
        let path = self.work().join(source(number));
        let text = fs::read_to_string(&path).map_err(failed)?;
        fs::write(path, format!("{text}{line}\n")).map_err(failed)
    }

    /// What it made: the outputs of all tasks, in their order.
    pub(crate) fn outputs(&self, graph: &Graph) -> Outcome<Vec<Vec<u8>>> {
        let work = self.work();
        let read = |task| fs::read(work.join(output(task))).map_err(failed);
        (0..graph.tasks.len()).map(read).collect()
    }

    /// The command that brings everything up to date.
    pub(crate) fn build(&self) -> Command {
        let mut command = self.command();
        let jobs = format!("-j{}", self.jobs);
        match self.tool {
            Tool::Farm => command.args(["build", &jobs, "e"]),
            Tool::Ninja | Tool::NinjaRestat => command.args(["--quiet", &jobs]),
            Tool::Make => command.args(["-s", "-r", "-R", &jobs]),
            Tool::Tup => command.args(["--quiet", &jobs]),
        };
        command
    }

    /// The command that says what would be done.
    pub(crate) fn dry_run(&self) -> Command {
        let mut command = self.command();
        match self.tool {
            Tool::Farm => command.args(["build", "-n", "e"]),
            Tool::Ninja | Tool::NinjaRestat => command.arg("-n"),
            Tool::Make => command.args(["-n", "-r", "-R"]),
            Tool::Tup => command.arg("todo"),
        };
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder);
        command
    }

    /// The folder of `src` and `out`: with farm, that of the manifest.
    fn work(&self) -> PathBuf {
        match self.tool {
            Tool::Farm => self.folder.join("farms/e"),
            _ => self.folder.clone(),
        }
    }
}

/// A manifest.
fn farm(graph: &Graph) -> String {
    let head = "farm: e\ntasks:\n".to_owned();
    each(graph, head, |inputs, output, task| {
        let (inputs, command) = (inputs.join(", "), graph.command(task));
        format!("  t{task}: {{ in: host, inputs: [{inputs}], outputs: [{output}], run: \"{command}\" }}\n")
    })
}

/// A build file. With `restat`, outputs that may stay the same are made aside and moved only if they differ.
fn ninja(graph: &Graph, restat: bool) -> String {
    let mut text = "rule run\n  command = $run\n".to_owned();
    if restat {
        text.push_str("rule compare\n  command = $run.new; cmp -s $out.new $out && rm $out.new || mv $out.new $out\n");
        text.push_str("  restat = 1\n");
    }
    each(graph, text, |inputs, output, task| {
        let rule = if restat && graph.drops_comments(task) {
            "compare"
        } else {
            "run"
        };
        let (inputs, command) = (inputs.join(" "), graph.command(task));
        format!("build {output}: {rule} {inputs}\n  run = {command}\n")
    })
}

/// A Makefile.
fn make(graph: &Graph) -> String {
    let sinks: Vec<String> = graph.sinks().into_iter().map(output).collect();
    let text = format!("all: {}\n.PHONY: all\n", sinks.join(" "));
    each(graph, text, |inputs, output, task| {
        format!("{output}: {}\n\t{}\n", inputs.join(" "), graph.command(task))
    })
}

/// A Tupfile. `^o^` tells it to compare outputs.
fn tup(graph: &Graph) -> String {
    each(graph, String::new(), |inputs, output, task| {
        let flag = if graph.drops_comments(task) { "^o^ " } else { "" };
        format!(": {} |> {flag}{} |> {output}\n", inputs.join(" "), graph.command(task))
    })
}

/// `text`, and after it what `say` makes of the inputs, the output and the number of every task.
fn each(graph: &Graph, mut text: String, say: impl Fn(Vec<String>, String, usize) -> String) -> String {
    for task in 0..graph.tasks.len() {
        text.push_str(&say(graph.inputs(task), output(task), task));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::graph::Shape;

    #[test]
    fn everybody_is_given_the_same_command_lines() {
        let graph = Graph::new(Shape::Lattice, 20, 1);
        for text in [
            farm(&graph),
            ninja(&graph, false),
            ninja(&graph, true),
            make(&graph),
            tup(&graph),
        ] {
            for task in 0..20 {
                assert!(text.contains(&graph.command(task)), "{text}");
            }
        }
        assert_eq!(graph.command(0), "sed /^#/d src/0 > out/0");
        assert_eq!(graph.command(7), "cksum out/3 out/0 > out/7");
    }

    #[test]
    fn only_outputs_that_may_stay_the_same_are_compared() {
        let graph = Graph::new(Shape::Chain, 20, 1);
        assert_eq!(ninja(&graph, true).matches(": compare ").count(), 1);
        assert_eq!(tup(&graph).matches("^o^").count(), 1);
    }
}
