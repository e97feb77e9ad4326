//! A folder that is served, and a client that writes its requests by hand.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use farm_serve::{Access, Limits, Server};
use fs_err as fs;
use tempfile::TempDir;

/// Longer than anything here takes on a slow machine: whoever waits as long waits for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder `root` that is served until the end of the test, in a folder for what must not be.
pub(crate) struct Site {
    space: TempDir,
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    accesses: Arc<Mutex<Vec<Access>>>,
    running: Option<JoinHandle<usize>>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let space = tempfile::tempdir().unwrap();
        let root = space.path().join("root");
        fs::create_dir(&root).unwrap();
        let server = Server::bind(&root, (Ipv4Addr::LOCALHOST, 0).into(), limits).unwrap();
        let address = server.address();
        let stop = Arc::new(AtomicBool::new(false));
        let accesses = Arc::new(Mutex::new(Vec::new()));
        let (flag, told) = (Arc::clone(&stop), Arc::clone(&accesses));
        let running = std::thread::spawn(move || {
            server
                .run(&flag, move |access| told.lock().unwrap().push(access.clone()))
                .unwrap()
        });
        Self {
            space,
            address,
            stop,
            accesses,
            running: Some(running),
        }
    }

    /// A path beside the root.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.space.path().join(name)
    }

    /// A path below the root.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.beside("root").join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A file of that many zeros that takes no room.
    pub(crate) fn sparse(&self, name: &str, len: u64) {
        fs::File::create(self.path(name)).unwrap().set_len(len).unwrap();
    }

    pub(crate) fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client {
            stream: BufReader::new(stream),
        }
    }

    /// The answer to a GET on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// The answer to a GET with further headers.
    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut client = self.client();
        client.send(method, path, headers);
        client.answer_to(method)
    }

    /// Waits until something was told that is wanted.
    pub(crate) fn told(&self, wanted: impl Fn(&Access) -> bool) -> Access {
        eventually("to be told", || {
            self.accesses
                .lock()
                .unwrap()
                .iter()
                .find(|access| wanted(access))
                .cloned()
        })
    }

    /// Asks the server to stop.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Waits for the server to end after [`Self::stop`]; returns how many connections it cut off.
    pub(crate) fn end(&mut self) -> usize {
        self.running.take().unwrap().join().unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop();
        if let Some(running) = self.running.take() {
            // Clients of a test that failed may be gone in any way.
            let _ = running.join();
        }
    }
}

/// A connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer's status and headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// By their names in lower case.
    headers: BTreeMap<String, String>,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        self.send_raw(request.as_bytes());
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.get_ref().write_all(bytes).unwrap();
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let text = line.strip_suffix("\r\n");
        text.unwrap_or_else(|| panic!("the connection ended in a line: {line:?}"))
            .to_owned()
    }

    pub(crate) fn head(&mut self) -> Head {
        let first = self.line();
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.unwrap_or_else(|| panic!("{first}")).parse().unwrap();
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                return Head { status, headers };
            }
            let (name, value) = line.split_once(": ").unwrap();
            let before = headers.insert(name.to_lowercase(), value.to_owned());
            assert_eq!(before, None, "{name} is there twice");
        }
    }

    /// Exactly that many bytes.
    pub(crate) fn bytes(&mut self, count: u64) -> Vec<u8> {
        let mut bytes = vec![0; count.try_into().unwrap()];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Whatever comes until the other side closes the connection, in whichever way.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut piece = vec![0; 1 << 16];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return bytes,
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return bytes,
                Err(error) => panic!("the connection stays open: {error}"),
            }
        }
    }

    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    pub(crate) fn answer_to(&mut self, method: &str) -> Answer {
        let head = self.head();
        let has_body = method != "HEAD" && head.status != 304;
        let length = if has_body { head.length() } else { 0 };
        let body = self.bytes(length);
        Answer { head, body }
    }
}

impl Head {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.find(name)
            .unwrap_or_else(|| panic!("there is no {name} in {self:?}"))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn length(&self) -> u64 {
        self.header("content-length").parse().unwrap()
    }
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head.header(name)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Looks again and again until there is something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Bytes of which none is where another could be.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect()
}
