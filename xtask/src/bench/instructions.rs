//! How much work it is for farm to find that there is none.
//!
//! Time depends on the machine and on who else is on it. The number of instructions, counted by valgrind, hardly does, so that
//! two versions can be compared by it.

use std::path::Path;
use std::process::Command;

use super::graph::{Graph, Shape};
use super::tools::{Place, Tool};
use crate::command::output;
use crate::{Outcome, failed};

const NODES: usize = 1000;

/// More runs than any machine needs until files are old enough to be trusted.
const RUNS_UNTIL_SETTLED: usize = 100;

/// Builds a wide graph and counts the instructions of two runs that have nothing to do. Gives lines for a terminal.
pub(crate) fn count(farm: &Path) -> Outcome<String> {
    let folder = tempfile::Builder::new()
        .prefix("farm-bench-")
        .tempdir()
        .map_err(failed)?;
    let place = Place::new(Tool::Farm, farm, folder.path().join("farm"), 1);
    place.lay_out(&Graph::new(Shape::Wide, NODES, 1))?;
    output(&mut place.build())?;
    let notes = folder.path().join("farm/.farm/settled");
    // Farm does not trust files of this very moment, and looks at them again until they are older.
    for _ in 0..RUNS_UNTIL_SETTLED {
        if notes.exists() {
            break;
        }
        output(&mut place.build())?;
    }
    fs_err::remove_dir_all(&notes).map_err(failed)?;
    let look = instructions(&place)?;
    if !notes.exists() {
        return Err("farm made no notes of a run that had nothing to do".to_owned());
    }
    let settled = instructions(&place)?;
    let version = output(Command::new(farm).arg("--version"))?;
    Ok(format!(
        "{}, {NODES} tasks, nothing to do, instructions:\n  a look at everything  {look}\n  with the notes of one {settled}\n",
        version.trim()
    ))
}

/// The instructions of one build.
fn instructions(place: &Place) -> Outcome<u64> {
    let build = place.build();
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=1"]);
    valgrind.arg(build.get_program()).args(build.get_args());
    if let Some(folder) = build.get_current_dir() {
        valgrind.current_dir(folder);
    }
    let said = output(&mut valgrind)?;
    collected(&said).ok_or_else(|| format!("valgrind counted nothing: {said}"))
}

/// The number in callgrind's line `==PID== Collected : NUMBER`.
fn collected(said: &str) -> Option<u64> {
    let (_, number) = said.lines().find_map(|line| line.split_once("Collected :"))?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_found() {
        assert_eq!(
            collected("==1== \n==1== Events    : Ir\n==1== Collected : 172341\n"),
            Some(172_341)
        );
        assert_eq!(collected("==1== \n"), None);
    }
}
