//! `farm why`.

use clap::Args;
use farm_engine::{NodeState, Reason};
use serde_json::{Value, json};

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, When, WhyAnswer, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::output::Results;
use crate::progress::{Mode, change_words};
use crate::session::{App, Session};
use crate::text::count;

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
    let session = Session::start(app, args.executor.executor, Mode::Quiet, false)?;
    let answers = match domain::why(&session.setup, &words) {
        Ok(answers) => answers,
        Err(error) => return session.fail(error),
    };
    for answer in &answers {
        if args.json {
            results.line(&as_json(answer).to_string());
        } else {
            for line in in_words(answer) {
                results.line(&line);
            }
        }
    }
    Ok(Status::Done)
}

fn as_json(answer: &WhyAnswer) -> Value {
    json!({
        "node": answer.node,
        "state": answer.state,
        "when": match answer.when {
            When::Pending => "pending",
            When::Last => "last",
        },
        "reason": answer.reason.as_ref().map(ToString::to_string),
        "changes": answer.changes,
    })
}

fn in_words(answer: &WhyAnswer) -> Vec<String> {
    let begin = match (answer.when, answer.state) {
        (When::Pending, NodeState::Unknown) => "may have to run",
        (When::Pending, _) => "will run",
        (When::Last, NodeState::Cached) => "is up to date; it last ran",
        (When::Last, _) => "last ran",
    };
    let because = match &answer.reason {
        None => String::new(),
        Some(Reason::NeverBuilt) => " because it was never built before".to_owned(),
        Some(Reason::InputsChanged { .. }) => {
            format!(" because of {}", count(answer.changes.len() as u64, "changed input"))
        }
        Some(Reason::OutputLost { what }) => format!(" because {what}"),
        Some(Reason::Forced) => " because somebody asked for it".to_owned(),
        Some(Reason::Waiting { on }) => format!(": it hangs on the output of {on}, which will run"),
    };
    let mut lines = vec![format!("{} {begin}{because}", answer.node)];
    lines.extend(answer.changes.iter().map(|change| format!("  {}", change_words(change))));
    lines
}

#[cfg(test)]
mod tests {
    use farm_engine::Change;

    use super::*;

    fn answer(when: When, state: NodeState, reason: Option<Reason>) -> WhyAnswer {
        WhyAnswer {
            node: "a:task/x".to_owned(),
            state,
            when,
            changes: reason.as_ref().map(|reason| reason.changes().to_vec()).unwrap_or_default(),
            reason,
        }
    }

    fn changed() -> Option<Reason> {
        let change = |input: &str, from: Option<&str>, to: Option<&str>| Change {
            input: input.to_owned(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        Some(Reason::InputsChanged {
            changes: vec![change("env/TOP", Some("3"), Some("4")), change("input/b.txt", None, Some("0123456789ab"))],
        })
    }

    #[test]
    fn words() {
        insta::assert_snapshot!(in_words(&answer(When::Pending, NodeState::Run, changed())).join("\n"), @r"
        a:task/x will run because of 2 changed inputs
          env/TOP: 3 → 4
          input/b.txt: new, 0123456789ab
        ");
        insta::assert_snapshot!(in_words(&answer(When::Last, NodeState::Cached, Some(Reason::NeverBuilt)))[0], @"a:task/x is up to date; it last ran because it was never built before");
        let waiting = Some(Reason::Waiting { on: "a:plan".to_owned() });
        insta::assert_snapshot!(in_words(&answer(When::Pending, NodeState::Unknown, waiting))[0], @"a:task/x may have to run: it hangs on the output of a:plan, which will run");
    }

    #[test]
    fn contract() {
        insta::assert_snapshot!(as_json(&answer(When::Pending, NodeState::Run, changed())), @r#"{"changes":[{"from":"3","input":"env/TOP","to":"4"},{"from":null,"input":"input/b.txt","to":"0123456789ab"}],"node":"a:task/x","reason":"env/TOP changed, input/b.txt is new","state":"run","when":"pending"}"#);
    }
}
