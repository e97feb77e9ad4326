//! Addresses of remotes, as manifests write them.

use std::fmt;

use url::Url;

/// How long the name of a mirror's folder may become; file systems stop at 255.
const LONGEST_NAME: usize = 160;

/// Where a folder is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `ssh://[USER@]HOST[:PORT]/PATH`: a folder that the user's ssh and rsync reach.
    Ssh {
        /// The user; `None` where ssh's configuration says who.
        user: Option<String>,
        /// The host, or a name of ssh's configuration. An IPv6 address has no brackets.
        host: String,
        /// The port; `None` where ssh's configuration says which.
        port: Option<u16>,
        /// The absolute path, without a slash at its end.
        path: String,
    },
    /// `s3://BUCKET[/PREFIX]`.
    S3 {
        /// The bucket.
        bucket: String,
        /// What keys begin with, without slashes at its ends; may be empty.
        prefix: String,
    },
    /// `http://` or `https://`: a folder of a web server that takes PUT. It has no slash at its end.
    Http(Url),
}

/// Why a text is no address of a remote. The user's mistake, always.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It has another scheme, or none.
    #[error("packages are published to ssh://, s3://, http:// or https://")]
    Scheme,
    /// It names no host, or none that can be one.
    #[error("`{0}` cannot be a host")]
    Host(String),
    /// No path follows the host.
    #[error("no folder follows the host")]
    NoPath,
    /// The path leads elsewhere.
    #[error("the path has the part `{0}`")]
    Part(String),
    /// A password would be in the manifest, which others read.
    #[error("a password does not belong into a manifest")]
    Secret,
    /// `user@` before a host of the web.
    #[error("who publishes is not said in the address")]
    HttpUser,
    /// A bucket cannot be called this.
    #[error("`{0}` cannot be a bucket: 3 to 63 small letters, digits, dots and hyphens")]
    Bucket(String),
    /// `?` or `#` and what follows.
    #[error("`{0}` means nothing here")]
    Tail(String),
    /// Anything else.
    #[error("{0}")]
    Url(String),
}

impl AddressError {
    /// Says how to write it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Secret | Self::HttpUser => {
                "put user and password into ~/.netrc (for http and https), or use a key of ssh"
            }
            Self::Bucket(_) => "write `s3://BUCKET/PREFIX`; the server's address is in AWS_ENDPOINT_URL",
            _ => "write `ssh://user@host/path`, `s3://bucket/prefix` or `https://host/path`",
        }
    }
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`AddressError`], which says what about it is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        if let Some(tail) = rest.find(['?', '#']).filter(|_| scheme != "ssh") {
            return Err(AddressError::Tail(rest[tail..].to_owned()));
        }
        match scheme {
            "ssh" => parse_ssh(rest),
            "s3" => parse_s3(rest),
            "http" | "https" => parse_http(text),
            _ => Err(AddressError::Scheme),
        }
    }

    /// The address of a folder in this one.
    #[must_use]
    pub fn join(&self, folder: &str) -> Self {
        let mut joined = self.clone();
        match &mut joined {
            Self::Ssh { path, .. } => *path = format!("{}/{folder}", path.trim_end_matches('/')),
            Self::S3 { prefix, .. } if prefix.is_empty() => folder.clone_into(prefix),
            Self::S3 { prefix, .. } => *prefix = format!("{prefix}/{folder}"),
            Self::Http(url) => {
                if let Ok(mut parts) = url.path_segments_mut() {
                    parts.pop_if_empty().extend(folder.split('/'));
                }
            }
        }
        joined
    }

    /// A name for a folder that belongs to this address: no two addresses share one.
    #[must_use]
    pub fn folder_name(&self) -> String {
        let text = self.to_string();
        let mut name = String::new();
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'@' => name.push(char::from(byte)),
                _ => name.push_str(&format!("%{byte:02x}")),
            }
        }
        if name.len() <= LONGEST_NAME {
            return name;
        }
        let digest = blake3::hash(text.as_bytes()).to_hex();
        format!("{}-{}", &name[..LONGEST_NAME - 33], &digest[..32])
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssh { user, host, port, path } => {
                f.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                if host.contains(':') {
                    write!(f, "[{host}]")?;
                } else {
                    f.write_str(host)?;
                }
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                f.write_str(path)
            }
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Http(url) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

fn parse_ssh(rest: &str) -> Result<Address, AddressError> {
    let (authority, path) = rest.split_at(rest.find('/').ok_or(AddressError::NoPath)?);
    let path = format!("/{}", path.trim_matches('/'));
    if path == "/" {
        return Err(AddressError::NoPath);
    }
    check_parts(&path[1..])?;
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err(AddressError::Secret);
    }
    let (host, port) = split_port(place)?;
    // What begins with a hyphen would be an option of ssh.
    let plain = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-:%".contains(c);
        !text.is_empty() && !text.starts_with('-') && text.chars().all(allowed)
    };
    for name in user.into_iter().chain([host]) {
        if !plain(name) {
            return Err(AddressError::Host(authority.to_owned()));
        }
    }
    Ok(Address::Ssh {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        path,
    })
}

fn split_port(place: &str) -> Result<(&str, Option<u16>), AddressError> {
    let wrong = || AddressError::Host(place.to_owned());
    let (host, tail) = match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let port = match tail.strip_prefix(':') {
        Some(digits) => Some(digits.parse().map_err(|_| wrong())?),
        None if tail.is_empty() => None,
        None => return Err(wrong()),
    };
    Ok((host, port))
}

fn parse_s3(rest: &str) -> Result<Address, AddressError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = bucket.as_bytes();
    if !(3..=63).contains(&bytes.len()) || !bucket.bytes().all(allowed) || !edge(bytes.first()) || !edge(bytes.last()) {
        return Err(AddressError::Bucket(bucket.to_owned()));
    }
    let prefix = prefix.trim_matches('/');
    if !prefix.is_empty() {
        check_parts(prefix)?;
    }
    Ok(Address::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
    })
}

fn parse_http(text: &str) -> Result<Address, AddressError> {
    let mut url = Url::parse(text.trim_end_matches('/')).map_err(|error| match error {
        url::ParseError::EmptyHost | url::ParseError::InvalidPort => AddressError::Host(text.to_owned()),
        error => AddressError::Url(error.to_string()),
    })?;
    if url.password().is_some() {
        return Err(AddressError::Secret);
    }
    if !url.username().is_empty() {
        return Err(AddressError::HttpUser);
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(Address::Http(url))
}

fn check_parts(path: &str) -> Result<(), AddressError> {
    let bad = |part: &&str| matches!(*part, "" | "." | "..") || part.chars().any(char::is_control);
    match path.split('/').find(bad) {
        Some(part) => Err(AddressError::Part(part.to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_the_same() {
        for text in [
            "ssh://collector@binhost/var/www/pkgs",
            "ssh://binhost:2222/srv/a b",
            "ssh://me@[::1]:22/x",
            "s3://bin-host",
            "s3://bin.host/a/b",
            "https://example.org:8443/dav/pkgs",
            "http://example.org",
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
            assert_eq!(Address::parse(&format!("{text}/")).unwrap().to_string(), text);
            let joined = Address::parse(text).unwrap().join("amd64.opt");
            assert_eq!(joined.to_string(), format!("{text}/amd64.opt"));
            assert_eq!(Address::parse(&joined.to_string()), Ok(joined));
        }
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        use AddressError as E;
        for (text, error) in [
            ("/var/www", E::Scheme),
            ("ftp://host/x", E::Scheme),
            ("ssh://host", E::NoPath),
            ("ssh://host/", E::NoPath),
            ("ssh:///path", E::Host(String::new())),
            ("ssh://-oProxyCommand=x/path", E::Host("-oProxyCommand=x".to_owned())),
            ("ssh://-l@host/path", E::Host("-l@host".to_owned())),
            ("ssh://host:port/path", E::Host("host:port".to_owned())),
            ("ssh://me:secret@host/path", E::Secret),
            ("ssh://host/a/../b", E::Part("..".to_owned())),
            ("s3://Bucket/x", E::Bucket("Bucket".to_owned())),
            ("s3://b", E::Bucket("b".to_owned())),
            ("s3://bucket/a//b", E::Part(String::new())),
            ("s3://bucket/a?b", E::Tail("?b".to_owned())),
            ("https://me@host/x", E::HttpUser),
            ("https://me:secret@host/x", E::Secret),
            ("https://host/x#y", E::Tail("#y".to_owned())),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text}");
        }
        assert!(matches!(Address::parse("https://"), Err(E::Host(_))));
    }

    #[test]
    fn folder_names_are_plain_and_apart() {
        let name = |text: &str| Address::parse(text).unwrap().folder_name();
        assert_eq!(name("ssh://me@host:22/a b"), "ssh%3a%2f%2fme@host%3a22%2fa%20b");
        assert_ne!(name("s3://bucket/a/b"), name("s3://bucket/a%2fb"));
        let long = |tail: &str| name(&format!("s3://bucket/{}{tail}", "x".repeat(300)));
        assert!(long("a").len() <= LONGEST_NAME);
        assert_ne!(long("a"), long("b"));
    }
}
