//! Running something in a container: the environment all actions share, the log, what comes out.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use farm_engine::{Event, Failure, FailureKind, Input, Run};
use farm_executor::{Collect, Companion, Exit, ImageId, LogSink, Network, OutputSink, RunSpec, TarSource};
use fs_err as fs;

use crate::action::ContainerData;
use crate::context::{Context, LABEL, NODE_LABEL, WORKSPACE_LABEL, executor_failure, io_failure};

/// Lines of a failed node's log that are shown with the failure.
const SHOWN_LINES: usize = 25;

/// With this line emerge begins to repeat what the failed phase said, which would push the compiler's words out of sight.
const REPETITION: &str = ">>> Failed to emerge ";

/// A run in a container, as rules describe it.
pub struct ContainerRun<'a> {
    /// The node's name.
    pub name: &'a str,
    /// The root.
    pub image: ImageId,
    /// What is brought in.
    pub files: Vec<Box<dyn TarSource>>,
    /// The command.
    pub argv: Vec<String>,
    /// Variables besides the common ones.
    pub env: BTreeMap<String, String>,
    /// Whether it sees the network.
    pub network: Network,
    /// How the farm's containers run.
    pub container: &'a ContainerData,
    /// What is taken out.
    pub collect: Vec<Collect>,
    /// A program beside the command.
    pub companion: Option<Arc<dyn Companion>>,
}

/// The environment every action has. All of it can reach a package, so that it is the same for resolving and building.
#[must_use]
pub fn environment(context: &Context, container: &ContainerData) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = [
        // Where farm puts and looks for things: a layer's make.conf cannot move them.
        ("DISTDIR", "/var/cache/distfiles"),
        ("HOME", "/root"),
        ("LC_ALL", "C.UTF-8"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("PKGDIR", "/var/cache/binpkgs"),
        ("PORTAGE_TMPDIR", "/var/tmp"),
        ("TERM", "dumb"),
        ("TZ", "UTC"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    env.insert("SOURCE_DATE_EPOCH".to_owned(), context.epoch.to_string());
    env.extend(container.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    env
}

/// A list as one input: joined with a character that no word contains, so that no two lists look alike.
pub fn list_input<T: AsRef<str>>(name: &str, words: impl IntoIterator<Item = T>) -> Input {
    let words: Vec<String> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    Input::text(name, words.join("\u{0}"))
}

/// The capabilities of a farm's containers, which are an input of whatever runs in one.
#[must_use]
pub fn capabilities_input(container: &ContainerData) -> Option<Input> {
    (!container.capabilities.is_empty()).then(|| list_input("capabilities", &container.capabilities))
}

/// Runs it. The log is kept whatever happens.
///
/// # Errors
///
/// A command that fails is the step's failure, with the last lines of its log.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: ContainerRun<'_>,
    outputs: &mut dyn OutputSink,
) -> Result<(), Failure> {
    let executor = context.executor()?;
    let path = log_path(context, spec.name);
    let mut log = NodeLog::create(&path).map_err(|error| io_failure("write a log", &error))?;
    let mut env = environment(context, spec.container);
    env.extend(spec.env);
    let labels = [
        (LABEL.to_owned(), "1".to_owned()),
        (WORKSPACE_LABEL.to_owned(), context.workspace_id.clone()),
        (NODE_LABEL.to_owned(), spec.name.to_owned()),
    ];
    let run_spec = RunSpec {
        name: spec.name.to_owned(),
        image: spec.image,
        files: spec.files,
        argv: spec.argv,
        env,
        user: None,
        workdir: "/".to_owned(),
        network: spec.network,
        capabilities: spec.container.capabilities.clone(),
        limits: spec.container.limits.clone(),
        volumes: Vec::new(),
        labels: labels.into(),
        collect: spec.collect,
        companion: spec.companion,
    };
    let mut sink = LoggedProgress {
        log: &mut log,
        run,
        name: spec.name,
        line: Vec::new(),
    };
    let exit = executor
        .run(&run_spec, &mut sink, outputs, &context.cancel)
        .map_err(|error| executor_failure(&error))?;
    match exit {
        Exit::Code(0) => Ok(()),
        Exit::Code(code) => Err(log.failure(format!("it ended with status {code}"), None)),
        Exit::OutOfMemory => Err(log.failure(
            "it went over its memory bound and was killed".to_owned(),
            Some("raise binfarm.limits.memory, or build with fewer jobs (-j)".to_owned()),
        )),
    }
}

/// Where the log of a node is: `.farm/logs/FARM/KIND/NAME.log`.
#[must_use]
pub fn log_path(context: &Context, node: &str) -> PathBuf {
    log_below(&context.state, node)
}

/// The same in the workspace's state at `state`.
#[must_use]
pub fn log_below(state: &std::path::Path, node: &str) -> PathBuf {
    let mut path = state.join("logs");
    path.extend(node.split([':', '/']));
    path.set_file_name(format!(
        "{}.log",
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    path
}

/// A node's log file, and its last lines. A node that says nothing has no file.
pub struct NodeLog {
    path: PathBuf,
    file: Option<fs::File>,
    tail: std::collections::VecDeque<String>,
    line: Vec<u8>,
    repeats: bool,
}

impl NodeLog {
    /// Starts a new log, and removes the last one.
    pub fn create(path: &std::path::Path) -> std::io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            path: path.to_owned(),
            file: None,
            tail: std::collections::VecDeque::new(),
            line: Vec::new(),
            repeats: false,
        })
    }

    /// Takes some output.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.file.is_none() {
            self.file = self.begin().ok();
        }
        // A log that cannot be written must not fail the build; what is shown comes from memory.
        if let Some(file) = &mut self.file {
            let _ = file.write_all(bytes);
        }
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line();
            } else {
                self.line.push(byte);
            }
        }
    }

    fn begin(&self) -> std::io::Result<fs::File> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::File::create(&self.path)
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
        self.line.clear();
        self.repeats |= line.trim_start().starts_with(REPETITION);
        if self.repeats || line.is_empty() {
            return;
        }
        if self.tail.len() == SHOWN_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// The failure of a step: what happened, the last lines, and where the rest is.
    #[must_use]
    pub fn failure(mut self, what: String, hint: Option<String>) -> Failure {
        if !self.line.is_empty() {
            self.end_line();
        }
        let mut message = what;
        for line in &self.tail {
            message.push_str("\n  | ");
            message.push_str(line);
        }
        Failure {
            kind: FailureKind::Step,
            message,
            hint,
            log: self.file.map(|_| self.path.display().to_string()),
        }
    }
}

/// Writes the log and tells the events which phase Portage is in.
struct LoggedProgress<'a, 'b> {
    log: &'a mut NodeLog,
    run: &'a Run<'b>,
    name: &'a str,
    line: Vec<u8>,
}

impl LogSink for LoggedProgress<'_, '_> {
    fn output(&mut self, bytes: &[u8]) {
        self.log.write(bytes);
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.line);
            let line = line.trim();
            // Portage marks the beginning of a phase so, and a farm script its steps.
            if let Some(message) = line.strip_prefix(">>> ") {
                (self.run.events)(Event::NodeProgress {
                    name: self.name.to_owned(),
                    message: message.to_owned(),
                });
            }
            self.line.clear();
        }
    }
}

/// Takes one collected path into the hands of a function.
pub struct Take<F>(pub F)
where
    F: FnMut(&str, &mut dyn Read) -> std::io::Result<()> + Send;

impl<F> OutputSink for Take<F>
where
    F: FnMut(&str, &mut dyn Read) -> std::io::Result<()> + Send,
{
    fn collected(&mut self, path: &str, tar: &mut dyn Read) -> std::io::Result<()> {
        (self.0)(path, tar)
    }

    fn absent(&mut self, _: &str) {}
}

/// The only regular file in a tar of one path.
pub fn single_file(tar: &mut dyn Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(tar);
    let mut found = None;
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            found = Some(bytes);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_what_was_said_and_not_its_repetition() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = NodeLog::create(&folder.path().join("a/log")).unwrap();
        log.write(b"before\n");
        for _ in 0..SHOWN_LINES - 2 {
            log.write(b"cc: error\n\n");
        }
        log.write(b" * ERROR: failed\n\n>>> Failed to emerge a/b-1, Log file:\n * ERROR: failed\nlast");
        let failure = log.failure("it ended with status 1".to_owned(), None);
        let lines: Vec<&str> = failure.message.lines().collect();
        assert_eq!(lines[..3], ["it ended with status 1", "  | before", "  | cc: error"]);
        assert_eq!(lines.last(), Some(&"  |  * ERROR: failed"));
        assert_eq!(lines.len(), SHOWN_LINES + 1);
        let log = failure.log.unwrap();
        assert!(fs::read_to_string(log).unwrap().ends_with("\nlast"));
    }
}
