//! What the tests share: a connection to the real engine, tiny images made from nothing, and a lab that cleans up.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::atomic::{AtomicUsize, Ordering};

use farm_docker_executor::{ConnectOptions, DockerExecutor};
use farm_executor::{
    CancelToken, Executor, ExecutorError, Exit, ImageId, ImageStore, Limits, LogSink, Network, OutputSink, Progress,
    RunSpec,
};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Carried by everything a test makes.
pub(crate) const LABEL: &str = "org.farm.test";

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A connection and a label value of its own; everything that carries it is removed at the end.
pub(crate) struct Lab {
    pub(crate) engine: DockerExecutor,
    pub(crate) value: String,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(ConnectOptions::default())
    }

    pub(crate) fn with(options: ConnectOptions) -> Self {
        let value = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let labels = BTreeMap::from([(LABEL.to_owned(), value.clone())]);
        let engine = DockerExecutor::connect(ConnectOptions { labels, ..options }).unwrap();
        Self { engine, value }
    }

    /// The label value of the lab's volumes, which are to outlive the runs that carry [`Lab::value`].
    pub(crate) fn volume_value(&self) -> String {
        format!("{}-volume", self.value)
    }

    /// An image with busybox and the configuration that `adjust` leaves.
    pub(crate) fn image(&self, adjust: impl FnOnce(&mut serde_json::Value)) -> ImageId {
        self.load(&[busybox_layer()], adjust)
    }

    pub(crate) fn load(&self, layers: &[Vec<u8>], adjust: impl FnOnce(&mut serde_json::Value)) -> ImageId {
        let (id, config) = self.config(layers, adjust);
        let archive = docker_archive(&config, layers, &vec![true; layers.len()]);
        assert!(self.engine.load(&mut Cursor::new(archive)).unwrap());
        id
    }

    /// An image's configuration, and its id, known before anybody loads it.
    pub(crate) fn config(&self, layers: &[Vec<u8>], adjust: impl FnOnce(&mut serde_json::Value)) -> (ImageId, Vec<u8>) {
        let diff_ids: Vec<String> = layers.iter().map(|layer| sha256(layer)).collect();
        let mut config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {LABEL: self.value}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        adjust(&mut config["config"]);
        let config = serde_json::to_vec(&config).unwrap();
        (ImageId(sha256(&config)), config)
    }

    /// A run of a shell script in `image`.
    pub(crate) fn script(&self, image: &ImageId, script: &str) -> RunSpec {
        RunSpec {
            name: "test".to_owned(),
            image: image.clone(),
            files: Vec::new(),
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: BTreeMap::from([("PATH".to_owned(), "/bin:/usr/bin".to_owned())]),
            user: None,
            workdir: "/".to_owned(),
            network: Network::None,
            capabilities: Vec::new(),
            limits: Limits::default(),
            volumes: Vec::new(),
            labels: BTreeMap::from([(LABEL.to_owned(), self.value.clone())]),
            collect: Vec::new(),
            companion: None,
        }
    }

    pub(crate) fn run(&self, spec: &RunSpec) -> Outcome {
        let mut log = Log::default();
        let mut outputs = Outputs::default();
        let exit = self.engine.run(spec, &mut log, &mut outputs, &CancelToken::new());
        Outcome {
            exit,
            log: String::from_utf8(log.0).unwrap(),
            outputs,
        }
    }

    /// How many containers carry this lab's label. Counting removes them, so it ends a test.
    pub(crate) fn containers_left(&self) -> usize {
        self.engine.remove_leftovers(LABEL, &self.value).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for value in [&self.value, &self.volume_value()] {
            let _ = self.engine.remove_leftovers(LABEL, value);
        }
        for id in self.engine.list_labelled(LABEL, Some(&self.value)).unwrap_or_default() {
            let _ = self.engine.remove_image(&id.0);
        }
    }
}

pub(crate) struct Outcome {
    pub(crate) exit: Result<Exit, ExecutorError>,
    pub(crate) log: String,
    pub(crate) outputs: Outputs,
}

#[derive(Default)]
pub(crate) struct Log(pub(crate) Vec<u8>);

impl LogSink for Log {
    fn output(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Collected tars, unpacked: path asked for, then name in the tar, then content.
#[derive(Default, Debug)]
pub(crate) struct Outputs {
    pub(crate) files: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    pub(crate) absent: Vec<String>,
}

impl OutputSink for Outputs {
    fn collected(&mut self, path: &str, tar: &mut dyn Read) -> std::io::Result<()> {
        self.files.insert(path.to_owned(), entries(tar)?);
        Ok(())
    }

    fn absent(&mut self, path: &str) {
        self.absent.push(path.to_owned());
    }
}

#[derive(Default)]
pub(crate) struct Lines(pub(crate) Vec<String>);

impl Progress for Lines {
    fn progress(&mut self, line: &str) {
        assert!(!line.contains('\n'));
        self.0.push(line.to_owned());
    }
}

pub(crate) fn entries(tar: &mut dyn Read) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        found.insert(name, content);
    }
    Ok(found)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A tar of regular files and, for names that end in a slash, folders.
pub(crate) fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        header.set_entry_type(if name.ends_with('/') {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Debian's static busybox with the names that the tests call.
pub(crate) fn busybox_layer() -> Vec<u8> {
    let program = fs_err::read("/bin/busybox").expect("the tests need Debian's package busybox-static");
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    for folder in ["bin/", "etc/", "usr/", "usr/bin/"] {
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        builder.append_data(&mut header, folder, std::io::empty()).unwrap();
    }
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(program.len() as u64);
    builder
        .append_data(&mut header, "bin/busybox", program.as_slice())
        .unwrap();
    let passwd = b"root:x:0:0:root:/root:/bin/sh\n";
    header.set_size(passwd.len() as u64);
    builder
        .append_data(&mut header, "etc/passwd", passwd.as_slice())
        .unwrap();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    let names = "cat dd echo env false grep hostname id ip ls mkdir printenv ps sh sleep sync tail true wc yes";
    for name in names.split(' ') {
        builder
            .append_link(&mut header, format!("bin/{name}"), "/bin/busybox")
            .unwrap();
    }
    builder.append_link(&mut header, "usr/bin/env", "/bin/busybox").unwrap();
    builder.into_inner().unwrap()
}

/// A docker-archive with the layers for which `included` says so; the manifest names all of them.
pub(crate) fn docker_archive(config: &[u8], layers: &[Vec<u8>], included: &[bool]) -> Vec<u8> {
    let config_name = format!("{}.json", sha256(config).trim_start_matches("sha256:"));
    let names: Vec<String> = (0..layers.len()).map(|index| format!("layer-{index}.tar")).collect();
    let manifest = serde_json::to_vec(&json!([{"Config": config_name, "RepoTags": [], "Layers": names}])).unwrap();
    let mut files: Vec<(&str, &[u8])> = vec![("manifest.json", &manifest), (&config_name, config)];
    for ((name, layer), included) in names.iter().zip(layers).zip(included) {
        if *included {
            files.push((name, layer));
        }
    }
    tar_of(&files)
}
