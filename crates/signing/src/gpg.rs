//! Calling `gpg`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::SigningError;
use crate::status::Status;

/// Which `gpg` is called, and what it sees of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpg {
    program: PathBuf,
    environment: BTreeMap<OsString, OsString>,
}

/// What a call left.
pub(crate) struct Called {
    pub(crate) exit: ExitStatus,
    pub(crate) output: Vec<u8>,
    pub(crate) status: Status,
}

impl Gpg {
    /// Calls this program with this environment and nothing else: HOME or GNUPGHOME, which say where its key ring is; PATH;
    /// and GPG_TTY, the terminal on which its agent may ask for a passphrase.
    pub fn new(program: impl Into<PathBuf>, environment: BTreeMap<OsString, OsString>) -> Self {
        Self {
            program: program.into(),
            environment,
        }
    }

    /// The same with the key ring in this folder.
    #[must_use]
    pub fn with_home(mut self, home: &Path) -> Self {
        self.environment.insert("GNUPGHOME".into(), home.as_os_str().to_owned());
        self
    }

    /// Whether somebody can be asked for a passphrase.
    pub(crate) fn has_terminal(&self) -> bool {
        self.environment.contains_key(OsStr::new("GPG_TTY"))
    }

    /// Calls it with `input` on its standard input.
    ///
    /// What it says goes to status lines and messages, on one pipe as Portage has it. That it ended with an error is for the
    /// caller to see.
    ///
    /// # Errors
    /// It did not start, or `input` failed.
    pub(crate) fn call(&self, arguments: &[&OsStr], input: &mut dyn Read) -> Result<Called, SigningError> {
        let mut child = Command::new(&self.program)
            .args(["--batch", "--no-tty", "--status-fd", "2"])
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            // Messages are compared with nothing, but people shall read them in the language of the rest.
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| SigningError::NoGpg {
                program: self.program.clone(),
                error,
            })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (sent, output, said) = std::thread::scope(|scope| {
            let output = scope.spawn(|| read_all(stdout));
            let said = scope.spawn(|| read_all(stderr));
            // It is dropped in there, which is the end of the input.
            let sent = stdin.map_or(Ok(()), |stdin| send(input, stdin));
            (sent, join(output), join(said))
        });
        // Whatever became of the pipes, no zombie stays.
        let exit = child.wait()?;
        sent?;
        Ok(Called {
            exit,
            output: output?,
            status: Status::parse(&said?),
        })
    }
}

/// Sends all of `input`. That gpg does not want to read it is no error: its status says why.
fn send(input: &mut dyn Read, mut stdin: impl io::Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match stdin.write_all(&buffer[..n]) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
}

fn read_all(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn join(thread: std::thread::ScopedJoinHandle<'_, io::Result<Vec<u8>>>) -> io::Result<Vec<u8>> {
    thread
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the thread that reads from gpg was lost")))
}
