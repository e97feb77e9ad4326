//! A git server over HTTP for a folder of bare repositories: git's own `http-backend` behind a server of a page.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than any request of a test takes; nobody waits so long but for a client that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a port of the loopback interface. Stopped when dropped.
pub(crate) struct GitServer {
    site: Arc<Site>,
    port: u16,
    running: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The path with its query: `/a.git/info/refs?service=git-upload-pack`.
    pub(crate) path: String,
    /// The header `Authorization`, as it came.
    pub(crate) authorization: Option<String>,
    /// What was answered: 200, 401, 404.
    pub(crate) status: u16,
}

struct Site {
    folder: PathBuf,
    /// The `Authorization` that is wanted.
    wanted: Option<String>,
    /// What is elsewhere.
    moved: Mutex<Vec<Moved>>,
    requests: Mutex<Vec<Request>>,
}

struct Moved {
    /// The beginning of paths, and the address that takes its place.
    from: String,
    to: String,
    /// Whether only those are told who may read.
    secret: bool,
}

impl GitServer {
    /// Lets everybody read the repositories below `folder`.
    pub(crate) fn serve(folder: &Path) -> Self {
        Self::serve_to(folder, None)
    }

    /// Lets only those read who come with this user and password.
    pub(crate) fn serve_with_login(folder: &Path, user: &str, password: &str) -> Self {
        let login = base64(format!("{user}:{password}").as_bytes());
        Self::serve_to(folder, Some(format!("Basic {login}")))
    }

    fn serve_to(folder: &Path, wanted: Option<String>) -> Self {
        let site = Arc::new(Site {
            folder: folder.to_owned(),
            wanted,
            moved: Mutex::default(),
            requests: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut server = Self {
            site,
            port,
            running: None,
        };
        server.listen(listener);
        server
    }

    /// The address of a repository below the folder, or of the folder itself for an empty name.
    pub(crate) fn url(&self, repository: &str) -> String {
        format!("http://127.0.0.1:{}/{repository}", self.port)
    }

    /// From now on, what begins with `path` is answered with where it is: `to`, followed by the rest of the path. If that is `secret`, only
    /// after the login.
    pub(crate) fn redirect(&self, path: &str, to: &str, secret: bool) {
        self.site.moved.lock().unwrap().push(Moved {
            from: path.to_owned(),
            to: to.to_owned(),
            secret,
        });
    }

    /// What was asked for since the beginning, in the order of the answers.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.site.requests.lock().unwrap().clone()
    }

    /// Listens no longer: connections are refused.
    pub(crate) fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            stop.store(true, Ordering::SeqCst);
            // It looks at that when the next client comes.
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
            thread.join().unwrap();
        }
    }

    /// Listens again, on the same port.
    pub(crate) fn start(&mut self) {
        if self.running.is_none() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).unwrap();
            self.listen(listener);
        }
    }

    fn listen(&mut self, listener: TcpListener) {
        let stop = Arc::new(AtomicBool::new(false));
        let (site, stopped) = (Arc::clone(&self.site), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let site = Arc::clone(&site);
                // A client that goes away in the middle is its own business.
                std::thread::spawn(move || client.and_then(|client| site.answer(&client)));
            }
        });
        self.running = Some((stop, thread));
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Site {
    /// One request, one answer, and the connection ends.
    fn answer(&self, client: &TcpStream) -> std::io::Result<()> {
        client.set_read_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(client);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers = headers(&mut reader)?;
        let header = |name: &str| {
            let found = headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        if header("Expect").is_some() {
            (&mut &*client).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = body(&mut reader, header("Content-Length"), header("Transfer-Encoding"))?;
        let authorization = header("Authorization").map(str::to_owned);

        let moved = self.moved.lock().unwrap().iter().find_map(|moved| {
            let rest = target.strip_prefix(moved.from.as_str())?;
            Some((format!("{}{rest}", moved.to), moved.secret))
        });
        let known = self.wanted.is_none() || self.wanted == authorization;
        let (status, answer) = if let Some((to, _)) = moved.filter(|(_, secret)| known || !secret) {
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            (302, answer.into_bytes())
        } else if !known {
            let ask = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\n";
            (401, format!("{ask}Content-Length: 0\r\n\r\n").into_bytes())
        } else {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let mut git = Command::new("git");
            git.arg("http-backend")
                .env_clear()
                .env("PATH", "/usr/local/bin:/usr/bin:/bin")
                .env("GIT_CONFIG_NOSYSTEM", "1")
                .env("GIT_PROJECT_ROOT", &self.folder)
                .env("GIT_HTTP_EXPORT_ALL", "1")
                .env("REMOTE_ADDR", "127.0.0.1")
                .env("REQUEST_METHOD", method)
                .env("PATH_INFO", path)
                .env("QUERY_STRING", query)
                .env("CONTENT_LENGTH", body.len().to_string());
            for (name, variable) in [
                ("Content-Type", "CONTENT_TYPE"),
                ("Content-Encoding", "HTTP_CONTENT_ENCODING"),
                ("Git-Protocol", "GIT_PROTOCOL"),
            ] {
                if let Some(value) = header(name) {
                    git.env(variable, value);
                }
            }
            from_cgi(&run(&mut git, body)?)
        };
        self.requests.lock().unwrap().push(Request {
            path: target.to_owned(),
            authorization,
            status,
        });
        (&mut &*client).write_all(&answer)
    }
}

fn headers(reader: &mut impl std::io::BufRead) -> std::io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => return Ok(headers),
        }
    }
}

fn body(reader: &mut impl std::io::BufRead, length: Option<&str>, encoding: Option<&str>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if encoding.is_none_or(|encoding| encoding != "chunked") {
        let length = length.map_or(0, |length| length.parse().unwrap());
        reader.take(length).read_to_end(&mut body)?;
        return Ok(body);
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16).unwrap();
        reader.take(length).read_to_end(&mut body)?;
        reader.read_line(&mut line)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn run(git: &mut Command, body: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let mut child = git
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    // It may answer before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let mut answer = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut answer)?;
    child.wait()?;
    // What it did not care to read is no fault.
    let _ = writer.join();
    Ok(answer)
}

/// The answer of a CGI program as one of HTTP: the status from its header `Status`, the end where the connection ends.
fn from_cgi(answer: &[u8]) -> (u16, Vec<u8>) {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(0);
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    let mut whole = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
    whole.extend_from_slice(answer);
    (status[..3].parse().unwrap(), whole)
}

/// As HTTP's Basic authentication has it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0, |number, byte| number << 8 | usize::from(*byte));
        for at in 0..4 {
            let digit = char::from(DIGITS[number >> (18 - 6 * at) & 63]);
            text.push(if at > group.len() { '=' } else { digit });
        }
    }
    text
}
