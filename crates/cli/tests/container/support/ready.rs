//! The ready workspace: `examples/tiny`, built. Tests start from copies of it, so that each waits only for what it changes.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use farm_guard_file::{GuardFile, Mode};
use fs_err as fs;
use serde_json::Value;

use super::docker::{docker, remove_tags};
use super::space::{prepare, program};
use super::{base_image, example, kept};

/// The workspace, and the lock that keeps other runs of the tests from removing it while this one lasts.
struct Ready {
    workspace: PathBuf,
    flavour: String,
    _lock: fs::File,
}

/// The folder of the ready workspace. Nobody may change anything in it.
pub(super) fn workspace() -> &'static Path {
    &ready().workspace
}

/// Its flavour.
pub(super) fn flavour() -> &'static str {
    &ready().flavour
}

fn ready() -> &'static Ready {
    static READY: OnceLock<Ready> = OnceLock::new();
    READY.get_or_init(|| {
        let id = identity();
        let folder = kept().join(format!("farm-ready-{id}"));
        fs::create_dir_all(&folder).unwrap();
        let lock = fs::File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        let flavour = format!("ready-{id}");
        let workspace = folder.join("work");
        let done = folder.join("done");
        if !done.exists() {
            remove_others(&id);
            if workspace.exists() {
                fs::remove_dir_all(&workspace).unwrap();
            }
            prepare(&workspace, &flavour);
            let output = program(&workspace, &folder, &["build", "tiny", "--json"])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "the ready workspace cannot be built: {said}");
            keep_images(&workspace, &id);
            fs::write(&done, "").unwrap();
        }
        // From here on others may use it, too, but not remove it.
        lock.lock_shared().unwrap();
        Ready {
            workspace,
            flavour,
            _lock: lock,
        }
    })
}

/// What the ready workspace is made from: the program, the example, the base. An older program's results are no test of this one.
fn identity() -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&fs::read(env!("CARGO_BIN_EXE_farm")).unwrap());
    hasher.update(base_image().as_bytes());
    let mut pending = vec![example()];
    let mut files = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() == ".farm" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    for path in files {
        hasher.update(path.to_string_lossy().as_bytes());
        hasher.update(&fs::read(&path).unwrap());
    }
    hasher.finalize().to_hex()[..12].to_owned()
}

/// Gives the images another name that no farm gave them: `farm clean` in a copy of the workspace leaves them alone then.
fn keep_images(workspace: &Path, id: &str) {
    let guards = GuardFile::open(&workspace.join(".farm/guards"), Mode::Read)
        .unwrap()
        .guards;
    let guards = guards.all();
    let images = guards
        .iter()
        .flat_map(|guard| &guard.outputs)
        .filter(|output| output.role == "image");
    for (at, image) in images.enumerate() {
        let place: Value = serde_json::from_str(&image.place).unwrap();
        docker(&[
            "tag",
            place["id"].as_str().unwrap(),
            &format!("farm-test/ready-{id}:{at}"),
        ]);
    }
}

/// Removes the ready workspaces of programs that are no more, unless somebody tests with one just now.
fn remove_others(id: &str) {
    for entry in fs::read_dir(kept()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(other) = name.strip_prefix("farm-ready-").filter(|other| *other != id) else {
            continue;
        };
        let Ok(lock) = fs::File::open(path.join("lock")) else {
            continue;
        };
        if lock.try_lock().is_err() {
            continue;
        }
        remove_tags(&format!("farm/tiny-*:ready-{other}.*"));
        remove_tags(&format!("farm-test/ready-{other}:*"));
        fs::remove_dir_all(&path).unwrap();
    }
}
