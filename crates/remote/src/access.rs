//! What of the user's environment remotes may see.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The variables of the environment that say who publishes, and how hosts are reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    variables: BTreeMap<OsString, OsString>,
}

impl Access {
    /// The variables that are kept, beside all that begin with `AWS_`.
    const NAMES: [&str; 15] = [
        // Where ssh's configuration, ~/.netrc and ~/.aws are, and who asks.
        "HOME",
        "USER",
        "LOGNAME",
        // The ssh and rsync that are called; ssh's agent, and its tickets of Kerberos.
        "PATH",
        "SSH_AUTH_SOCK",
        "KRB5CCNAME",
        // A file of passwords elsewhere than ~/.netrc, as curl and Python have it.
        "NETRC",
        // Proxies.
        "ALL_PROXY",
        "all_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "NO_PROXY",
        "no_proxy",
    ];

    /// Keeps of the environment what remotes need, and nothing else.
    pub fn new(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let needed = |name: &OsStr| {
            name.to_str()
                .is_some_and(|name| Self::NAMES.contains(&name) || name.starts_with("AWS_"))
        };
        Self {
            variables: environment
                .into_iter()
                .filter(|(name, value)| needed(name) && !value.is_empty())
                .collect(),
        }
    }

    /// A variable that is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(OsStr::new(name))?.to_str()
    }

    /// A variable that is a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(OsStr::new(name)).map(PathBuf::from)
    }

    /// A path below the home folder.
    pub(crate) fn in_home(&self, relative: &str) -> Option<PathBuf> {
        Some(self.path("HOME")?.join(relative))
    }

    /// What programs are started with.
    pub(crate) fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }
}
