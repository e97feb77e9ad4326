//! Finding an engine and agreeing with it on a version of the API.

use std::collections::BTreeMap;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use farm_executor::ExecutorError;

use crate::bridge::Bridge;
use crate::fault::words;

/// An engine that is there answers at once; one that is not must not hold up a run that could go elsewhere.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Transfers and waits take as long as they take; they end by cancellation. The client wants a number of seconds: a year.
const UNBOUNDED: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How to reach an engine. [`ConnectOptions::default`] is a local engine without credentials.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The value of `DOCKER_HOST` as given: `unix://PATH`, `tcp://HOST[:PORT]` or `http://HOST[:PORT]`. `None` or an empty
    /// one tries [`ConnectOptions::sockets`].
    pub host: Option<String>,
    /// Sockets to try in this order when there is no `host`; the first that answers is taken.
    pub sockets: Vec<PathBuf>,
    /// The folder of Docker's `config.json` (`DOCKER_CONFIG`, by default `~/.docker`), for registries; `None` is no
    /// credentials.
    pub credentials: Option<PathBuf>,
    /// How long the engine may take to answer a request that transfers nothing and waits for nothing.
    pub timeout: Duration,
    /// Labels for every container that is made, besides those of its run.
    pub labels: BTreeMap<String, String>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            host: None,
            sockets: vec!["/var/run/docker.sock".into(), "/run/podman/podman.sock".into()],
            credentials: None,
            timeout: Duration::from_secs(120),
            labels: BTreeMap::new(),
        }
    }
}

/// A connection to one engine. See the [crate's page](crate) for what runs find in it.
///
/// Dropping it ends its runtime; no container outlives the call that made it.
#[derive(Debug)]
pub struct DockerExecutor {
    pub(crate) bridge: Bridge,
    /// For requests that are answered at once.
    pub(crate) docker: Docker,
    /// For transfers and waits.
    pub(crate) slow: Docker,
    pub(crate) name: &'static str,
    pub(crate) address: String,
    /// Whether the engine has a program to be process 1.
    pub(crate) has_init: bool,
    pub(crate) credentials: Option<PathBuf>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// Where an engine may listen.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Unix(PathBuf),
    Tcp(String),
}

impl DockerExecutor {
    /// Connects to the engine that `options` describe and agrees with it on a version of the API. Takes milliseconds.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::Unreachable`] when no engine answers, with the reason: no socket, not permitted, refused.
    pub fn connect(options: ConnectOptions) -> Result<Self, ExecutorError> {
        let addresses = addresses(&options)?;
        let bridge = Bridge::new().map_err(|source| ExecutorError::Stream {
            what: "starting the threads that talk to the engine".to_owned(),
            source,
        })?;
        let mut failures = Vec::new();
        for address in addresses {
            match greet(&bridge, &address, options.timeout) {
                Ok(greeting) => {
                    return Ok(Self {
                        bridge,
                        slow: greeting.docker.clone().with_timeout(UNBOUNDED),
                        docker: greeting.docker,
                        name: greeting.name,
                        address: address.to_string(),
                        has_init: greeting.has_init,
                        credentials: options.credentials,
                        labels: options.labels,
                    });
                }
                Err(refusal) => failures.push((address, refusal)),
            }
        }
        Err(most_telling(failures))
    }

    /// Where the engine listens, for messages.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// The addresses to try.
fn addresses(options: &ConnectOptions) -> Result<Vec<Address>, ExecutorError> {
    match options.host.as_deref() {
        None | Some("") => Ok(options.sockets.iter().cloned().map(Address::Unix).collect()),
        Some(host) => Ok(vec![Address::parse(host)?]),
    }
}

impl Address {
    /// Takes a value of `DOCKER_HOST` apart.
    fn parse(host: &str) -> Result<Self, ExecutorError> {
        if let Some(path) = host.strip_prefix("unix://") {
            return Ok(Self::Unix(path.into()));
        }
        for scheme in ["tcp://", "http://"] {
            if let Some(rest) = host.strip_prefix(scheme) {
                let authority = rest.trim_end_matches('/');
                // An address in brackets has colons of its own, so only what follows the bracket can be a port.
                let after_host = authority.rsplit_once(']').map_or(authority, |(_, after)| after);
                let port = if after_host.contains(':') { "" } else { ":2375" };
                return Ok(Self::Tcp(format!("{authority}{port}")));
            }
        }
        Err(ExecutorError::Unreachable {
            name: "docker".to_owned(),
            address: host.to_owned(),
            reason: "only unix://, tcp:// and http:// addresses are understood; for an engine behind ssh or TLS forward its \
                     socket (ssh -L) and name the local end"
                .to_owned(),
        })
    }

    /// Opens and closes a connection, for the reason why that fails: the client's own errors hide it.
    fn knock(&self) -> Result<(), Refusal> {
        match self {
            Self::Unix(path) => UnixStream::connect(path)
                .map(drop)
                .map_err(|error| Refusal::new(error.kind(), socket_reason(path, &error))),
            Self::Tcp(authority) => {
                let failed = |error: io::Error| Refusal::new(error.kind(), error.to_string());
                let mut last = Refusal::new(io::ErrorKind::NotFound, "the name has no address".to_owned());
                for address in authority.to_socket_addrs().map_err(failed)? {
                    match TcpStream::connect_timeout(&address, PROBE_TIMEOUT) {
                        Ok(_) => return Ok(()),
                        Err(error) => last = failed(error),
                    }
                }
                Err(last)
            }
        }
    }

    /// The client for this address. Nothing is sent yet.
    fn client(&self, timeout: Duration) -> Result<Docker, bollard::errors::Error> {
        match self {
            Self::Unix(path) => {
                Docker::connect_with_unix(&path.to_string_lossy(), timeout.as_secs(), API_DEFAULT_VERSION)
            }
            Self::Tcp(authority) => {
                Docker::connect_with_http(&format!("tcp://{authority}"), timeout.as_secs(), API_DEFAULT_VERSION)
            }
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

/// What a user can do about a socket that does not open.
fn socket_reason(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such socket: is the engine installed and started?".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied: the user is not in the socket's group (docker), or has not logged in again since"
                .to_owned()
        }
        io::ErrorKind::ConnectionRefused => "the socket is there but nobody listens: start the engine".to_owned(),
        _ => format!("{}: {error}", path.display()),
    }
}

/// Why one address was not taken.
#[derive(Debug)]
struct Refusal {
    kind: io::ErrorKind,
    reason: String,
}

impl Refusal {
    fn new(kind: io::ErrorKind, reason: String) -> Self {
        Self { kind, reason }
    }
}

/// The failure to report: a socket that is there and does not answer says more than ones that are missing.
fn most_telling(failures: Vec<(Address, Refusal)>) -> ExecutorError {
    let missing = |refusal: &Refusal| refusal.kind == io::ErrorKind::NotFound;
    let all: Vec<String> = failures.iter().map(|(address, _)| address.to_string()).collect();
    match failures.into_iter().min_by_key(|(_, refusal)| missing(refusal)) {
        Some((_, refusal)) if missing(&refusal) => ExecutorError::Unreachable {
            name: "docker".to_owned(),
            address: all.join(", "),
            reason: refusal.reason,
        },
        Some((address, refusal)) => ExecutorError::Unreachable {
            name: if address.to_string().contains("podman") {
                "podman"
            } else {
                "docker"
            }
            .to_owned(),
            address: address.to_string(),
            reason: refusal.reason,
        },
        None => ExecutorError::Unreachable {
            name: "docker".to_owned(),
            address: "no socket".to_owned(),
            reason: "no address was given to try".to_owned(),
        },
    }
}

/// What an engine said of itself.
struct Greeting {
    docker: Docker,
    name: &'static str,
    has_init: bool,
}

/// Opens a connection, agrees on a version and learns what the engine is.
fn greet(bridge: &Bridge, address: &Address, timeout: Duration) -> Result<Greeting, Refusal> {
    address.knock()?;
    let failed = |error: bollard::errors::Error| Refusal::new(io::ErrorKind::Other, words(&error));
    // The client is made inside the runtime because its connector may look for one.
    bridge.block_on(async {
        let talk = async {
            let docker = address
                .client(timeout)
                .map_err(failed)?
                .with_request_modifier(url_safe_credentials)
                .negotiate_version()
                .await
                .map_err(failed)?;
            let version = docker.version().await.map_err(failed)?;
            let is_podman = version
                .components
                .unwrap_or_default()
                .iter()
                .any(|component| component.name.starts_with("Podman"));
            // Where the program is missing, the engine says "N/A" and every start with it would fail.
            let has_init = !is_podman
                && docker
                    .info()
                    .await
                    .map_err(failed)?
                    .init_commit
                    .and_then(|commit| commit.id)
                    .is_some_and(|id| id != "N/A");
            Ok(Greeting {
                docker,
                name: if is_podman { "podman" } else { "docker" },
                has_init,
            })
        };
        match tokio::time::timeout(PROBE_TIMEOUT, talk).await {
            Ok(greeting) => greeting,
            Err(_) => Err(Refusal::new(
                io::ErrorKind::TimedOut,
                "it accepts connections but does not answer".to_owned(),
            )),
        }
    })
}

/// Engines read credentials in the URL-safe alphabet of base64, the client writes the other one: a password with certain
/// characters (`?`, `>`, `~`) would not arrive.
fn url_safe_credentials(mut request: BollardRequest) -> BollardRequest {
    for header in ["X-Registry-Auth", "X-Registry-Config"] {
        let translated = request
            .headers()
            .get(header)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.replace('+', "-").replace('/', "_").parse().ok());
        if let Some(value) = translated {
            request.headers_mut().insert(header, value);
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(options: ConnectOptions) -> String {
        DockerExecutor::connect(options).unwrap_err().to_string()
    }

    #[test]
    fn takes_hosts_apart() {
        assert_eq!(
            Address::parse("unix:///run/x.sock").unwrap(),
            Address::Unix("/run/x.sock".into())
        );
        for (host, authority) in [
            ("tcp://engine", "engine:2375"),
            ("tcp://engine:2000/", "engine:2000"),
            ("http://10.0.0.1:80", "10.0.0.1:80"),
            ("tcp://[::1]", "[::1]:2375"),
            ("tcp://[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(
                Address::parse(host).unwrap(),
                Address::Tcp(authority.to_owned()),
                "{host}"
            );
        }
        assert!(
            Address::parse("ssh://engine")
                .unwrap_err()
                .to_string()
                .contains("ssh -L")
        );
    }

    #[test]
    fn says_that_there_is_no_socket() {
        let folder = tempfile::tempdir().unwrap();
        let sockets = vec![folder.path().join("a"), folder.path().join("b")];
        let words = refused(ConnectOptions {
            sockets,
            ..Default::default()
        });
        assert!(
            words.contains("no such socket") && words.contains("/a,") && words.contains("/b"),
            "{words}"
        );
    }

    #[test]
    fn prefers_the_refusal_of_a_socket_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join("dead");
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        let sockets = vec![folder.path().join("missing"), dead];
        let words = refused(ConnectOptions {
            sockets,
            ..Default::default()
        });
        assert!(words.contains("/dead") && words.contains("nobody listens"), "{words}");
    }

    #[test]
    fn says_that_a_port_is_closed() {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let words = refused(ConnectOptions {
            host: Some(format!("tcp://127.0.0.1:{port}")),
            ..Default::default()
        });
        assert!(words.contains("refused"), "{words}");
    }

    #[test]
    fn tells_what_to_do_about_permissions() {
        let reason = socket_reason(Path::new("/x"), &io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(reason.contains("group"), "{reason}");
    }
}
