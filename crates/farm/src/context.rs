//! What all rules share: the workspace, the store, the executor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use farm_engine::{Digest, Failure, FailureKind, Guard};
use farm_executor::{CancelToken, Executor, ExecutorError, ImageInfo};
use farm_remote::Access;
use farm_resolver::Refusal;
use farm_signing::{Gpg, KeySource};
use farm_store::{Blob, FileHasher, ReadError, Store};

use crate::git::GitAccess;
use crate::live_pins::LivePins;
use crate::rules::stage3::sweep_parts;
use crate::rules::task::{TaskFolders, Watchdog};
use crate::signing::Signing;

/// Label on everything farm makes in an executor.
pub const LABEL: &str = "org.farm";
/// Label that says which workspace started a container.
pub const WORKSPACE_LABEL: &str = "org.farm.workspace";
/// Label that says which node an image or container is for.
pub const NODE_LABEL: &str = "org.farm.node";

/// The file in the workspace's state that is there while a run is under way; it names the executor, once there is one.
pub const RUNNING_MARK: &str = "running";

/// A file system in memory that every Linux has.
const IN_MEMORY: &str = "/dev/shm";

/// Makes the connection to an executor, which puts these labels on every container it makes.
pub type Connect = dyn Fn(&BTreeMap<String, String>) -> Result<Arc<dyn Executor>, ExecutorError> + Send + Sync;

/// What all rules share. One a run.
pub struct Context {
    /// The folder that holds `farms/`.
    pub workspace: PathBuf,
    /// `.farm` in it.
    pub state: PathBuf,
    /// Where outputs live.
    pub store: Store,
    /// Hashes files of the workspace.
    pub hasher: FileHasher,
    /// Room for big temporary files.
    pub scratch: PathBuf,
    /// SOURCE_DATE_EPOCH of every action and of every time stored, in seconds.
    pub epoch: u64,
    /// Stops running actions.
    pub cancel: CancelToken,
    /// A name for this workspace that no key contains: labels of containers.
    pub workspace_id: String,
    /// The keys that sign packages.
    pub signing: Signing,
    /// What remotes may see of the user's environment.
    pub remotes: Access,
    /// What git logs in with.
    pub git: GitAccess,
    /// The folder from which source files are taken, where nothing may be downloaded.
    pub offered: Option<PathBuf>,
    /// What the branches and tags of live ebuilds are pinned to.
    pub live: LivePins,
    /// The processor of the engine's machine, once somebody asked.
    pub(crate) processor: OnceLock<Digest>,
    /// What Portage refused in this run, by the node of the plan.
    refusals: Mutex<BTreeMap<String, Refusal>>,
    /// The plans that this run goes by, by node. They need not be the newest: looking marks nothing as current.
    plans: Mutex<BTreeMap<String, Guard>>,
    task_folders: TaskFolders,
    /// Where FIFOs are made, and the number of the last one.
    fifos: Mutex<Option<(tempfile::TempDir, u64)>>,
    watchdog: OnceLock<Result<Watchdog, Failure>>,
    connect: Box<Connect>,
    connected: OnceLock<Result<Arc<dyn Executor>, Failure>>,
}

impl Context {
    /// Gathers what rules share; nothing is connected yet.
    #[expect(clippy::too_many_arguments, reason = "a plain record with two private fields")]
    #[must_use]
    pub fn new(
        workspace: &Path,
        state: &Path,
        store: Store,
        hasher: FileHasher,
        scratch: &Path,
        epoch: u64,
        cancel: CancelToken,
        workspace_id: String,
        connect: Box<Connect>,
    ) -> Self {
        Self {
            workspace: workspace.to_owned(),
            state: state.to_owned(),
            store,
            hasher,
            scratch: scratch.to_owned(),
            epoch,
            cancel,
            workspace_id,
            signing: Signing::default(),
            offered: None,
            remotes: Access::default(),
            git: GitAccess::default(),
            live: LivePins::default(),
            processor: OnceLock::new(),
            refusals: Mutex::default(),
            plans: Mutex::default(),
            task_folders: TaskFolders::default(),
            fifos: Mutex::default(),
            watchdog: OnceLock::new(),
            connect,
            connected: OnceLock::new(),
        }
    }

    /// The same with keys that are found there, and signatures that this gpg checks.
    #[must_use]
    pub fn signing_with(mut self, gpg: Gpg, source: KeySource) -> Self {
        self.signing = Signing::new(gpg, source);
        self
    }

    /// The same with remotes that are reached as this environment says.
    #[must_use]
    pub fn publishing_with(mut self, access: Access) -> Self {
        self.remotes = access;
        self
    }

    /// The executor; connects on first use, so that a run with nothing to do needs none.
    ///
    /// # Errors
    ///
    /// The environment's: nobody answers. Said once, remembered for the run.
    pub fn executor(&self) -> Result<&Arc<dyn Executor>, Failure> {
        let connect = || {
            let labels = [
                (LABEL.to_owned(), "1".to_owned()),
                (WORKSPACE_LABEL.to_owned(), self.workspace_id.clone()),
            ];
            let executor = (self.connect)(&labels.into()).map_err(|error| executor_failure(&error))?;
            // Before the first container: whoever finds the mark of a killed run knows that there may be some.
            let mark = self.state.join(RUNNING_MARK);
            if mark.exists() {
                fs_err::write(mark, executor.name()).map_err(|error| io_failure("mark the workspace", &error))?;
            }
            Ok(executor)
        };
        self.connected.get_or_init(connect).as_ref().map_err(Clone::clone)
    }

    /// Keeps what Portage refused, for whoever wants more of it than the failure's words.
    pub(crate) fn refused(&self, node: &str, refusal: Refusal) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.insert(node.to_owned(), refusal);
    }

    /// What Portage refused in this run, by the node of the plan.
    pub(crate) fn refusals(&self) -> BTreeMap<String, Refusal> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the guard of a plan that brought forth its nodes.
    pub(crate) fn expanded(&self, guard: &Guard) {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.insert(guard.node.clone(), guard.clone());
    }

    /// The guard of the plan that this run goes by.
    pub(crate) fn plan(&self, node: &str) -> Option<Guard> {
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.get(node).cloned()
    }

    /// Who ends tasks of the host when farm is killed. Started with the first of them.
    pub(crate) fn watchdog(&self) -> Result<&Watchdog, Failure> {
        let start = || Watchdog::start().map_err(|error| io_failure("start /bin/sh", &error));
        self.watchdog.get_or_init(start).as_ref().map_err(Clone::clone)
    }

    /// Runs `action` with a temporary folder that is gone afterwards.
    pub fn with_scratch<T>(&self, action: impl FnOnce(&Path) -> Result<T, Failure>) -> Result<T, Failure> {
        let folder = self
            .new_scratch()
            .map_err(|error| io_failure("make room for temporary files", &error))?;
        action(folder.path())
    }

    /// A temporary folder that is gone with what this returns.
    pub(crate) fn new_scratch(&self) -> std::io::Result<tempfile::TempDir> {
        fs_err::create_dir_all(&self.scratch)?;
        tempfile::Builder::new()
            .prefix(&self.scratch_prefix())
            .tempdir_in(&self.scratch)
    }

    /// The folders that tasks of the host get as their own.
    pub(crate) fn task_folders(&self) -> &TaskFolders {
        &self.task_folders
    }

    /// A path for a FIFO that nobody else uses, in memory where there is room for that: on a disk, making and removing one costs as much as
    /// a short program.
    pub(crate) fn new_fifo_path(&self) -> std::io::Result<PathBuf> {
        let make = || {
            let in_memory = tempfile::Builder::new()
                .prefix(&self.scratch_prefix())
                .tempdir_in(IN_MEMORY);
            in_memory.or_else(|_| self.new_scratch())
        };
        let mut fifos = self.fifos.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, next) = match &mut *fifos {
            Some(fifos) => fifos,
            none => none.insert((make()?, 0)),
        };
        *next += 1;
        Ok(folder.path().join(next.to_string()))
    }

    /// Removes the temporary folders and half of files that runs of this workspace left which were killed. The caller holds the workspace's lock.
    pub fn sweep_scratch(&self) {
        sweep_parts(&self.state);
        let prefix = self.scratch_prefix();
        for folder in [&*self.scratch, Path::new(IN_MEMORY)] {
            let Ok(entries) = fs_err::read_dir(folder) else {
                continue;
            };
            for entry in entries.flatten() {
                if entry.file_name().to_string_lossy().starts_with(&prefix) {
                    // What cannot be removed takes room and does no harm.
                    let _ = fs_err::remove_dir_all(entry.path());
                }
            }
        }
    }

    fn scratch_prefix(&self) -> String {
        format!("farm-{}-", self.workspace_id)
    }

    /// Puts bytes in the store.
    pub fn keep(&self, bytes: &[u8]) -> Result<Blob, Failure> {
        self.store
            .put_bytes(bytes)
            .map_err(|error| io_failure("keep an output", &error))
    }

    /// Reads a blob that a guard names.
    pub fn read(&self, blob: &Blob) -> Result<Vec<u8>, Failure> {
        self.hasher.witness().look(&self.store.path(blob));
        self.store.read(blob).map_err(|error| self.unreadable(blob, &error))
    }

    /// A blob that cannot be used. A damaged one is removed, so that the next run makes it anew.
    pub fn unreadable(&self, blob: &Blob, error: &ReadError) -> Failure {
        let failure = Failure::new(FailureKind::Environment, error.to_string());
        match error {
            ReadError::Corrupt(_) => {
                // What cannot be removed is found damaged again.
                let _ = self.store.remove(blob);
                failure.hint("run farm again: it is made anew")
            }
            ReadError::Missing { .. } => failure.hint("run farm again: it is made anew"),
            ReadError::Io(_) => failure,
        }
    }

    /// What the executor says of an image that must be there.
    pub fn image_info(&self, image: &str) -> Result<ImageInfo, Failure> {
        self.executor()?
            .inspect(image)
            .map_err(|error| executor_failure(&error))?
            .ok_or_else(|| Failure::new(FailureKind::Environment, format!("image {image} is gone")))
    }
}

/// A failure of the executor as one of a node.
#[must_use]
pub fn executor_failure(error: &ExecutorError) -> Failure {
    let message = chain(error);
    let failure = Failure::new(FailureKind::Environment, message);
    match error {
        ExecutorError::Unreachable { .. } => failure.hint(
            "start the engine, or join its group (`adduser YOU docker`, then log in again); `docker info` should answer",
        ),
        ExecutorError::Registry { .. } => failure.hint("check the name, the network, and `docker login`"),
        _ if is_disk_full(error) => failure.hint(DISK_FULL),
        _ => failure,
    }
}

/// An error with everything that caused it, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        source = cause.source();
    }
    message
}

/// What to do about a full disk.
pub const DISK_FULL: &str = "free some room, or put scratch space elsewhere with FARM_SCRATCH";

/// A failure of the disk as one of a node.
#[must_use]
pub fn io_failure(what: &str, error: &(dyn std::error::Error + 'static)) -> Failure {
    let failure = Failure::new(FailureKind::Environment, format!("cannot {what}: {}", chain(error)));
    if is_disk_full(error) {
        failure.hint(DISK_FULL)
    } else {
        failure
    }
}

/// Whether a full disk is at the bottom of an error.
#[must_use]
pub fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull) {
            return true;
        }
        cause = error.source();
    }
    false
}
