//! A workspace in a temporary folder, and what loading a farm of it says.

#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files should stop")]

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use farm_manifest::{LoadError, Loaded, Overrides, load};

pub struct Workspace {
    folder: tempfile::TempDir,
    overrides: Overrides,
}

impl Workspace {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            overrides: Overrides::default(),
        }
    }

    /// A workspace whose farm `hep` has this manifest.
    pub fn with(manifest: &str) -> Self {
        Self::new().file("farms/hep/farm.yaml", manifest)
    }

    pub fn path(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().to_owned()
    }

    pub fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        self
    }

    pub fn folder(self, path: &str) -> Self {
        fs_err::create_dir_all(self.path().join(path)).unwrap();
        self
    }

    pub fn argument(mut self, name: &str, value: &str) -> Self {
        self.overrides.command_line.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.overrides.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn load(&self) -> Result<Loaded, LoadError> {
        load(&self.path(), "hep", &self.overrides)
    }

    /// The loaded farm; shows what is wrong where there is something.
    pub fn good(&self) -> Loaded {
        match self.load() {
            Ok(loaded) => loaded,
            Err(error) => panic!("{}", shown(&error)),
        }
    }

    /// What is said about a farm that cannot be loaded.
    pub fn bad(&self) -> String {
        match self.load() {
            Ok(_) => panic!("nothing is said to be wrong"),
            Err(error) => shown(&error),
        }
    }
}

fn shown(error: &LoadError) -> String {
    match error {
        LoadError::Invalid {
            diagnostics, sources, ..
        } => diagnostics.render(sources, false),
        other => other.to_string(),
    }
}

/// What is said about a manifest.
pub fn bad(manifest: &str) -> String {
    Workspace::with(manifest).bad()
}

/// The beginning of a valid manifest.
pub const START: &str = "farm: hep\nbinfarm: { base: { image: \"gentoo/stage3:1\" } }\n";

/// What is said about each of several manifests, which all start with [`START`], in one text for a snapshot.
pub fn all_bad(rests: &[&str]) -> String {
    let shown: Vec<String> = rests.iter().map(|rest| bad(&format!("{START}{rest}"))).collect();
    shown.join("\n-----\n\n")
}

/// The same for whole manifests.
pub fn all_bad_whole(manifests: &[&str]) -> String {
    let shown: Vec<String> = manifests.iter().map(|manifest| bad(manifest)).collect();
    shown.join("\n-----\n\n")
}

pub fn texts(map: &BTreeMap<String, farm_manifest::Spanned<String>>) -> Vec<(&str, &str)> {
    map.iter()
        .map(|(name, value)| (name.as_str(), value.value.as_str()))
        .collect()
}
