//! `farm debug`: for those who look inside.

mod hash;
mod query;

use clap::{Args, Subcommand};
use farm_engine::{Guard, Value};

use super::history::{self, HistoryArgs, TraceArgs};
use crate::args::{ExecutorChoice, WordArgs};
use crate::domain::{self, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;
use crate::text::{cut_middle, duration, moment, one_line};

/// The arguments of `farm debug`.
#[derive(Debug, Args)]
pub(crate) struct DebugArgs {
    #[command(subcommand)]
    command: DebugCommand,
}

/// What to look at.
#[derive(Debug, Subcommand)]
enum DebugCommand {
    /// Print what a node was made from and what it made, as the guard file has it
    Guard(GuardArgs),
    /// Print what a node's key is made of today, or in what two recorded keys differ
    Hash(hash::HashArgs),
    /// Print what a node needs, what needs it, or what a change of files affects
    Query(query::QueryArgs),
    /// List the runs that are recorded, the last one first
    History(HistoryArgs),
    /// Print when what ran, as a file that Perfetto (ui.perfetto.dev) opens
    Trace(TraceArgs),
}

/// The arguments of `farm debug guard`.
#[derive(Debug, Args)]
struct GuardArgs {
    #[command(flatten)]
    words: WordArgs,
    /// Print every guard that is kept, one JSON object a line, the one used last first
    #[arg(long)]
    json: bool,
}

/// Looks inside.
pub(crate) fn run(app: &App, args: &DebugArgs, results: &mut Results) -> Result<Status, CliError> {
    match &args.command {
        DebugCommand::Guard(args) => guard(app, args, results),
        DebugCommand::History(args) => history::history(app, args, results),
        DebugCommand::Trace(args) => history::trace(app, args, results),
        DebugCommand::Hash(args) => hash::run(app, args, results),
        DebugCommand::Query(args) => query::run(app, args, results),
    }
}

fn guard(app: &App, args: &GuardArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    if words.targets.is_empty() {
        return Err(CliError::input("which node? `farm debug guard` needs a target").hint("`farm targets` lists them"));
    }
    let guards = domain::guards(&app.setup(ExecutorChoice::Auto)?, &words)?;
    if args.json {
        for guard in &guards {
            let line = serde_json::to_string(guard).map_err(|error| CliError::bug(error.to_string()))?;
            results.line(&line);
        }
        return Ok(Status::Done);
    }
    for of_node in guards.chunk_by(|a, b| a.node == b.node) {
        for line in in_words(of_node) {
            results.line(&line);
        }
    }
    Ok(Status::Done)
}

/// The guard that was used last, which is the first, and the keys of the others.
fn in_words(guards: &[Guard]) -> Vec<String> {
    let Some((guard, older)) = guards.split_first() else {
        return Vec::new();
    };
    let mut lines = vec![
        guard.node.clone(),
        format!("  key      {}", guard.key),
        format!("  began    {}", moment(guard.started_ms)),
        format!(
            "  took     {}",
            duration(std::time::Duration::from_millis(guard.duration_ms))
        ),
        format!("  because  {}", one_line(&guard.reason.to_string())),
        format!("  farm     {}", guard.version),
        "  inputs".to_owned(),
    ];
    lines.extend(guard.inputs.iter().map(|input| {
        let value = match &input.value {
            Value::Text(text) => cut_middle(&one_line(text)),
            Value::Digest(digest) => digest.to_string(),
            Value::Absent => "absent".to_owned(),
        };
        format!("    {} = {value}", one_line(&input.name))
    }));
    lines.push("  outputs".to_owned());
    for output in &guard.outputs {
        lines.push(format!("    {} {}", output.role, output.digest));
        lines.push(format!("      {}", cut_middle(&output.place)));
    }
    if !older.is_empty() {
        lines.push("  older keys".to_owned());
        lines.extend(
            older
                .iter()
                .map(|guard| format!("    {}  {}", guard.key, moment(guard.started_ms))),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn guard(key: u8) -> Guard {
        serde_json::from_value(json!({
            "node": "a:task/x",
            "key": format!("{key:02x}").repeat(32),
            "inputs": [
                { "name": "rule", "value": { "text": "task 1" } },
                { "name": "input/b", "value": "absent" },
            ],
            "outputs": [{ "role": "out", "digest": "ab".repeat(32), "place": "somewhere" }],
            "reason": { "because": "never-built" },
            "started_ms": 1_763_683_200_000_u64,
            "duration_ms": 1500,
            "version": "0.1.0",
        }))
        .unwrap()
    }

    #[test]
    fn the_guard_used_last_and_older_keys() {
        insta::assert_snapshot!(in_words(&[guard(1), guard(2)]).join("\n"), @"
        a:task/x
          key      0101010101010101010101010101010101010101010101010101010101010101
          began    2025-11-21 00:00:00 UTC
          took     1.5 s
          because  never built
          farm     0.1.0
          inputs
            rule = task 1
            input/b = absent
          outputs
            out abababababababababababababababababababababababababababababababab
              somewhere
          older keys
            0202020202020202020202020202020202020202020202020202020202020202  2025-11-21 00:00:00 UTC
        ");
    }
}
