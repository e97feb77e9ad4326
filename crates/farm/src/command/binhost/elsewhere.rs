//! The binhost that lies at a remote: commands work on its mirror, which is brought to what is there first, and moved afterwards.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use farm_executor::CancelToken;
use farm_publish::PackageFile;
use farm_remote::{Address, Mirror, Remote, RemoteError, Watch, connect};

use super::super::{FarmError, Setup};
use super::place::Binhost;
use crate::rules::publish_remote::{self, lock_mirror};

/// Who is told how it goes.
pub(crate) type Progress<'a> = &'a mut (dyn FnMut(&str) + Send);

/// How often somebody who waits looks whether to stop.
const STEP: Duration = Duration::from_millis(100);

/// The folder that a command works on.
pub(super) struct Here<'a> {
    /// The folder of the index: where clients read, or the mirror of that.
    pub(super) folder: &'a Path,
    elsewhere: Option<(&'a Mirror, &'a dyn Remote)>,
}

impl Here<'_> {
    /// Whether the folder is a mirror, which need not hold all the files that clients see.
    pub(super) fn is_mirror(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Sees to it that these package files are in the folder, as far as they are anywhere.
    pub(super) fn fetch(&self, files: &[PackageFile]) -> Result<(), FarmError> {
        match self.elsewhere {
            Some((mirror, remote)) => mirror.fetch(remote, files).map(drop).map_err(FarmError::from),
            None => Ok(()),
        }
    }
}

/// Works on a binhost that stays as it is.
pub(super) fn look<T>(
    setup: &Setup,
    binhost: &Binhost,
    progress: Progress<'_>,
    work: impl FnOnce(&Here<'_>) -> Result<T, FarmError>,
) -> Result<T, FarmError> {
    on(setup, binhost, progress, false, |here, _| work(here))
}

/// Works on a binhost, and moves what became of it to where clients read. `work` gets somebody to tell how it goes.
pub(super) fn change<T>(
    setup: &Setup,
    binhost: &Binhost,
    progress: Progress<'_>,
    work: impl FnOnce(&Here<'_>, &mut dyn FnMut(&str)) -> Result<T, FarmError>,
) -> Result<T, FarmError> {
    on(setup, binhost, progress, true, work)
}

fn on<T>(
    setup: &Setup,
    binhost: &Binhost,
    progress: Progress<'_>,
    changes: bool,
    work: impl FnOnce(&Here<'_>, &mut dyn FnMut(&str)) -> Result<T, FarmError>,
) -> Result<T, FarmError> {
    let folder = binhost.folder.as_path();
    let Some(address) = &binhost.remote else {
        let here = Here {
            folder,
            elsewhere: None,
        };
        return work(&here, progress);
    };
    let _lock = lock_mirror(folder, &setup.holder)?;
    let watch = Told::new(progress, &setup.cancel);
    let remote = connect(address, &setup.remotes, &watch)?;
    let mirror = Mirror::new(folder, address);
    let pulled = mirror.pull(&*remote)?;
    let here = Here {
        folder,
        elsewhere: Some((&mirror, &*remote)),
    };
    let done = work(&here, &mut |line| watch.tell(line))?;
    if changes {
        mirror.push(&*remote, &pulled)?;
    }
    Ok(done)
}

/// Brings all that is at a remote to a new folder and works on that: what is in the mirror is not what clients get.
pub(super) fn look_at_all<T>(
    setup: &Setup,
    address: &Address,
    progress: Progress<'_>,
    work: impl FnOnce(&Path, &mut dyn FnMut(&str)) -> Result<T, FarmError>,
) -> Result<T, FarmError> {
    let scratch = || -> std::io::Result<tempfile::TempDir> {
        fs_err::create_dir_all(&setup.scratch)?;
        tempfile::Builder::new()
            .prefix("farm-check-")
            .tempdir_in(&setup.scratch)
    };
    let scratch = scratch().map_err(|error| FarmError::of_disk(&error))?;
    let watch = Told::new(progress, &setup.cancel);
    let remote = connect(address, &setup.remotes, &watch)?;
    let mirror = Mirror::new(scratch.path().join("mirror"), address);
    mirror.pull(&*remote)?;
    mirror.fetch_all(&*remote)?;
    work(mirror.folder(), &mut |line| watch.tell(line))
}

impl From<RemoteError> for FarmError {
    fn from(error: RemoteError) -> Self {
        publish_remote::failure(&error).into()
    }
}

/// Tells somebody how a transfer goes, from whatever thread.
struct Told<'a> {
    progress: Mutex<Progress<'a>>,
    cancel: &'a CancelToken,
}

impl<'a> Told<'a> {
    fn new(progress: Progress<'a>, cancel: &'a CancelToken) -> Self {
        Self {
            progress: Mutex::new(progress),
            cancel,
        }
    }
}

impl Watch for Told<'_> {
    fn tell(&self, line: &str) {
        (self.progress.lock().unwrap_or_else(PoisonError::into_inner))(line);
    }

    fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.stopped() {
                return;
            }
            std::thread::sleep(left.min(STEP));
        }
    }

    fn stopped(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
