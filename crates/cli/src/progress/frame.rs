//! The picture of a run on a terminal, as a pure function: state, size and time in, lines out.

use std::time::Duration;

use super::board::{Board, Running};
use crate::paint::{Paint, Role};
use crate::text::{duration, fit};

/// Room on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Characters in a line.
    pub(super) columns: usize,
    /// Lines that the picture may take.
    pub(super) rows: usize,
}

/// Names longer than this do not push the other columns further out.
const NAME: usize = 48;

/// The picture of `board` at `now`, oldest running node first: they are what a run waits for. No line is longer than the
/// terminal is wide, as a line that wraps could not be erased again.
pub(super) fn render(board: &Board, size: Size, now: Duration, paint: Paint) -> Vec<String> {
    let mut head = format!("{} of {} done", board.done(), board.total.max(board.done()));
    if !board.running.is_empty() {
        head.push_str(&format!(", {} running", board.running.len()));
    }
    if board.counts.failed > 0 {
        head.push_str(&format!(", {} failed", board.counts.failed));
    }
    head.push_str(&format!(", {}", duration(now)));
    let role = if board.counts.failed > 0 {
        Role::Error
    } else {
        Role::Good
    };
    let mut lines = vec![paint.paint(role, fit(&head, size.columns))];

    let room = size.rows.saturating_sub(1);
    let shown = if board.running.len() > room {
        room.saturating_sub(1)
    } else {
        board.running.len()
    };
    let times: Vec<String> = board.running[..shown]
        .iter()
        .map(|running| time(running, now))
        .collect();
    let name_width = width(board.running[..shown].iter().map(|running| running.name.as_str())).min(NAME);
    let time_width = width(times.iter().map(String::as_str));
    for (running, time) in board.running[..shown].iter().zip(times) {
        let name = fit(&running.name, name_width);
        let message = running.message.as_deref().unwrap_or_default();
        let line = format!("  {name:name_width$}  {time:time_width$}  {message}");
        lines.push(fit(line.trim_end(), size.columns));
    }
    if shown < board.running.len() && room > 0 {
        let more = format!("  and {} more", board.running.len() - shown);
        lines.push(paint.paint(Role::Dim, fit(&more, size.columns)));
    }
    lines
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

fn time(running: &Running, now: Duration) -> String {
    let elapsed = duration(now.saturating_sub(running.since));
    match running.expected {
        Some(expected) => format!("{elapsed} of about {}", duration(expected)),
        None => elapsed,
    }
}

#[cfg(test)]
mod tests {
    use farm_engine::{Event, NodeResult, Reason};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn started(name: &str, expected_ms: Option<u64>) -> Event {
        Event::NodeStarted {
            name: name.to_owned(),
            kind: "package".to_owned(),
            reason: Reason::NeverBuilt,
            expected_ms,
            after: None,
        }
    }

    fn finished(name: &str, result: NodeResult) -> Event {
        Event::NodeFinished {
            name: name.to_owned(),
            kind: "package".to_owned(),
            result,
            ms: 1,
            message: None,
            failure: None,
            hint: None,
            log: None,
            reproducible: None,
            differences: Vec::new(),
        }
    }

    fn board() -> Board {
        let mut board = Board::default();
        board.apply(&Event::NodesWanted { total: 9 }, Duration::ZERO);
        board.apply(&finished("hep:base", NodeResult::Cached), Duration::ZERO);
        board.apply(&started("hep:pkg/sci-physics/fastjet-3.4.0", Some(95_000)), SECOND);
        board.apply(&started("hep:fetch/clhep-2.1.4.1.tgz", None), 2 * SECOND);
        board.apply(&started("hep:pkg/sci-libs/gsl-2.7.1", Some(4_000)), 3 * SECOND);
        board.apply(
            &Event::NodeProgress {
                name: "hep:pkg/sci-physics/fastjet-3.4.0".to_owned(),
                message: "compiling".to_owned(),
            },
            4 * SECOND,
        );
        board
    }

    fn picture(board: &Board, columns: usize, rows: usize, now: Duration) -> String {
        render(board, Size { columns, rows }, now, Paint::default()).join("\n")
    }

    #[test]
    fn running_nodes_with_phase_and_time() {
        insta::assert_snapshot!(picture(&board(), 100, 20, 65 * SECOND), @r"
        1 of 9 done, 3 running, 1 min 05 s
          hep:pkg/sci-physics/fastjet-3.4.0  1 min 04 s of about 1 min 35 s  compiling
          hep:fetch/clhep-2.1.4.1.tgz        1 min 03 s
          hep:pkg/sci-libs/gsl-2.7.1         1 min 02 s of about 4.0 s
        ");
    }

    #[test]
    fn a_small_terminal_shows_less_but_never_wraps() {
        let text = picture(&board(), 40, 3, 65 * SECOND);
        insta::assert_snapshot!(text, @r"
        1 of 9 done, 3 running, 1 min 05 s
          hep:pkg/sci-physics/fastjet-3.4.0  1 …
          and 2 more
        ");
        for columns in 0..60 {
            for rows in 1..6 {
                let lines = render(&board(), Size { columns, rows }, SECOND, Paint::default());
                assert!(lines.len() <= rows.max(1), "{columns} {rows}: {lines:?}");
                assert!(
                    lines.iter().all(|line| line.chars().count() <= columns),
                    "{columns} {rows}: {lines:?}"
                );
            }
        }
    }

    #[test]
    fn counts_what_failed() {
        let mut board = board();
        board.apply(&finished("hep:pkg/sci-libs/gsl-2.7.1", NodeResult::Failed), 5 * SECOND);
        board.apply(
            &finished("hep:pkg/sci-libs/fftw-3.3.10", NodeResult::Skipped),
            5 * SECOND,
        );
        insta::assert_snapshot!(picture(&board, 100, 20, 6 * SECOND), @r"
        3 of 9 done, 2 running, 1 failed, 6.0 s
          hep:pkg/sci-physics/fastjet-3.4.0  5.0 s of about 1 min 35 s  compiling
          hep:fetch/clhep-2.1.4.1.tgz        4.0 s
        ");
    }

    #[test]
    fn the_end_leaves_nothing_running() {
        let mut board = board();
        let end = Event::BuildFinished {
            counts: board.counts,
            not_reproducible: 0,
            ms: 1,
            interrupted: true,
        };
        board.apply(&end, 5 * SECOND);
        insta::assert_snapshot!(picture(&board, 100, 20, 6 * SECOND), @"1 of 9 done, 6.0 s");
    }

    #[test]
    fn colour_changes_no_word() {
        let coloured = render(
            &board(),
            Size { columns: 100, rows: 20 },
            SECOND,
            Paint { colour: true },
        )
        .join("\n");
        assert!(coloured.contains('\x1b'));
        assert_eq!(
            anstream::adapter::strip_str(&coloured).to_string(),
            picture(&board(), 100, 20, SECOND)
        );
    }
}
