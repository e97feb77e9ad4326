//! `farm debug hash`.

use std::time::Duration;

use clap::Args;
use farm_engine::Value;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, Compared, HashAnswer, Recorded, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::progress::{Mode, change_words};
use crate::text::{cut_middle, duration, moment, one_line};

const ABOUT_TWO: &str = "\
With one node (or a farm): today's key, every input that feeds it in the order in which it is hashed, and
whether a build with this key is recorded.

With two: in what two recorded keys differ. Each is NODE, for the key it used last, or NODE@PREFIX with at
least four hexadecimal digits of a key (`farm debug guard NODE` lists them). Exit status 0 if they are
equal, 1 if they differ.";

/// The arguments of `farm debug hash`.
#[derive(Debug, Args)]
#[command(after_help = ABOUT_TWO)]
pub(super) struct HashArgs {
    #[command(flatten)]
    words: WordArgs,
    /// Print JSON: one object a node, or one object of what differs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// Prints a key's inputs, or how two keys differ.
pub(super) fn run(app: &App, args: &HashArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    match words.targets.as_slice() {
        [] => Err(CliError::input("which node? `farm debug hash` needs a target").hint("`farm targets` lists them")),
        [_] => today(app, args, &words, results),
        [from, to] => {
            if let Some((name, _)) = words.variables.first() {
                let message = format!("two keys are compared as they are recorded: {name} has no say");
                return Err(CliError::input(message));
            }
            let compared = domain::compare(&app.setup(args.executor.executor)?, from, to)?;
            if args.json {
                let line = serde_json::to_string(&compared).map_err(|error| CliError::bug(error.to_string()))?;
                results.line(&line);
            } else {
                for line in difference_in_words(&compared) {
                    results.line(&line);
                }
            }
            let are_equal = compared.changes.is_empty();
            Ok(if are_equal { Status::Done } else { Status::Failed })
        }
        _ => Err(CliError::input(
            "one node to look at, or two keys to compare, and not more",
        )),
    }
}

fn today(app: &App, args: &HashArgs, words: &Words, results: &mut Results) -> Result<Status, CliError> {
    let invocation = Invocation::start(app, args.executor.executor, Mode::Quiet, false)?;
    let answers = match domain::hash(&invocation.setup, words, &*invocation.display) {
        Ok(answers) => answers,
        Err(error) => return invocation.fail(error),
    };
    for answer in &answers {
        if args.json {
            let line = serde_json::to_string(answer).map_err(|error| CliError::bug(error.to_string()))?;
            results.line(&line);
            continue;
        }
        for line in in_words(answer) {
            results.line(&line);
        }
    }
    Ok(Status::Done)
}

fn in_words(answer: &HashAnswer) -> Vec<String> {
    let mut lines = vec![answer.node.clone()];
    match (&answer.key, &answer.built) {
        (None, _) => lines.push("  key     not known yet".to_owned()),
        (Some(key), None) => lines.extend([format!("  key     {key}"), "  built   never with this key".to_owned()]),
        (Some(key), Some(built)) => lines.extend([
            format!("  key     {key}"),
            format!(
                "  built   {} in {}",
                moment(built.began_ms),
                duration(Duration::from_millis(built.took_ms))
            ),
        ]),
    }
    lines.extend(
        answer
            .hangs_on
            .iter()
            .map(|on| format!("  hangs on the output of {}", one_line(on))),
    );
    lines.push("  inputs".to_owned());
    lines.extend(answer.inputs.iter().map(|input| {
        let value = match &input.value {
            None => "not known yet".to_owned(),
            Some(Value::Text(text)) => cut_middle(text),
            Some(Value::Digest(digest)) => digest.short(),
            Some(Value::Absent) => "absent".to_owned(),
        };
        format!("    {} = {value}", one_line(&input.name))
    }));
    lines
}

fn difference_in_words(compared: &Compared) -> Vec<String> {
    let side = |sign: &str, recorded: &Recorded| {
        format!(
            "{sign} {} {} of {}",
            recorded.node,
            recorded.key,
            moment(recorded.began_ms)
        )
    };
    let mut lines = vec![side("from", &compared.from), side("to  ", &compared.to)];
    lines.extend(
        compared
            .changes
            .iter()
            .map(|change| format!("  {}", change_words(change))),
    );
    if compared.changes.is_empty() {
        lines.push("  the same inputs".to_owned());
    }
    lines
}
