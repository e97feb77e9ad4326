//! The secrets of a run, and which of them is for an address.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use camino::Utf8Path;
use farm_engine::{Failure, FailureKind};
use farm_manifest::Loaded;
use farm_manifest::address::AddressPrefix;
use farm_manifest::model::{Secret, SecretAccess};
use fs_err as fs;

use super::GitEnvironment;
use super::login::Login;
use crate::command::FarmError;

/// What anybody who is not the owner and not of the file's group may do with a file.
const OTHERS: u32 = 0o007;

/// What git logs in with in a run: the secrets of all its farms. Nothing secret is in here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GitAccess {
    environment: GitEnvironment,
    secrets: BTreeMap<AddressPrefix, Known>,
}

/// A secret, and the farm that named it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    farm: String,
    name: String,
    means: Means,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Means {
    /// The path as the manifest has it, beginning with `~/`, or absolute.
    Token {
        file: PathBuf,
        user: String,
    },
    Agent,
}

impl GitAccess {
    /// Nothing but the user's environment.
    #[must_use]
    pub fn new(environment: GitEnvironment) -> Self {
        Self {
            environment,
            secrets: BTreeMap::new(),
        }
    }

    /// The same with the secrets of these farms, by name. Paths are relative to `workspace`.
    ///
    /// # Errors
    ///
    /// The user's: two farms of one run have different secrets for the same addresses.
    pub fn with_secrets(mut self, farms: &BTreeMap<String, Loaded>, workspace: &Utf8Path) -> Result<Self, FarmError> {
        for (farm, loaded) in farms {
            for secret in &loaded.farm.secrets {
                let known = Known {
                    farm: farm.clone(),
                    name: secret.name.value.clone(),
                    means: Means::of(secret, workspace),
                };
                let prefix = &secret.prefix.value;
                if let Some(other) = self.secrets.get(prefix).filter(|other| other.means != known.means) {
                    let message = format!(
                        "the farms {} and {farm} have different secrets for {prefix}: `{}` and `{}`",
                        other.farm, other.name, known.name
                    );
                    return Err(FarmError::input(message).hint("build one farm after the other, or give both the same"));
                }
                self.secrets.insert(prefix.clone(), known);
            }
        }
        Ok(self)
    }

    pub(super) fn environment(&self) -> &GitEnvironment {
        &self.environment
    }

    /// How git logs in at an address: with the secret whose prefix says most of it. What that names is looked at now, and not read.
    pub(super) fn login(&self, address: &str) -> Result<Login, Failure> {
        let fitting = self.secrets.iter().filter(|(prefix, _)| prefix.covers(address));
        let Some((prefix, secret)) = fitting.max_by_key(|(prefix, _)| prefix.length()) else {
            return Ok(Login::Users);
        };
        let name = &secret.name;
        match &secret.means {
            Means::Token { file, user } => {
                let file = self.at_home(file, name)?;
                check_token(&file, name, address)?;
                Ok(Login::Token {
                    prefix: prefix.to_string(),
                    name: name.clone(),
                    file,
                    user: user.clone(),
                })
            }
            Means::Agent => {
                self.check_agent(name, address)?;
                Ok(Login::Agent)
            }
        }
    }

    fn at_home(&self, file: &Path, name: &str) -> Result<PathBuf, Failure> {
        let Ok(below) = file.strip_prefix("~") else {
            return Ok(file.to_owned());
        };
        let home = self.environment.home.as_ref().ok_or_else(|| {
            let message = format!(
                "the token of the secret `{name}` is in {}, and HOME is not set",
                file.display()
            );
            Failure::new(FailureKind::Environment, message).hint("set HOME, or write an absolute path")
        })?;
        Ok(home.join(below))
    }

    fn check_agent(&self, name: &str, address: &str) -> Result<(), Failure> {
        let wanted = format!("{address} wants the ssh agent (secret `{name}`)");
        let start = "start one with `eval $(ssh-agent)`, give it a key with `ssh-add`, and start farm where SSH_AUTH_SOCK names it";
        let failed = |why: String| Failure::new(FailureKind::Environment, format!("{wanted}, and {why}")).hint(start);
        let Some(socket) = &self.environment.agent else {
            return Err(failed("SSH_AUTH_SOCK is not set".to_owned()));
        };
        match UnixStream::connect(socket) {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(format!("nobody answers at {}: {error}", socket.display()))),
        }
    }
}

impl Means {
    fn of(secret: &Secret, workspace: &Utf8Path) -> Self {
        match &secret.access {
            SecretAccess::Agent => Self::Agent,
            SecretAccess::Token { file, user } => {
                let file = if file.value.starts_with("~") {
                    file.value.clone()
                } else {
                    workspace.join(&file.value)
                };
                Self::Token {
                    file: file.into(),
                    user: user.clone(),
                }
            }
        }
    }
}

/// A token that everybody on this machine can read is no secret any more, so that it is refused, as ssh refuses such a key: a note would be
/// read by nobody. Its group may read it: that is how a group shares one.
fn check_token(file: &Path, name: &str, address: &str) -> Result<(), Failure> {
    let shown = file.display();
    let failed = |why: String| {
        let message = format!("the token of the secret `{name}` for {address} {why}");
        Failure::new(FailureKind::Environment, message)
    };
    let unreadable = |error: std::io::Error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => format!("is not there: {shown}"),
            _ => format!("cannot be read: {error}"),
        };
        failed(why).hint("write it into that file, in one line, and `chmod 600` it")
    };
    let found = fs::metadata(file).map_err(unreadable)?;
    if found.is_dir() {
        return Err(failed(format!("cannot be read: {shown} is a folder")).hint("name the file in it"));
    }
    // A pipe, which somebody made for this run, is empty until it is read.
    if !found.is_file() {
        return Ok(());
    }
    if found.permissions().mode() & OTHERS != 0 {
        let hint = format!("run `chmod 600 {shown}`; if others had the time to read it, get another token");
        return Err(failed(format!("is open to everybody on this machine: {shown}")).hint(hint));
    }
    if found.len() == 0 {
        return Err(failed(format!("is empty: {shown}")).hint("write it into that file, in one line"));
    }
    fs::File::open(file).map(drop).map_err(unreadable)
}
