//! The base that all workspaces under test stand on, and variants of it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use farm_guard_file::{GuardFile, Mode};
use fs_err as fs;
use serde_json::Value;

use super::docker::{docker, image_exists};
use super::space::program;
use super::{copy, edit, example, kept};

/// The name of a local image that is the hosted base of `examples/tiny`, made by `farm` itself.
///
/// It is made once, kept from run to run with the lock file that says what is in it, and shared by all who test on this
/// machine at once.
pub(crate) fn base_image() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| made("farm-base", PACKAGES))
}

/// The same with GnuPG, which Portage calls to verify packages.
pub(crate) fn client_image() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| made("farm-client", "packages: [debugedit, gnupg, pax-utils]"))
}

/// The same with git, which live ebuilds call.
pub(crate) fn git_image() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| made("farm-git", "packages: [debugedit, git, pax-utils]"))
}

/// The Debian packages of the example's base, as its manifest has them.
const PACKAGES: &str = "packages: [debugedit, pax-utils]";

/// Makes a base of these Debian packages, with a folder of this name as its workspace.
fn made(folder: &str, packages: &str) -> String {
    let folder = kept().join(folder);
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let workspace = folder.join("tiny");
    if !workspace.exists() {
        copy(&example(), &workspace);
    }
    // The manifest may have changed since; the lock file stays, so that the base is the same.
    let manifest = workspace.join("farms/tiny/farm.yaml");
    fs::copy(example().join("farms/tiny/farm.yaml"), &manifest).unwrap();
    edit(&manifest, PACKAGES, packages);
    let output = program(&workspace, &folder, &["build", "tiny:base", "--json"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "no base: {}",
        String::from_utf8_lossy(&output.stderr)
    );

    let guards = GuardFile::open(&workspace.join(".farm/guards"), Mode::Read)
        .unwrap()
        .guards;
    let mut guards = guards.all();
    guards.retain(|guard| guard.node == "tiny:base");
    let newest = guards.iter().max_by_key(|guard| guard.started_ms).unwrap();
    let image = newest.outputs.iter().find(|output| output.role == "image").unwrap();
    let place: Value = serde_json::from_str(&image.place).unwrap();
    let id = place["id"].as_str().unwrap();
    let name = format!("farm-test/base:{}", &id.trim_start_matches("sha256:")[..12]);
    if !image_exists(&name) {
        docker(&["tag", id, &name]);
    }
    name
}

/// The lock file that says what [`base_image`] is made of.
pub(crate) fn base_lock() -> String {
    base_image();
    fs::read_to_string(kept().join("farm-base/tiny/farms/tiny/farm.lock")).unwrap()
}

/// The name of a local image that is `from` after `script` ran in it as root. It is made once and kept from run to run, like [`base_image`]; the
/// same words always mean the same image.
pub(crate) fn kept_variant(from: &str, script: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(from.as_bytes()).update(b"\n").update(script.as_bytes());
    let name = format!("farm-test/kept:{}", &hasher.finalize().to_hex()[..12]);
    fs::create_dir_all(kept()).unwrap();
    let lock = fs::File::create(kept().join("variants.lock")).unwrap();
    lock.lock().unwrap();
    if !image_exists(&name) {
        commit(from, script, &name);
    }
    name
}

/// Runs `script` as root in a container of `from`, and calls what that becomes `name`.
fn commit(from: &str, script: &str, name: &str) {
    let container = docker(&[
        "create",
        "--label",
        "org.farm.test=1",
        "--network",
        "none",
        from,
        "/bin/sh",
        "-ec",
        script,
    ]);
    let status = docker(&["start", "--attach", &container]);
    assert_eq!(status, "", "the script of a base's variant said something");
    // What a command of the container was is no part of the base.
    docker(&[
        "commit",
        "--change",
        "CMD [\"/bin/bash\"]",
        "--change",
        "LABEL org.farm.test=1",
        &container,
        name,
    ]);
    docker(&["rm", &container]);
}

/// A base that differs from [`base_image`]; gone when dropped.
pub(crate) struct Variant {
    name: String,
}

impl Variant {
    /// What the base becomes when `script` ran in it as root.
    pub(crate) fn new(script: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("farm-test/variant:{}-{number}", std::process::id());
        commit(base_image(), script, &name);
        Self { name }
    }

    /// Its name in the engine.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Variant {
    fn drop(&mut self) {
        super::remove_tags(&self.name);
    }
}
