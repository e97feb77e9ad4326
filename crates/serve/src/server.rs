//! The server: connections, their limits, and its end.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as Socket};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::access::{Access, Account, Log};
use crate::answer::{MustWait, Site, refusal};
use crate::body::Accounted;
use crate::error::ServeError;
use crate::root::{Patience, Root};
use crate::stream::Impatient;

/// How often the token is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How many threads wait for the disk at most.
const DISK_THREADS: usize = 32;

/// How long nobody is let in when the system has no descriptor left for whoever wants to.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// The longest request line with headers, in bytes; more is 431.
const LONGEST_HEAD: usize = 16 * 1024;

/// How much of an answer waits in a connection at most, in bytes, besides one piece of a file.
const BUFFERED: usize = 64 * 1024;

/// What one server bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. Others wait until one ends: for a client that installs packages a moment later is better than an error.
    pub connections: usize,
    /// How long a connection is kept on which nothing is asked, and how long the headers of a request may take.
    pub idle: Duration,
    /// How long a client may take none of its answer.
    pub stalled: Duration,
    /// How long answers that are under way may take when the server is asked to stop.
    pub grace: Duration,
}

impl Default for Limits {
    /// With two descriptors a connection, so many fit into what a process gets without asking.
    fn default() -> Self {
        Self {
            connections: 400,
            idle: Duration::from_secs(30),
            stalled: Duration::from_secs(60),
            grace: Duration::from_secs(10),
        }
    }
}

/// A folder that is about to be served: the address is taken, so that whoever connects from now on is answered.
#[derive(Debug)]
pub struct Server {
    site: Arc<Site>,
    socket: Socket,
    address: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Opens `folder` and listens on `address`; port 0 is one that is free.
    ///
    /// # Errors
    ///
    /// See [`ServeError`].
    pub fn bind(folder: &Path, address: SocketAddr, limits: Limits) -> Result<Self, ServeError> {
        let root = Root::open(folder).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ServeError::NotThere(folder.to_owned()),
            io::ErrorKind::NotADirectory => ServeError::NotAFolder(folder.to_owned()),
            _ => ServeError::Folder {
                path: folder.to_owned(),
                error,
            },
        })?;
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => ServeError::InUse(address),
            _ => ServeError::Listen { address, error },
        };
        let socket = Socket::bind(address).map_err(refused)?;
        socket.set_nonblocking(true).map_err(refused)?;
        Ok(Self {
            address: socket.local_addr().map_err(refused)?,
            site: Arc::new(Site::new(root)),
            socket,
            limits,
        })
    }

    /// Where it listens, with the port that was chosen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is set; then lets nobody in any more, lets answers that are under way come to their end for as long as
    /// [`Limits::grace`] says, and returns how many did not. `log` is told of every answer at its end; it is called on threads
    /// that serve, and must not wait.
    ///
    /// # Errors
    ///
    /// [`ServeError::Start`] only: what happens on a connection ends that connection.
    pub fn run(
        self,
        stop: &Arc<AtomicBool>,
        log: impl Fn(&Access) + Send + Sync + 'static,
    ) -> Result<usize, ServeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(DISK_THREADS)
            .build()
            .map_err(ServeError::Start)?;
        let outcome = runtime.block_on(self.serve(stop, Arc::new(log)));
        // A disk that does not answer keeps nobody here.
        runtime.shutdown_background();
        outcome
    }

    async fn serve(self, stop: &AtomicBool, log: Log) -> Result<usize, ServeError> {
        let listener = TcpListener::from_std(self.socket).map_err(ServeError::Start)?;
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let (stopping, told) = watch::channel(false);
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                    return;
                };
                let (stream, peer) = accepted(&listener).await;
                // Those that ended are forgotten.
                while connections.try_join_next().is_some() {}
                let connection = Connection {
                    site: Arc::clone(&self.site),
                    peer: peer.ip(),
                    log: Arc::clone(&log),
                    _slot: slot,
                };
                connections.spawn(connection.serve(stream, self.limits.clone(), told.clone()));
            }
        };
        let asked_to_stop = async {
            while !stop.load(Ordering::Acquire) {
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = accepting => {}
            () = asked_to_stop => {}
        }
        drop(listener);
        stopping.send_replace(true);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        let is_late = timeout(self.limits.grace, all_ended).await.is_err();
        let cut_off = if is_late { connections.len() } else { 0 };
        connections.shutdown().await;
        Ok(cut_off)
    }
}

/// The next client.
async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // He went away while he waited.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => sleep(OUT_OF_DESCRIPTORS).await,
        }
    }
}

/// One client's connection.
struct Connection {
    site: Arc<Site>,
    peer: IpAddr,
    log: Log,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, stream: TcpStream, limits: Limits, mut stopping: watch::Receiver<bool>) {
        // Answers are written in one piece as far as possible; the rest must not wait for the client's word that it got the first.
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(Impatient::new(stream, limits.stalled));
        let service = service_fn(|request| self.answer(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle)
            .max_header_size(LONGEST_HEAD)
            .max_buf_size(BUFFERED)
            // A client that has said all it has to say may close its side and listen.
            .half_close(true)
            .serve_connection(stream, service);
        let mut connection = pin!(connection);
        let asked_to_stop = async {
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        // What goes wrong is told by the account of the answer, or concerns a client that talks no HTTP.
        tokio::select! {
            _ = connection.as_mut() => {}
            () = asked_to_stop => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Accounted>, Infallible> {
        let (head, _content) = request.into_parts();
        let request = Request::from_parts(head, ());
        let account = Account::open(self.peer, request.method().as_str(), request.uri().path(), &self.log);
        let now = SystemTime::now();
        let answer = match self.site.answer(&request, now, Patience::None) {
            Ok(answer) => answer,
            Err(MustWait) => {
                let site = Arc::clone(&self.site);
                let answer = spawn_blocking(move || site.answer(&request, now, Patience::Endless)).await;
                // With patience nothing has to wait; a thread that was lost is our fault.
                let lost = || refusal(StatusCode::INTERNAL_SERVER_ERROR);
                answer.map_or_else(|_| lost(), |answer| answer.unwrap_or_else(|MustWait| lost()))
            }
        };
        let account = account.answered(answer.status().as_u16());
        Ok(answer.map(|content| Accounted::new(content, account)))
    }
}
