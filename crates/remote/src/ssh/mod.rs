//! A folder of another machine, reached by the user's own ssh and rsync: their configuration, agent and known hosts count.

mod rsync;
mod said;
mod session;

use std::path::Path;

use session::{Session, Status};

use crate::retry::Trouble;
use crate::{Access, Address, Created, Remote, RemoteError, Upload, Watch};

/// How the scripts end that are run there. What ssh itself says is 255, what a shell says is above 125.
const NOT_THERE: i32 = 44;
const EXISTS: i32 = 45;
const FAILED: i32 = 46;
const CUT: i32 = 47;

/// `$1` is the folder, `$2` the file.
const GET: &str = "cd \"$1\" 2>/dev/null && [ -f \"$2\" ] || exit 44; exec cat \"$2\"";

const SIZE: &str = "cd \"$1\" 2>/dev/null && [ -f \"$2\" ] || exit 44; exec wc -c <\"$2\"";

const LIST: &str =
    "cd \"$1/$2\" 2>/dev/null || exit 44; for f in *; do if [ -f \"$f\" ]; then printf \"%s\\n\" \"$f\"; fi; done";

/// `$3` is the size, `$4` a hidden name beside the file. The file is linked, because a link never replaces. What arrives is counted,
/// because to the script a broken connection is the end of the input.
const CREATE: &str = "umask 002; \
    [ -d \"$1\" ] || { mkdir -p \"$1\" && chmod 2775 \"$1\"; } || exit 46; cd \"$1\" || exit 46; \
    d=$(dirname \"$2\"); [ -d \"$d\" ] || { mkdir -p \"$d\" && chmod 2775 \"$d\"; } || exit 46; \
    trap 'rm -f \"$4\"' EXIT; cat >\"$4\" || exit 46; [ \"$(wc -c <\"$4\")\" -eq \"$3\" ] || exit 47; \
    chmod 644 \"$4\" || exit 46; ln \"$4\" \"$2\" 2>/dev/null && exit 0; [ -e \"$2\" ] && exit 45; ln \"$4\" \"$2\"; exit 46";

/// Reads paths, a line each; one that was cut off is not removed. Folders that became empty go, too.
const REMOVE: &str = "cd \"$1\" || exit 46; while IFS= read -r f; do rm -f -- \"$f\" || exit 46; \
    d=$(dirname \"$f\"); while [ \"$d\" != . ] && rmdir -- \"$d\" 2>/dev/null; do d=$(dirname \"$d\"); done; done; exit 0";

/// A folder that ssh reaches.
#[derive(Debug)]
pub(crate) struct Ssh<'w> {
    session: Session<'w>,
    /// The address, for people.
    place: String,
    path: String,
}

impl<'w> Ssh<'w> {
    pub(crate) fn new(address: &Address, access: &Access, watch: &'w dyn Watch) -> Result<Self, RemoteError> {
        let Address::Ssh { user, host, port, path } = address else {
            return Err(RemoteError::unreachable(
                address.to_string(),
                "it is no address for ssh",
            ));
        };
        Ok(Self {
            session: Session::new(user.as_deref(), host, *port, access, watch)?,
            place: address.to_string(),
            path: path.clone(),
        })
    }

    /// Runs a script that may end with one of `known`, and gives how it ended.
    fn run(
        &self,
        what: &str,
        script: &str,
        arguments: &[&str],
        input: &[u8],
        known: &[i32],
    ) -> Result<Status, RemoteError> {
        let mut all = vec![self.path.as_str()];
        all.extend(arguments);
        crate::retry::retried(self.session.watch, &format!("{what} at {}", self.place), || {
            let status = self.session.run(script, &all, input)?;
            match status.code {
                Some(0) => Ok(status),
                Some(code) if known.contains(&code) => Ok(status),
                Some(CUT) => Err(Trouble::passing(RemoteError::unreachable(
                    &self.place,
                    "the connection broke",
                ))),
                Some(FAILED) => Err(said::failure(&self.place, &status.stderr).into()),
                code => Err(said::of_ssh(&self.place, code, &status.stderr)),
            }
        })
    }
}

impl Remote for Ssh<'_> {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, RemoteError> {
        let status = self.run(&format!("reading {path}"), GET, &[path], &[], &[NOT_THERE])?;
        Ok((status.code == Some(0)).then_some(status.stdout))
    }

    fn size(&self, path: &str) -> Result<Option<u64>, RemoteError> {
        let status = self.run(&format!("looking for {path}"), SIZE, &[path], &[], &[NOT_THERE])?;
        if status.code == Some(NOT_THERE) {
            return Ok(None);
        }
        Ok(String::from_utf8_lossy(&status.stdout).trim().parse().ok())
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, RemoteError> {
        let status = self.run(&format!("listing {folder}"), LIST, &[folder], &[], &[NOT_THERE])?;
        let names = String::from_utf8_lossy(&status.stdout);
        Ok(Some(names.lines().map(str::to_owned).collect()))
    }

    /// One rsync for all files: it looks for itself what is there.
    fn upload(&self, root: &Path, files: &[Upload]) -> Result<usize, RemoteError> {
        if files.iter().all(|file| file.settled) {
            return Ok(0);
        }
        rsync::send(
            &self.session,
            &self.place,
            root,
            &self.path,
            files,
            rsync::Same::IsThere,
        )
    }

    fn download(&self, root: &Path, paths: &[String]) -> Result<usize, RemoteError> {
        if paths.is_empty() {
            return Ok(0);
        }
        rsync::receive(&self.session, &self.place, root, &self.path, paths)
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, RemoteError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let hidden = format!("{folder}/.{name}.{}", self.session.unique());
        let size = bytes.len().to_string();
        let status = self.run(
            &format!("making {path}"),
            CREATE,
            &[path, &size, &hidden],
            bytes,
            &[EXISTS],
        )?;
        Ok(if status.code == Some(EXISTS) {
            Created::Exists
        } else {
            Created::Made
        })
    }

    fn replace(&self, root: &Path, files: &[Upload]) -> Result<(), RemoteError> {
        if files.is_empty() {
            return Ok(());
        }
        rsync::send(
            &self.session,
            &self.place,
            root,
            &self.path,
            files,
            rsync::Same::IsReplaced,
        )
        .map(drop)
    }

    fn remove(&self, paths: &[String]) -> Result<(), RemoteError> {
        if paths.is_empty() {
            return Ok(());
        }
        let lines: String = paths.iter().map(|path| format!("{path}\n")).collect();
        self.run("removing files", REMOVE, &[], lines.as_bytes(), &[]).map(drop)
    }
}
