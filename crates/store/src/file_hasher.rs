//! Digests of files, taken once for each state of a file.

use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::stat_cache::{self, Entries, Entry, Fingerprint, Unreadable};
use crate::witness::{Concern, Witness};

/// What was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A regular file: the digest is of its content.
    File,
    /// A symbolic link: the digest is of the text of its target.
    Symlink,
}

/// The content of a file, and the one bit of its mode that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDigest {
    /// BLAKE3 of the content, or of the target's text.
    pub digest: blake3::Hash,
    /// Length in bytes of what was hashed.
    pub size: u64,
    /// True for a regular file that anybody may execute.
    pub executable: bool,
    /// Regular file or symlink; equal digests of different kinds are different things.
    pub kind: FileKind,
}

/// Why a file could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// There is no such file (input).
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// It is a folder, socket, FIFO or device (input).
    #[error("{} is neither a file nor a symlink", .0.display())]
    NotAFile(PathBuf),
    /// Somebody kept writing to it while it was read (input: it is not settled yet).
    #[error("{} changes while it is being read", .0.display())]
    Unsettled(PathBuf),
    /// The file system refused (environment).
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why a cache file was not used. Nothing is lost but time, so this is a note and no error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheNote {
    /// Its checksum is wrong or it is cut short.
    #[error("the stat cache {} is damaged; files are hashed again", .0.display())]
    Damaged(PathBuf),
    /// Another version of farm wrote it.
    #[error("the stat cache {} has another format; files are hashed again", .0.display())]
    OtherVersion(PathBuf),
    /// It could not be read.
    #[error("the stat cache {} cannot be read ({}); files are hashed again", .0.display(), .1)]
    Unreadable(PathBuf, String),
}

/// How long after a change of a file its time stamps may still hide the next change: the kernel stamps files with a clock
/// that ticks every 1 to 10 ms.
const FINE_TICK: Duration = Duration::from_millis(50);
/// The same for file systems that keep whole seconds only (FAT: two).
const COARSE_TICK: Duration = Duration::from_secs(2);
/// Entries that were not asked for in so many saves are dropped: their files are gone, or belong to a farm nobody builds.
const OLDEST: u8 = 50;

/// Hashes files and remembers, across runs, what it hashed.
///
/// An entry counts while size, mtime, ctime, inode, device and executable bit are what they were, unless the file was so
/// young when it was hashed that a change in the same clock tick would leave no trace (git calls this "racily clean"): such
/// a file is hashed again, by the next question of another run or by [`save`](Self::save). Paths only find entries; a moved
/// workspace costs one more hashing and changes no result.
#[derive(Debug)]
pub struct FileHasher {
    file: Option<PathBuf>,
    note: Option<CacheNote>,
    state: Mutex<State>,
    witness: Arc<Witness>,
}

#[derive(Debug, Default)]
struct State {
    entries: Entries,
    /// Something is worth saving.
    changed: bool,
}

impl FileHasher {
    /// Opens the cache in `file`, which need not exist. Whatever is wrong with it, the cache is then empty and
    /// [`note`](Self::note) says why.
    pub fn open(file: &Path) -> Self {
        let path = file.to_path_buf();
        let loaded = match fs_err::read(file) {
            Ok(bytes) => stat_cache::decode(&bytes).map_err(|unreadable| match unreadable {
                Unreadable::Damaged => CacheNote::Damaged(path),
                Unreadable::OtherVersion => CacheNote::OtherVersion(path),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Entries::new()),
            Err(error) => Err(CacheNote::Unreadable(path, error.to_string())),
        };
        let (mut entries, note) = match loaded {
            Ok(entries) => (entries, None),
            Err(note) => (Entries::new(), Some(note)),
        };
        for entry in entries.values_mut() {
            entry.age = entry.age.saturating_add(1);
        }
        Self {
            file: Some(file.to_path_buf()),
            note,
            state: Mutex::new(State {
                entries,
                changed: false,
            }),
            witness: Arc::default(),
        }
    }

    /// A hasher that remembers nothing after it is dropped.
    pub fn in_memory() -> Self {
        Self {
            file: None,
            note: None,
            state: Mutex::new(State::default()),
            witness: Arc::default(),
        }
    }

    /// The witness of everything that was hashed, and of whatever else the run tells it of.
    pub fn witness(&self) -> &Arc<Witness> {
        &self.witness
    }

    /// Why the cache file was not used, if it was not.
    pub fn note(&self) -> Option<&CacheNote> {
        self.note.as_ref()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the map is one call, so a panic elsewhere cannot have left it half-made.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The digest of the file or symlink at `path`. `path` should be absolute: the cache finds it by that name again.
    ///
    /// # Errors
    /// See [`HashError`].
    pub fn hash(&self, path: &Path) -> Result<FileDigest, HashError> {
        self.hash_noted(path, Concern::Everybody)
    }

    /// As [`Self::hash`], of a file whose content matters only to whoever the caller names to the witness later.
    ///
    /// # Errors
    /// See [`HashError`].
    pub fn hash_owned(&self, path: &Path) -> Result<FileDigest, HashError> {
        self.hash_noted(path, Concern::Readers)
    }

    /// As [`Self::hash_owned`], for somebody who makes the file and may replace it in this run ([`Self::learn`], [`Self::forget`]).
    ///
    /// # Errors
    /// See [`HashError`].
    pub fn hash_made(&self, path: &Path) -> Result<FileDigest, HashError> {
        self.hash_noted(path, Concern::Maker)
    }

    /// Takes note of the digest of a regular file that was just made, for whoever the caller names to the witness later. `before` is
    /// what `lstat` said before it was read, at the moment `started` or before; a file that is another one now is not noted.
    pub fn learn(&self, path: &Path, before: &Metadata, started: SystemTime, digest: blake3::Hash) {
        let (Ok((found, fingerprint)), Some(first)) = (look(path), Fingerprint::of(before)) else {
            return;
        };
        if fingerprint != first {
            return;
        }
        self.witness.made(path, &found, started);
        let entry = Entry {
            fingerprint,
            digest,
            racy: is_racy(&fingerprint, started),
            age: 0,
        };
        let mut state = self.state();
        state.entries.insert(path.as_os_str().to_owned(), entry);
        state.changed = true;
    }

    /// Forgets a file that the caller removes: that it is gone is no change behind anybody's back.
    pub fn forget(&self, path: &Path) {
        self.witness.forget_owned(path);
        self.state().entries.remove(path.as_os_str());
    }

    fn hash_noted(&self, path: &Path, concern: Concern) -> Result<FileDigest, HashError> {
        let (found, fingerprint) = match look(path) {
            Ok(found) => found,
            Err(error) => {
                // What is missing today may be there tomorrow.
                if concern == Concern::Everybody {
                    self.witness.look(path);
                } else {
                    self.witness.look_owned(path);
                }
                return Err(error);
            }
        };
        let now = SystemTime::now();
        if let Some(entry) = self.state().entries.get_mut(path.as_os_str())
            && entry.fingerprint == fingerprint
            // Within one run a racy entry was hashed by this run itself, and `save` settles it.
            && (!entry.racy || entry.age == 0)
        {
            entry.age = 0;
            let answer = entry.answer();
            self.witness.saw(path, &found, now, concern);
            return Ok(answer);
        }
        let (entry, found, now) = hash_settled(path)?;
        self.witness.saw(path, &found, now, concern);
        let answer = entry.answer();
        let mut state = self.state();
        state.entries.insert(path.as_os_str().to_owned(), entry);
        state.changed = true;
        Ok(answer)
    }

    /// Forgets the files that are not there any more, and says how many they were.
    pub fn forget_missing(&self) -> u64 {
        let mut state = self.state();
        let before = state.entries.len();
        state.entries.retain(|path, _| {
            let found = fs_err::symlink_metadata(Path::new(path));
            !found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        });
        let forgotten = before - state.entries.len();
        state.changed |= forgotten > 0;
        forgotten as u64
    }

    /// Hashes racy files of this run once more, forgets what nobody asked for in a long time, and writes the cache file
    /// atomically. Returns the files whose content changed after they were hashed: what was made from them in this run was
    /// made from something else, and the next run will see that.
    ///
    /// # Errors
    /// When the cache file cannot be written.
    pub fn save(&self) -> io::Result<Vec<PathBuf>> {
        let racy: Vec<(PathBuf, Entry)> = {
            let state = self.state();
            let asked = state.entries.iter().filter(|(_, entry)| entry.racy && entry.age == 0);
            asked.map(|(path, entry)| (path.into(), entry.clone())).collect()
        };
        let mut moved = Vec::new();
        for (path, before) in racy {
            let again = hash_settled(&path).ok();
            match &again {
                Some((entry, found, now)) if entry.answer() == before.answer() => {
                    self.witness.settle(&path, found, *now);
                }
                _ => moved.push(path.clone()),
            }
            let mut state = self.state();
            match again {
                Some((entry, ..)) => state.entries.insert(path.into_os_string(), entry),
                None => state.entries.remove(path.as_os_str()),
            };
            state.changed = true;
        }
        let mut state = self.state();
        let Some(file) = &self.file else { return Ok(moved) };
        if !state.changed {
            return Ok(moved);
        }
        state.entries.retain(|_, entry| entry.age <= OLDEST);
        let bytes = stat_cache::encode(&state.entries);
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut new, &bytes)?;
        crate::rename(new.into_temp_path(), file)?;
        state.changed = false;
        Ok(moved)
    }
}

fn look(path: &Path) -> Result<(Metadata, Fingerprint), HashError> {
    match fs_err::symlink_metadata(path) {
        Ok(found) => match Fingerprint::of(&found) {
            Some(fingerprint) => Ok((found, fingerprint)),
            None => Err(HashError::NotAFile(path.to_path_buf())),
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Err(HashError::Missing(path.to_path_buf()))
        }
        Err(error) => Err(HashError::Io(error)),
    }
}

/// Hashes until the fingerprints before and after agree, a few times at most. Also gives what `lstat` said, and when the reading
/// began.
fn hash_settled(path: &Path) -> Result<(Entry, Metadata, SystemTime), HashError> {
    for _ in 0..4 {
        let (found, before) = look(path)?;
        let started = SystemTime::now();
        let digest = match before.kind {
            FileKind::Symlink => blake3::hash(fs_err::read_link(path)?.as_os_str().as_bytes()),
            FileKind::File => {
                let mut hasher = blake3::Hasher::new();
                let mut file = fs_err::File::open(path)?;
                let mut buffer = vec![0; 1 << 16];
                loop {
                    match file.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(count) => {
                            hasher.update(&buffer[..count]);
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                hasher.finalize()
            }
        };
        if look(path)?.1 == before {
            let entry = Entry {
                fingerprint: before,
                digest,
                racy: is_racy(&before, started),
                age: 0,
            };
            return Ok((entry, found, started));
        }
    }
    Err(HashError::Unsettled(path.to_path_buf()))
}

/// True if a change right after `started` could leave mtime and ctime as they are. A time in the future counts as young:
/// that file is hashed in every run, which is slow and right.
fn is_racy(print: &Fingerprint, started: SystemTime) -> bool {
    are_young([print.mtime, print.ctime], started)
}

/// The same of anything that `stat` knows, for a look at the moment `now`.
pub(crate) fn is_young(found: &Metadata, now: SystemTime) -> bool {
    let nanoseconds = |value: i64| u32::try_from(value).unwrap_or(0);
    let times = [
        (found.mtime(), nanoseconds(found.mtime_nsec())),
        (found.ctime(), nanoseconds(found.ctime_nsec())),
    ];
    are_young(times, now)
}

fn are_young(times: [(i64, u32); 2], started: SystemTime) -> bool {
    times.into_iter().any(|(seconds, nanoseconds)| {
        let tick = if nanoseconds == 0 { COARSE_TICK } else { FINE_TICK };
        let stamp = match u64::try_from(seconds) {
            Ok(seconds) => UNIX_EPOCH + Duration::new(seconds, nanoseconds),
            Err(_) => UNIX_EPOCH,
        };
        stamp + tick >= started
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use filetime::{FileTime, set_file_mtime};

    fn workspace() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (cache, file) = (dir.path().join("stat"), dir.path().join("file"));
        (dir, cache, file)
    }

    /// Lets the cache believe that what it holds was hashed long after it was written.
    fn settle(hasher: &FileHasher) {
        for entry in hasher.state().entries.values_mut() {
            entry.racy = false;
        }
    }

    #[test]
    fn an_unchanged_file_is_not_read_again() {
        let (_dir, cache, file) = workspace();
        fs_err::write(&file, "one").unwrap();
        let hasher = FileHasher::open(&cache);
        let first = hasher.hash(&file).unwrap();
        assert_eq!(
            (first.digest, first.size, first.executable),
            (blake3::hash(b"one"), 3, false)
        );
        // A wrong digest in the cache shows that the answer comes from there.
        settle(&hasher);
        hasher.state().entries.get_mut(file.as_os_str()).unwrap().digest = blake3::hash(b"wrong");
        hasher.save().unwrap();
        assert_eq!(
            FileHasher::open(&cache).hash(&file).unwrap().digest,
            blake3::hash(b"wrong")
        );
    }

    #[test]
    fn a_racy_file_is_read_again() {
        let (_dir, cache, file) = workspace();
        fs_err::write(&file, "one").unwrap();
        let hasher = FileHasher::open(&cache);
        hasher.hash(&file).unwrap();
        {
            let mut state = hasher.state();
            let entry = state.entries.get_mut(file.as_os_str()).unwrap();
            assert!(entry.racy, "a file of this moment is racy");
            entry.digest = blake3::hash(b"stale");
        }
        let bytes = stat_cache::encode(&hasher.state().entries);
        fs_err::write(&cache, bytes).unwrap();
        assert_eq!(
            FileHasher::open(&cache).hash(&file).unwrap().digest,
            blake3::hash(b"one")
        );
    }

    #[test]
    fn saving_finds_a_change_within_the_same_tick() {
        let (_dir, cache, file) = workspace();
        fs_err::write(&file, "one").unwrap();
        let hasher = FileHasher::open(&cache);
        hasher.hash(&file).unwrap();
        assert_eq!(hasher.save().unwrap(), Vec::<PathBuf>::new());
        fs_err::write(&file, "two").unwrap();
        hasher.state().entries.get_mut(file.as_os_str()).unwrap().racy = true;
        assert_eq!(hasher.save().unwrap(), std::slice::from_ref(&file));
        assert_eq!(
            FileHasher::open(&cache).hash(&file).unwrap().digest,
            blake3::hash(b"two")
        );
    }

    #[test]
    fn same_size_and_mtime_do_not_hide_a_change() {
        let (_dir, cache, file) = workspace();
        let time = FileTime::from_unix_time(1_000_000_000, 0);
        fs_err::write(&file, "one").unwrap();
        set_file_mtime(&file, time).unwrap();
        let hasher = FileHasher::open(&cache);
        let one = hasher.hash(&file).unwrap();
        hasher.save().unwrap();
        // Another inode: the change cannot hide in the clock's tick either.
        let other = file.with_extension("new");
        fs_err::write(&other, "two").unwrap();
        set_file_mtime(&other, time).unwrap();
        fs_err::rename(&other, &file).unwrap();
        assert_ne!(FileHasher::open(&cache).hash(&file).unwrap(), one);
    }

    #[test]
    fn mode_and_kind_count() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, cache, file) = workspace();
        fs_err::write(&file, "target").unwrap();
        let hasher = FileHasher::open(&cache);
        let plain = hasher.hash(&file).unwrap();
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(hasher.hash(&file).unwrap(), plain);
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(hasher.hash(&file).unwrap().executable);
        let link = dir.path().join("link");
        fs_err::os::unix::fs::symlink("target", &link).unwrap();
        let linked = hasher.hash(&link).unwrap();
        assert_eq!((linked.digest, linked.kind), (plain.digest, FileKind::Symlink));
        assert!(matches!(hasher.hash(dir.path()), Err(HashError::NotAFile(_))));
        assert!(matches!(hasher.hash(&file.join("x")), Err(HashError::Missing(_))));
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one_with_a_note() {
        let (_dir, cache, file) = workspace();
        fs_err::write(&file, "one").unwrap();
        fs_err::write(&cache, "nonsense").unwrap();
        let hasher = FileHasher::open(&cache);
        assert_eq!(hasher.note(), Some(&CacheNote::Damaged(cache.clone())));
        assert_eq!(hasher.hash(&file).unwrap().digest, blake3::hash(b"one"));
        hasher.save().unwrap();
        assert_eq!(FileHasher::open(&cache).note(), None);
    }
}
