//! `farm why`.

use std::time::Duration;

use clap::Args;
use farm_engine::NodeState;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, Apart, WhyAnswer, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::progress::{Mode, change_words};
use crate::text::{count, duration, moment, one_line};

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
    let mut lines = if domain::is_pending(answer) {
        pending(answer)
    } else {
        up_to_date(answer)
    };
    lines.extend(answer.apart.as_ref().map(|apart| match apart {
        Apart::Before(user) => format!("  needed only where {user} runs"),
        Apart::Target(target) => format!("  `farm build` of the whole farm does not make it: its target is {target}"),
    }));
    lines
}

/// Why it will run, or cannot, and by which way that comes to it.
fn pending(answer: &WhyAnswer) -> Vec<String> {
    let begin = match answer.state {
        _ if answer.skipped => "cannot run",
        NodeState::Unknown => "may have to run",
        _ => "will run",
    };
    let mut lines = vec![format!("{} {begin}: {}", answer.node, one_line(&answer.reason))];
    lines.extend(
        answer
            .path
            .iter()
            .map(|step| format!("  {} {}", step.node, one_line(&step.why))),
    );
    let indent = if answer.path.is_empty() { "  " } else { "    " };
    lines.extend(
        answer
            .changes
            .iter()
            .map(|change| format!("{indent}{}", change_words(change))),
    );
    lines
}

/// Which build it is up to date with, and what happened since without effect on it.
fn up_to_date(answer: &WhyAnswer) -> Vec<String> {
    let node = &answer.node;
    let Some(built) = &answer.built else {
        return vec![format!("{node} is up to date")];
    };
    let mut lines = vec![
        format!("{node} is up to date: every input is as it was when it was built"),
        format!(
            "  built on {} in {}, last used on {}",
            moment(built.began_ms),
            duration(Duration::from_millis(built.took_ms)),
            moment(built.used_ms)
        ),
    ];
    lines.extend(answer.back.as_ref().map(|back| {
        let others = count(back.others, "time");
        format!(
            "  its inputs are back: in between it was built {others} with others, last on {}",
            moment(back.last_ms)
        )
    }));
    for same in &answer.same {
        let user = if same.user == *node {
            String::new()
        } else {
            format!(" for {}", same.user)
        };
        lines.push(format!(
            "  {} was built again on {} ({}), and its `{}` came out the same{user}",
            same.node,
            moment(same.began_ms),
            one_line(&same.reason),
            same.output
        ));
    }
    lines.push(format!("  it ran then because: {}", one_line(&answer.reason)));
    lines.extend(
        answer
            .changes
            .iter()
            .map(|change| format!("    {}", change_words(change))),
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
    fn what_did_not() {
        let key = "ab".repeat(32);
        let last = json!({
            "node": "a:task/x", "state": "cached", "when": "last", "reason": "input/b changed",
            "changes": [{ "input": "input/b", "from": "1", "to": "2" }],
            "built": { "key": key, "began_ms": 1_763_683_200_000_u64, "took_ms": 1500, "used_ms": 1_763_769_600_000_u64 },
            "back": { "others": 2, "last_ms": 1_763_690_000_000_u64 },
            "same": [
                { "node": "a:task/y", "output": "out", "began_ms": 1_763_691_000_000_u64, "reason": "run changed", "user": "a:task/x" },
                { "node": "a:task/z", "output": "out", "began_ms": 1_763_691_000_000_u64, "reason": "run changed", "user": "a:task/y" },
            ],
            "apart": { "before": "a:task/w" },
        });
        insta::assert_snapshot!(words(last), @r"
        a:task/x is up to date: every input is as it was when it was built
          built on 2025-11-21 00:00:00 UTC in 1.5 s, last used on 2025-11-22 00:00:00 UTC
          its inputs are back: in between it was built 2 times with others, last on 2025-11-21 01:53:20 UTC
          a:task/y was built again on 2025-11-21 02:10:00 UTC (run changed), and its `out` came out the same
          a:task/z was built again on 2025-11-21 02:10:00 UTC (run changed), and its `out` came out the same for a:task/y
          it ran then because: input/b changed
            input/b: 1 → 2
          needed only where a:task/w runs
        ");
        let bare = json!({ "node": "a:env", "state": "cached", "when": "last", "reason": "", "changes": [], "apart": { "target": "a:env" } });
        insta::assert_snapshot!(words(bare), @r"
        a:env is up to date
          `farm build` of the whole farm does not make it: its target is a:env
        ");
    }

    #[test]
    fn a_way_to_what_changed() {
        let waiting = json!({
            "node": "a:task/x", "state": "unknown", "when": "pending",
            "reason": "hangs on the output of a:task/z, which runs: env/A changed",
            "changes": [{ "input": "task/z: env/A", "from": "1", "to": "2" }],
            "path": [
                { "node": "a:task/x", "why": "waits for `y` of a:task/y" },
                { "node": "a:task/y", "why": "waits for `z` of a:task/z" },
                { "node": "a:task/z", "why": "runs: env/A changed" },
            ],
        });
        insta::assert_snapshot!(words(waiting), @r"
        a:task/x may have to run: hangs on the output of a:task/z, which runs: env/A changed
          a:task/x waits for `y` of a:task/y
          a:task/y waits for `z` of a:task/z
          a:task/z runs: env/A changed
            task/z: env/A: 1 → 2
        ");
    }

    #[test]
    fn the_contract_survives_a_round() {
        let answer: WhyAnswer = serde_json::from_value(pending()).unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap(), pending());
    }
}
