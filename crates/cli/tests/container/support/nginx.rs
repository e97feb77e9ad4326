//! A web server for one folder: Debian's nginx.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use fs_err as fs;
use tempfile::TempDir;

/// How often another port is tried when somebody else was faster.
const ATTEMPTS: usize = 20;

/// nginx on a port of the loopback interface, which containers in the host's network reach, too. Stopped when dropped.
pub(crate) struct Nginx {
    state: TempDir,
    port: u16,
}

impl Nginx {
    /// Serves `folder`, which need not be there yet.
    pub(crate) fn serve(folder: &Path) -> Self {
        Self::serve_with(folder, "")
    }

    /// The same, and lets it be published to.
    pub(crate) fn take_puts(folder: &Path) -> Self {
        Self::serve_with(folder, "dav_methods PUT DELETE MKCOL MOVE; client_max_body_size 64m;")
    }

    fn serve_with(folder: &Path, more: &str) -> Self {
        let state = tempfile::Builder::new().prefix("fn").tempdir().unwrap();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            fs::write(
                state.path().join("nginx.conf"),
                configuration(state.path(), folder, port, more),
            )
            .unwrap();
            // It goes into the background as soon as it listens, and not before: nobody has to wait for it.
            if nginx(state.path(), &[]) {
                return Self { state, port };
            }
        }
        let log = fs::read_to_string(state.path().join("error.log")).unwrap_or_default();
        panic!("nginx does not start: {log}");
    }

    /// The address of the folder, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        nginx(self.state.path(), &["-s", "stop"]);
    }
}

fn nginx(state: &Path, arguments: &[&str]) -> bool {
    let log = state.join("error.log");
    Command::new("nginx")
        .arg("-e")
        .arg(&log)
        .arg("-c")
        .arg(state.join("nginx.conf"))
        .args(arguments)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("nginx is installed")
        .success()
}

/// The workers stay who the tests are, since nobody else may look into a test's folder.
fn configuration(state: &Path, folder: &Path, port: u16, more: &str) -> String {
    let (state, folder) = (state.display(), folder.display());
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("  {what}_temp_path {state}/{what};\n"))
        .collect();
    format!(
        "{user}\npid {state}/pid;\nworker_processes 1;\nevents {{}}\nhttp {{\n  access_log off;\n{temporary}  \
         server {{ listen 127.0.0.1:{port}; root {folder}; {more} }}\n}}\n"
    )
}

/// A port that nobody listens on just now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
