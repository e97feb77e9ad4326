//! Calling rsync: all files of a release in one transfer, there or back.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};

use super::said;
use super::session::{Session, Status, quoted};
use crate::retry::retried;
use crate::{RemoteError, Upload};

/// Where rsync keeps, beside the file, what of it had arrived when the connection broke.
const PARTIAL: &str = ".farm-publish";

/// What a file with the same size and time means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Same {
    /// It is there already.
    IsThere,
    /// Nothing: it is replaced.
    IsReplaced,
}

/// Brings files of `root` to `path` of the other machine; gives how many were not there.
///
/// Each gets its name when it is whole. Times are kept; modes are those that `farm_publish` gives, whatever the umask there.
pub(super) fn send(
    session: &Session<'_>,
    place: &str,
    root: &Path,
    path: &str,
    files: &[Upload],
    same: Same,
) -> Result<usize, RemoteError> {
    let (from, to) = (root.join("").into_os_string(), there(session, path));
    let again = (same == Same::IsReplaced).then_some("--ignore-times");
    let transfer = Transfer {
        session,
        place,
        names: names(files.iter().map(|file| file.path.as_str())),
        done: "uploaded",
    };
    transfer.run(&format!("uploading to {place}"), again, &from, &to)
}

/// Brings files below `path` of the other machine to `root`, as [`send`] does it the other way; gives how many came. Those that are not
/// there are left out.
pub(super) fn receive(
    session: &Session<'_>,
    place: &str,
    root: &Path,
    path: &str,
    paths: &[String],
) -> Result<usize, RemoteError> {
    let (from, to) = (there(session, path), root.join("").into_os_string());
    let transfer = Transfer {
        session,
        place,
        names: names(paths.iter().map(String::as_str)),
        done: "downloaded",
    };
    let missing = Some("--ignore-missing-args");
    transfer.run(&format!("downloading from {place}"), missing, &from, &to)
}

fn there(session: &Session<'_>, path: &str) -> OsString {
    format!("{}:{path}/", session.rsync_target()).into()
}

fn names<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut names = Vec::new();
    for path in paths {
        names.extend_from_slice(path.as_bytes());
        names.push(0);
    }
    names
}

/// One transfer, tried until it is done.
struct Transfer<'a> {
    session: &'a Session<'a>,
    place: &'a str,
    /// The paths, each with a zero behind it.
    names: Vec<u8>,
    /// What a file is when it is there.
    done: &'static str,
}

impl Transfer<'_> {
    fn run(&self, what: &str, option: Option<&str>, from: &OsStr, to: &OsStr) -> Result<usize, RemoteError> {
        let mut count = 0;
        retried(self.session.watch, what, || {
            let status = self.call(option, from, to, &mut count)?;
            match status.code {
                Some(0) => Ok(()),
                code => Err(said::of_rsync(self.place, code, &status.stderr)),
            }
        })?;
        Ok(count)
    }

    fn call(&self, option: Option<&str>, from: &OsStr, to: &OsStr, count: &mut usize) -> Result<Status, RemoteError> {
        let session = self.session;
        let shell: Vec<String> = session.options().iter().map(|option| quoted(option)).collect();
        let mut command = session.program("rsync");
        command
            .args(["--files-from=-", "--from0", "--secluded-args"])
            .args(["--times", "--omit-dir-times", "--perms", "--chmod=D2775,F644"])
            .arg(format!("--partial-dir={PARTIAL}"))
            .args(["--timeout=300", "--out-format=%n"])
            .args(option)
            .arg("--rsh")
            .arg(format!("ssh {}", shell.join(" ")))
            .args([OsStr::new("--"), from, to]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| RemoteError::NoProgram {
                program: "rsync",
                error,
            })?;
        self.follow(child, count)
    }

    /// Hands rsync the names, and passes on which files it finished.
    fn follow(&self, mut child: Child, count: &mut usize) -> Result<Status, RemoteError> {
        let (session, names) = (self.session, self.names.as_slice());
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let said = std::thread::scope(|scope| -> io::Result<String> {
            scope.spawn(move || {
                // rsync that ends early says why itself.
                let _ = stdin.map(|mut stdin| stdin.write_all(names));
            });
            let said = scope.spawn(move || {
                let mut said = Vec::new();
                stderr.map_or(Ok(0), |mut stderr| stderr.read_to_end(&mut said))?;
                Ok(String::from_utf8_lossy(&said).into_owned())
            });
            for line in stdout
                .into_iter()
                .flat_map(|stdout| BufReader::new(stdout).split(b'\n'))
            {
                let line = line?;
                let name = String::from_utf8_lossy(&line);
                if !name.is_empty() && !name.ends_with('/') {
                    *count += 1;
                    session.watch.tell(&format!("{} {name}", self.done));
                }
                if session.watch.stopped() {
                    // It may have ended by itself.
                    let _ = child.kill();
                }
            }
            said.join()
                .unwrap_or_else(|_| Err(io::Error::other("the thread that reads from rsync was lost")))
        });
        // Whatever became of the pipes, no zombie stays.
        let status = child.wait()?;
        if session.watch.stopped() {
            return Err(RemoteError::Stopped);
        }
        Ok(Status {
            code: status.code(),
            stdout: Vec::new(),
            stderr: said?,
        })
    }
}
