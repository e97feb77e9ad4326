//! Transfers between the real engine and a real registry: Debian's `docker-registry` on a free port.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::common::{Lab, Lines};
use farm_docker_executor::ConnectOptions;
use farm_executor::{CancelToken, ExecutorError, ImageStore};

/// `collector` with the password [`PASSWORD`].
const HTPASSWD: &str = "collector:$2b$04$T37KxIs3jtLB.ThXV8PYYuu/ZlKrQ.1UtCD/Lq0.qNvIiUb3KlGxy\n";

/// Its base64 has characters that the two alphabets write differently, wherever the password comes to stand.
const PASSWORD: &str = "a?b>>c~~~d???";

/// A registry with an empty store, ended at the end.
struct Registry {
    process: Child,
    authority: String,
    folder: tempfile::TempDir,
}

impl Registry {
    fn start(with_password: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().display();
        let mut config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {store}/store}}}}\nhttp: {{addr: \
             127.0.0.1:0}}\n"
        );
        if with_password {
            fs_err::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
            config.push_str(&format!(
                "auth: {{htpasswd: {{realm: farm, path: {store}/htpasswd}}}}\n"
            ));
        }
        let path = folder.path().join("config.yml");
        fs_err::write(&path, config).unwrap();
        let mut process = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the tests need Debian's package docker-registry");
        let stderr = process.stderr.take().unwrap();
        let mut lines = BufReader::new(stderr).lines();
        // Port 0 lets the system choose, and the registry's log says what it chose.
        let authority = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("listening on ")?;
                Some(
                    rest.trim_matches(|c: char| c == '"' || c.is_whitespace())
                        .split(['"', ' ', ','])
                        .next()?
                        .to_owned(),
                )
            })
            .expect("the registry says where it listens");
        // Somebody must read what it goes on to say.
        std::thread::spawn(move || lines.for_each(drop));
        TcpStream::connect(&authority).unwrap();
        Self {
            process,
            authority,
            folder,
        }
    }

    fn name(&self, tag: &str) -> String {
        format!("{}/hep/image:{tag}", self.authority)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn what_is_pushed_is_resolved_and_pulled_by_digest() {
    let registry = Registry::start(false);
    let lab = Lab::new();
    let id = lab.image(|_| {});
    let name = registry.name("1");
    lab.engine.tag(&id, &name).unwrap();
    // The registry does not know the name yet, the engine does.
    assert_eq!(lab.engine.resolve(&name).unwrap(), id.0);

    let mut lines = Lines::default();
    let cancel = CancelToken::new();
    let pushed = lab.engine.push(&name, &mut lines, &cancel).unwrap();
    assert_eq!(pushed.reference, name);
    assert!(
        pushed.digest.starts_with("sha256:") && pushed.digest.len() == 71,
        "{pushed:?}"
    );
    assert_eq!(lines.0.last().unwrap(), "1 of 1 layers");
    assert_eq!(lab.engine.resolve(&name).unwrap(), pushed.digest);
    assert_eq!(lab.engine.push(&name, &mut Lines::default(), &cancel).unwrap(), pushed);

    let by_digest = format!("{}/hep/image@{}", registry.authority, pushed.digest);
    assert_eq!(lab.engine.resolve(&by_digest).unwrap(), pushed.digest);
    lab.engine.remove_image(&id.0).unwrap();
    assert!(lab.engine.inspect(&by_digest).unwrap().is_none());
    let mut lines = Lines::default();
    let info = lab.engine.pull(&by_digest, &mut lines, &cancel).unwrap();
    assert_eq!(info.id, id);
    assert_eq!(info.repo_digests, std::slice::from_ref(&by_digest));
    assert!(lines.0.last().unwrap().starts_with("1 of 1 layers"), "{:?}", lines.0);
    // Nothing moves when it is there.
    let mut lines = Lines::default();
    lab.engine.pull(&by_digest, &mut lines, &cancel).unwrap();
    assert!(lines.0.is_empty());
}

#[test]
fn what_is_not_served_is_told() {
    let registry = Registry::start(false);
    let lab = Lab::new();
    let cancel = CancelToken::new();
    let missing = registry.name("missing");
    let error = lab.engine.resolve(&missing).unwrap_err();
    assert!(
        matches!(&error, ExecutorError::Registry { reference, .. } if *reference == missing),
        "{error:?}"
    );
    let error = lab.engine.pull(&missing, &mut Lines::default(), &cancel).unwrap_err();
    assert!(matches!(error, ExecutorError::Registry { .. }), "{error:?}");
    let error = lab.engine.push(&missing, &mut Lines::default(), &cancel).unwrap_err();
    assert!(matches!(error, ExecutorError::Registry { .. }), "{error:?}");
    cancel.cancel();
    let error = lab.engine.pull(&missing, &mut Lines::default(), &cancel).unwrap_err();
    assert!(matches!(error, ExecutorError::Cancelled), "{error:?}");
}

#[test]
fn an_old_copy_does_not_pass_for_what_a_name_means_today() {
    let registry = Registry::start(false);
    let lab = Lab::new();
    let id = lab.image(|_| {});
    let name = registry.name("1");
    lab.engine.tag(&id, &name).unwrap();
    lab.engine
        .push(&name, &mut Lines::default(), &CancelToken::new())
        .unwrap();
    drop(registry);
    let error = lab.engine.resolve(&name).unwrap_err();
    assert!(matches!(error, ExecutorError::Registry { .. }), "{error:?}");
}

#[test]
fn a_login_is_used_for_everything() {
    let registry = Registry::start(true);
    let name = registry.name("1");
    let config = serde_json::json!({"auths": {&registry.authority: {"username": "collector", "password": PASSWORD}}});
    fs_err::write(registry.folder.path().join("config.json"), config.to_string()).unwrap();
    let credentials = Some(registry.folder.path().to_owned());
    let lab = Lab::with(ConnectOptions {
        credentials,
        ..Default::default()
    });
    let stranger = Lab::new();
    let id = lab.image(|_| {});
    let cancel = CancelToken::new();
    lab.engine.tag(&id, &name).unwrap();
    let error = stranger.engine.push(&name, &mut Lines::default(), &cancel).unwrap_err();
    assert!(matches!(error, ExecutorError::Registry { .. }), "{error:?}");
    let pushed = lab.engine.push(&name, &mut Lines::default(), &cancel).unwrap();
    assert_eq!(lab.engine.resolve(&name).unwrap(), pushed.digest);
    lab.engine.remove_image(&id.0).unwrap();
    let error = stranger.engine.resolve(&name).unwrap_err();
    assert!(matches!(error, ExecutorError::Registry { .. }), "{error:?}");
    let by_digest = format!("{}/hep/image@{}", registry.authority, pushed.digest);
    assert_eq!(
        lab.engine.pull(&by_digest, &mut Lines::default(), &cancel).unwrap().id,
        id
    );
    let error = stranger
        .engine
        .push(&registry.name("2"), &mut Lines::default(), &cancel)
        .unwrap_err();
    assert!(matches!(error, ExecutorError::Registry { .. }), "{error:?}");
}
