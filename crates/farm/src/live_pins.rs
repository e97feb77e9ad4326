//! What the branches and tags of live ebuilds were when somebody looked: the table `live` of the lock file.
//!
//! Which ebuilds are live is known only once a plan is made. So their pins are looked up when it brings forth its nodes: what the lock
//! file has is taken from there, and only what is new to it is asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use farm_engine::{Failure, FailureKind};

use crate::command::FarmError;
use crate::context::Context;
use crate::git::git;
use crate::lockfile::FarmLock;

/// Whether a name that is not pinned may be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asking {
    /// No: whoever only looks learns that it is not pinned.
    No,
    /// Yes, and it is forgotten with the run.
    ForThisRun,
    /// Yes, and it is written to this lock file at once.
    ForGood(PathBuf),
}

/// A commit, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The address that answered.
    pub uri: String,
    /// The object's id: of an annotated tag, the tag's.
    pub commit: String,
}

/// The pins of all farms of a run.
#[derive(Debug, Default)]
pub struct LivePins(Mutex<BTreeMap<String, FarmPins>>);

#[derive(Debug)]
struct FarmPins {
    pins: BTreeMap<String, String>,
    asking: Asking,
}

impl LivePins {
    fn farms(&self) -> MutexGuard<'_, BTreeMap<String, FarmPins>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Knows what the lock file of a farm has, and what to do about the rest.
    pub fn know(&self, farm: &str, pins: BTreeMap<String, String>, asking: Asking) {
        self.farms().insert(farm.to_owned(), FarmPins { pins, asking });
    }

    /// The commit that `name` is pinned to at the first of these addresses that is in the lock file, else at the first that answers.
    /// `None` where nobody may be asked.
    ///
    /// # Errors
    ///
    /// The environment's: no server answers, or the lock file cannot be written; the input's: none of them has such a name.
    pub fn commit(
        &self,
        context: &Context,
        farm: &str,
        uris: &[String],
        name: &str,
    ) -> Result<Option<Pinned>, Failure> {
        let asking = {
            let farms = self.farms();
            let Some(known) = farms.get(farm) else {
                return Ok(None);
            };
            let pinned = uris.iter().find_map(|uri| {
                let commit = known.pins.get(&key(uri, name))?.clone();
                let uri = uri.clone();
                Some(Pinned { uri, commit })
            });
            if pinned.is_some() || known.asking == Asking::No {
                return Ok(pinned);
            }
            known.asking.clone()
        };
        let mut failed = None;
        for uri in uris {
            match look_up(context, uri, name) {
                Ok(commit) => {
                    if let Asking::ForGood(path) = &asking {
                        write(path, &key(uri, name), &commit).map_err(|error| as_failure(&error))?;
                    }
                    if let Some(known) = self.farms().get_mut(farm) {
                        known.pins.insert(key(uri, name), commit.clone());
                    }
                    let uri = uri.clone();
                    return Ok(Some(Pinned { uri, commit }));
                }
                Err(failure) => {
                    failed.get_or_insert(failure);
                }
            }
        }
        Err(failed.unwrap_or_else(|| Failure::new(FailureKind::Bug, "a live ebuild without an address")))
    }
}

/// The key of a name in the lock file.
#[must_use]
pub fn key(uri: &str, name: &str) -> String {
    format!("{uri}#{name}")
}

/// Address and name of a key in the lock file. Addresses may have a `#`, and so may names of refs.
#[must_use]
pub fn split(key: &str) -> Option<(&str, &str)> {
    let at = match key.strip_suffix("#HEAD") {
        Some(uri) => uri.len(),
        None => key.find("#refs/")?,
    };
    Some((&key[..at], &key[at + 1..]))
}

/// Asks a server what a name means today.
///
/// # Errors
///
/// The environment's: it does not answer; the input's: it has no such name.
pub fn look_up(context: &Context, uri: &str, name: &str) -> Result<String, Failure> {
    let answer = git(context, uri, &["ls-remote", "--quiet", "--", uri, name])?;
    // The name is a pattern to git, which other refs may match as well.
    let found = answer.lines().find_map(|line| {
        let (commit, found) = line.split_once('\t')?;
        (found == name).then(|| commit.to_owned())
    });
    found.ok_or_else(|| {
        Failure::new(FailureKind::Input, format!("{uri} has no {name}")).hint(
            "check EGIT_BRANCH and EGIT_COMMIT of the ebuild; a commit is written with all its digits, or it is taken for a tag",
        )
    })
}

/// Adds one pin to a lock file. Nobody else writes it, as the workspace is locked.
fn write(path: &std::path::Path, key: &str, commit: &str) -> Result<(), FarmError> {
    let mut lock = FarmLock::read(path)?;
    lock.live.insert(key.to_owned(), commit.to_owned());
    lock.write(path)?;
    Ok(())
}

fn as_failure(error: &FarmError) -> Failure {
    Failure::new(FailureKind::Environment, format!("the lock file: {}", error.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_apart_as_they_were_made() {
        for (uri, name) in [
            ("https://example.org/a.git", "HEAD"),
            ("/srv/c#/a", "refs/heads/fix#12"),
            ("git@example.org:a", "refs/tags/v1#HEAD2"),
        ] {
            assert_eq!(split(&key(uri, name)), Some((uri, name)));
        }
        assert_eq!(split("https://example.org/a.git"), None);
    }
}
