//! `farm log last`, `what-ran`, `what-failed`, `slowest` and `critical-path`: what was recorded of a run.

use std::time::Duration;

use clap::Args;
use farm_engine::{Failure, FailureKind, NodeResult, Summary};
use farm_run_record::{NodeRun, Outcome, Overview, RunResult, Step, critical_path, timeline};
use serde_json::{Value, json};

use crate::args::ExecutorChoice;
use crate::domain::{self, RecordedRun, WhichRun};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;
use crate::paint::Paint;
use crate::summary::{counts_in_words, problems};
use crate::text::{self, columns, moment, one_line};

/// So many of the slowest nodes are listed for people.
const SLOWEST: usize = 20;

/// Which run.
#[derive(Debug, Args)]
pub(super) struct RunArg {
    /// The run's number in `farm debug history` [default: the last one in which anything ran]
    #[arg(long, value_name = "NUMBER")]
    run: Option<u64>,
}

/// What every question about a run takes.
#[derive(Debug, Args)]
pub(super) struct QuestionArgs {
    #[command(flatten)]
    run: RunArg,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is asked of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Last,
    WhatRan,
    WhatFailed,
    Slowest,
    CriticalPath,
}

impl RunArg {
    /// The record that is meant; `default` if no number was said. What is missing of it is said to people.
    pub(super) fn open(&self, app: &App, default: WhichRun) -> Result<RecordedRun, CliError> {
        let which = self.run.map_or(default, WhichRun::Number);
        let recorded = domain::recorded_run(&app.setup(ExecutorChoice::Auto)?, which)?;
        let run = recorded.run;
        match recorded.record.result() {
            RunResult::Killed => {
                let what = format!(
                    "note: the record of run {run} has no end: farm was killed, and what it did last may be missing"
                );
                app.say(&[what]);
            }
            RunResult::Running => app.say(&[format!("note: run {run} is not over")]),
            RunResult::Done | RunResult::Failed | RunResult::Interrupted => {}
        }
        Ok(recorded)
    }
}

/// Answers a question.
pub(super) fn run(
    app: &App,
    question: Question,
    args: &QuestionArgs,
    results: &mut Results,
) -> Result<Status, CliError> {
    let default = match question {
        Question::Last => WhichRun::Last,
        _ => WhichRun::LastThatRan,
    };
    let recorded = args.run.open(app, default)?;
    if args.json {
        for line in in_json(question, &recorded).map_err(|error| CliError::bug(error.to_string()))? {
            results.json(&line);
        }
    } else {
        let (lines, said) = in_words(question, &recorded);
        for line in lines {
            results.line(&line);
        }
        results.flush();
        app.say(&said);
    }
    Ok(Status::Done)
}

/// The answer, and what people are told beside it.
fn in_words(question: Question, recorded: &RecordedRun) -> (Vec<String>, Vec<String>) {
    let run = recorded.run;
    let ran = timeline(&recorded.record.entries);
    let none = |what: &str| vec![format!("{what} in run {run}")];
    match question {
        Question::Last => {
            let mut lines = overview(&Overview::of(run, &recorded.record));
            lines.extend(failures(recorded));
            (lines, Vec::new())
        }
        Question::WhatRan if ran.is_empty() => (Vec::new(), none("nothing ran")),
        Question::WhatRan => (what_ran(&ran), Vec::new()),
        Question::WhatFailed => match failures(recorded) {
            lines if lines.is_empty() => (lines, none("nothing failed")),
            lines => (lines, Vec::new()),
        },
        Question::Slowest if ran.is_empty() => (Vec::new(), none("nothing ran")),
        Question::Slowest => {
            let more = ran.len().saturating_sub(SLOWEST);
            let said = (more > 0).then(|| format!("and {more} more, which --json lists"));
            (slowest(&by_duration(ran)), said.into_iter().collect())
        }
        Question::CriticalPath if ran.is_empty() => (Vec::new(), none("nothing ran")),
        Question::CriticalPath => (
            path(&ran, &critical_path(&ran)),
            vec![format!("the run took {}", duration(recorded.record.ms()))],
        ),
    }
}

fn in_json(question: Question, recorded: &RecordedRun) -> serde_json::Result<Vec<Value>> {
    let run = recorded.run;
    let record = &recorded.record;
    let node = |node: &NodeRun| -> serde_json::Result<Value> {
        let mut value = serde_json::to_value(node)?;
        value["run"] = run.into();
        Ok(value)
    };
    let ran = timeline(&record.entries);
    match question {
        Question::Last => Ok(vec![serde_json::to_value(Overview::of(run, record))?]),
        Question::WhatRan => ran.iter().map(node).collect(),
        Question::Slowest => by_duration(ran).iter().map(node).collect(),
        Question::WhatFailed => outcomes(recorded)
            .map(|(name, outcome)| {
                let mut value = serde_json::to_value(outcome)?;
                value["name"] = name.into();
                value["run"] = run.into();
                Ok(value)
            })
            .collect(),
        Question::CriticalPath => {
            let steps = critical_path(&ran).into_iter().map(|step| {
                let mut value = node(&ran[step.run])?;
                value["waited_ms"] = step.waited.into();
                Ok(value)
            });
            let steps = steps.collect::<serde_json::Result<Vec<Value>>>()?;
            Ok(vec![json!({ "run": run, "ms": record.ms(), "steps": steps })])
        }
    }
}

fn duration(ms: u64) -> String {
    text::duration(Duration::from_millis(ms))
}

/// A run, one fact a line.
fn overview(of: &Overview) -> Vec<String> {
    let mut lines = vec![
        format!("run {}: farm {}", of.run, one_line(&of.words.join(" "))),
        format!("  began   {}", moment(of.started_ms)),
        format!("  took    {}", duration(of.ms)),
        format!("  result  {}", of.result.word()),
        format!("  nodes   {}", counts_in_words(of.counts)),
        format!("  jobs    {}", of.jobs),
        format!("  farm    {}", of.farm),
    ];
    if let Some(error) = &of.error {
        lines.push(format!("  error   {}", one_line(error.trim_end())));
    }
    lines
}

/// The nodes because of which a run fails, in the order in which that happened.
fn outcomes(recorded: &RecordedRun) -> impl Iterator<Item = (&str, Outcome)> {
    let events = recorded.record.entries.iter().map(|entry| &entry.event);
    events
        .filter_map(Outcome::of)
        .filter(|(_, outcome)| outcome.is_failure())
}

/// What went wrong, as the run itself said it.
fn failures(recorded: &RecordedRun) -> Vec<String> {
    let mut summary = Summary::default();
    for (name, outcome) in outcomes(recorded) {
        if outcome.result == NodeResult::Failed {
            let mut failure = Failure::new(
                outcome.failure.unwrap_or(FailureKind::Step),
                outcome.message.unwrap_or_default(),
            );
            failure.hint = outcome.hint;
            failure.log = outcome.log;
            summary.failures.push((name.to_owned(), failure));
        } else {
            summary.not_reproducible.push((name.to_owned(), outcome.differences));
        }
    }
    problems(&summary, Paint::default())
}

fn what_ran(ran: &[NodeRun]) -> Vec<String> {
    let rows: Vec<[String; 4]> = ran
        .iter()
        .map(|node| {
            [
                ended(node).to_owned(),
                duration(node.ms()),
                node.name.clone(),
                one_line(&node.reason.to_string()),
            ]
        })
        .collect();
    columns(&rows)
}

fn ended(node: &NodeRun) -> &'static str {
    match node.outcome.as_ref().map(|outcome| outcome.result) {
        Some(NodeResult::Failed) => "failed",
        // It started, so that only a stop can have kept it from its end.
        Some(NodeResult::Skipped) => "stopped",
        Some(_) => "built",
        None => "no end",
    }
}

/// The slowest first; of equals, the one that started first.
fn by_duration(mut ran: Vec<NodeRun>) -> Vec<NodeRun> {
    ran.sort_by_key(|node| std::cmp::Reverse(node.ms()));
    ran
}

fn slowest(ran: &[NodeRun]) -> Vec<String> {
    let rows: Vec<[String; 3]> = ran
        .iter()
        .take(SLOWEST)
        .map(|node| {
            let before = node.expected_ms.map(|ms| format!("{} the time before", duration(ms)));
            [duration(node.ms()), node.name.clone(), before.unwrap_or_default()]
        })
        .collect();
    columns(&rows)
}

fn path(ran: &[NodeRun], steps: &[Step]) -> Vec<String> {
    let mut rows = vec![["waited", "took", "node"].map(str::to_owned)];
    rows.extend(
        steps
            .iter()
            .map(|step| [duration(step.waited), duration(step.took), ran[step.run].name.clone()]),
    );
    columns(&rows)
}
