//! What clients connect to: passes everything on to a server, and fails on purpose.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is behind a front.
pub(crate) enum Behind {
    /// A server with a socket in a folder.
    Socket(PathBuf),
    /// A server with a port.
    Port(SocketAddr),
    /// A program that serves one connection on its standard input and output; made for each.
    Program(Box<dyn Fn() -> Command + Send + Sync>),
}

/// How it fails.
pub(crate) struct Faults {
    /// How many of the next connections are refused: with `refusal`, then closed.
    refused: AtomicUsize,
    refusal: &'static [u8],
    /// How many bytes clients may still send before the server dies.
    budget: AtomicI64,
    /// How many bytes it may still send itself.
    answers: AtomicI64,
    dead: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    /// Connections that were made.
    pub(crate) connections: AtomicUsize,
}

/// A front on a port of its own.
pub(crate) struct Front {
    pub(crate) port: u16,
    pub(crate) faults: Arc<Faults>,
}

impl Front {
    /// Stands before a server. `refusal` is what it says to connections that are refused.
    pub(crate) fn of(behind: Behind, refusal: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let faults = Arc::new(Faults {
            refused: AtomicUsize::new(0),
            refusal,
            budget: AtomicI64::new(i64::MAX),
            answers: AtomicI64::new(i64::MAX),
            dead: AtomicBool::new(false),
            open: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let (behind, told) = (Arc::new(behind), Arc::clone(&faults));
        // It ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (behind, faults) = (Arc::clone(&behind), Arc::clone(&told));
                thread::spawn(move || serve(client, &behind, &faults));
            }
        });
        Self { port, faults }
    }

    /// The next connections are refused.
    pub(crate) fn refuse(&self, connections: usize) {
        self.faults.refused.store(connections, Ordering::SeqCst);
    }

    /// The server dies when clients have sent so many bytes more.
    pub(crate) fn die_after(&self, bytes: i64) {
        self.faults.budget.store(bytes, Ordering::SeqCst);
    }

    /// The server dies when it has sent so many bytes more.
    pub(crate) fn die_after_sending(&self, bytes: i64) {
        self.faults.answers.store(bytes, Ordering::SeqCst);
    }

    /// The server is there again.
    pub(crate) fn revive(&self) {
        self.faults.budget.store(i64::MAX, Ordering::SeqCst);
        self.faults.answers.store(i64::MAX, Ordering::SeqCst);
        self.faults.refused.store(0, Ordering::SeqCst);
        self.faults.dead.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.faults.dead.load(Ordering::SeqCst)
    }
}

impl Faults {
    /// Counts bytes; says whether the server is still there to take them.
    fn pass(&self, budget: &AtomicI64, bytes: usize) -> bool {
        if self.dead.load(Ordering::SeqCst) {
            return false;
        }
        let bytes = i64::try_from(bytes).unwrap();
        if budget.fetch_sub(bytes, Ordering::SeqCst) >= bytes {
            return true;
        }
        self.dead.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        false
    }
}

fn serve(mut client: TcpStream, behind: &Behind, faults: &Arc<Faults>) {
    faults.connections.fetch_add(1, Ordering::SeqCst);
    if faults.dead.load(Ordering::SeqCst) {
        return;
    }
    let take = |left: usize| left.checked_sub(1);
    if faults
        .refused
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
        .is_ok()
    {
        // What was asked is read, so that closing does not take the answer back.
        let _ = client.read(&mut [0; 1 << 16]);
        let _ = client.write_all(faults.refusal);
        return;
    }
    faults.open.lock().unwrap().push(client.try_clone().unwrap());
    match behind {
        Behind::Socket(path) => {
            let server = UnixStream::connect(path).unwrap();
            relay(&client, server.try_clone().unwrap(), &server, faults);
            let _ = server.shutdown(Shutdown::Both);
        }
        Behind::Port(address) => {
            let server = TcpStream::connect(address).unwrap();
            relay(&client, server.try_clone().unwrap(), &server, faults);
            let _ = server.shutdown(Shutdown::Both);
        }
        Behind::Program(make) => {
            let (server, theirs) = UnixStream::pair().unwrap();
            let input = OwnedFd::from(theirs.try_clone().unwrap());
            let mut child = make()
                .stdin(Stdio::from(input))
                .stdout(Stdio::from(OwnedFd::from(theirs)))
                .spawn()
                .unwrap();
            relay(&client, server.try_clone().unwrap(), &server, faults);
            let _ = server.shutdown(Shutdown::Both);
            let _ = child.wait();
        }
    }
}

/// Passes bytes both ways until one side has closed.
fn relay<S: Read + Send, W>(client: &TcpStream, mut from_server: S, mut to_server: W, faults: &Arc<Faults>)
where
    W: Write + Shut,
{
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut to_client = client;
            let mut buffer = [0; 4096];
            while let Ok(n) = from_server.read(&mut buffer) {
                if n == 0 || !faults.pass(&faults.answers, n) || to_client.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            let _ = client.shutdown(Shutdown::Both);
        });
        let mut from_client = client;
        let mut buffer = [0; 4096];
        while let Ok(n) = from_client.read(&mut buffer) {
            if n == 0 || !faults.pass(&faults.budget, n) || to_server.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Read);
        to_server.shut();
    });
}

/// Says that nothing more is sent; what is still to come, comes.
trait Shut {
    fn shut(&self);
}

impl Shut for &TcpStream {
    fn shut(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Shut for &UnixStream {
    fn shut(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}
