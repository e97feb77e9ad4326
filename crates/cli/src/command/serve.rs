//! `farm serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use clap::Args;
use farm_serve::{Access, ErrorKind, Limits, ServeError, Server, binhosts};

use crate::args::ExecutorChoice;
use crate::domain;
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::progress::{Display, Mode};
use crate::text::{bytes, count, one_line};

/// How many lines of the log may wait for whoever reads standard error.
const WAITING_LINES: usize = 4096;

const ABOUT_THE_END: &str = "\
It runs until Ctrl-C or SIGTERM, which is how it is meant to end: the exit status is 0. Downloads under way have ten \
seconds to come to their end; a second signal ends them at once, with status 130 or 143. An address that cannot be \
listened on is status 3, a folder that is not there status 2.";

/// The arguments of `farm serve`.
#[derive(Debug, Args)]
#[command(after_help = ABOUT_THE_END)]
pub(crate) struct ServeArgs {
    /// Folder to hand out [default: the binhosts that were built in the workspace]
    #[arg(value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    folder: Option<PathBuf>,
    /// Where to listen; port 0 is one that is free. The default is for this machine alone, as not everything that was built may
    /// be given to others; `0.0.0.0:8080` is for whoever reaches it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

/// Serves until a signal asks to stop. What is served, and every request, is told on standard error.
pub(crate) fn run(app: &App, args: &ServeArgs) -> Result<Status, CliError> {
    let invocation = Invocation::start(app, ExecutorChoice::Auto, Mode::Quiet, false)?;
    let folder = match &args.folder {
        Some(folder) => app.environment.current_dir.join(folder),
        None => match domain::local_binhosts(&invocation.setup) {
            Ok(folder) => folder,
            Err(error) => return invocation.fail(error),
        },
    };
    let server = Server::bind(&folder, args.listen, Limits::default())?;
    let found = binhosts(&folder).map_err(|error| CliError::environment(error.to_string()))?;
    invocation
        .display
        .say(&greeting(&folder, &site(server.address()), &found));
    let (log, writer) = Log::to(&invocation.display);
    let cut_off = server.run(&invocation.setup.cancel.flag(), move |access| log.note(access))?;
    // Ends when the last connection is gone, and with it the last who has something to tell.
    let _ = writer.join();
    if cut_off > 0 {
        let connections = count(cut_off as u64, "connection");
        invocation
            .display
            .say(&[format!("{connections} did not end in time and had to be cut off")]);
    }
    Ok(Status::Done)
}

/// `http://HOST:PORT` as clients have to write it. Nobody reaches an address that stands for all of them, but perhaps this machine
/// by its name.
fn site(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        format!("http://{name}:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

fn greeting(folder: &Path, site: &str, binhosts: &[String]) -> Vec<String> {
    let mut lines = vec![format!("serving {} at {site}/", folder.display())];
    if binhosts.is_empty() {
        lines.push("note: no folder in it holds a `Packages`, so that there is no binhost for clients yet".to_owned());
    } else {
        lines.push("for /etc/portage/binrepos.conf of clients:".to_owned());
    }
    lines.extend(binhosts.iter().map(|path| format!("  sync-uri = {site}{path}")));
    lines
}

/// Lines about requests, on their way to a thread that writes them: who answers clients must not wait for whoever reads standard
/// error. Lines that nobody takes are counted instead.
struct Log {
    lines: SyncSender<String>,
    lost: Arc<AtomicU64>,
}

impl Log {
    fn to(display: &Arc<Display>) -> (Self, JoinHandle<()>) {
        let (lines, waiting) = mpsc::sync_channel::<String>(WAITING_LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let (display, missed) = (Arc::clone(display), Arc::clone(&lost));
        let writer = std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let mut lines = vec![first];
                lines.extend(waiting.try_iter().take(WAITING_LINES));
                let lost = missed.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    lines.push(format!("note: {} left out here", count(lost, "request")));
                }
                display.say(&lines);
            }
        });
        (Self { lines, lost }, writer)
    }

    fn note(&self, access: &Access) {
        if self.lines.try_send(line(access)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn line(access: &Access) -> String {
    let Access {
        peer,
        method,
        path,
        status,
        took,
        whole,
        ..
    } = access;
    let end = if *whole { "" } else { ", broken off" };
    let line = format!(
        "{peer} {method} {path} {status}, {} in {} ms{end}",
        bytes(access.bytes),
        took.as_millis()
    );
    one_line(&line)
}

impl From<ServeError> for CliError {
    fn from(error: ServeError) -> Self {
        let message = error.to_string();
        let told = match error.kind() {
            ErrorKind::Input => Self::input(message),
            ErrorKind::Environment => Self::environment(message),
        };
        match error {
            ServeError::NotThere(_) | ServeError::NotAFolder(_) => {
                told.hint("without a folder, `farm serve` hands out what was built in the workspace")
            }
            ServeError::InUse(_) | ServeError::Listen { .. } => {
                told.hint("`--listen ADDRESS:PORT` says where else; with port 0 the system chooses one that is free")
            }
            ServeError::Folder { .. } | ServeError::Start(_) => told,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_said_first() {
        let lines = greeting(
            Path::new("/srv/x"),
            "http://127.0.0.1:8080",
            &["/a/amd64.a".to_owned(), "/b".to_owned()],
        );
        assert_eq!(
            lines,
            [
                "serving /srv/x at http://127.0.0.1:8080/",
                "for /etc/portage/binrepos.conf of clients:",
                "  sync-uri = http://127.0.0.1:8080/a/amd64.a",
                "  sync-uri = http://127.0.0.1:8080/b",
            ]
        );
        assert!(greeting(Path::new("/srv/x"), "http://h", &[])[1].starts_with("note: no folder"));
    }

    #[test]
    fn addresses_as_clients_write_them() {
        assert_eq!(site("127.0.0.1:80".parse().unwrap()), "http://127.0.0.1:80");
        assert_eq!(site("[::1]:80".parse().unwrap()), "http://[::1]:80");
        let any = site("0.0.0.0:8080".parse().unwrap());
        assert!(any.ends_with(":8080") && !any.contains("0.0.0.0"), "{any}");
    }

    #[test]
    fn a_line_a_request() {
        let access = Access {
            peer: "10.0.0.1".parse().unwrap(),
            method: "GET".to_owned(),
            path: "/a\u{1b}[2J".to_owned(),
            status: 200,
            bytes: 1536,
            took: Duration::from_millis(12),
            whole: true,
        };
        assert_eq!(line(&access), "10.0.0.1 GET /a[2J 200, 1.5 KiB in 12 ms");
        let broken = Access { whole: false, ..access };
        assert!(line(&broken).ends_with("in 12 ms, broken off"));
    }
}
