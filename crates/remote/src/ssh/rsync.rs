//! Calling rsync: all files of a release in one transfer.

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
    let mut names = Vec::new();
    for file in files {
        names.extend_from_slice(file.path.as_bytes());
        names.push(0);
    }
    let mut sent = 0;
    retried(session.watch, &format!("uploading to {place}"), || {
        let status = call(session, root, path, &names, same, &mut sent)?;
        match status.code {
            Some(0) => Ok(()),
            code => Err(said::of_rsync(place, code, &status.stderr)),
        }
    })?;
    Ok(sent)
}

fn call(
    session: &Session<'_>,
    root: &Path,
    path: &str,
    names: &[u8],
    same: Same,
    sent: &mut usize,
) -> Result<Status, RemoteError> {
    let shell: Vec<String> = session.options().iter().map(|option| quoted(option)).collect();
    let mut command = session.program("rsync");
    command
        .args(["--files-from=-", "--from0", "--secluded-args"])
        .args(["--times", "--omit-dir-times", "--perms", "--chmod=D2775,F644"])
        .arg(format!("--partial-dir={PARTIAL}"))
        .args(["--timeout=300", "--out-format=%n"])
        .args((same == Same::IsReplaced).then_some("--ignore-times"))
        .arg("--rsh")
        .arg(format!("ssh {}", shell.join(" ")))
        .arg("--")
        .arg(root.join(""))
        .arg(format!("{}:{path}/", session.rsync_target()));
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| RemoteError::NoProgram {
            program: "rsync",
            error,
        })?;
    follow(session, child, names, sent)
}

/// Hands rsync the names, and passes on which files it finished.
fn follow(session: &Session<'_>, mut child: Child, names: &[u8], sent: &mut usize) -> Result<Status, RemoteError> {
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
                *sent += 1;
                session.watch.tell(&format!("uploaded {name}"));
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
