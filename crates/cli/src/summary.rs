//! What is said at the end of a run.

use std::time::Duration;

use farm_engine::{Counts, Difference, Failure, NodeReport, NodeResult, NodeState, Reason, Summary};

use crate::exit::{Signal, Status, exit_code};
use crate::paint::{Paint, Role};
use crate::progress::change_words;
use crate::text::{columns, count, duration, one_line};

/// How a run ended.
pub(crate) fn status(summary: &Summary, stopped: Option<Signal>) -> Status {
    exit_code(
        summary.failures.iter().map(|(_, failure)| failure.kind),
        !summary.not_reproducible.is_empty(),
        stopped.filter(|_| summary.interrupted),
    )
}

/// The end of a run that built: what went wrong in full, and the counts.
pub(crate) fn of_build(summary: &Summary, took: Duration, paint: Paint) -> Vec<String> {
    let mut lines = problems(summary, paint);
    let counts = summary.counts;
    if !summary.reproducible.is_empty() {
        let word = paint.paint(Role::Good, "reproducible");
        let number = summary.reproducible.len() as u64;
        lines.push(match summary.reproducible.as_slice() {
            [name] => format!("{word}: {name}"),
            _ => format!("{word}: {}", count(number, "node")),
        });
    }
    let trouble = !summary.failures.is_empty() || summary.interrupted;
    if trouble {
        lines.extend(listed("skipped", Role::Note, summary, NodeResult::Skipped, paint));
        lines.extend(listed("built", Role::Good, summary, NodeResult::Built, paint));
    }
    if summary.interrupted {
        lines.push("stopped; what is finished is kept".to_owned());
    }
    if counts.built + counts.failed + counts.skipped == 0 && !trouble {
        lines.push(match counts.cached + counts.cutoff {
            0 => "nothing to do: there are no nodes".to_owned(),
            1 => "nothing to do: 1 node is up to date".to_owned(),
            many => format!("nothing to do: {many} nodes are up to date"),
        });
        return lines;
    }
    lines.push(format!("{} in {}", counts_in_words(counts), duration(took)));
    lines
}

/// How many nodes ended in which way.
pub(crate) fn counts_in_words(counts: Counts) -> String {
    let mut parts = vec![format!("{} built", counts.built)];
    for (number, word) in [
        (counts.cached, "cached"),
        (counts.cutoff, "cut off"),
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    parts.join(", ")
}

/// What went wrong: every failure in full, and what could not be reproduced.
pub(crate) fn problems(summary: &Summary, paint: Paint) -> Vec<String> {
    let mut lines = failures(&summary.failures, paint);
    if !summary.not_reproducible.is_empty() {
        lines.push(format!(
            "{}, the first output stays:",
            paint.paint(Role::Error, "not reproducible")
        ));
        for (name, differences) in &summary.not_reproducible {
            lines.push(format!("  {name}:"));
            lines.extend(difference_lines(differences));
        }
    }
    lines
}

/// More parts of one node are not listed: a program reads them all from the events.
const LISTED: usize = 40;

fn difference_lines(differences: &[Difference]) -> Vec<String> {
    let line = |difference: &Difference| {
        let (path, what) = (one_line(&difference.path), one_line(&difference.what));
        format!("    {path}: {what}")
    };
    let mut lines: Vec<String> = differences.iter().take(LISTED).map(line).collect();
    let more = differences.len().saturating_sub(LISTED) as u64;
    if more > 0 {
        lines.push(format!("    and {more} more, which --json lists"));
    }
    lines
}

/// Failures by the names of their nodes, in full.
pub(crate) fn failures(failures: &[(String, Failure)], paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if !failures.is_empty() {
        lines.push(format!("{}:", paint.paint(Role::Error, "failed")));
        for (name, failure) in failures {
            lines.extend(failure_lines(name, failure, paint));
        }
    }
    lines
}

fn failure_lines(name: &str, failure: &Failure, paint: Paint) -> Vec<String> {
    // The last lines of a log, quoted with a bar, were shown when it happened.
    let mut message = failure
        .message
        .trim_end()
        .lines()
        .filter(|line| !line.trim_start().starts_with("| "));
    let mut lines = vec![format!("  {name}: {}", message.next().unwrap_or("no reason was given"))];
    lines.extend(message.map(|line| format!("    {line}").trim_end().to_owned()));
    if let Some(hint) = &failure.hint {
        let mut hint = hint.trim_end().lines();
        lines.push(format!(
            "    {} {}",
            paint.paint(Role::Hint, "hint:"),
            hint.next().unwrap_or_default()
        ));
        lines.extend(hint.map(|line| format!("    {line}").trim_end().to_owned()));
    }
    if let Some(log) = &failure.log {
        lines.push(format!("    log: {log}"));
    }
    lines
}

fn listed(word: &str, role: Role, summary: &Summary, result: NodeResult, paint: Paint) -> Vec<String> {
    let nodes: Vec<&NodeReport> = summary
        .nodes
        .iter()
        .filter(|node| node.result == Some(result))
        .collect();
    if nodes.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("{}:", paint.paint(role, word))];
    lines.extend(nodes.into_iter().map(|node| match &node.message {
        Some(message) => format!("  {}: {}", node.name, one_line(message)),
        None => format!("  {}", node.name),
    }));
    lines
}

/// What a dry run found, as a table of whatever is not up to date; with `explain`, every changed input below its node.
pub(crate) fn table(summary: &Summary, explain: bool) -> Vec<String> {
    let nodes: Vec<&NodeReport> = summary
        .nodes
        .iter()
        .filter(|node| node.state != NodeState::Cached)
        .collect();
    let rows: Vec<[String; 3]> = nodes
        .iter()
        .map(|node| {
            [
                state_word(node).to_owned(),
                node.name.clone(),
                reason(node).unwrap_or_default(),
            ]
        })
        .collect();
    let mut lines = Vec::new();
    for (line, node) in columns(&rows).into_iter().zip(nodes) {
        lines.push(line);
        if explain {
            let changes = node.reason.iter().flat_map(Reason::changes);
            lines.extend(changes.map(|change| format!("         {}", change_words(change))));
        }
    }
    lines
}

/// The counts of a dry run, in words.
pub(crate) fn of_dry_run(summary: &Summary) -> String {
    let number = |state| summary.nodes.iter().filter(|node| node.state == state).count() as u64;
    let (run, unknown, cached) = (
        number(NodeState::Run),
        number(NodeState::Unknown),
        number(NodeState::Cached),
    );
    if run + unknown == 0 {
        return match cached {
            0 => "nothing to do: there are no nodes".to_owned(),
            1 => "nothing to do: 1 node is up to date".to_owned(),
            many => format!("nothing to do: {many} nodes are up to date"),
        };
    }
    let mut words = format!("{} to run", count(run, "node"));
    if unknown > 0 {
        words.push_str(&format!(", {unknown} that may have to"));
    }
    format!("{words}, {cached} up to date")
}

/// What a dry run found, for programs.
pub(crate) fn json(summary: &Summary) -> serde_json::Value {
    let nodes: Vec<serde_json::Value> = summary
        .nodes
        .iter()
        .map(|node| {
            serde_json::json!({
                "name": node.name,
                "kind": node.kind,
                "state": node.state,
                "reason": reason(node),
            })
        })
        .collect();
    serde_json::json!({ "nodes": nodes })
}

fn reason(node: &NodeReport) -> Option<String> {
    if node.state == NodeState::Cached {
        return None;
    }
    match (&node.reason, node.result) {
        // Only a plan runs in a dry run, so that only a plan can fail or hold others up.
        (_, Some(NodeResult::Failed | NodeResult::Skipped)) => node.message.as_deref().map(one_line),
        (reason, _) => reason.as_ref().map(ToString::to_string),
    }
}

fn state_word(node: &NodeReport) -> &'static str {
    match (node.result, node.state) {
        (Some(NodeResult::Failed), _) => "failed",
        (_, NodeState::Cached) => "cached",
        (_, NodeState::Run) => "run",
        (_, NodeState::Unknown) => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use farm_engine::{Change, FailureKind};

    use super::*;

    fn node(
        name: &str,
        state: NodeState,
        result: Option<NodeResult>,
        reason: Option<Reason>,
        message: Option<&str>,
    ) -> NodeReport {
        NodeReport {
            name: name.to_owned(),
            kind: "task".to_owned(),
            state,
            result,
            reason,
            message: message.map(str::to_owned),
            log: None,
        }
    }

    fn summary(nodes: Vec<NodeReport>) -> Summary {
        let mut counts = Counts::default();
        for result in nodes.iter().filter_map(|node| node.result) {
            counts.add(result);
        }
        Summary {
            nodes,
            counts,
            ..Summary::default()
        }
    }

    fn said(summary: &Summary) -> String {
        of_build(summary, Duration::from_millis(62_500), Paint::default()).join("\n")
    }

    fn built(name: &str) -> NodeReport {
        node(
            name,
            NodeState::Cached,
            Some(NodeResult::Built),
            Some(Reason::NeverBuilt),
            None,
        )
    }

    fn cached(name: &str) -> NodeReport {
        node(name, NodeState::Cached, Some(NodeResult::Cached), None, None)
    }

    #[test]
    fn nothing_to_do() {
        insta::assert_snapshot!(said(&summary(vec![cached("a:x"), cached("a:y")])), @"nothing to do: 2 nodes are up to date");
        insta::assert_snapshot!(said(&summary(vec![cached("a:x")])), @"nothing to do: 1 node is up to date");
        insta::assert_snapshot!(said(&summary(vec![])), @"nothing to do: there are no nodes");
    }

    #[test]
    fn all_went_well() {
        let cutoff = node("a:z", NodeState::Cached, Some(NodeResult::Cutoff), None, None);
        insta::assert_snapshot!(said(&summary(vec![built("a:x"), cached("a:y"), cutoff])), @"1 built, 1 cached, 1 cut off in 1 min 02 s");
    }

    fn with_failures() -> Summary {
        let mut summary = summary(vec![
            built("a:ok"),
            node(
                "a:bad",
                NodeState::Run,
                Some(NodeResult::Failed),
                Some(Reason::NeverBuilt),
                Some("exit status 1"),
            ),
            node(
                "a:after",
                NodeState::Unknown,
                Some(NodeResult::Skipped),
                None,
                Some("it needs a:bad"),
            ),
        ]);
        let mut failure =
            Failure::new(FailureKind::Step, "exit status 1\nin phase compile\n  | cc: error\n").hint("see the log");
        failure.log = Some(".farm/logs/bad".to_owned());
        summary.failures.push(("a:bad".to_owned(), failure));
        summary
    }

    #[test]
    fn failures_in_full() {
        insta::assert_snapshot!(said(&with_failures()), @r"
        failed:
          a:bad: exit status 1
            in phase compile
            hint: see the log
            log: .farm/logs/bad
        skipped:
          a:after: it needs a:bad
        built:
          a:ok
        1 built, 1 failed, 1 skipped in 1 min 02 s
        ");
        assert_eq!(status(&with_failures(), None), Status::Failed);
    }

    #[test]
    fn stopped() {
        let mut summary = with_failures();
        summary.failures.clear();
        summary.interrupted = true;
        insta::assert_snapshot!(said(&summary), @r"
        skipped:
          a:after: it needs a:bad
        built:
          a:ok
        stopped; what is finished is kept
        1 built, 1 failed, 1 skipped in 1 min 02 s
        ");
        assert_eq!(
            status(&summary, Some(Signal::Interrupt)),
            Status::Stopped(Signal::Interrupt)
        );
        summary.interrupted = false;
        assert_eq!(
            status(&summary, Some(Signal::Interrupt)),
            Status::Done,
            "it was finished before it could be stopped"
        );
    }

    #[test]
    fn not_reproducible() {
        let mut summary = summary(vec![built("a:x")]);
        summary
            .not_reproducible
            .push(("a:x".to_owned(), vec![Difference::new("usr/bin/x\n", "content")]));
        insta::assert_snapshot!(said(&summary), @r"
        not reproducible, the first output stays:
          a:x:
            usr/bin/x\n: content
        1 built in 1 min 02 s
        ");
        assert_eq!(status(&summary, None), Status::Failed);

        let many = (0..LISTED + 3).map(|at| Difference::new(format!("{at:02}"), "only in the first"));
        summary.not_reproducible[0].1 = many.collect();
        let said = said(&summary);
        assert!(
            said.contains("    39: only in the first\n    and 3 more, which --json lists\n"),
            "{said}"
        );
    }

    #[test]
    fn reproducible() {
        let mut summary = summary(vec![built("a:x"), built("a:y")]);
        summary.reproducible.push("a:x".to_owned());
        insta::assert_snapshot!(said(&summary), @r"
        reproducible: a:x
        2 built in 1 min 02 s
        ");
        summary.reproducible.push("a:y".to_owned());
        insta::assert_snapshot!(said(&summary), @r"
        reproducible: 2 nodes
        2 built in 1 min 02 s
        ");
        assert_eq!(status(&summary, None), Status::Done);
    }

    fn dry() -> Summary {
        let changes = vec![Change {
            input: "env/TOP".to_owned(),
            from: Some("3".to_owned()),
            to: Some("4".to_owned()),
        }];
        summary(vec![
            cached("a:words"),
            node(
                "a:report",
                NodeState::Run,
                None,
                Some(Reason::InputsChanged { changes }),
                None,
            ),
            node(
                "a:check",
                NodeState::Unknown,
                None,
                Some(Reason::Waiting {
                    on: "a:report".to_owned(),
                }),
                None,
            ),
        ])
    }

    #[test]
    fn dry_run() {
        insta::assert_snapshot!(table(&dry(), false).join("\n"), @r"
        run      a:report  env/TOP changed
        unknown  a:check   hangs on the output of a:report
        ");
        insta::assert_snapshot!(table(&dry(), true).join("\n"), @r"
        run      a:report  env/TOP changed
                 env/TOP: 3 → 4
        unknown  a:check   hangs on the output of a:report
        ");
        insta::assert_snapshot!(of_dry_run(&dry()), @"1 node to run, 1 that may have to, 1 up to date");
    }

    #[test]
    fn dry_run_for_programs() {
        insta::assert_snapshot!(json(&dry()), @r#"{"nodes":[{"kind":"task","name":"a:words","reason":null,"state":"cached"},{"kind":"task","name":"a:report","reason":"env/TOP changed","state":"run"},{"kind":"task","name":"a:check","reason":"hangs on the output of a:report","state":"unknown"}]}"#);
    }
}
