//! The two servers, each as an administrator would run it.

use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fs_err as fs;

use crate::bench::Failure;
use crate::command::{ended, free_address};
use crate::{Outcome, failed};

/// Clock ticks a second, in which Linux counts processor time for programs: a constant of its interface.
const TICKS: f64 = 100.0;

/// Where Debian's nginx is.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Farm,
    Nginx,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Farm, Self::Nginx];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Farm => "farm",
            Self::Nginx => "nginx",
        }
    }
}

/// A server that ends with its value.
pub(super) struct Server {
    process: Child,
    /// `HOST:PORT`.
    pub(super) address: String,
    /// What stops it.
    stop: Option<Command>,
}

impl Drop for Server {
    fn drop(&mut self) {
        match &mut self.stop {
            // Killed, nginx would leave its workers behind.
            Some(stop) => drop(stop.status()),
            None => drop(self.process.kill()),
        }
        let _ = self.process.wait();
    }
}

impl Server {
    /// Serves `folder`. Files of the server's own go to `state`; both write a line for every request to one of them.
    pub(super) fn start(kind: Kind, farm: &Path, folder: &Path, state: &Path) -> Outcome<Self> {
        fs::create_dir_all(state).map_err(failed)?;
        let address = free_address()?;
        let said = state.join("said");
        let (mut command, stop) = match kind {
            Kind::Farm => {
                let mut command = Command::new(farm);
                command.arg("serve").arg(folder).args(["--listen", &address]);
                (command, None)
            }
            Kind::Nginx => {
                let path = nginx_conf(&address, folder, state)?;
                (nginx(&path, &[]), Some(nginx(&path, &["-s", "stop"])))
            }
        };
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&said).map_err(failed)?.into_file())
            .spawn()
            .map_err(|error| format!("{}: {error}", kind.name()))?;
        let mut server = Self { process, address, stop };
        while TcpStream::connect(&server.address).is_err() {
            if let Some(status) = server.process.try_wait().map_err(failed)? {
                let said = fs::read_to_string(&said).unwrap_or_default();
                return Err(format!("{} ended with {status}:\n{said}", kind.name()));
            }
            std::thread::yield_now();
        }
        Ok(server)
    }

    /// How much processor time it has taken, its children's included, in seconds.
    pub(super) fn processor_time(&self) -> Outcome<f64> {
        let own = self.process.id();
        let mut ticks = 0;
        for entry in fs::read_dir("/proc").map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // Whoever ended since the folder was listed is none of ours.
            let Ok(text) = fs::read_to_string(entry.path().join("stat")) else {
                continue;
            };
            if let Some((parent, used)) = parent_and_ticks(&text)
                && (id == own || parent == own)
            {
                ticks += used;
            }
        }
        Ok(f64::from(ticks) / TICKS)
    }
}

/// The fields 4, 14 and 15 of `/proc/PID/stat`, as proc(5) counts them. The second is a name in brackets that may hold anything.
fn parent_and_ticks(stat: &str) -> Option<(u32, u32)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u32>().ok();
    Some((number(4)?, number(14)? + number(15)?))
}

/// Debian's settings as far as they matter here, and connections that are kept for as long as the client likes.
fn nginx_conf(address: &str, folder: &Path, state: &Path) -> Outcome<PathBuf> {
    let (folder, state_path) = (folder.display(), state.display());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {state_path}/{kind};\n"))
        .collect();
    // Who is root here may not give up the right to read this folder.
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let user = if is_root { "user root;\n" } else { "" };
    let text = format!(
        "{user}daemon off;\npid {state_path}/pid;\nerror_log {state_path}/errors;\nworker_processes auto;\n\
         events {{ worker_connections 768; }}\n\
         http {{\naccess_log {state_path}/access;\nsendfile on;\ntcp_nopush on;\nkeepalive_requests 100000000;\n\
         {temporary}server {{ listen {address}; root {folder}; }}\n}}\n"
    );
    let path = state.join("nginx.conf");
    fs::write(&path, text).map_err(failed)?;
    Ok(path)
}

fn nginx(conf: &Path, words: &[&str]) -> Command {
    let errors = conf.with_file_name("errors");
    let mut command = Command::new("nginx");
    command
        .env("PATH", PATH)
        .arg("-c")
        .arg(conf)
        .arg("-e")
        .arg(errors)
        .args(words);
    command
}

/// Fails unless nginx can be called.
pub(super) fn require() -> Result<(), Failure> {
    nginx_version()
        .map(|_| ())
        .map_err(|_| Failure::Missing("nginx cannot be run: install it (Debian package nginx-light)".to_owned()))
}

/// `nginx version: nginx/1.22.1`.
pub(super) fn nginx_version() -> Outcome<String> {
    let said = ended(Command::new("nginx").env("PATH", PATH).arg("-v"))?.stderr;
    Ok(said.trim().trim_start_matches("nginx version: ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_processes_with_any_name() {
        let stat = "7 (a ) (b) S 5 7 7 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 100";
        assert_eq!(parent_and_ticks(stat), Some((5, 200)));
        assert_eq!(parent_and_ticks("nonsense"), None);
    }
}
