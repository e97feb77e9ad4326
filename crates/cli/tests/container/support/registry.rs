//! An image registry: Debian's docker-registry.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use fs_err as fs;
use tempfile::TempDir;

use super::docker;
use super::nginx::free_port;

/// An empty registry on a port of the loopback interface, which engines take without TLS. Stopped when dropped.
pub(crate) struct Registry {
    _state: TempDir,
    process: Child,
    address: Address,
}

/// `HOST:PORT` of a registry. What the engine has from it is gone when this is dropped.
pub(crate) struct Address(String);

impl Address {
    /// One where nobody listens.
    pub(crate) fn unused() -> Self {
        Self(format!("127.0.0.1:{}", free_port()))
    }
}

impl std::ops::Deref for Address {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let filter = format!("reference={}/*/*", self.0);
        let format = "{{.Repository}}:{{.Tag}}\n{{.Repository}}@{{.Digest}}";
        let listed = docker(&["image", "ls", "--digests", "--filter", &filter, "--format", format]);
        for name in listed.lines().filter(|name| !name.contains("<none>")) {
            // With its tag, the digest of an image goes as well.
            let _ = Command::new("docker")
                .args(["image", "rm", name])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}

impl Registry {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let state = tempfile::Builder::new().prefix("fr").tempdir().unwrap();
        let configuration = state.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{ level: info }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"127.0.0.1:0\" }}\n",
            state.path().join("blobs").display()
        );
        fs::write(&configuration, text).unwrap();
        let mut process = Command::new("docker-registry")
            .arg("serve")
            .arg(configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is installed");
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let before = said.len();
            assert!(log.read_line(&mut said).unwrap() > 0, "no registry: {said}");
            if let Some((_, rest)) = said[before..].split_once("listening on ") {
                break Address(rest.split('"').next().unwrap_or_default().to_owned());
            }
        };
        // Whoever does not read what it says ends it by the broken pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self {
            _state: state,
            process,
            address,
        }
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Pushes a local image as `NAME:TAG` and returns its digest there, `sha256:…`. The engine forgets that name.
    pub(crate) fn push(&self, image: &str, name: &str) -> String {
        let reference = format!("{}/{name}", self.address());
        docker(&["tag", image, &reference]);
        docker(&["push", "--quiet", &reference]);
        let listed = docker(&["image", "inspect", "--format", "{{json .RepoDigests}}", &reference]);
        let digests: Vec<String> = serde_json::from_str(&listed).unwrap();
        let repository = reference.rsplit_once(':').unwrap().0;
        let digest = digests
            .iter()
            .find_map(|digest| digest.strip_prefix(&format!("{repository}@")))
            .unwrap()
            .to_owned();
        docker(&["image", "rm", &reference]);
        digest
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
