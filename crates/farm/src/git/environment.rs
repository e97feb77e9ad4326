//! What of the user's environment farm itself must know to call git.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The variables by which farm adds to what the user has set up for git. git sees all others, too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GitEnvironment {
    /// HOME, for paths with `~`.
    pub(super) home: Option<PathBuf>,
    /// SSH_AUTH_SOCK, the socket of the ssh agent.
    pub(super) agent: Option<PathBuf>,
    /// How git starts ssh, as a line of the shell: GIT_SSH_COMMAND, or the program GIT_SSH.
    pub(super) ssh: Option<OsString>,
    /// GIT_CONFIG_COUNT: how many settings the environment has already.
    pub(super) settings: usize,
}

impl GitEnvironment {
    /// Keeps of the environment what is needed.
    pub fn new(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut kept = Self::default();
        let mut program = None;
        for (name, value) in environment {
            if value.is_empty() {
                continue;
            }
            match name.to_str() {
                Some("HOME") => kept.home = Some(value.into()),
                Some("SSH_AUTH_SOCK") => kept.agent = Some(value.into()),
                Some("GIT_SSH_COMMAND") => kept.ssh = Some(value),
                Some("GIT_SSH") => program = Some(quoted(&value)),
                Some("GIT_CONFIG_COUNT") => kept.settings = count(&value),
                _ => {}
            }
        }
        kept.ssh = kept.ssh.or(program);
        kept
    }
}

/// What is no number git would refuse; then there are no settings either.
fn count(value: &OsStr) -> usize {
    value.to_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// A word for the shell.
fn quoted(word: &OsStr) -> OsString {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    let mut quoted = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            other => quoted.push(*other),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> GitEnvironment {
        GitEnvironment::new(pairs.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn what_is_kept() {
        assert_eq!(of(&[("HOME", ""), ("PATH", "/bin")]), GitEnvironment::default());
        let both = of(&[
            ("GIT_SSH", "/a b/it's"),
            ("GIT_SSH_COMMAND", "ssh -J x"),
            ("GIT_CONFIG_COUNT", "2"),
        ]);
        assert_eq!((both.ssh.unwrap().to_str(), both.settings), (Some("ssh -J x"), 2));
        let program = of(&[("GIT_SSH", "/a b/it's"), ("GIT_CONFIG_COUNT", "-1")]);
        assert_eq!(
            (program.ssh.unwrap().to_str(), program.settings),
            (Some("'/a b/it'\\''s'"), 0)
        );
    }
}
