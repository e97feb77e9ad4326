//! What a run saw of the file system, so that the next one can tell by `stat` alone that it would see the same.
//!
//! A [`Witness`] notes every path a run looks at, *before* the run reads it: a file or link by what `lstat` says, a folder whose
//! names are read likewise (its times change when a name comes or goes), and what is not there by its absence. The notes become a
//! [`Testimony`].
//!
//! A file of which only the content matters, and only to somebody who can be named, is noted as such
//! ([`Witness::look_owned`]): a change of it concerns that one alone.
//!
//! A file that was so young when it was looked at that a later change could leave no trace (see [`crate::FileHasher`]) makes no
//! testimony until its content was read once more ([`Witness::settle`]); if it has owners, they look at it again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::file_hasher::is_young;
use crate::testimony::{Encoder, Entry, Owner, Testimony};

pub(crate) const STATE_LEN: usize = 52;
const FILE_TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

/// What `stat` says. Any change of content, names, type, mode or owner changes the time of the last status change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(pub(crate) [u8; STATE_LEN]);

impl State {
    pub(crate) fn of(found: &Metadata) -> Self {
        let mut bytes = [0; STATE_LEN];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&found.mode().to_le_bytes());
        put(&found.size().to_le_bytes());
        for (seconds, nanoseconds) in [(found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec())] {
            put(&seconds.to_le_bytes());
            put(&u32::try_from(nanoseconds).unwrap_or(0).to_le_bytes());
        }
        put(&found.ino().to_le_bytes());
        put(&found.dev().to_le_bytes());
        Self(bytes)
    }

    /// Whether it is a regular file or a symlink.
    pub(crate) fn is_leaf(self) -> bool {
        let [a, b, c, d, ..] = self.0;
        matches!(u32::from_le_bytes([a, b, c, d]) & FILE_TYPE, REGULAR | SYMLINK)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// The name itself.
    Itself,
    /// What a symlink leads to.
    Through,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    /// `None`: nothing is there.
    pub(crate) state: Option<State>,
    /// A later change could leave no trace.
    pub(crate) young: bool,
    /// Only its content matters, and only to somebody who can be named.
    pub(crate) owned: bool,
    /// Somebody's result rests on this state.
    pub(crate) read: bool,
}

/// To whom it matters what is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    Everybody,
    /// Those who can be named later, and whose results rest on what is there.
    Readers,
    /// Whoever can be named later and may put something else there.
    Maker,
}

/// Why there is no testimony: the next run has to look for itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// Files changed just before, or while, they were looked at.
    #[error("{} changed just now", .0.display())]
    Young(PathBuf),
    /// A path was seen in two states.
    #[error("{} changed during the run", .0.display())]
    Contradiction(PathBuf),
    /// A path could not be looked at.
    #[error("{} cannot be looked at", .0.display())]
    Unseen(PathBuf),
}

/// Collects what a run sees. Shared between threads.
#[derive(Debug, Default)]
pub struct Witness(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// By the bytes of the path: comparing component by component costs more than everything else here.
    sights: BTreeMap<(OsString, How), Sight>,
    silence: Option<Silence>,
}

impl Witness {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Every change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a path that is about to be read, listed or found missing; of a symlink, at where it leads, too.
    pub fn look(&self, path: &Path) {
        let now = SystemTime::now();
        let found = fs_err::symlink_metadata(path);
        let link = found.as_ref().is_ok_and(Metadata::is_symlink);
        self.note(path, How::Itself, found, now, Concern::Everybody);
        if link {
            self.note(path, How::Through, fs_err::metadata(path), now, Concern::Everybody);
        }
    }

    /// As [`Self::look`], at the path itself, for whoever can be named later ([`Self::testimony`]) as the only one to whom it matters
    /// which file or link is there.
    pub fn look_owned(&self, path: &Path) {
        let now = SystemTime::now();
        self.note(path, How::Itself, fs_err::symlink_metadata(path), now, Concern::Maker);
    }

    /// As [`Self::look`] or [`Self::look_owned`], for a path that the caller has just asked for with `lstat`, at the moment `now` or before.
    pub(crate) fn saw(&self, path: &Path, found: &Metadata, now: SystemTime, concern: Concern) {
        self.add(path, How::Itself, Some(found), now, concern);
    }

    /// A file was just made, for whoever can be named later: what was there before is no contradiction. Whoever read it before has
    /// to look again.
    pub(crate) fn made(&self, path: &Path, found: &Metadata, now: SystemTime) {
        self.forget_owned(path);
        self.saw(path, found, now, Concern::Maker);
    }

    /// A file that only its maker looked at is about to be another one, or none.
    pub(crate) fn forget_owned(&self, path: &Path) {
        let mut seen = self.seen();
        let at = (path.as_os_str().to_owned(), How::Itself);
        if seen.sights.get(&at).is_some_and(|sight| sight.owned && !sight.read) {
            seen.sights.remove(&at);
        }
    }

    fn note(&self, path: &Path, how: How, found: io::Result<Metadata>, now: SystemTime, concern: Concern) {
        match found {
            Ok(found) => self.add(path, how, Some(&found), now, concern),
            Err(error) if is_absence(&error) => self.add(path, how, None, now, concern),
            Err(_) => {
                self.seen().silence.get_or_insert(Silence::Unseen(path.to_owned()));
            }
        }
    }

    fn add(&self, path: &Path, how: How, found: Option<&Metadata>, now: SystemTime, concern: Concern) {
        let sight = Sight {
            state: found.map(State::of),
            young: found.is_some_and(|found| is_young(found, now)),
            owned: concern != Concern::Everybody,
            read: concern == Concern::Readers,
        };
        let mut seen = self.seen();
        let first = seen.sights.entry((path.as_os_str().to_owned(), how)).or_insert(sight);
        let both_owned = first.owned && sight.owned;
        first.owned = both_owned;
        first.read |= sight.read;
        if first.state != sight.state {
            if both_owned {
                // One of the owners may have seen the one and not the other.
                first.young = true;
            } else {
                seen.silence.get_or_insert(Silence::Contradiction(path.to_owned()));
            }
        }
    }

    /// The content of a file was read again, at the moment `now` or later, and is what it was: from then on a change shows.
    pub(crate) fn settle(&self, path: &Path, found: &Metadata, now: SystemTime) {
        let mut seen = self.seen();
        if let Some(sight) = seen.sights.get_mut(&(path.as_os_str().to_owned(), How::Itself))
            && sight.state == Some(State::of(found))
        {
            sight.young = is_young(found, now);
        }
    }

    /// Every path that was looked at so far, sorted by its bytes, and whether it is a symlink behind which was looked, too.
    #[must_use]
    pub fn paths(&self) -> Vec<(PathBuf, bool)> {
        let mut paths: Vec<(PathBuf, bool)> = Vec::new();
        for (path, how) in self.seen().sights.keys() {
            // `Through` comes right after `Itself`.
            match paths.last_mut() {
                Some((last, through)) if last.as_os_str() == path => *through |= *how == How::Through,
                _ => paths.push((path.into(), *how == How::Through)),
            }
        }
        paths
    }

    /// Everything seen, with the paths below `root` relative to it. `owners` says who uses which file: what was noted as owned and has
    /// no owner matters to everybody.
    ///
    /// # Errors
    /// Why it would prove nothing.
    pub fn testimony(&self, root: &Path, owners: &Owners) -> Result<Testimony, Silence> {
        let seen = self.seen();
        let mut encoder = Encoder::new(root);
        for entry in seen.entries(owners)? {
            encoder.push(&entry?);
        }
        Ok(encoder.finish())
    }

    /// An older testimony after these owners, `anew`, looked again: what they saw then no longer counts. `None` when that would
    /// prove nothing, or the older one makes no sense.
    #[must_use]
    pub fn amend(&self, older: &Testimony, root: &Path, anew: &BTreeSet<Owner>, owners: &Owners) -> Option<Testimony> {
        let seen = self.seen();
        let entries: Vec<Entry<'_>> = seen.entries(owners).ok()?.collect::<Result<_, _>>().ok()?;
        older.amended(root, anew, entries.into_iter())
    }

    /// Whether anybody looked at this path.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        self.seen()
            .sights
            .contains_key(&(path.as_os_str().to_owned(), How::Itself))
    }
}

/// Who uses which files, by absolute path.
pub type Owners = BTreeMap<OsString, Vec<Owner>>;

impl Seen {
    fn entries<'a>(&'a self, owners: &'a Owners) -> Result<impl Iterator<Item = Result<Entry<'a>, Silence>>, Silence> {
        if let Some(silence) = &self.silence {
            return Err(silence.clone());
        }
        Ok(self.sights.iter().map(|((path, how), sight)| {
            let owners = match owners.get(path) {
                Some(owners) if sight.owned => owners.clone(),
                _ if sight.young => return Err(Silence::Young(path.into())),
                _ => Vec::new(),
            };
            Ok(Entry {
                path: path.as_bytes(),
                how: *how,
                sight: *sight,
                owners,
            })
        }))
    }
}

pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
