//! What clients ask the servers for: wrk asks again and again, curl asks for the big file.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use super::BIG;
use crate::bench::{Failure, machine};
use crate::command::{ended, output};
use crate::{Outcome, ensure, failed};

/// For how long wrk asks.
const SECONDS: u32 = 4;

/// How many requests make a row of the table.
const REQUESTS: f64 = 1000.0;

/// How many clients take the big file at once.
const AT_ONCE: usize = 4;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// Small files, one after the other.
    Small,
    /// Small files on many connections.
    SmallMany,
    /// The big file.
    Big,
    /// The big file, several times at once.
    BigMany,
}

impl Client {
    pub(super) const ALL: [Self; 4] = [Self::Small, Self::SmallMany, Self::Big, Self::BigMany];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Small => "1,000 small files, one connection",
            Self::SmallMany => "1,000 small files, 64 connections",
            Self::Big => "1 GiB, one client",
            Self::BigMany => "1 GiB each, four clients at once",
        }
    }

    /// How many seconds what is asked for took, and which share that is of all that was asked meanwhile.
    pub(super) fn ask(self, address: &str, script: &Path) -> Outcome<(f64, f64)> {
        match self {
            Self::Small => wrk(address, script, 1),
            Self::SmallMany => wrk(address, script, 64),
            Self::Big => curl(address, 1),
            Self::BigMany => curl(address, AT_ONCE),
        }
    }
}

fn wrk(address: &str, script: &Path, connections: u32) -> Outcome<(f64, f64)> {
    let said = output(
        Command::new("wrk")
            .args(["--threads", "1", "--connections", &connections.to_string()])
            .args(["--duration", &format!("{SECONDS}s")])
            .arg("--script")
            .arg(script)
            .arg(format!("http://{address}")),
    )?;
    requests_and_seconds(&said).map(|(requests, seconds)| (seconds / requests * REQUESTS, REQUESTS / requests))
}

/// `  123456 requests in 4.00s, 1.23GB read`, if no request failed.
fn requests_and_seconds(said: &str) -> Outcome<(f64, f64)> {
    ensure(!said.contains("Non-2xx") && !said.contains("Socket errors"), || {
        format!("requests failed:\n{said}")
    })?;
    let numbers = said.lines().find_map(|line| {
        let (requests, rest) = line.trim().split_once(" requests in ")?;
        let seconds = rest.split_once("s,")?.0;
        Some((requests.parse().ok()?, seconds.parse().ok()?))
    });
    numbers.ok_or_else(|| format!("wrk said:\n{said}"))
}

fn curl(address: &str, times: usize) -> Outcome<(f64, f64)> {
    let begun = std::time::Instant::now();
    let clients: Vec<_> = (0..times)
        .map(|_| {
            let address = address.to_owned();
            std::thread::spawn(move || {
                output(
                    Command::new("curl")
                        .args(["--silent", "--show-error", "--fail", "--output", "/dev/null"])
                        .args(["--write-out", "%{size_download}"])
                        .arg(format!("http://{address}/big")),
                )
            })
        })
        .collect();
    for client in clients {
        let size = client.join().map_err(|_| "a client was lost")??;
        ensure(size == BIG.to_string(), || format!("{size} bytes came"))?;
    }
    Ok((begun.elapsed().as_secs_f64(), 1.0))
}

/// Fails unless what a server gives is what lies in the folder.
pub(super) fn compare(address: &str, folder: &Path) -> Outcome {
    let path = "small/777";
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--fail"])
        .arg(format!("http://{address}/{path}"));
    let given = command.output().map_err(failed)?.stdout;
    ensure(given == fs::read(folder.join(path)).map_err(failed)?, || {
        format!("{address} gives something else than what lies there")
    })
}

/// The program of wrk's that asks for the small files in turn; it lies in `folder`.
pub(super) fn script(folder: &Path, files: usize) -> Outcome<PathBuf> {
    let path = folder.join("small.lua");
    let text = format!(
        "local at = 0\nrequest = function()\n  at = (at + 1) % {files}\n  return wrk.format(\"GET\", \"/small/\" .. at)\nend\n"
    );
    fs::write(&path, text).map_err(failed)?;
    Ok(path)
}

/// Fails unless the clients can be called.
pub(super) fn require() -> Result<(), Failure> {
    machine::require_program("curl", "Debian package curl")?;
    // It ends with 1 when it tells its version.
    wrk_version()
        .map(|_| ())
        .map_err(|_| Failure::Missing("wrk cannot be run: install it (Debian package wrk)".to_owned()))
}

/// `wrk 4.1.0`.
pub(super) fn wrk_version() -> Outcome<String> {
    let said = ended(Command::new("wrk").arg("-v"))?.stdout;
    Ok(said.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says() {
        let said = "Running 4s test @ http://x\n  1 threads and 1 connections\n\
                    \x20 82345 requests in 4.10s, 1.23GB read\nRequests/sec:  20084.1\n";
        assert_eq!(requests_and_seconds(said), Ok((82345.0, 4.1)));
        assert!(requests_and_seconds(&format!("{said}  Non-2xx or 3xx responses: 7\n")).is_err());
        assert!(requests_and_seconds("nothing").is_err());
    }
}
