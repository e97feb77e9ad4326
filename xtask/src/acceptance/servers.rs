//! The real servers that farm's users have: nginx before a binhost, and a registry.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fs_err as fs;

use crate::command::free_address;
use crate::{Outcome, failed};

/// A server that ends with its value.
pub(crate) struct Server {
    process: Child,
    /// `HOST:PORT`.
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves `folder` over HTTP, with nginx as a web server would, and keeps its own files in `state`.
pub(crate) fn nginx(folder: &Path, state: &Path) -> Outcome<Server> {
    fs::create_dir_all(state).map_err(failed)?;
    let address = free_address()?;
    let state_path = state.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {state_path}/{kind};\n"))
        .collect();
    let configuration = format!(
        "daemon off;\nmaster_process off;\npid {state_path}/pid;\nerror_log {state_path}/errors;\nevents {{}}\n\
         http {{\naccess_log {state_path}/access;\n{temporary}\
         server {{ listen {address}; root {}; }}\n}}\n",
        folder.display()
    );
    let path = state.join("nginx.conf");
    fs::write(&path, configuration).map_err(failed)?;
    let process = Command::new("nginx")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg("-c")
        .arg(&path)
        .arg("-e")
        .arg(state.join("errors"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("nginx: {error}"))?;
    let mut server = Server { process, address };
    while std::net::TcpStream::connect(&server.address).is_err() {
        if let Some(status) = server.process.try_wait().map_err(failed)? {
            let errors = fs::read_to_string(state.join("errors")).unwrap_or_default();
            return Err(format!("nginx ended with {status}:\n{errors}"));
        }
        std::thread::yield_now();
    }
    Ok(server)
}

/// Debian's registry, with its store in `state`.
pub(crate) fn registry(state: &Path) -> Outcome<Server> {
    fs::create_dir_all(state).map_err(failed)?;
    let path = state.join("registry.yml");
    let configuration = format!(
        "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}/store}}}}\n\
         http: {{addr: \"127.0.0.1:0\"}}\n",
        state.display()
    );
    fs::write(&path, configuration).map_err(failed)?;
    let mut process = Command::new("docker-registry")
        .arg("serve")
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("docker-registry: {error}"))?;
    let stderr = process.stderr.take().ok_or("docker-registry has no standard error")?;
    let mut server = Server {
        process,
        address: String::new(),
    };
    // Its log says which port the system chose.
    let mut lines = BufReader::new(stderr).lines();
    for line in lines.by_ref() {
        let line = line.map_err(failed)?;
        let Some((_, rest)) = line.split_once("listening on ") else {
            continue;
        };
        let address = rest.split(['"', ' ', ',']).next().unwrap_or_default();
        address.clone_into(&mut server.address);
        // It goes on writing, and must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        return Ok(server);
    }
    Err("docker-registry ended before it listened".to_owned())
}
