//! The ready workspaces: `examples/tiny`, built. Tests start from copies of it, so that each waits only for what it changes.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use farm_guard_file::{GuardFile, Mode};
use fs_err as fs;
use serde_json::Value;

use super::docker::docker;
use super::space::{prepare, program};
use super::weekly::weekly_parts;
use super::{OVERLAY, base_image, edit, example, program as under_test, weekly_base};

/// What a ready workspace stands on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ground {
    /// [`base_image`].
    Hosted,
    /// [`weekly_base`], with its packages in the overlay; images are not made.
    Weekly,
}

/// A workspace in which everything is built.
pub(super) struct Ready {
    /// Its folder. Nobody may change anything in it.
    pub(super) workspace: PathBuf,
    pub(super) flavour: String,
}

/// The ready workspace on this base.
pub(super) fn ready(on: Ground) -> &'static Ready {
    static HOSTED: OnceLock<Ready> = OnceLock::new();
    static WEEKLY: OnceLock<Ready> = OnceLock::new();
    match on {
        Ground::Hosted => HOSTED.get_or_init(|| {
            let id = format!("{}-{}", under_test::id(), ingredients());
            kept_ready(&id, |workspace, flavour| {
                prepare(workspace, flavour);
                &["build", "tiny", "--json"]
            })
        }),
        Ground::Weekly => WEEKLY.get_or_init(|| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(ingredients().as_bytes()).update(weekly_base().as_bytes());
            for part in weekly_parts() {
                hasher.update(part.ebuild().as_bytes());
            }
            let id = format!("{}-{}", under_test::id(), &hasher.finalize().to_hex()[..8]);
            kept_ready(&id, |workspace, flavour| {
                prepare(workspace, flavour);
                edit(&workspace.join("farms/tiny/farm.yaml"), base_image(), weekly_base());
                for part in weekly_parts() {
                    part.put(&workspace.join(OVERLAY));
                }
                &["build", "tiny:pkgs", "--json"]
            })
        }),
    }
}

/// The workspace of this name: made by `fresh`, which is told where and of which flavour and says how to build it, unless it is there.
fn kept_ready(id: &str, fresh: impl Fn(&Path, &str) -> &'static [&'static str]) -> Ready {
    let folder = under_test::folder().join(id);
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let flavour = format!("ready-{id}");
    let workspace = folder.join("work");
    let done = folder.join("done");
    if !done.exists() {
        if workspace.exists() {
            fs::remove_dir_all(&workspace).unwrap();
        }
        let words = fresh(&workspace, &flavour);
        let output = program(&workspace, &folder, words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "the ready workspace cannot be built: {said}");
        keep_images(&workspace, id);
        fs::write(&done, "").unwrap();
    }
    lock.unlock().unwrap();
    Ready { workspace, flavour }
}

/// Digest of what it is made from: the example and the base.
fn ingredients() -> String {
    let mut hasher = blake3::Hasher::new();
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
    hasher.finalize().to_hex()[..8].to_owned()
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
