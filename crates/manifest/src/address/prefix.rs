//! The beginning of addresses that a secret is for.

use std::fmt;

use thiserror::Error;
use url::Url;

/// The beginning of addresses of one server: all of it, or what lies below a folder. Only whole names count: `https://h/group` covers
/// `https://h/group/x`, and not `https://h/groups` nor `https://h.example.org/group`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressPrefix(Place);

/// An address taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// `http`, `https` or `ssh`.
    scheme: String,
    /// Only of ssh; the web's servers learn the user otherwise.
    user: Option<String>,
    host: String,
    /// `None` for the usual one.
    port: Option<u16>,
    /// The names of the path.
    path: Vec<String>,
}

/// Why a text is no prefix that a secret can be for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PrefixError {
    /// It is no address.
    #[error("an address has a scheme and a host")]
    NoAddress,
    /// Nobody logs in there.
    #[error("farm hands credentials to https://, http:// and ssh:// only")]
    Scheme,
    /// A password in the address that was to be without.
    #[error("a password does not belong into a manifest")]
    Password,
    /// A user before the host of the web.
    #[error("the name of the user is not part of it")]
    User,
    /// `?` or `#`.
    #[error("`?` and `#` mean nothing in it")]
    Tail,
}

impl AddressPrefix {
    /// Reads it as it is written in a manifest: `https://HOST[:PORT][/PATH]`, `ssh://[USER@]HOST[:PORT][/PATH]`.
    ///
    /// # Errors
    /// [`PrefixError`], which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, PrefixError> {
        let url = Url::parse(text).map_err(|_| PrefixError::NoAddress)?;
        if !["http", "https", "ssh"].contains(&url.scheme()) {
            return Err(PrefixError::Scheme);
        }
        if url.password().is_some() {
            return Err(PrefixError::Password);
        }
        if url.scheme() != "ssh" && !url.username().is_empty() {
            return Err(PrefixError::User);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(PrefixError::Tail);
        }
        Place::of(&url).map(Self).ok_or(PrefixError::NoAddress)
    }

    /// Whether an address begins so. It may be written as `git clone` takes it, `USER@HOST:PATH` as well.
    #[must_use]
    pub fn covers(&self, address: &str) -> bool {
        let Some(place) = place(address) else { return false };
        let Self(prefix) = self;
        place.scheme == prefix.scheme
            && place.host == prefix.host
            && place.port == prefix.port
            && (prefix.user.is_none() || prefix.user == place.user)
            && place.path.starts_with(&prefix.path)
    }

    /// Says how much of an address it fixes: of two that cover one address, the one with more is meant.
    #[must_use]
    pub fn length(&self) -> (usize, bool) {
        (self.0.path.len(), self.0.user.is_some())
    }

    /// Whether it is for ssh.
    #[must_use]
    pub fn is_ssh(&self) -> bool {
        self.0.scheme == "ssh"
    }

    /// Whether what is sent there can be read on its way: HTTP without TLS, to another machine.
    #[must_use]
    pub fn is_in_clear(&self) -> bool {
        let host = self.0.host.as_str();
        let local = host == "localhost" || host.starts_with("127.") || host == "[::1]";
        self.0.scheme == "http" && !local
    }
}

/// An address of `git clone` taken apart; `None` for a path, and for what has no credentials.
fn place(address: &str) -> Option<Place> {
    if address.contains("://") {
        return Place::of(&Url::parse(address).ok()?);
    }
    let (host, path) = address.split_once(':').filter(|(host, _)| !host.contains('/'))?;
    Place::of(&Url::parse(&format!("ssh://{host}/{path}")).ok()?)
}

impl Place {
    fn of(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "git+ssh" | "ssh+git" => "ssh",
            other => other,
        };
        let usual = match scheme {
            "http" => 80,
            "https" => 443,
            "ssh" => 22,
            _ => return None,
        };
        let user = (scheme == "ssh" && !url.username().is_empty()).then(|| url.username().to_owned());
        Some(Self {
            scheme: scheme.to_owned(),
            user,
            host: url.host_str().filter(|host| !host.is_empty())?.to_ascii_lowercase(),
            port: url.port().filter(|port| *port != usual),
            // `Url` has resolved `.` and `..` already, as whoever asks the server does.
            path: url
                .path()
                .split('/')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place {
            scheme,
            user,
            host,
            port,
            path,
        } = &self.0;
        write!(formatter, "{scheme}://")?;
        if let Some(user) = user {
            write!(formatter, "{user}@")?;
        }
        formatter.write_str(host)?;
        if let Some(port) = port {
            write!(formatter, ":{port}")?;
        }
        write!(formatter, "/{}", path.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_count() {
        let prefix = AddressPrefix::parse("https://gitlab.example.org/group/").unwrap();
        for address in [
            "https://gitlab.example.org/group",
            "https://gitlab.example.org/group/x.git",
            "https://GITLAB.example.org:443/group/sub/x",
            "https://gitlab.example.org/group/a/../x",
        ] {
            assert!(prefix.covers(address), "{address}");
        }
        for address in [
            "http://gitlab.example.org/group/x",
            "https://gitlab.example.org/groups/x",
            "https://gitlab.example.org/x/group",
            "https://gitlab.example.org.evil.example/group/x",
            "https://gitlab.example.org@evil.example/group/x",
            "https://evil.example/https://gitlab.example.org/group/x",
            "https://gitlab.example.org:8443/group/x",
            "https://gitlab.example.org/group/../other/x",
            "https://gitlab.example.org/group/%2e%2e/other/x",
            "https://gitlab.example.org",
            "gitlab.example.org/group/x",
            "ssh://gitlab.example.org/group/x",
            "/group/x",
            "",
        ] {
            assert!(!prefix.covers(address), "{address}");
        }
    }

    #[test]
    fn ssh_has_users_and_two_ways_to_write_it() {
        let anybody = AddressPrefix::parse("ssh://git.example.org").unwrap();
        let git = AddressPrefix::parse("ssh://git@git.example.org:22/group").unwrap();
        for address in [
            "git@git.example.org:group/x",
            "ssh://git@git.example.org/group/x",
            "git+ssh://git@git.example.org/group",
        ] {
            assert!(anybody.covers(address) && git.covers(address), "{address}");
        }
        assert!(anybody.covers("me@git.example.org:group/x") && !git.covers("me@git.example.org:group/x"));
        assert!(!anybody.covers("ssh://git@git.example.org:2222/x"));
        assert!(!anybody.covers("./git.example.org:x"));
        assert!(git.length() > anybody.length());
        assert_eq!(git.to_string(), "ssh://git@git.example.org/group");
    }

    #[test]
    fn what_is_no_prefix() {
        for (text, error) in [
            ("gitlab.example.org/group", PrefixError::NoAddress),
            ("git@example.org:x", PrefixError::NoAddress),
            ("https://", PrefixError::NoAddress),
            ("ssh:///x", PrefixError::NoAddress),
            ("file:///x", PrefixError::Scheme),
            ("git://example.org/", PrefixError::Scheme),
            ("https://me:pw@example.org/", PrefixError::Password),
            ("ssh://me:pw@example.org/", PrefixError::Password),
            ("https://me@example.org/", PrefixError::User),
            ("https://example.org/?x", PrefixError::Tail),
        ] {
            assert_eq!(AddressPrefix::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn what_can_be_read_on_its_way() {
        for (text, clear) in [
            ("http://example.org/", true),
            ("https://example.org/", false),
            ("http://127.0.0.1:8080/", false),
            ("http://localhost/", false),
            ("http://[::1]/", false),
            ("ssh://example.org/", false),
        ] {
            assert_eq!(AddressPrefix::parse(text).unwrap().is_in_clear(), clear, "{text}");
        }
    }
}
