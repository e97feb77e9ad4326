//! `farm import`: a folder of HEP-Soft or Gentoomuch becomes a farm. Reading and writing; what becomes of what is `farm-import`'s.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use farm_import::{Entry, Files, ImportError, Options, Report, Repository};
use farm_manifest::Overrides;
use farm_manifest::model::is_target_word;
use farm_portage::updates::Moves;
use fs_err as fs;

use super::{FarmError, Setup};
use crate::lower::check;
use crate::workspace::Workspace;

/// The report, beside each manifest.
const REPORT: &str = "import-report.txt";

/// Whose folder it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportKind {
    /// HEP-Soft's: Makefile, presets, literal roots.
    HepSoft,
    /// Gentoomuch's configuration.
    Gentoomuch,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// Whose folder it is.
    pub kind: ImportKind,
    /// The folder.
    pub source: PathBuf,
    /// The name of the farm; `None`: that of the folder.
    pub name: Option<String>,
    /// The workspace, which need not be there; `None`: the one that the user is in, else the current folder.
    pub to: Option<PathBuf>,
    /// Folders of ebuild repositories that say which packages have another name today.
    pub repositories: Vec<PathBuf>,
    /// Writes nothing.
    pub dry_run: bool,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The workspace.
    pub workspace: PathBuf,
    /// Each manifest: its path in the workspace, and its text.
    pub manifests: Vec<(String, String)>,
    /// How many files there are.
    pub files: usize,
    /// What could not be taken over as it was.
    pub report: Report,
    /// Why a manifest cannot be used as it is: somebody has to look at it first.
    pub mistakes: Vec<FarmError>,
}

/// Makes a farm, or several, of a folder.
///
/// # Errors
///
/// The folder is none of that kind; a farm of the name is there already, or the target holds something else; or the disk.
pub fn import(setup: &Setup, options: &ImportOptions) -> Result<Imported, FarmError> {
    let source = setup.current_dir.join(&options.source);
    if !source.is_dir() {
        let message = format!("there is no folder {}", options.source.display());
        return Err(FarmError::input(message).hint("name the folder that is to become a farm"));
    }
    let workspace = target(setup, options)?;
    let name = match &options.name {
        Some(name) => name.clone(),
        None => name_of(&fs::canonicalize(&source)?),
    };
    check_name(&name)?;
    let known = Options {
        name: name.clone(),
        repositories: options
            .repositories
            .iter()
            .map(|folder| repository(&setup.current_dir.join(folder)))
            .collect::<Result<_, _>>()?,
    };
    let files = read(&source)?;
    let mut imported = match options.kind {
        ImportKind::HepSoft => farm_import::hep_soft(&files, &known),
        ImportKind::Gentoomuch => farm_import::gentoomuch(&files, &known),
    }
    .map_err(|error| refused(&error))?;
    let manifests = imported.farms.iter().filter_map(|farm| {
        let path = format!("farms/{farm}/farm.yaml");
        let text = imported.files.get(Utf8Path::new(&path))?.as_text()?.to_owned();
        Some((path, text))
    });
    let manifests: Vec<(String, String)> = manifests.collect();
    for farm in &imported.farms {
        let text = imported.report.to_string();
        imported
            .files
            .insert(format!("farms/{farm}/{REPORT}").into(), Entry::text(text));
    }
    let taken = imported
        .farms
        .iter()
        .map(|farm| format!("farms/{farm}"))
        .chain([format!("profiles/{name}")]);
    for folder in taken {
        if workspace.join(&folder).symlink_metadata().is_ok() {
            let message = format!("{} is there already", workspace.join(&folder).display());
            return Err(FarmError::input(message).hint("give the farm another name with --name, or remove that folder"));
        }
    }

    // A dry run writes as well, to where nobody looks: only the manifest's own reader knows whether it can be used.
    let scratch = tempfile::tempdir_in(&setup.scratch)?;
    let into = if options.dry_run { scratch.path() } else { &workspace };
    write(into, &imported.files)?;
    let mistakes = imported
        .farms
        .iter()
        .filter_map(|farm| usable(into, farm).err())
        .collect();
    Ok(Imported {
        workspace,
        manifests,
        files: imported.files.len(),
        report: imported.report,
        mistakes,
    })
}

/// The workspace that the farm comes into: one that is there, or a folder that is not there or empty.
fn target(setup: &Setup, options: &ImportOptions) -> Result<PathBuf, FarmError> {
    let folder = match &options.to {
        Some(to) => setup.current_dir.join(to),
        None => match Workspace::find(setup.workspace.as_deref(), &setup.current_dir) {
            Ok(found) => return Ok(found.root.into_std_path_buf()),
            Err(error) if setup.workspace.is_some() => return Err(error),
            Err(_) => setup.current_dir.clone(),
        },
    };
    if folder.join("farms").is_dir() {
        return Ok(folder);
    }
    let is_empty = match fs::read_dir(&folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error.into()),
    };
    if is_empty {
        return Ok(folder);
    }
    let message = format!("{} holds other things than a workspace", folder.display());
    Err(FarmError::input(message).hint("name a workspace, or a folder that is not there yet, with --to DIR"))
}

/// What the folder's name is as that of a farm.
fn name_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let valid = |c: char| {
        if c.is_ascii_alphanumeric() || "_-+.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(valid).collect();
    name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

fn check_name(name: &str) -> Result<(), FarmError> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "_-+.".contains(c);
    let named = name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(valid);
    if named && !is_target_word(name) {
        return Ok(());
    }
    let hint = "give it another one with --name: letters, digits, `_`, `-`, `+` and `.`, and not the name of a target";
    Err(FarmError::input(format!("a farm cannot be called `{name}`")).hint(hint))
}

fn refused(error: &ImportError) -> FarmError {
    let hint = match error {
        ImportError::Foreign { .. } => {
            "name the folder that holds it: `farm import hep-soft DIR` or `farm import gentoomuch DIR`"
        }
        ImportError::Unreadable { .. } => "mend the file and import again",
    };
    FarmError::input(error.to_string()).hint(hint)
}

/// Reads a folder whole, but for what version control keeps.
fn read(folder: &Path) -> Result<Files, FarmError> {
    let mut files = Files::new();
    let mut pending = vec![Utf8PathBuf::new()];
    while let Some(relative) = pending.pop() {
        for entry in fs::read_dir(folder.join(&relative))? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(FarmError::input(format!(
                    "the name {} is not UTF-8",
                    entry.path().display()
                )));
            };
            let (inside, kind) = (relative.join(name), entry.file_type()?);
            if kind.is_dir() {
                if name != ".git" {
                    pending.push(inside);
                }
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path())?;
                let target = target
                    .to_str()
                    .ok_or_else(|| FarmError::input(format!("where {} points is not UTF-8", entry.path().display())))?;
                let target = target.to_owned();
                files.insert(inside, Entry::Link { target });
            } else if kind.is_file() {
                let mode = entry.metadata()?.permissions().mode() & 0o7777;
                let bytes = fs::read(entry.path())?;
                files.insert(inside, Entry::File { bytes, mode });
            } else {
                let message = format!("{} is neither a file, nor a folder, nor a link", entry.path().display());
                return Err(FarmError::input(message).hint("remove it, or copy the rest to another folder"));
            }
        }
    }
    Ok(files)
}

/// Asks an ebuild repository for its renamings and its packages.
fn repository(folder: &Path) -> Result<Repository, FarmError> {
    let Ok(name) = fs::read_to_string(folder.join("profiles/repo_name")) else {
        let message = format!(
            "{} is no ebuild repository: it has no profiles/repo_name",
            folder.display()
        );
        return Err(FarmError::input(message).hint("name the folder of one, such as /var/db/repos/gentoo"));
    };
    let mut updates = Vec::new();
    for file in names_in(&folder.join("profiles/updates"))? {
        let bytes = fs::read(folder.join("profiles/updates").join(&file))?;
        updates.push((file, String::from_utf8_lossy(&bytes).into_owned()));
    }
    let mut packages = BTreeSet::new();
    for category in names_in(folder)? {
        // Portage's own folders are no categories, and hidden ones are no packages.
        if category.starts_with('.') || !folder.join(&category).is_dir() {
            continue;
        }
        for package in names_in(&folder.join(&category))? {
            let inside = folder.join(&category).join(&package);
            if inside.is_dir() && names_in(&inside)?.iter().any(|file| file.ends_with(".ebuild")) {
                packages.insert(format!("{category}/{package}"));
            }
        }
    }
    Ok(Repository {
        name: name.trim().to_owned(),
        moves: Moves::read(updates.iter().map(|(name, text)| (name.as_str(), text.as_str()))),
        packages,
    })
}

/// The names in a folder, sorted; none where there is no folder.
fn names_in(folder: &Path) -> Result<BTreeSet<String>, FarmError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// Writes files where none are. The manifests come last: a farm that is there is whole.
fn write(root: &Path, files: &Files) -> Result<(), FarmError> {
    let is_manifest = |path: &Utf8Path| path.file_name() == Some("farm.yaml");
    let (last, first): (Vec<_>, Vec<_>) = files.iter().partition(|(path, _)| is_manifest(path));
    for (path, entry) in first.into_iter().chain(last) {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match entry {
            Entry::Link { target } => fs::os::unix::fs::symlink(target, &path)?,
            Entry::File { bytes, mode } => {
                let mut file = fs::File::options().write(true).create_new(true).open(&path)?;
                file.write_all(bytes)?;
                // The user must be able to read and remove what was made here, whatever the mode was.
                let mode = if mode & 0o100 == 0 { 0o644 } else { 0o755 };
                file.set_permissions(std::fs::Permissions::from_mode(mode))?;
            }
        }
    }
    Ok(())
}

/// Whether a farm can be lowered as it is.
fn usable(workspace: &Path, farm: &str) -> Result<(), FarmError> {
    let root = Utf8Path::from_path(workspace)
        .ok_or_else(|| FarmError::input(format!("the path {} is not UTF-8", workspace.display())))?;
    let loaded = farm_manifest::load(root, farm, &Overrides::default())?;
    check(&loaded, workspace)
}
