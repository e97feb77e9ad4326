//! The folder that is published: its lock, its modes, and taking back what a failed publication did.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{FlockOperation, Timespec, Timestamps, flock, fstat, futimens};
use rustix::io::Errno;

use crate::PublishError;

/// Folders are writable by their group and hand it on, so that several people can publish into one.
const FOLDER_MODE: u32 = 0o2775;

const FILE_MODE: u32 = 0o644;

/// Where files are made before they get their names. It lies in the published folder because renaming works only within
/// one file system, and is closed to others because a web server may show what it finds.
const STAGING: &str = ".farm-publish";

/// A locked folder. Unless [`Folder::keep`] was called, dropping it removes everything that was made in it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    // Dropped in this order: others may come in only when everything is taken back.
    undo: Undo,
    _lock: Lock,
}

impl Folder {
    /// Makes the folder if it is missing, locks it, and removes what a publication left that was killed.
    pub(crate) fn open(path: &Path) -> Result<Self, PublishError> {
        loop {
            let mut undo = Undo::default();
            make_folder(path, &mut undo).map_err(|error| match error.kind() {
                io::ErrorKind::NotADirectory => PublishError::NotAFolder(path.to_owned()),
                _ => PublishError::Io(error),
            })?;
            let lock = fs::File::open(path)?;
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(PublishError::Locked(path.to_owned())),
                Err(Errno::INTR) => continue,
                Err(errno) => {
                    let error = io::Error::from(errno);
                    let text = format!("failed to lock {}: {error}", path.display());
                    return Err(io::Error::new(error.kind(), text).into());
                }
            }
            // Another publisher that made the folder, and failed, may have removed it before it was locked here.
            if fstat(&lock).map_err(io::Error::from)?.st_nlink == 0 {
                continue;
            }
            undo.staging = path.join(STAGING);
            undo.remove_staging()?;
            return Ok(Self {
                path: path.to_owned(),
                undo,
                _lock: Lock(lock),
            });
        }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.path.join(relative)
    }

    /// Makes a new file in the staging folder; nobody sees it there. `name` must be unique among those that are there.
    pub(crate) fn stage(&self, name: &str) -> io::Result<StagedFile> {
        self.make_staging()?;
        let path = self.undo.staging.join(name);
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        Ok(StagedFile { file, path })
    }

    /// Makes the staging folder, if it is not there.
    pub(crate) fn make_staging(&self) -> io::Result<()> {
        match fs::create_dir(&self.undo.staging) {
            Ok(()) => fs::set_permissions(&self.undo.staging, Permissions::from_mode(0o700)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes the folder `relative` and those it lies in, with the right modes.
    pub(crate) fn make_folder(&mut self, relative: &Path) -> io::Result<()> {
        let mut path = self.path.clone();
        for part in relative.components() {
            path.push(part);
            make_folder(&path, &mut self.undo)?;
            // A publication that was killed may have made the folder and not opened it.
            let metadata = fs::metadata(&path)?;
            if metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o7777 != FOLDER_MODE {
                fs::set_permissions(&path, Permissions::from_mode(FOLDER_MODE))?;
            }
        }
        Ok(())
    }

    /// Gives a finished file its name, where there is none of that name.
    pub(crate) fn place_new(&mut self, staged: &Path, relative: &str) -> io::Result<()> {
        let target = self.path.join(relative);
        fs::rename(staged, &target)?;
        self.undo.made.push(Made::File(target));
        Ok(())
    }

    /// Gives a finished file its name in place of another one. That is not taken back when the publication fails.
    pub(crate) fn replace(&self, staged: &Path, relative: &str) -> io::Result<()> {
        fs::rename(staged, self.path.join(relative))
    }

    /// Replaces one file after the other in this order, or none: each is where it was staged, with the name that it gets.
    pub(crate) fn replace_all(&self, files: &[(&Path, &str)]) -> io::Result<()> {
        let Some(((last, last_name), before)) = files.split_last() else {
            return Ok(());
        };
        let mut former = Vec::new();
        for (number, (_, relative)) in before.iter().enumerate() {
            former.push(self.stage_copy(&self.path.join(relative), &format!("former-{number}"))?);
        }
        let mut done = 0;
        let replaced = before
            .iter()
            .try_for_each(|(staged, relative)| {
                self.replace(staged, relative)?;
                done += 1;
                Ok(())
            })
            .and_then(|()| self.replace(last, last_name));
        if replaced.is_err() {
            for ((_, relative), former) in before[..done].iter().zip(&former).rev() {
                let target = self.path.join(relative);
                match former {
                    Some(former) => fs::rename(former, &target)?,
                    None => fs::remove_file(&target)?,
                }
            }
        }
        replaced
    }

    /// Copies a file, with its time, to the staging folder; `None` if it is not there. (Not every file system that takes
    /// packages has hard links.)
    fn stage_copy(&self, path: &Path, name: &str) -> io::Result<Option<PathBuf>> {
        let mut source = match fs::File::open(path) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mtime = u64::try_from(source.metadata()?.mtime()).unwrap_or(0);
        let mut copy = self.stage(name)?;
        io::copy(&mut source, &mut copy.file)?;
        copy.finish(mtime).map(Some)
    }

    /// Brings the names in a folder to the disk.
    pub(crate) fn sync(&self, relative: &Path) -> io::Result<()> {
        fs::File::open(self.path.join(relative))?.sync_all()
    }

    /// Makes what was done final.
    pub(crate) fn keep(&mut self) {
        self.undo.made.clear();
    }

    /// Removes a file, and the folders that it leaves empty.
    ///
    /// What cannot be removed is left: the publication is done, and a file too many harms no client.
    pub(crate) fn discard(&self, relative: &str) {
        let removed = fs::remove_file(self.path.join(relative));
        let mut parent = Path::new(relative).parent();
        while let Some(folder) = parent.filter(|folder| removed.is_ok() && !folder.as_os_str().is_empty()) {
            if fs::remove_dir(self.path.join(folder)).is_err() {
                break;
            }
            parent = folder.parent();
        }
    }
}

/// A file that is being written and has no name yet that matters.
#[derive(Debug)]
pub(crate) struct StagedFile {
    pub(crate) file: fs::File,
    path: PathBuf,
}

impl StagedFile {
    /// The file opened once more, at its start.
    pub(crate) fn reader(&self) -> io::Result<fs::File> {
        fs::OpenOptions::new().read(true).write(true).open(&self.path)
    }

    /// Leaves the file where it is until the folder is given free.
    pub(crate) fn keep(self) -> PathBuf {
        self.path
    }

    /// Removes a file that is not needed any more. What stays goes with the staging folder.
    pub(crate) fn discard(self) {
        let _ = fs::remove_file(&self.path);
    }

    /// Gives the file its mode and its time (seconds since the epoch) and brings it to the disk.
    pub(crate) fn finish(self, mtime: u64) -> io::Result<PathBuf> {
        let tv_sec = i64::try_from(mtime).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let time = Timespec { tv_sec, tv_nsec: 0 };
        self.file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        futimens(
            &self.file,
            &Timestamps {
                last_access: time,
                last_modification: time,
            },
        )?;
        self.file.sync_all()?;
        Ok(self.path)
    }
}

/// The lock of a folder, held by an open descriptor of the folder itself.
#[derive(Debug)]
struct Lock(fs::File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread starts at this moment has a copy of the descriptor until
        // it runs its program. Should this fail, the lock goes with the last copy.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

#[derive(Debug)]
enum Made {
    File(PathBuf),
    Folder(PathBuf),
}

/// What was made, oldest first; removed when dropped.
#[derive(Debug, Default)]
struct Undo {
    made: Vec<Made>,
    staging: PathBuf,
}

impl Undo {
    fn remove_staging(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        // There is nobody to tell of an error here. The next publication removes the staging folder, and a folder that is
        // not empty is not removed on purpose.
        if !self.staging.as_os_str().is_empty() {
            let _ = self.remove_staging();
        }
        for made in self.made.drain(..).rev() {
            let _ = match made {
                Made::File(path) => fs::remove_file(path),
                Made::Folder(path) => fs::remove_dir(path),
            };
        }
    }
}

/// Makes a folder, and those it lies in, if they are missing.
fn make_folder(path: &Path, undo: &mut Undo) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => {
            undo.made.push(Made::Folder(path.to_owned()));
            // `mkdir` takes the umask away. The kernel drops the setgid bit if the folder's group is not one of ours, and
            // that is right: such a folder belongs to nobody's group that we could hand on.
            fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
                return Err(error);
            };
            make_folder(parent, undo)?;
            make_folder(path, undo)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::metadata(path)?.is_dir() {
                return Ok(());
            }
            let text = format!("{} is not a folder", path.display());
            Err(io::Error::new(io::ErrorKind::NotADirectory, text))
        }
        // On a file system that is read-only the folder may be there all the same.
        Err(error) => match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            _ => Err(error),
        },
    }
}
