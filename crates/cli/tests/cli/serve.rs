//! `farm serve`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Stdio};

use rustix::process::Signal;

use crate::signals::signal;
use crate::space::{Space, assert_run};

const FARM: &str = "
farm: f
tasks:
  a: { in: host, run: 'echo > a', outputs: [a] }
";

/// The program as it serves.
pub(crate) struct Serving {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// `HOST:PORT`.
    pub(crate) address: String,
}

impl Serving {
    /// Starts it on a free port, and waits until it listens.
    pub(crate) fn start(space: &Space, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let mut child = space.command(&all).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut serving = Self {
            child,
            stderr,
            address: String::new(),
        };
        let line = serving.line();
        let (_, url) = line.split_once(" at http://").unwrap_or_else(|| panic!("{line}"));
        serving.address = url.trim_end_matches('/').to_owned();
        serving
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The answer to a GET, with its headers.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        signal(&self.child, Signal::TERM);
        let _ = self.end();
    }

    /// Its exit status, and what it said last.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

#[test]
fn the_binhosts_of_the_workspace() {
    let space = Space::with_farm("f", FARM);
    space.write(".farm/binhost/f/amd64.f/Packages", "TIMESTAMP: 1\n");
    space.write(".farm/binhost/f/dbg/Packages", "TIMESTAMP: 2\n");
    space.write(".farm/guards", "not to be seen\n");
    for (which, status) in [(Signal::TERM, Some(0)), (Signal::INT, Some(0))] {
        let mut serving = Serving::start(&space, &[]);
        let address = serving.address.clone();
        assert_eq!(serving.line(), "for /etc/portage/binrepos.conf of clients:");
        assert_eq!(serving.line(), format!("  sync-uri = http://{address}/f/amd64.f"));
        assert_eq!(serving.line(), format!("  sync-uri = http://{address}/f/dbg"));
        assert!(serving.get("/f/dbg/Packages").ends_with("\r\n\r\nTIMESTAMP: 2\n"));
        let line = serving.line();
        assert!(
            line.starts_with("127.0.0.1 GET /f/dbg/Packages 200, 13 bytes in "),
            "{line}"
        );
        assert!(serving.get("/../guards").starts_with("HTTP/1.1 404 "));
        let line = serving.line();
        assert!(line.starts_with("127.0.0.1 GET /../guards 404, 14 bytes in "), "{line}");
        signal(&serving.child, which);
        let ended = serving.end();
        assert_eq!(ended, (status, "stopping; once more to give up at once\n".to_owned()));
    }
}

#[test]
fn a_folder_of_ones_own() {
    let space = Space::new();
    space.write("here/note.txt", "x\n");
    let mut serving = Serving::start(&space, &["here"]);
    assert!(serving.line().starts_with("note: no folder in it holds a `Packages`"));
    assert!(serving.get("/note.txt").ends_with("\r\n\r\nx\n"));
    signal(&serving.child, Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
}

/// A client that does not read keeps the server from its end, for a while.
#[test]
fn whoever_asks_twice_does_not_wait() {
    let space = Space::new();
    space.write("here/big", "");
    let file = fs_err::OpenOptions::new()
        .write(true)
        .open(space.path("here/big"))
        .unwrap();
    file.set_len(64 << 20).unwrap();
    let mut serving = Serving::start(&space, &["here"]);
    serving.line();
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 100]).unwrap();
    signal(&serving.child, Signal::INT);
    assert_eq!(serving.line(), "stopping; once more to give up at once");
    signal(&serving.child, Signal::INT);
    assert_eq!(serving.end().0, Some(130));
}

#[test]
fn what_cannot_be_served() {
    let space = Space::with_farm("f", FARM);
    assert_run!(space.farm(&["serve"]), @r"
    --- stderr
    error: no binhost was built in this workspace yet
    hint: `farm build FARM:binhost` builds one; or name the folder to serve
    --- status 2
    ");
    assert_run!(space.farm(&["serve", "missing"]), @r"
    --- stderr
    error: there is no folder $SPACE/workspace/missing
    hint: without a folder, `farm serve` hands out what was built in the workspace
    --- status 2
    ");
    assert_run!(space.farm(&["serve", "farms/f/farm.yaml"]), @r"
    --- stderr
    error: $SPACE/workspace/farms/f/farm.yaml is not a folder
    hint: without a folder, `farm serve` hands out what was built in the workspace
    --- status 2
    ");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = space.farm(&["serve", "farms", "--listen", &address]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert_eq!(
        ended.stderr,
        format!(
            "error: cannot listen on {address}: the address is in use\n\
             hint: `--listen ADDRESS:PORT` says where else; with port 0 the system chooses one that is free\n"
        )
    );
    let ended = space.farm(&["serve", "farms", "--listen", "8080"]);
    assert_eq!(ended.status, Some(2), "{}", ended.text());
}
