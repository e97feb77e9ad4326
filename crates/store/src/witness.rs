//! What a run saw of the file system, so that the next one can tell by `stat` alone that it would see the same.
//!
//! A [`Witness`] notes every path a run looks at, *before* the run reads it: a file or link by what `lstat` says, a folder whose
//! names are read likewise (its times change when a name comes or goes), and what is not there by its absence. The notes become a
//! [`Testimony`]: bytes that [`Testimony::holds`] compares with the file system of today, without an allocation a path.
//!
//! A file that was so young when it was looked at that a later change could leave no trace (see [`crate::FileHasher`]) makes no
//! testimony until its content was read once more ([`Witness::settle`]).
//!
//! ```text
//! testimony = block*
//! block     = u32 length of all that follows, sight*            up to 1024 sights
//! sight     = u8 tag, u16 bytes shared with the path before, u16 length, the rest of the path, state
//! tag       = 0 absent | 1 lstat | 2 stat, of what a symlink leads to
//! state     = u32 mode, u64 size, 2 × (i64 s, u32 ns) mtime and ctime, u64 inode, u64 device; nothing when absent
//! ```
//! All numbers are little-endian; paths are relative to the root if they lie below it, and sorted.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use crate::file_hasher::is_young;

const BLOCK: usize = 1024;
const STATE_LEN: usize = 52;

/// What `stat` says. Any change of content, names, type, mode or owner changes the time of the last status change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State([u8; STATE_LEN]);

impl State {
    fn of(found: &Metadata) -> Self {
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// The name itself.
    Itself,
    /// What a symlink leads to.
    Through,
}

#[derive(Clone, Copy, Debug)]
struct Sight {
    /// `None`: nothing is there.
    state: Option<State>,
    /// A later change could leave no trace.
    young: bool,
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
        self.note(path, How::Itself, found, now);
        if link {
            self.note(path, How::Through, fs_err::metadata(path), now);
        }
    }

    /// As [`Self::look`], for a path that the caller has just asked for with `lstat`, at the moment `now` or before.
    pub(crate) fn saw(&self, path: &Path, found: &Metadata, now: SystemTime) {
        self.add(path, How::Itself, Some(found), now);
    }

    fn note(&self, path: &Path, how: How, found: io::Result<Metadata>, now: SystemTime) {
        match found {
            Ok(found) => self.add(path, how, Some(&found), now),
            Err(error) if is_absence(&error) => self.add(path, how, None, now),
            Err(_) => {
                self.seen().silence.get_or_insert(Silence::Unseen(path.to_owned()));
            }
        }
    }

    fn add(&self, path: &Path, how: How, found: Option<&Metadata>, now: SystemTime) {
        let sight = Sight {
            state: found.map(State::of),
            young: found.is_some_and(|found| is_young(found, now)),
        };
        let mut seen = self.seen();
        let first = *seen.sights.entry((path.as_os_str().to_owned(), how)).or_insert(sight);
        if first.state != sight.state {
            seen.silence.get_or_insert(Silence::Contradiction(path.to_owned()));
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

    /// Everything seen, with the paths below `root` relative to it.
    ///
    /// # Errors
    /// Why it would prove nothing.
    pub fn testimony(&self, root: &Path) -> Result<Testimony, Silence> {
        let seen = self.seen();
        if let Some(silence) = &seen.silence {
            return Err(silence.clone());
        }
        if let Some(((path, _), _)) = seen.sights.iter().find(|(_, sight)| sight.young) {
            return Err(Silence::Young(path.into()));
        }
        let sights: Vec<_> = seen.sights.iter().collect();
        let mut bytes = Vec::with_capacity(sights.len() * 80);
        for block in sights.chunks(BLOCK) {
            let start = bytes.len();
            bytes.extend_from_slice(&[0; 4]);
            let mut before: &[u8] = b"";
            for ((path, how), sight) in block {
                let path = Path::new(path);
                let path = path.strip_prefix(root).unwrap_or(path).as_os_str().as_bytes();
                put_path(&mut bytes, tag(*how, sight), before, path);
                if let Some(state) = &sight.state {
                    bytes.extend_from_slice(&state.0);
                }
                before = path;
            }
            let length = u32::try_from(bytes.len() - start - 4).unwrap_or(u32::MAX);
            bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        }
        Ok(Testimony(bytes))
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn tag(how: How, sight: &Sight) -> u8 {
    match (how, sight.state) {
        (_, None) => 0,
        (How::Itself, Some(_)) => 1,
        (How::Through, Some(_)) => 2,
    }
}

fn put_path(bytes: &mut Vec<u8>, tag: u8, before: &[u8], path: &[u8]) {
    let longest = before.len().min(path.len()).min(usize::from(u16::MAX));
    let shared = (0..longest).take_while(|&at| before[at] == path[at]).count();
    let rest = &path[shared..];
    bytes.push(tag);
    // PATH_MAX is 4096.
    bytes.extend_from_slice(&u16::try_from(shared).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(rest.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(rest);
}

/// What a run saw, as bytes that can be kept. They carry no checksum: whoever keeps them adds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony(Vec<u8>);

impl Testimony {
    /// Testimony from kept bytes.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to keep.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether every path still is what it was, with relative paths below `root`. Several threads look; the first difference
    /// ends it. Bytes that make no sense do not hold.
    #[must_use]
    pub fn holds(&self, root: &Path) -> bool {
        let Some(blocks) = self.blocks() else { return false };
        let (next, differs) = (AtomicUsize::new(0), AtomicBool::new(false));
        let work = || {
            while !differs.load(Ordering::Relaxed) {
                let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    return;
                };
                if block_holds(block, root).is_none() {
                    differs.store(true, Ordering::Relaxed);
                }
            }
        };
        let threads = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(8)
            .min(blocks.len());
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        !differs.load(Ordering::Relaxed)
    }

    fn blocks(&self) -> Option<Vec<&[u8]>> {
        let mut blocks = Vec::new();
        let mut rest = self.0.as_slice();
        while !rest.is_empty() {
            let (length, tail) = rest.split_first_chunk::<4>()?;
            let (block, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            blocks.push(block);
            rest = tail;
        }
        Some(blocks)
    }
}

/// `None` at the first difference.
fn block_holds(mut rest: &[u8], root: &Path) -> Option<()> {
    // The root and a slash stay in front; what follows is replaced path by path.
    let mut path = root.as_os_str().as_bytes().to_vec();
    path.push(b'/');
    let prefix = path.len();
    while let Some((&tag, tail)) = rest.split_first() {
        let (shared, tail) = tail.split_first_chunk::<2>()?;
        let (length, tail) = tail.split_first_chunk::<2>()?;
        let (suffix, tail) = tail.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        rest = tail;
        path.truncate(prefix + usize::from(u16::from_le_bytes(*shared)));
        path.extend_from_slice(suffix);
        let relative = &path[prefix..];
        // An absolute path is one that does not lie below the root.
        let full = if relative.starts_with(b"/") { relative } else { &path };
        let full = Path::new(OsStr::from_bytes(full));
        // Errors are not shown here, and the plain functions do not keep the path for one.
        let found = match tag {
            2 => full.metadata(),
            _ => full.symlink_metadata(),
        };
        match (tag, found) {
            (0, Err(error)) if is_absence(&error) => {}
            (1 | 2, Ok(found)) => {
                let (state, tail) = rest.split_first_chunk::<STATE_LEN>()?;
                rest = tail;
                if State::of(&found).0 != *state {
                    return None;
                }
            }
            _ => return None,
        }
    }
    Some(())
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
