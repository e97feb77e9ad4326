//! One run, as plain data.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use crate::ImageId;

/// Something that can be opened any number of times as a tar stream to be unpacked at `/`.
pub trait TarSource: Send + Sync {
    /// Opens the stream from its beginning.
    fn open(&self) -> std::io::Result<Box<dyn Read + Send>>;
}

impl<F> TarSource for F
where
    F: Fn() -> std::io::Result<Box<dyn Read + Send>> + Send + Sync,
{
    fn open(&self) -> std::io::Result<Box<dyn Read + Send>> {
        self()
    }
}

/// Whether a run sees a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Loopback only.
    None,
    /// What the engine gives by default, with name resolution.
    Full,
}

/// Bounds on what a run may use; `None` is no bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Number of processes.
    pub pids: Option<u32>,
}

/// A named volume mounted into a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMount {
    /// The volume's name in the engine.
    pub volume: String,
    /// Absolute path inside the run.
    pub path: String,
    /// Whether the run may only read it.
    pub read_only: bool,
    /// Labels the volume gets when the run is the first to name it. They are not the run's labels: a volume outlives runs.
    pub labels: BTreeMap<String, String>,
}

/// A path that is handed over after the command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collect {
    /// The path as a tar, when the command succeeded; missing is an error of the run's outcome, told to the sink as absent.
    OnSuccess(String),
    /// The path as a tar, when the command failed; missing is fine.
    OnFailure(String),
}

/// Everything an executor must know to run one action.
pub struct RunSpec {
    /// For people: the node's name. Containers carry it as a label.
    pub name: String,
    /// The root the action runs in.
    pub image: ImageId,
    /// Uploaded in order before the start; later ones overwrite earlier ones.
    pub files: Vec<Box<dyn TarSource>>,
    /// The command; the image's entrypoint is never used.
    pub argv: Vec<String>,
    /// The complete environment of the command. The image's own variables are not inherited.
    pub env: BTreeMap<String, String>,
    /// `user[:group]`; `None` is root.
    pub user: Option<String>,
    /// Absolute working directory.
    pub workdir: String,
    /// The network it sees.
    pub network: Network,
    /// Capabilities beyond the engine's default set, without the `CAP_` prefix.
    pub capabilities: Vec<String>,
    /// Bounds.
    pub limits: Limits,
    /// Named volumes.
    pub volumes: Vec<VolumeMount>,
    /// Labels for the container.
    pub labels: BTreeMap<String, String>,
    /// What to hand over at the end.
    pub collect: Vec<Collect>,
    /// A program beside the command.
    pub companion: Option<Arc<dyn Companion>>,
}

/// A program that is started beside the command, in the same root and as root, and talked to while the command runs. It ends
/// with the command, whatever it does; how it ends itself is of no consequence for the run.
pub trait Companion: Send + Sync {
    /// The program and its arguments.
    fn argv(&self) -> Vec<String>;

    /// What to write to its standard input next, if there is anything. Asked many times a second while the command runs; the
    /// program is started when there is something for the first time.
    fn input(&self) -> Option<Vec<u8>>;

    /// Some bytes of its standard output; not necessarily whole lines.
    fn output(&self, bytes: &[u8]);

    /// It could not be started, or has ended before the command. It is not asked for input any more.
    fn gone(&self);
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this status; 0 is success.
    Code(i64),
    /// The kernel killed it because it went over its memory bound.
    OutOfMemory,
}

impl Exit {
    /// Whether the command succeeded.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

/// Takes the output of a run, stdout and stderr together in the order they came.
pub trait LogSink: Send {
    /// Some bytes; not necessarily whole lines.
    fn output(&mut self, bytes: &[u8]);
}

/// Takes the collected paths of a run.
pub trait OutputSink: Send {
    /// `path` as asked for, and its tar; entry names begin with the last component of `path` (as `docker cp` gives them),
    /// or are relative to the root when the path is `/`.
    fn collected(&mut self, path: &str, tar: &mut dyn Read) -> std::io::Result<()>;

    /// A path asked for on success that is not there.
    fn absent(&mut self, path: &str);
}
