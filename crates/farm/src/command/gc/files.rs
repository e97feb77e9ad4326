//! Logs and work trees that nobody looks at any more.
//!
//! Both are kept for people, so what is younger than the time for which guards are kept stays in any case.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::Freed;
use crate::rules::task::is_in_the_way;

/// Removes logs that are older than `before_ms` and not among `needed`.
pub(super) fn take_logs(state: &Path, needed: &BTreeSet<PathBuf>, before_ms: u64, dry_run: bool) -> io::Result<Freed> {
    let mut freed = Freed::default();
    for log in files_below(&state.join("logs"))? {
        if !needed.contains(&log) && log.extension().is_some_and(|extension| extension == "log") {
            take(&log, before_ms, dry_run, &mut freed)?;
        }
    }
    Ok(freed)
}

/// Removes work trees of failures that are older than `before_ms`. What was in the way of a task is somebody's, and stays.
pub(super) fn take_failed(state: &Path, before_ms: u64, dry_run: bool) -> io::Result<Freed> {
    let mut freed = Freed::default();
    for farm in entries(&state.join("failed"))? {
        for tree in files_below(&farm.join("pkg"))? {
            take(&tree, before_ms, dry_run, &mut freed)?;
        }
        for task in entries(&farm.join("task"))? {
            for left in entries(&task)? {
                if !is_in_the_way(&left) {
                    take(&left, before_ms, dry_run, &mut freed)?;
                }
            }
        }
    }
    Ok(freed)
}

/// Removes a file or folder that was put where it is before that time, and counts it. The time is that of the last change of its
/// name or content: what is moved keeps the age of its content.
fn take(path: &Path, before_ms: u64, dry_run: bool, freed: &mut Freed) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    let changed_ms = u64::try_from(found.ctime()).unwrap_or(0).saturating_mul(1000);
    if changed_ms >= before_ms {
        return Ok(());
    }
    let mut bytes = found.len();
    if found.is_dir() {
        for file in files_below(path)? {
            bytes += fs::symlink_metadata(&file)?.len();
        }
    }
    if !dry_run {
        if found.is_dir() {
            fs::remove_dir_all(path)?;
        } else {
            fs::remove_file(path)?;
        }
    }
    freed.add(bytes);
    Ok(())
}

/// What is in a folder, sorted; nothing if it is not there.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let read = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        read => read?,
    };
    let mut found = Vec::new();
    for entry in read {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}

/// Everything below a folder that is no folder. Symbolic links are not followed.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for path in entries(&folder)? {
            if fs::symlink_metadata(&path)?.is_dir() {
                pending.push(path);
            } else {
                found.push(path);
            }
        }
    }
    Ok(found)
}
