//! The one place that reads the environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::path::PathBuf;

use farm_manifest::address::redacted;

use crate::domain::{Access, GitEnvironment};
use crate::error::CliError;
use crate::paint::Paint;

/// Where scratch space is put; not a variable of any manifest.
const SCRATCH: &str = "FARM_SCRATCH";

/// The file with the secret keys that sign, in place of GnuPG's key ring; no variable of a manifest either.
const KEY_FILE: &str = "FARM_SIGNING_KEY_FILE";

/// The file with the passphrase of the key in that file.
const PASSPHRASE_FILE: &str = "FARM_SIGNING_PASSPHRASE_FILE";

/// The terminal that GnuPG's agent may use.
const GPG_TTY: &str = "GPG_TTY";

/// What the process was started with.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// The folder it was started in.
    pub(crate) current_dir: PathBuf,
    /// Every `FARM_*` variable that may give a variable of a manifest its value.
    pub(crate) variables: BTreeMap<String, String>,
    /// Room for big temporary files.
    pub(crate) scratch: PathBuf,
    /// What GnuPG is given: where its key ring is, where its programs are, on which terminal its agent may ask.
    pub(crate) gpg: BTreeMap<OsString, OsString>,
    /// The file with the secret keys that sign, and the one with their passphrase. What is in them only the signer reads.
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) passphrase_file: Option<PathBuf>,
    /// What remotes are given that are published to: who the user is there, and how hosts are reached.
    pub(crate) remotes: Access,
    /// What farm must know to call git, which gets all of the environment.
    pub(crate) git: GitEnvironment,
    /// `DOCKER_HOST`.
    pub(crate) docker_host: Option<String>,
    /// The folder of Docker's credentials.
    pub(crate) docker_config: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`, where a user's own engines listen.
    pub(crate) runtime_dir: Option<PathBuf>,
    /// What tells of the job server of whoever started the program: cargo's own variable, or make's.
    pub(crate) makeflags: Option<String>,
    /// The folders of `PATH`.
    pub(crate) path: Vec<PathBuf>,
    /// This program's own file, where the system tells.
    pub(crate) program: Option<PathBuf>,
    /// The command line, for the message of whoever waits for the workspace's lock. No address in it has its password any more.
    pub(crate) command_line: String,
    /// The command line after the program's name, likewise.
    pub(crate) arguments: Vec<String>,
    /// Colours of standard error.
    pub(crate) paint: Paint,
    /// Whether standard error can show a picture that changes.
    pub(crate) live: bool,
}

impl Environment {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// The current folder is gone, or a `FARM_*` variable is no UTF-8.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub(crate) fn read() -> Result<Self, CliError> {
        let current_dir = std::env::current_dir()
            .map_err(|error| CliError::environment(format!("cannot tell the current folder: {error}")))?;
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name
                .to_str()
                .filter(|name| name.starts_with("FARM_") && ![SCRATCH, KEY_FILE, PASSPHRASE_FILE].contains(name))
            else {
                continue;
            };
            let value = value
                .into_string()
                .map_err(|_| CliError::input(format!("the environment variable {name} is not UTF-8")))?;
            variables.insert(name.to_owned(), value);
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = |name: &str| set(name).map(PathBuf::from);
        let text = |value: OsString| value.to_string_lossy().into_owned();
        let shown = |value: OsString| redacted(&value.to_string_lossy()).into_owned();
        let stderr = std::io::stderr();
        let mut gpg = BTreeMap::new();
        for name in ["HOME", "GNUPGHOME", "PATH", GPG_TTY] {
            gpg.extend(set(name).map(|value| (name.into(), value)));
        }
        if let Some(terminal) = terminal().filter(|_| !gpg.contains_key(OsStr::new(GPG_TTY))) {
            gpg.insert(GPG_TTY.into(), terminal);
        }
        Ok(Self {
            current_dir,
            variables,
            scratch: folder(SCRATCH).unwrap_or_else(std::env::temp_dir),
            gpg,
            key_file: folder(KEY_FILE),
            passphrase_file: folder(PASSPHRASE_FILE),
            remotes: Access::new(std::env::vars_os()),
            git: GitEnvironment::new(std::env::vars_os()),
            docker_host: set("DOCKER_HOST").map(text),
            docker_config: folder("DOCKER_CONFIG").or_else(|| Some(folder("HOME")?.join(".docker"))),
            runtime_dir: folder("XDG_RUNTIME_DIR"),
            makeflags: set("CARGO_MAKEFLAGS").or_else(|| set("MAKEFLAGS")).map(text),
            path: set("PATH")
                .map(|path| std::env::split_paths(&path).collect())
                .unwrap_or_default(),
            program: std::env::current_exe().ok(),
            command_line: std::env::args_os().map(shown).collect::<Vec<_>>().join(" "),
            arguments: std::env::args_os().skip(1).map(shown).collect(),
            paint: Paint {
                colour: anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never,
            },
            live: stderr.is_terminal() && set("TERM").is_some_and(|term| term != "dumb"),
        })
    }
}

/// The terminal that somebody sits at, who can be asked.
fn terminal() -> Option<OsString> {
    let is_terminal = std::io::stdin().is_terminal();
    let name = is_terminal.then(|| fs_err::read_link("/proc/self/fd/0").ok())?;
    name.map(PathBuf::into_os_string)
}
