//! `farm why`.

use clap::Args;
use farm_engine::NodeState;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, WhyAnswer, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::progress::{Mode, change_words};
use crate::text::one_line;

/// The arguments of `farm why`.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    #[command(flatten)]
    words: WordArgs,
    /// Print one JSON object a node
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// Says why nodes run, or ran.
pub(crate) fn run(app: &App, args: &WhyArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    if words.targets.is_empty() {
        return Err(CliError::input("which node? `farm why` needs a target").hint("`farm targets` lists them"));
    }
    let invocation = Invocation::start(app, args.executor.executor, Mode::Quiet, false)?;
    let answers = match domain::why(&invocation.setup, &words, &*invocation.display) {
        Ok(answers) => answers,
        Err(error) => return invocation.fail(error),
    };
    for answer in &answers {
        if args.json {
            let line = serde_json::to_string(answer).map_err(|error| CliError::bug(error.to_string()))?;
            results.line(&line);
        } else {
            for line in in_words(answer) {
                results.line(&line);
            }
        }
    }
    Ok(Status::Done)
}

fn in_words(answer: &WhyAnswer) -> Vec<String> {
    if !domain::is_pending(answer) && answer.reason.is_empty() {
        return vec![format!("{} has never run here", answer.node)];
    }
    let begin = match (domain::is_pending(answer), answer.state) {
        (true, NodeState::Unknown) => "may have to run",
        (true, _) => "will run",
        (false, NodeState::Cached) => "is up to date; it ran last because",
        (false, _) => "ran last because",
    };
    let mut lines = vec![format!("{} {begin}: {}", answer.node, one_line(&answer.reason))];
    lines.extend(
        answer
            .changes
            .iter()
            .map(|change| format!("  {}", change_words(change))),
    );
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn words(answer: Value) -> String {
        in_words(&serde_json::from_value(answer).unwrap()).join("\n")
    }

    fn pending() -> Value {
        json!({
            "node": "a:task/x",
            "state": "run",
            "when": "pending",
            "reason": "env/TOP changed, input/b.txt is new",
            "changes": [
                { "input": "env/TOP", "from": "3", "to": "4" },
                { "input": "input/b.txt", "from": null, "to": "0123456789ab" },
            ],
        })
    }

    #[test]
    fn what_will_run() {
        insta::assert_snapshot!(words(pending()), @r"
        a:task/x will run: env/TOP changed, input/b.txt is new
          env/TOP: 3 → 4
          input/b.txt: new, 0123456789ab
        ");
        let waiting = json!({
            "node": "a:task/x", "state": "unknown", "when": "pending", "reason": "hangs on the output of a:plan", "changes": [],
        });
        insta::assert_snapshot!(words(waiting), @"a:task/x may have to run: hangs on the output of a:plan");
    }

    #[test]
    fn what_ran() {
        let last =
            json!({ "node": "a:task/x", "state": "cached", "when": "last", "reason": "never built", "changes": [] });
        insta::assert_snapshot!(words(last), @"a:task/x is up to date; it ran last because: never built");
        let never = json!({ "node": "a:task/x", "state": "unknown", "when": "last", "reason": "", "changes": [] });
        insta::assert_snapshot!(words(never), @"a:task/x has never run here");
    }

    #[test]
    fn the_contract_survives_a_round() {
        let answer: WhyAnswer = serde_json::from_value(pending()).unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap(), pending());
    }
}
