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
        let mut failure: Option<ExecutorError> = None;
        for address in &addresses {
            match greet(&bridge, address, options.timeout) {
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
                // A socket that is there and does not answer says more than one that is missing.
                Err(reason) if failure.is_none() || reason.kind != io::ErrorKind::NotFound => {
                    let earlier_is_better = failure.is_some() && reason.kind == io::ErrorKind::NotFound;
                    if !earlier_is_better {
                        failure = Some(unreachable_at(address, reason.text));
                    }
                }
                Err(_) => {}
            }
        }
        Err(failure.unwrap_or_else(|| ExecutorError::Unreachable {
            name: "docker".to_owned(),
            address: "nowhere".to_owned(),
            reason: "no socket was named".to_owned(),
        }))
    }

    /// Where the engine listens, for messages.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}
