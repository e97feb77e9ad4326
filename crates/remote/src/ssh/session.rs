//! Calling ssh: one connection for all that is done.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::{Access, RemoteError, Watch};

/// How long the shared connection outlives a farm that was killed, in seconds.
const PERSIST: u32 = 60;

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Status {
    /// Its exit status; `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// What ssh is called with. The connection is made by the first call and closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Session<'w> {
    /// `[USER@]HOST`.
    target: String,
    port: Option<u16>,
    environment: BTreeMap<OsString, OsString>,
    /// The folder of the socket through which calls share the connection. Nobody else can enter it.
    control: TempDir,
    names: AtomicU64,
    pub(crate) watch: &'w dyn Watch,
}

impl std::fmt::Debug for dyn Watch + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl<'w> Session<'w> {
    pub(crate) fn new(
        user: Option<&str>,
        host: &str,
        port: Option<u16>,
        access: &Access,
        watch: &'w dyn Watch,
    ) -> Result<Self, RemoteError> {
        let mut environment = access.variables().clone();
        // What they say is compared with, below.
        environment.insert("LC_ALL".into(), "C".into());
        Ok(Self {
            target: user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}")),
            port,
            environment,
            // A socket's path may have a hundred characters, so it is not put into the workspace.
            control: tempfile::Builder::new().prefix("farm-ssh-").tempdir()?,
            names: AtomicU64::new(0),
            watch,
        })
    }

    /// `[USER@]HOST` as rsync wants it.
    pub(crate) fn rsync_target(&self) -> String {
        match self.target.rsplit_once('@') {
            Some((user, host)) if host.contains(':') => format!("{user}@[{host}]"),
            None if self.target.contains(':') => format!("[{}]", self.target),
            _ => self.target.clone(),
        }
    }

    /// The options of every call.
    pub(crate) fn options(&self) -> Vec<String> {
        let mut options = vec!["-T".to_owned(), "-x".to_owned()];
        let settings = [
            // Nobody is there to be asked.
            "BatchMode=yes".to_owned(),
            "ConnectTimeout=30".to_owned(),
            "ServerAliveInterval=15".to_owned(),
            "ServerAliveCountMax=4".to_owned(),
            "ControlMaster=auto".to_owned(),
            format!("ControlPersist={PERSIST}"),
            format!("ControlPath={}", self.socket().display()),
            // What a person's configuration has for sessions at the terminal.
            "ClearAllForwardings=yes".to_owned(),
            "RemoteCommand=none".to_owned(),
        ];
        options.extend(settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]));
        options.extend(
            self.port
                .into_iter()
                .flat_map(|port| ["-p".to_owned(), port.to_string()]),
        );
        options
    }

    /// A program with the environment that it may see.
    pub(crate) fn program(&self, name: &'static str) -> Command {
        let mut command = Command::new(name);
        command.env_clear().envs(&self.environment);
        command
    }

    /// A word that no other publisher uses.
    pub(crate) fn unique(&self) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let folder = self.control.path().file_name().unwrap_or_default().to_string_lossy();
        format!("{folder}.{}.{number}", std::process::id())
    }

    /// Runs a script of one line in a shell there, whatever shell the user has.
    pub(crate) fn run(&self, script: &str, arguments: &[&str], input: &[u8]) -> Result<Status, RemoteError> {
        let mut line = format!("exec sh -c {} sh", quoted(script));
        for argument in arguments {
            line.push(' ');
            line.push_str(&quoted(argument));
        }
        let mut command = self.program("ssh");
        command.args(self.options()).arg("--").arg(&self.target).arg(line);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| RemoteError::NoProgram { program: "ssh", error })?;
        let stdin = child.stdin.take();
        let (sent, output) = std::thread::scope(|scope| {
            let sent = scope.spawn(|| match stdin {
                Some(mut stdin) => stdin.write_all(input),
                None => Ok(()),
            });
            let output = child.wait_with_output();
            (sent.join(), output)
        });
        let output = output?;
        match sent {
            // A script that ended early says why itself.
            Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
        Ok(Status {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn socket(&self) -> PathBuf {
        self.control.path().join("socket")
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if self.socket().exists() {
            // Should this fail, the connection closes itself soon.
            let _ = self
                .program("ssh")
                .args(["-O", "exit", "-S"])
                .arg(self.socket())
                .args(["--", &self.target])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// A word as any shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $x"), "'it'\\''s $x'");
    }
}
