//! What the manifest names besides: set files, configuration layers, the literal root, scripts, keys, folders of repositories.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use farm_portage::atom::{Atom, AtomSyntax};

use super::{Disk, LoadError, PROFILES, folder_problem};
use crate::convert;
use crate::diagnostic::Diagnostic;
use crate::layers::{Layer, LayerFile, RootTree, read_folder};
use crate::model::{Base, Farm, Packages, RepoSource};
use crate::near;
use crate::reader::Reader;
use crate::source::Sources;
use crate::span::{Span, Spanned};

/// What was read.
pub(super) struct Folders {
    pub(super) layers: BTreeMap<String, Layer>,
    pub(super) root: Option<RootTree>,
    pub(super) scripts: BTreeMap<Utf8PathBuf, LayerFile>,
    pub(super) keyring: Option<Vec<u8>>,
}

/// Reads everything and puts the entries of set files into the farm.
pub(super) fn read(
    disk: Disk<'_>,
    farm: &mut Farm,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Folders, LoadError> {
    if let Some(binfarm) = &mut farm.binfarm {
        for packages in [&mut binfarm.toolchain, &mut binfarm.bootstrap, &mut binfarm.packages] {
            set_file(disk, packages, sources, diagnostics)?;
        }
    }
    for subject in &mut farm.subjects {
        set_file(disk, &mut subject.packages, sources, diagnostics)?;
    }
    let mut folders = Folders {
        layers: BTreeMap::new(),
        root: None,
        scripts: BTreeMap::new(),
        keyring: None,
    };
    let binfarm_config = farm.binfarm.iter().flat_map(|binfarm| &binfarm.config);
    for name in binfarm_config.chain(farm.subjects.iter().flat_map(|subject| &subject.config)) {
        if !folders.layers.contains_key(&name.value)
            && let Some(layer) = layer(disk, name, sources, diagnostics)?
        {
            folders.layers.insert(name.value.clone(), layer);
        }
    }
    if let Some(binfarm) = &farm.binfarm {
        if let Base::Stage3(stage3) = &binfarm.base {
            folders.keyring = file(disk, &stage3.keyring, diagnostics)?;
        }
        if let Some(root) = &binfarm.root {
            folders.root = root_tree(disk, root, diagnostics)?;
        }
        for repo in &binfarm.repos {
            if let RepoSource::Path(path) = &repo.source
                && !disk.at(&path.value).is_dir()
            {
                diagnostics.push(
                    Diagnostic::error(path.span, format!("there is no folder `{}`", path.value))
                        .help("the path is relative to the folder of the manifest"),
                );
            }
        }
    }
    let of_binfarm = farm.binfarm.iter().flat_map(|binfarm| &binfarm.scripts);
    for script in of_binfarm.chain(farm.stages.iter().flat_map(|stage| &stage.scripts)) {
        if !folders.scripts.contains_key(&script.value)
            && let Some(file) = self::script(disk, script, sources, diagnostics)?
        {
            folders.scripts.insert(script.value.clone(), file);
        }
    }
    Ok(folders)
}

/// Reads a file that the manifest names; a diagnostic says so where it is not there.
fn file(
    disk: Disk<'_>,
    path: &Spanned<Utf8PathBuf>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Option<Vec<u8>>, LoadError> {
    let message = match disk.read(&path.value) {
        Ok(bytes) => return Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            format!("there is no file `{}`", path.value)
        }
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            format!("`{}` is a folder, not a file", path.value)
        }
        Err(error) => return Err(error.into()),
    };
    diagnostics.push(Diagnostic::error(path.span, message).help("the path is relative to the folder of the manifest"));
    Ok(None)
}

fn set_file(
    disk: Disk<'_>,
    packages: &mut Packages,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), LoadError> {
    let Some(set_file) = packages.set_file.clone() else {
        return Ok(());
    };
    let Some(bytes) = file(disk, &set_file.path, diagnostics)? else {
        // `packages: cat/pkg` is meant as a list of one.
        let written = sources.slice(set_file.path.span).trim_matches(['"', '\'']);
        if Atom::parse(written, AtomSyntax::SET).is_ok() || written.starts_with('@') {
            let quoted = if written.starts_with(|first: char| first.is_ascii_alphanumeric()) {
                format!("[{written}]")
            } else {
                format!("[\"{written}\"]")
            };
            if let Some(diagnostic) = diagnostics.last_mut() {
                diagnostic.help = Some(format!(
                    "one text is the path of a set file; for a package write a list: {quoted}"
                ));
            }
        }
        return Ok(());
    };
    let id = sources.add(set_file.path.value.clone(), bytes);
    let before = diagnostics.len();
    let mut reader = Reader::new(sources);
    convert::set_file(&mut reader, id, packages);
    diagnostics.append(&mut reader.diagnostics);
    if packages.is_empty() && diagnostics.len() == before {
        let message = format!("the set file `{}` is empty", set_file.path.value);
        diagnostics.push(Diagnostic::error(set_file.path.span, message));
    }
    Ok(())
}

fn layer(
    disk: Disk<'_>,
    name: &Spanned<String>,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Option<Layer>, LoadError> {
    let path = Utf8PathBuf::from(PROFILES).join(&name.value);
    if !disk.at(&path).is_dir() {
        let known = layer_names(&disk.at(PROFILES))?;
        let help = near::suggestion(&name.value, known.iter().map(String::as_str))
            .unwrap_or_else(|| format!("make the folder `{path}` with files as in /etc/portage"));
        diagnostics
            .push(Diagnostic::error(name.span, format!("there is no configuration layer `{}`", name.value)).help(help));
        return Ok(None);
    }
    let read = match read_folder(disk, &path) {
        Ok(read) => read,
        Err(error) => {
            diagnostics.push(Diagnostic::error(
                name.span,
                format!("in the layer `{}`: {}", name.value, folder_problem(error)?),
            ));
            return Ok(None);
        }
    };
    let mut files = read.files;
    for (inside, file) in &mut files {
        if file.link.is_none() && std::str::from_utf8(&file.bytes).is_ok() {
            file.source = Some(sources.add(path.join(inside), file.bytes.clone()));
        }
    }
    Ok(Some(Layer {
        name: name.value.clone(),
        files,
    }))
}

/// The folders below `profiles/`, two deep, for suggestions.
fn layer_names(folder: &Utf8Path) -> Result<Vec<String>, LoadError> {
    let mut names = Vec::new();
    for first in subfolders(folder)? {
        for second in subfolders(&folder.join(&first))? {
            names.push(format!("{first}/{second}"));
        }
        names.push(first);
    }
    // Folders that Portage knows are inside of layers and are no layers.
    names.retain(|name| {
        !name
            .split('/')
            .any(|part| part.starts_with("package.") || ["env", "patches", "sets", "savedconfig"].contains(&part))
    });
    names.sort();
    Ok(names)
}

fn subfolders(folder: &Utf8Path) -> Result<Vec<String>, LoadError> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

fn root_tree(
    disk: Disk<'_>,
    root: &Spanned<Utf8PathBuf>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Option<RootTree>, LoadError> {
    if !disk.at(&root.value).is_dir() {
        diagnostics.push(
            Diagnostic::error(root.span, format!("there is no folder `{}`", root.value))
                .help("the path is relative to the folder of the manifest"),
        );
        return Ok(None);
    }
    match read_folder(disk, &root.value) {
        Ok(read) => Ok(Some(RootTree {
            path: root.value.clone(),
            files: read.files,
            empty_folders: read.empty_folders,
        })),
        Err(error) => {
            diagnostics.push(Diagnostic::error(
                root.span,
                format!("in `{}`: {}", root.value, folder_problem(error)?),
            ));
            Ok(None)
        }
    }
}

fn script(
    disk: Disk<'_>,
    path: &Spanned<Utf8PathBuf>,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Option<LayerFile>, LoadError> {
    let Some(bytes) = file(disk, path, diagnostics)? else {
        return Ok(None);
    };
    let executable = fs_err::metadata(disk.at(&path.value))?.permissions().mode() & 0o100 != 0;
    check_interpreter(&bytes, path, path.span, diagnostics);
    let source = sources.add(path.value.clone(), bytes.clone());
    Ok(Some(LayerFile {
        bytes,
        executable,
        link: None,
        source: Some(source),
    }))
}

/// A script without its first line would be run by whatever the caller is: say so before anything runs.
fn check_interpreter(bytes: &[u8], path: &Utf8PathBuf, span: Span, diagnostics: &mut Vec<Diagnostic>) {
    if !bytes.starts_with(b"#!") && !bytes.starts_with(b"\x7fELF") {
        diagnostics.push(
            Diagnostic::error(span, format!("the script `{path}` does not say what runs it"))
                .help("start it with a line such as `#!/bin/sh -e`"),
        );
    }
}
