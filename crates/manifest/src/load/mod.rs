//! Reads a farm from its files: the only part of this crate that touches the disk.

mod disk;
mod folders;
mod manifest;
mod vars;

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

pub(crate) use self::disk::Disk;
use crate::check;
use crate::convert;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::layers::{FolderError, Layer, LayerFile, RootTree};
use crate::model::Farm;
use crate::near;
use crate::reader::Reader;
use crate::settings::WorkspaceSettings;
use crate::source::Sources;
use crate::span::Span;
use crate::tree;
use crate::yaml;

/// The folder of farms in a workspace.
const FARMS: &str = "farms";
/// The folder of configuration layers in a workspace.
const PROFILES: &str = "profiles";
/// The manifest in a farm's folder.
const MANIFEST: &str = "farm.yaml";
/// The settings of a workspace.
const SETTINGS: &str = "farms/settings.yaml";

/// Values given to variables from outside of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// The environment, by full names. `FARM_NAME` gives the variable `NAME` its value if it is declared; everything else is
    /// left alone.
    pub environment: BTreeMap<String, String>,
    /// The `NAME=VALUE` arguments of the command line, in order; the last of a name wins. A name that is not declared is an error.
    pub command_line: Vec<(String, String)>,
}

/// A farm and everything that was read for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The farm.
    pub farm: Farm,
    /// The settings of the workspace.
    pub settings: WorkspaceSettings,
    /// Every configuration layer that the farm names, by its name.
    pub layers: BTreeMap<String, Layer>,
    /// The literal files laid over the base (`binfarm.root`).
    pub root: Option<RootTree>,
    /// The scripts of the binfarm and of stages by their path, as the farm has it.
    pub scripts: BTreeMap<Utf8PathBuf, LayerFile>,
    /// The public keys by which a stage3 archive is checked (`keyring`), as the file has them.
    pub keyring: Option<Vec<u8>>,
    /// Every text that was read: manifests, settings, set files, layers, scripts. (The files of `root` and the keys are only there.)
    pub sources: Sources,
    /// What somebody should know although it is no error.
    pub notes: Diagnostics,
}

impl Loaded {
    /// The file of `env/` that a name of [`env`](crate::model::PackageSettings::env) means, as package.env must have it: the name itself,
    /// or with `.conf` after it. Every name of a loaded farm has one.
    pub fn env_file(&self, name: &str) -> Option<String> {
        check::find_env_file(name, &self.layers, self.root.as_ref())
    }
}

/// A farm could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The workspace has no farm of this name. The user's input is wrong.
    #[error("there is no farm `{name}` here{}", suggest(name, known))]
    NoSuchFarm {
        /// What was asked for.
        name: String,
        /// What is there, sorted.
        known: Vec<String>,
    },
    /// The manifest, or a file that it names, has mistakes. The user's input is wrong.
    #[error("the manifest of `{farm}` cannot be used")]
    Invalid {
        /// The farm.
        farm: String,
        /// What is wrong; at least one error.
        diagnostics: Diagnostics,
        /// What the diagnostics point into.
        sources: Sources,
    },
    /// A file could not be read. The environment is at fault.
    #[error("cannot read the files of the farm")]
    Io(#[from] io::Error),
}

fn suggest(name: &str, known: &[String]) -> String {
    near::suggestion(name, known.iter().map(String::as_str))
        .map(|help| format!("; {help}"))
        .unwrap_or_default()
}

/// The names of the farms of a workspace, sorted: the folders below `farms/` that hold a `farm.yaml`.
///
/// # Errors
/// `farms/` is there and cannot be read. A workspace without it has no farms.
pub fn farm_names(workspace: &Utf8Path) -> io::Result<Vec<String>> {
    names_of_farms(Disk::new(workspace, &|_| ()))
}

/// The path of a farm's manifest in the workspace.
fn manifest_of(farm: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(FARMS).join(farm).join(MANIFEST)
}

fn names_of_farms(disk: Disk<'_>) -> io::Result<Vec<String>> {
    let folder = disk.at(FARMS);
    let mut names = Vec::new();
    match fs_err::read_dir(&folder) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry?;
                if let Ok(name) = entry.file_name().into_string()
                    && disk.at(manifest_of(&name)).is_file()
                {
                    names.push(name);
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    names.sort();
    Ok(names)
}

/// Reads the farm `name` of the workspace with everything its manifest names.
///
/// Paths in messages are relative to the workspace, so that they are the same everywhere.
///
/// # Errors
/// All mistakes of the manifest at once, or that there is no such farm, or that a file could not be read.
pub fn load(workspace: &Utf8Path, name: &str, overrides: &Overrides) -> Result<Loaded, LoadError> {
    load_watched(workspace, name, overrides, &|_| ())
}

/// As [`load`], with somebody who is told of every path before it is looked at: while all of them stay as they are, and the
/// overrides, the same farm is read again.
///
/// # Errors
/// As [`load`].
pub fn load_watched(
    workspace: &Utf8Path,
    name: &str,
    overrides: &Overrides,
    watch: &dyn Fn(&Utf8Path),
) -> Result<Loaded, LoadError> {
    load_from(Disk::new(workspace, watch), name, overrides)
}

/// As [`load`], as if these files of the workspace had these texts: what a farm would be after a change.
///
/// # Errors
/// As [`load`].
pub fn load_edited(
    workspace: &Utf8Path,
    name: &str,
    overrides: &Overrides,
    texts: &BTreeMap<Utf8PathBuf, String>,
) -> Result<Loaded, LoadError> {
    load_from(Disk::new(workspace, &|_| ()).with_texts(texts), name, overrides)
}

fn load_from(disk: Disk<'_>, name: &str, overrides: &Overrides) -> Result<Loaded, LoadError> {
    if !disk.at(manifest_of(name)).is_file() {
        return Err(LoadError::NoSuchFarm {
            name: name.to_owned(),
            known: names_of_farms(disk)?,
        });
    }
    let mut sources = Sources::default();
    let mut diagnostics = Vec::new();
    let invalid = |diagnostics: Vec<Diagnostic>, sources: Sources| {
        let mut diagnostics = Diagnostics(diagnostics);
        diagnostics.sort();
        LoadError::Invalid {
            farm: name.to_owned(),
            diagnostics,
            sources,
        }
    };

    let settings = workspace_settings(disk, &mut sources, &mut diagnostics)?;
    let Some(mut manifest) = manifest::read(disk, name, &mut sources, &mut diagnostics)? else {
        return Err(invalid(diagnostics, sources));
    };
    let variables = vars::variables(&manifest, name, overrides, &mut sources, &mut diagnostics);
    let scope = tree::Scope {
        variables: &variables.values,
        fixed: &variables.fixed,
        broken: &variables.broken,
    };
    let broken = tree::expand(&mut manifest, &scope, &sources, &mut diagnostics);
    let before = diagnostics.len();
    tree::unique_keys(&mut manifest, &sources, &mut diagnostics);

    let mut reader = Reader::new(&sources);
    let farm = convert::farm(&mut reader, &manifest, name, variables.values);
    diagnostics.append(&mut reader.diagnostics);
    // The tree of a large manifest takes more than all that comes after it.
    drop(manifest);
    let Some(mut farm) = farm else {
        drop_consequences(&mut diagnostics, before, &broken);
        return Err(invalid(diagnostics, sources));
    };

    let folders = folders::read(disk, &mut farm, &mut sources, &mut diagnostics)?;
    check::check(
        &farm,
        &folders.layers,
        folders.root.as_ref(),
        &sources,
        &mut diagnostics,
    );
    drop_consequences(&mut diagnostics, before, &broken);
    if diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
    {
        return Err(invalid(diagnostics, sources));
    }
    let mut notes = Diagnostics(diagnostics);
    notes.sort();
    Ok(Loaded {
        farm,
        settings,
        layers: folders.layers,
        root: folders.root,
        scripts: folders.scripts,
        keyring: folders.keyring,
        sources,
        notes,
    })
}

/// Drops what was said, from `first` on, about texts whose variables could not be expanded: that was reported already.
fn drop_consequences(diagnostics: &mut Vec<Diagnostic>, first: usize, broken: &[Span]) {
    let inside =
        |span: Span, text: &Span| span.file == text.file && text.start() <= span.start() && span.end() <= text.end();
    let later = diagnostics.split_off(first);
    diagnostics.extend(
        later
            .into_iter()
            .filter(|one| !broken.iter().any(|text| inside(one.span, text))),
    );
}

/// Reads `farms/settings.yaml` where it is there.
fn workspace_settings(
    disk: Disk<'_>,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<WorkspaceSettings, LoadError> {
    let bytes = match fs_err::read(disk.at(SETTINGS)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(WorkspaceSettings::default()),
        Err(error) => return Err(error.into()),
    };
    let file = sources.add(SETTINGS, bytes);
    let Some(mut node) = yaml::parse(sources, file, diagnostics) else {
        return Ok(WorkspaceSettings::default());
    };
    tree::unique_keys(&mut node, sources, diagnostics);
    let mut reader = Reader::new(sources);
    let settings = convert::settings(&mut reader, &node);
    diagnostics.append(&mut reader.diagnostics);
    Ok(settings)
}

/// Turns what is wrong with a folder into a diagnostic where it is the user's doing.
fn folder_problem(error: FolderError) -> Result<String, LoadError> {
    match error {
        FolderError::Io(error) => Err(error.into()),
        other @ (FolderError::NotUtf8(_) | FolderError::Special(_)) => Ok(other.to_string()),
    }
}
