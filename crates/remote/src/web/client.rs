//! Requests: their timeouts, what of their answers is tried again, and what their errors mean.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use ureq::http::{HeaderMap, Request};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, SendBody};
use url::Url;

use crate::retry::{Trouble, Watch, retried};
use crate::{Access, RemoteError};

/// Neither connecting nor waiting for the next bytes may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// From this size on a server is asked whether it wants the file before it is sent.
const ASK_FIRST: u64 = 1 << 20;

/// How much of an error's text is shown.
const SHOWN: usize = 300;

/// The biggest file that is read into memory: an index, or a record.
const LARGEST_READ: u64 = 1 << 30;

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Put,
    Delete,
    /// Makes a folder (RFC 4918).
    MkCol,
    /// Renames (RFC 4918).
    Move,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::MkCol => "MKCOL",
            Self::Move => "MOVE",
        }
    }
}

/// What is sent with a request.
#[derive(Debug, Clone)]
pub(crate) enum Body<'a> {
    None,
    Bytes(&'a [u8]),
    /// The content of a file, read anew at each attempt.
    File(PathBuf),
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body<'a>,
}

impl Call<'_> {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Body::None,
        }
    }
}

/// What came back, whatever the status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The size that the answer to HEAD tells.
    pub(crate) fn length(&self) -> Option<u64> {
        self.headers.get("content-length")?.to_str().ok()?.parse().ok()
    }

    /// The status that is nobody's to expect, as an error. `login` says where credentials come from.
    pub(crate) fn unexpected(&self, call: Method, place: String, login: &'static str) -> RemoteError {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut reason = format!("{} was answered with {}", call.name(), self.status);
        let is_page = text.starts_with("<html") || text.starts_with("<!");
        if !text.is_empty() && !is_page {
            let shown: String = text.chars().take(SHOWN).collect();
            reason = format!("{reason}: {shown}");
        }
        match self.status {
            401 | 403 => RemoteError::Refused {
                place,
                reason,
                hint: login,
            },
            413 | 507 => RemoteError::Full { place, reason },
            301 | 302 | 307 | 308 => RemoteError::Unable {
                place,
                reason: match self.headers.get("location").and_then(|to| to.to_str().ok()) {
                    Some(to) => format!("{reason}: it is at {to}"),
                    None => reason,
                },
                hint: "name that address in the manifest",
            },
            405 | 501 => RemoteError::Unable {
                place,
                reason,
                hint: "let the server take this method here (nginx: dav_methods PUT DELETE MKCOL MOVE)",
            },
            500..=599 | 408 | 429 => RemoteError::Unreachable { place, reason },
            _ => RemoteError::Unable {
                place,
                reason,
                hint: "look into the server's log",
            },
        }
    }
}

/// Sends requests over connections that are kept.
pub(crate) struct Client<'w> {
    agent: Agent,
    pub(crate) watch: &'w dyn Watch,
}

impl std::fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl<'w> Client<'w> {
    pub(crate) fn new(access: &Access, url: &Url, watch: &'w dyn Watch) -> Result<Self, RemoteError> {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy(access, url)?)
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            // A PUT that is redirected would lose its body, or its credentials.
            .max_redirects(0)
            .max_idle_connections_per_host(16)
            .timeout_connect(Some(PATIENCE))
            .timeout_await_100(Some(Duration::from_secs(1)))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .timeout_per_write(Some(PATIENCE))
            .build()
            .into();
        Ok(Self { agent, watch })
    }

    /// Sends what `make` makes, anew at each attempt. `what` names it for people.
    pub(crate) fn send<'a>(&self, what: &str, make: &dyn Fn() -> Call<'a>) -> Result<Answer, RemoteError> {
        self.send_into(what, make, None)
    }

    /// The same; what the answer brings goes to a file. (What is no success is in the answer.)
    pub(crate) fn fetch<'a>(
        &self,
        what: &str,
        make: &dyn Fn() -> Call<'a>,
        file: &Path,
    ) -> Result<Answer, RemoteError> {
        self.send_into(what, make, Some(file))
    }

    fn send_into<'a>(
        &self,
        what: &str,
        make: &dyn Fn() -> Call<'a>,
        file: Option<&Path>,
    ) -> Result<Answer, RemoteError> {
        retried(self.watch, what, || {
            let answer = self.attempt(what, make(), file)?;
            if matches!(answer.status, 408 | 429 | 500 | 502 | 503 | 504) {
                let asked = answer.headers.get("retry-after").and_then(|value| value.to_str().ok());
                let asked = asked
                    .and_then(|seconds| seconds.trim().parse().ok())
                    .map(Duration::from_secs);
                let mut reason = format!("the server answered {}", answer.status);
                if answer.status == 500 {
                    reason.push_str(", and its log says why (a full disk is one reason)");
                }
                let error = RemoteError::unreachable(what, reason);
                return Err(Trouble::Passing(Box::new(error), asked));
            }
            Ok(answer)
        })
    }

    fn attempt<'c>(&self, what: &str, call: Call<'c>, file: Option<&Path>) -> Result<Answer, Trouble> {
        let mut request = Request::builder().method(call.method.name()).uri(call.url.as_str());
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let failed = |error: ureq::Error| trouble(what, error);
        let (mut reader, size): (Box<dyn Read + 'c>, Option<u64>) = match call.body {
            Body::None => (Box::new(std::io::empty()), None),
            Body::Bytes(bytes) => (Box::new(bytes), Some(bytes.len() as u64)),
            Body::File(path) => {
                let file = fs::File::open(path)?;
                let size = file.metadata()?.len();
                (Box::new(file), Some(size))
            }
        };
        let invalid = |error: ureq::http::Error| failed(error.into());
        let answer = match size {
            None => self.agent.run(request.body(()).map_err(invalid)?),
            Some(size) => {
                request = request.header("content-length", size);
                if size >= ASK_FIRST {
                    request = request.header("expect", "100-continue");
                }
                let body = SendBody::from_reader(&mut reader);
                self.agent.run(request.body(body).map_err(invalid)?)
            }
        };
        let answer = answer.map_err(failed)?;
        match file {
            Some(file) if answer.status().is_success() => keep(answer, what, file),
            _ => finish(answer, what),
        }
    }
}

/// Writes what an answer brings to a file, however big it is.
fn keep(answer: ureq::http::Response<ureq::Body>, what: &str, file: &Path) -> Result<Answer, Trouble> {
    let (parts, body) = answer.into_parts();
    let broken = |reason: String| Trouble::passing(RemoteError::unreachable(what, reason));
    let mut file = fs::File::create(file)?;
    let mut reader = body.into_with_config().limit(u64::MAX).reader();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        // A connection that breaks passes, a disk that is full does not.
        let n = reader.read(&mut buffer).map_err(|error| broken(error.to_string()))?;
        if n == 0 {
            break;
        }
        file.write_all(&buffer[..n])?;
        size += n as u64;
    }
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: Vec::new(),
    };
    match answer.length() {
        Some(length) if length != size => Err(broken(format!("{size} of {length} bytes came"))),
        _ => Ok(answer),
    }
}

/// Reads the whole answer, so that the connection can be used again.
fn finish(answer: ureq::http::Response<ureq::Body>, what: &str) -> Result<Answer, Trouble> {
    let (parts, body) = answer.into_parts();
    let mut bytes = Vec::new();
    body.into_with_config()
        .limit(LARGEST_READ)
        .reader()
        .read_to_end(&mut bytes)
        .map_err(|error| Trouble::passing(RemoteError::unreachable(what, error.to_string())))?;
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: bytes,
    })
}

/// What may pass: whatever a network or a server that starts again can cause.
fn trouble(what: &str, error: ureq::Error) -> Trouble {
    use ureq::Error as E;
    let error_of = |error: &dyn std::fmt::Display| RemoteError::unreachable(what, error.to_string());
    match error {
        // A certificate that is not trusted comes as an error of reading.
        E::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => error_of(&error).into(),
        error @ (E::Io(_) | E::Timeout(_) | E::HostNotFound | E::ConnectionFailed | E::Protocol(_)) => {
            Trouble::passing(error_of(&error))
        }
        error => error_of(&error).into(),
    }
}

/// The proxy that the environment names for this address.
fn proxy(access: &Access, url: &Url) -> Result<Option<ureq::Proxy>, RemoteError> {
    let host = url.host_str().unwrap_or_default();
    let excepted = ["no_proxy", "NO_PROXY"].iter().find_map(|name| access.text(name));
    if excepted.is_some_and(|list| is_excepted(list, host)) {
        return Ok(None);
    }
    let names = if url.scheme() == "https" {
        ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    } else {
        ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
    };
    let Some((name, value)) = names.iter().find_map(|name| Some((name, access.text(name)?))) else {
        return Ok(None);
    };
    let proxy = ureq::Proxy::new(value).map_err(|error| RemoteError::Credentials {
        reason: format!("the proxy that {name} names cannot be used: {error}"),
        hint: "write it as http://HOST:PORT",
    })?;
    Ok(Some(proxy))
}

/// Whether a host is named in `NO_PROXY`: itself, a domain that it is in, or all.
fn is_excepted(list: &str, host: &str) -> bool {
    list.split(',').map(str::trim).any(|name| {
        let domain = name.trim_start_matches('.');
        name == "*"
            || (!domain.is_empty()
                && (host == domain
                    || host
                        .strip_suffix(domain)
                        .is_some_and(|subdomain| subdomain.ends_with('.'))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_a_proxy() {
        assert!(is_excepted("localhost, .example.org", "a.example.org"));
        assert!(is_excepted("example.org", "example.org"));
        assert!(is_excepted("*", "x"));
        for list in ["", ",", "example.com", "ample.org"] {
            assert!(!is_excepted(list, "a.example.org"), "{list}");
        }
    }

    #[test]
    fn statuses_say_what_to_do() {
        let answer = |status| Answer {
            status,
            headers: HeaderMap::new(),
            body: b"<html>x".to_vec(),
        };
        let error = |status| answer(status).unexpected(Method::Put, "x".to_owned(), "log in");
        assert!(matches!(error(507), RemoteError::Full { .. }));
        assert!(matches!(error(413), RemoteError::Full { .. }));
        assert_eq!(error(401).hint(), Some("log in"));
        assert_eq!(error(403).to_string(), "x refuses: PUT was answered with 403");
        assert!(matches!(error(405), RemoteError::Unable { .. }));
    }
}
