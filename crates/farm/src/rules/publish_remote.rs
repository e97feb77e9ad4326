//! Publishing to where clients fetch packages: the release is made in a mirror, and the mirror is moved.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use farm_engine::{Event, Failure, FailureKind, Presence, Run};
use farm_portage::cpv::Cpv;
use farm_publish::{PackageFile, Publication, PublishError, Published, packages_of, record_numbers};
use farm_remote::{Address, ErrorKind, Mirror, RemoteError, Watch, connect};
use farm_store::{DirLock, Holder, LockError};

use super::publish_pkgs;
use crate::context::Context;

/// The folder of the workspace's state that holds the mirrors, one an address.
pub const MIRRORS: &str = "published";

/// How long a cancelled run may go on waiting.
const STEP: Duration = Duration::from_millis(100);

/// Takes the lock of a mirror: between its pull and its push nobody else may change it. `holder` is who takes it, for others.
///
/// # Errors
///
/// Somebody else has it.
pub fn lock_mirror(folder: &Path, holder: &str) -> Result<DirLock, LockError> {
    let since = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let what = holder.to_owned();
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let path = folder.with_file_name(name);
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent).map_err(|source| LockError::Io {
            path: path.clone(),
            source,
        })?;
    }
    DirLock::acquire(&path, &Holder { what, since })
}

/// Makes a release in the mirror of a remote, which is first brought to what others published, and moves it there.
///
/// # Errors
///
/// Those of publishing, and the environment's: the remote is out of reach, full, or another publisher was faster.
pub fn publish(
    context: &Context,
    run: &Run<'_>,
    name: &str,
    address: &Address,
    publication: &Publication<'_>,
) -> Result<Published, Failure> {
    let watch = Told { context, run, name };
    let _lock = lock_mirror(publication.folder, name)
        .map_err(|error| Failure::new(FailureKind::Environment, error.to_string()))?;
    let remote = connect(address, &context.remotes, &watch).map_err(|error| failure(&error))?;
    let mirror = Mirror::new(publication.folder, address);
    watch.tell(&format!("looking at {address}"));
    let pulled = mirror.pull(&*remote).map_err(|error| failure(&error))?;
    let stays = former_of(publication).map_err(|error| publish_pkgs::failure(&error))?;
    mirror.fetch(&*remote, &stays).map_err(|error| failure(&error))?;
    let published = farm_publish::publish(publication, &mut |line| watch.tell(line))
        .map_err(|error| publish_pkgs::failure(&error))?;
    let pushed = mirror.push(&*remote, &pulled).map_err(|error| failure(&error))?;
    if pushed.changed {
        let message = format!(
            "{address}: {} packages uploaded, {} files removed",
            pushed.uploaded, pushed.removed
        );
        (run.events)(Event::Note { message });
    }
    Ok(published)
}

/// The package files of the newest release that may stay in the place of packages that are lacking. (All others are made again from
/// farm's own, if the mirror does not have them.)
fn former_of(publication: &Publication<'_>) -> Result<Vec<PackageFile>, PublishError> {
    let folder = publication.folder;
    if publication.lacking.is_empty() {
        return Ok(Vec::new());
    }
    let Some(newest) = record_numbers(folder)?.pop_last() else {
        return Ok(Vec::new());
    };
    let mut files = packages_of(folder, newest)?;
    files.retain(|file| {
        let cpv = Cpv::parse(&file.cpv);
        cpv.is_ok_and(|cpv| publication.lacking.iter().any(|lacking| lacking.cp == cpv.cp()))
    });
    Ok(files)
}

/// Whether clients see at the remote what the mirror has. One that does not answer counts as one that lost it: the publication that
/// follows rebuilds nothing, and says what is wrong.
pub fn presence(context: &Context, address: &Address, mirror: &Path) -> Presence {
    let watch = Once {
        context,
        failed: AtomicBool::new(false),
    };
    let asked = connect(address, &context.remotes, &watch)
        .and_then(|remote| Mirror::new(mirror, address).is_in_force(&*remote));
    match asked {
        Ok(true) => Presence::Present,
        Ok(false) => Presence::Lost(format!("{address} is not what was published there")),
        Err(RemoteError::Stopped) => Presence::Lost(format!("{address} is out of reach")),
        Err(error) => Presence::Lost(error.to_string()),
    }
}

pub(crate) fn failure(error: &RemoteError) -> Failure {
    let kind = match error.kind() {
        ErrorKind::Input => FailureKind::Input,
        ErrorKind::Environment => FailureKind::Environment,
        ErrorKind::Bug => FailureKind::Bug,
    };
    let failure = Failure::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Tells how a transfer goes, as events of its node.
struct Told<'a, 'r> {
    context: &'a Context,
    run: &'a Run<'r>,
    name: &'a str,
}

impl Watch for Told<'_, '_> {
    fn tell(&self, line: &str) {
        (self.run.events)(Event::NodeProgress {
            name: self.name.to_owned(),
            message: line.to_owned(),
        });
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
        self.context.cancel.is_cancelled()
    }
}

/// Stops after the first failure: a look must not take minutes.
struct Once<'a> {
    context: &'a Context,
    failed: AtomicBool,
}

impl Watch for Once<'_> {
    fn tell(&self, _line: &str) {}

    fn wait(&self, _time: Duration) {
        self.failed.store(true, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.context.cancel.is_cancelled()
    }
}
