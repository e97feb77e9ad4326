//! Starts a line for the shell without the shell, where that comes to the same: it saves a program and a fork a task.
//!
//! farm opens the files of redirections below the task's folder only, and truncates none: what is written to is made. Whatever a
//! shell has more to say about, also that there is no such program, it gets to do and say itself.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fs_err as fs;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, open, openat2, statat};

use super::host::find_program;
use super::simple_line::{Redirection, SimpleLine, Stream};
use crate::action::{TaskCommand, TaskData};

/// A program that can be started in place of the shell.
pub(super) struct Direct<'a> {
    /// Where it is: a path as the shell would call it by.
    pub(super) program: PathBuf,
    /// Its name as it stands in the line, and its arguments.
    pub(super) argv: Vec<&'a str>,
    /// What the line redirects.
    pub(super) streams: Streams,
    /// The shell's `PWD`, which dash and bash hand on.
    pub(super) current: PathBuf,
}

/// Standard streams that are no task's usual ones.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) input: Option<OwnedFd>,
    pub(super) output: Option<OwnedFd>,
    pub(super) errors: Option<OwnedFd>,
}

impl<'a> Direct<'a> {
    /// What to start for the task in `folder`; `None` if its command is no line for the shell, or needs one. The files of its
    /// redirections may have been made by then, as the shell makes them, too.
    pub(super) fn of(folder: &Path, task: &'a TaskData) -> Option<Self> {
        let TaskCommand::Shell(line) = &task.command else {
            return None;
        };
        // Some variables mean something to a shell, or are not handed on.
        if !task.env.is_empty() || !shell_is_known() {
            return None;
        }
        let line = SimpleLine::parse(line)?;
        let name = line.words[0];
        let program = if name.contains('/') {
            // A script is told by what path it was called.
            PathBuf::from(name)
        } else {
            find_program(name, folder)?
        };
        Some(Self {
            program,
            streams: Streams::open(folder, &line.redirections)?,
            argv: line.words,
            current: fs::canonicalize(folder).ok()?,
        })
    }
}

impl Streams {
    fn open(folder: &Path, redirections: &[Redirection<'_>]) -> Option<Self> {
        let mut streams = Self::default();
        if redirections.is_empty() {
            return Some(streams);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(folder, flags, Mode::empty()).ok()?;
        for Redirection { stream, file } in redirections {
            let (place, flags) = match stream {
                Stream::Input => (&mut streams.input, OFlags::RDONLY),
                Stream::Output => (&mut streams.output, OFlags::WRONLY),
                Stream::AppendedOutput => (&mut streams.output, OFlags::WRONLY | OFlags::APPEND),
                Stream::Errors => (&mut streams.errors, OFlags::WRONLY),
            };
            let flags = if *stream == Stream::Input {
                // Opening a FIFO waits, or wakes whoever waits at its other end.
                let found = statat(&folder, *file, AtFlags::empty()).ok()?;
                if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
                    return None;
                }
                flags
            } else {
                flags | OFlags::CREATE | OFlags::EXCL
            };
            // `/dev/stdout`, `/proc/self` and the like are other files to farm than to the shell.
            let opened = openat2(
                &folder,
                *file,
                flags | OFlags::CLOEXEC,
                mode(flags),
                ResolveFlags::BENEATH,
            );
            *place = Some(opened.ok()?);
        }
        Some(streams)
    }
}

/// What a shell gives a new file, less the umask.
fn mode(flags: OFlags) -> Mode {
    if flags.contains(OFlags::CREATE) {
        Mode::from_raw_mode(0o666)
    } else {
        Mode::empty()
    }
}

/// Whether the host's shell is one that runs the program that stands in the line. (busybox may be built to run what it has of that name
/// itself.) That does not change while farm runs.
fn shell_is_known() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    let look = || {
        let shell = fs::canonicalize("/bin/sh").ok();
        let name = shell.as_deref().and_then(Path::file_name);
        name.is_some_and(|name| name == "dash" || name == "bash")
    };
    *KNOWN.get_or_init(look)
}
