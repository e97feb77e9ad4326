//! `farm graph`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, GraphView, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::progress::Mode;

/// The arguments of `farm graph`.
#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    words: WordArgs,
    /// How to draw it
    #[arg(long, value_enum, default_value_t = Format::Dot, value_name = "FORMAT")]
    format: Format,
    #[command(flatten)]
    executor: ExecutorArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Graphviz's language
    Dot,
    /// A picture, drawn by Graphviz
    Svg,
    /// A flowchart for Markdown
    Mermaid,
    /// Nodes and edges for programs
    Json,
}

/// Draws the graph.
pub(crate) fn run(app: &App, args: &GraphArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    let invocation = Invocation::start(app, args.executor.executor, Mode::Quiet, false)?;
    let view = match domain::graph(&invocation.setup, &words, &*invocation.display) {
        Ok(view) => view,
        Err(error) => return invocation.fail(error),
    };
    match args.format {
        Format::Dot => results.bytes(dot(&view).as_bytes()),
        Format::Svg => results.bytes(&svg(&dot(&view))?),
        Format::Mermaid => results.bytes(mermaid(&view).as_bytes()),
        Format::Json => results.json(&serde_json::to_value(&view).map_err(|error| CliError::bug(error.to_string()))?),
    }
    Ok(Status::Done)
}

/// Draws with Graphviz.
fn svg(dot: &str) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| {
        let error = CliError::environment(format!("cannot draw with Graphviz's `dot`: {error}"));
        error.hint("install the package graphviz, or take another format")
    };
    let mut child = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // Both ends move at once: a large graph fits into neither pipe.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(dot.as_bytes())));
        child.wait_with_output()
    })
    .map_err(failed)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(CliError::environment(format!(
            "Graphviz's `dot` failed: {}",
            output.status
        )))
    }
}

/// Edges go from what is needed to what needs it: the way that work flows.
fn dot(view: &GraphView) -> String {
    let mut text = String::from("digraph farm {\n  rankdir=LR;\n  node [shape=box];\n");
    for node in &view.nodes {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {} [tooltip={}];", quoted(&node.name), quoted(&node.kind));
    }
    for edge in &view.edges {
        let _ = writeln!(text, "  {} -> {};", quoted(&edge.to), quoted(&edge.from));
    }
    text.push_str("}\n");
    text
}

/// A quoted identifier of Graphviz's language: only quotes and backslashes need care.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn mermaid(view: &GraphView) -> String {
    let ids: BTreeMap<&str, usize> = view
        .nodes
        .iter()
        .enumerate()
        .map(|(id, node)| (node.name.as_str(), id))
        .collect();
    let mut text = String::from("flowchart LR\n");
    for (id, node) in view.nodes.iter().enumerate() {
        // A label in quotes may hold anything but a quote, which Mermaid writes as an entity.
        let _ = writeln!(text, "  n{id}[\"{}\"]", node.name.replace('"', "#quot;"));
    }
    for edge in &view.edges {
        if let (Some(from), Some(to)) = (ids.get(edge.to.as_str()), ids.get(edge.from.as_str())) {
            let _ = writeln!(text, "  n{from} --> n{to}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{GraphEdge, GraphNode};

    fn view() -> GraphView {
        let node = |name: &str| GraphNode {
            name: name.to_owned(),
            kind: "task".to_owned(),
            state: None,
        };
        GraphView {
            nodes: vec![node("a:task/words"), node("a:task/\"odd\\")],
            edges: vec![GraphEdge {
                from: "a:task/\"odd\\".to_owned(),
                to: "a:task/words".to_owned(),
                output: Some("out".to_owned()),
            }],
        }
    }

    #[test]
    fn graphviz() {
        insta::assert_snapshot!(dot(&view()), @r#"
        digraph farm {
          rankdir=LR;
          node [shape=box];
          "a:task/words" [tooltip="task"];
          "a:task/\"odd\\" [tooltip="task"];
          "a:task/words" -> "a:task/\"odd\\";
        }
        "#);
    }

    #[test]
    fn markdown() {
        insta::assert_snapshot!(mermaid(&view()), @r#"
        flowchart LR
          n0["a:task/words"]
          n1["a:task/#quot;odd\"]
          n0 --> n1
        "#);
    }
}
