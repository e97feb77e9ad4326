//! Events as lines that stay.

use std::time::Duration;

use farm_engine::{Change, Event, NodeResult};

use super::tail::clean;
use crate::paint::{Paint, Role};
use crate::text::{cut_pair, duration, one_line};

/// Which events leave a line behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Starts and successes, too: where no picture shows them.
    pub(super) everything: bool,
    /// With every start, what changed.
    pub(super) explain: bool,
}

/// The lines of one event; `tail` reads the last lines of a log.
pub(super) fn lines(
    event: &Event,
    wanted: Wanted,
    paint: Paint,
    tail: impl FnOnce(&str) -> Vec<String>,
) -> Vec<String> {
    match event {
        Event::NodeStarted { name, reason, .. } if wanted.everything || wanted.explain => {
            let mut lines = vec![format!("start  {name} ({reason})")];
            if wanted.explain {
                lines.extend(
                    reason
                        .changes()
                        .iter()
                        .map(|change| format!("       {}", change_words(change))),
                );
            }
            lines
        }
        Event::NodeFinished {
            name,
            result: NodeResult::Built,
            ms,
            reproducible,
            ..
        } if wanted.everything => {
            let word = paint.paint(Role::Good, "built");
            let compared = match reproducible {
                Some(true) => ", the same as before",
                Some(false) => ", not the same as before",
                None => "",
            };
            vec![format!(
                "{word}  {name} in {}{compared}",
                duration(Duration::from_millis(*ms))
            )]
        }
        Event::NodeFinished {
            name,
            result: NodeResult::Failed,
            ms,
            message,
            log,
            ..
        } => {
            let first = message
                .as_deref()
                .and_then(|message| message.lines().next())
                .unwrap_or("no reason was given");
            let word = paint.paint(Role::Error, "failed");
            let mut lines = vec![format!(
                "{word} {name} after {}: {first}",
                duration(Duration::from_millis(*ms))
            )];
            if let Some(log) = log {
                let bar = paint.paint(Role::Dim, "|");
                // Whoever wrote the log knows best which of its lines matter.
                let told = quoted(message.as_deref().unwrap_or_default());
                let shown = if told.is_empty() { tail(log) } else { clean(&told) };
                lines.extend(
                    shown
                        .into_iter()
                        .map(|line| format!("  {bar} {line}").trim_end().to_owned()),
                );
                lines.push(format!("  log: {log}"));
            }
            lines
        }
        Event::Note { message } => {
            // What the manifest's reader has to say comes with a heading of its own.
            if message.starts_with("warning") || message.starts_with("note") {
                return message.lines().map(str::to_owned).collect();
            }
            let word = paint.paint(Role::Note, "note:");
            vec![format!("{word} {message}")]
        }
        _ => Vec::new(),
    }
}

/// The lines of a log that a failure's message quotes with a bar.
fn quoted(message: &str) -> String {
    let lines = message.lines().filter_map(|line| line.trim_start().strip_prefix("| "));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// One changed input in words.
pub(crate) fn change_words(change: &Change) -> String {
    let input = one_line(&change.input);
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => {
            let (from, to) = cut_pair(from, to);
            format!("{input}: {from} → {to}")
        }
        (None, Some(to)) => format!("{input}: new, {}", crate::text::cut_middle(to)),
        (Some(from), None) => format!("{input}: gone, was {}", crate::text::cut_middle(from)),
        (None, None) => input,
    }
}

#[cfg(test)]
mod tests {
    use farm_engine::{FailureKind, Reason};

    use super::*;

    const EVERYTHING: Wanted = Wanted {
        everything: true,
        explain: false,
    };
    const FAILURES: Wanted = Wanted {
        everything: false,
        explain: false,
    };

    fn said(event: &Event, wanted: Wanted) -> String {
        let tail = |_: &str| vec!["cc: error".to_owned(), String::new(), "make: *** Error 1".to_owned()];
        lines(event, wanted, Paint::default(), tail).join("\n")
    }

    fn change(input: &str, from: Option<&str>, to: Option<&str>) -> Change {
        Change {
            input: input.to_owned(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        }
    }

    fn started() -> Event {
        Event::NodeStarted {
            name: "hep:task/a".to_owned(),
            kind: "task".to_owned(),
            reason: Reason::InputsChanged {
                changes: vec![
                    change("env/TOP", Some("3"), Some("4")),
                    change("input b", None, Some("(absent)")),
                    change("run", Some("a\nb"), None),
                ],
            },
            expected_ms: None,
            after: None,
        }
    }

    fn finished(result: NodeResult) -> Event {
        Event::NodeFinished {
            name: "hep:task/a".to_owned(),
            kind: "task".to_owned(),
            result,
            ms: 3200,
            message: Some("exit status 1\nmore".to_owned()),
            failure: Some(FailureKind::Step),
            hint: None,
            log: Some(".farm/logs/a".to_owned()),
            reproducible: None,
            differences: Vec::new(),
        }
    }

    #[test]
    fn plain_lines() {
        insta::assert_snapshot!(said(&started(), EVERYTHING), @"start  hep:task/a (env/TOP changed, input b is new, run is gone)");
        insta::assert_snapshot!(said(&finished(NodeResult::Built), EVERYTHING), @"built  hep:task/a in 3.2 s");
        let mut compared = finished(NodeResult::Built);
        if let Event::NodeFinished { reproducible, .. } = &mut compared {
            *reproducible = Some(false);
        }
        insta::assert_snapshot!(said(&compared, EVERYTHING), @"built  hep:task/a in 3.2 s, not the same as before");
        assert_eq!(said(&finished(NodeResult::Cached), EVERYTHING), "");
        assert_eq!(said(&finished(NodeResult::Skipped), EVERYTHING), "");
    }

    #[test]
    fn beside_a_picture_only_what_matters_stays() {
        assert_eq!(said(&started(), FAILURES), "");
        assert_eq!(said(&finished(NodeResult::Built), FAILURES), "");
        insta::assert_snapshot!(said(&finished(NodeResult::Failed), FAILURES), @r"
        failed hep:task/a after 3.2 s: exit status 1
          | cc: error
          |
          | make: *** Error 1
          log: .farm/logs/a
        ");
        let mut quoting = finished(NodeResult::Failed);
        if let Event::NodeFinished { message, .. } = &mut quoting {
            *message = Some("exit status 1\n  | \u{1b}[31mcc\u{1b}[0m: error\n  |  * in leaf".to_owned());
        }
        insta::assert_snapshot!(said(&quoting, FAILURES), @r"
        failed hep:task/a after 3.2 s: exit status 1
          | cc: error
          |  * in leaf
          log: .farm/logs/a
        ");
        let note = Event::Note {
            message: "using docker".to_owned(),
        };
        insta::assert_snapshot!(said(&note, FAILURES), @"note: using docker");
        let headed = Event::Note {
            message: "warning: the layer says nothing\n --> profiles/x".to_owned(),
        };
        insta::assert_snapshot!(said(&headed, FAILURES), @r"
        warning: the layer says nothing
         --> profiles/x
        ");
    }

    #[test]
    fn explained() {
        let wanted = Wanted {
            everything: false,
            explain: true,
        };
        insta::assert_snapshot!(said(&started(), wanted), @r"
        start  hep:task/a (env/TOP changed, input b is new, run is gone)
               env/TOP: 3 → 4
               input b: new, (absent)
               run: gone, was a\nb
        ");
    }
}
