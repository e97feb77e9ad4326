//! The folder of records: which are there, and which are too many.
//!
//! A record is called `NUMBER.jsonl.zst`, or `NUMBER.idle.jsonl.zst` if nothing ran. Numbers count up. The two are told apart
//! by name, so that a farm that is built by the clock and mostly has nothing to do does not push out the runs that did
//! something, and so that nobody must open a file to know which it is.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs_err as fs;

/// So many runs in which something ran are kept.
pub const KEPT: usize = 100;
/// So many runs with nothing to do are kept.
pub const KEPT_IDLE: usize = 20;
/// No run is kept for more days.
pub const KEPT_DAYS: u64 = 30;

const SUFFIX: &str = ".jsonl.zst";
const IDLE_SUFFIX: &str = ".idle.jsonl.zst";

/// A record that is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its number.
    pub number: u64,
    /// Whether nothing ran.
    pub idle: bool,
    /// The file.
    pub path: PathBuf,
}

/// The records in a folder by their numbers; none if there is no folder. Other files are passed over.
///
/// # Errors
///
/// The folder cannot be read.
pub fn list(folder: &Path) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some((number, idle)) = name.to_str().and_then(parse) else {
            continue;
        };
        found.push(Found {
            number,
            idle,
            path: entry.path(),
        });
    }
    found.sort();
    Ok(found)
}

fn parse(name: &str) -> Option<(u64, bool)> {
    let (number, idle) = match name.strip_suffix(IDLE_SUFFIX) {
        Some(number) => (number, true),
        None => (name.strip_suffix(SUFFIX)?, false),
    };
    // Only as it is written: no sign, no zero before it.
    let parsed: u64 = number.parse().ok()?;
    (parsed.to_string() == number).then_some((parsed, idle))
}

/// Where the record of a run with this number is.
pub(crate) fn path(folder: &Path, number: u64, idle: bool) -> PathBuf {
    let suffix = if idle { IDLE_SUFFIX } else { SUFFIX };
    folder.join(format!("{number}{suffix}"))
}

/// Makes a new file with the next number.
pub(crate) fn create(folder: &Path, found: &[Found], idle: bool) -> io::Result<(fs::File, u64)> {
    let mut number = found.last().map_or(1, |last| last.number.saturating_add(1));
    loop {
        let new = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path(folder, number, idle));
        match new {
            // Two runs that have nothing to do may begin at once.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number = number.saturating_add(1),
            new => return Ok((new?, number)),
        }
    }
}

/// Removes what is too much, before one more is added. `found` is sorted.
pub(crate) fn prune(found: &[Found]) {
    let age = |found: &Found| {
        let modified = fs::metadata(&found.path).and_then(|metadata| metadata.modified());
        modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok())
    };
    for old in too_many(found, age) {
        // It may be gone already, and one that stays is met again by the next run.
        let _ = fs::remove_file(&old.path);
    }
}

/// Which records go. Ages are asked from the oldest on, and only until one is young enough.
fn too_many(found: &[Found], age: impl Fn(&Found) -> Option<Duration>) -> Vec<&Found> {
    let too_old = |found: &Found| age(found).is_some_and(|age| age > Duration::from_secs(KEPT_DAYS * 24 * 60 * 60));
    let mut gone = Vec::new();
    for (idle, kept) in [(false, KEPT), (true, KEPT_IDLE)] {
        let of_kind: Vec<&Found> = found.iter().filter(|found| found.idle == idle).collect();
        // One less, as one is about to come.
        let (out, left) = of_kind.split_at(of_kind.len().saturating_sub(kept - 1));
        gone.extend(out);
        gone.extend(left.iter().take_while(|found| too_old(found)));
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(number: u64, idle: bool) -> Found {
        Found {
            number,
            idle,
            path: path(Path::new("runs"), number, idle),
        }
    }

    fn gone(found: &[Found], days: impl Fn(u64) -> u64) -> Vec<u64> {
        let age = |found: &Found| Some(Duration::from_secs(days(found.number) * 24 * 60 * 60 + 1));
        too_many(found, age).iter().map(|found| found.number).collect()
    }

    #[test]
    fn names() {
        for (number, idle) in [(1, false), (41, true), (u64::MAX, false)] {
            let path = path(Path::new("runs"), number, idle);
            assert_eq!(parse(path.file_name().unwrap().to_str().unwrap()), Some((number, idle)));
        }
        for name in [
            "",
            "1",
            ".jsonl.zst",
            "01.jsonl.zst",
            "+1.jsonl.zst",
            "1.idle",
            "x.jsonl.zst",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn the_newest_of_each_kind_stay() {
        let runs: Vec<Found> = (1..=300).map(|number| found(number, number % 2 == 0)).collect();
        let left: Vec<u64> = {
            let gone = gone(&runs, |_| 0);
            (1..=300).filter(|number| !gone.contains(number)).collect()
        };
        assert_eq!(left.iter().filter(|number| *number % 2 == 1).count(), KEPT - 1);
        assert_eq!(left.iter().filter(|number| *number % 2 == 0).count(), KEPT_IDLE - 1);
        assert_eq!((left[0], *left.last().unwrap()), (301 - 2 * (KEPT as u64 - 1), 300));
    }

    #[test]
    fn what_is_old_goes() {
        let runs = [found(1, false), found(2, true), found(3, false), found(4, false)];
        assert_eq!(gone(&runs, |number| if number < 4 { KEPT_DAYS } else { 0 }), [1, 3, 2]);
        assert!(gone(&runs, |_| KEPT_DAYS - 1).is_empty());
    }

    #[test]
    fn numbers_count_up_and_nobody_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(list(&folder.path().join("none")).unwrap(), []);
        for number in 1..=11 {
            fs::write(folder.path().join("other"), "").unwrap();
            let found = list(folder.path()).unwrap();
            assert_eq!(create(folder.path(), &found, number % 2 == 0).unwrap().1, number);
        }
        // Somebody who has not seen the others.
        assert_eq!(create(folder.path(), &[], false).unwrap().1, 2);
        let numbers: Vec<u64> = list(folder.path()).unwrap().iter().map(|found| found.number).collect();
        assert_eq!(numbers, [1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }
}
