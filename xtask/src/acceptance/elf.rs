//! What binutils and tar, not farm, read out of a package.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use walkdir::WalkDir;

use crate::command::output;
use crate::{Outcome, failed};

/// A program, a library, or a file of debug symbols.
#[derive(Debug, Default)]
pub(crate) struct Elf {
    /// What a debugger finds its symbols by, in hex.
    pub(crate) build_id: Option<String>,
    /// `.gnu_debuglink`: the name of the file with its symbols, and that file's CRC.
    pub(crate) link: Option<(String, u32)>,
    /// The names of its sections.
    pub(crate) sections: BTreeSet<String>,
}

/// Unpacks the image of a GPKG in `folder`, which is empty, and returns the root of its files.
pub(crate) fn unpack(package: &Path, folder: &Path) -> Outcome<PathBuf> {
    extract(package, folder)?;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with("image.tar") {
            let root = folder.join("image");
            fs::create_dir(&root).map_err(failed)?;
            extract(&entry.path(), &root)?;
            return Ok(root);
        }
    }
    Err(format!("{} has no image", package.display()))
}

/// Leaves out the one folder that all members of a GPKG, and of its image, lie in.
fn extract(archive: &Path, folder: &Path) -> Outcome {
    let mut command = Command::new("tar");
    command
        .args(["--extract", "--strip-components=1", "--no-same-owner", "--file"])
        .arg(archive)
        .arg("--directory")
        .arg(folder);
    output(&mut command).map(drop)
}

/// All ELF files under `root`, by their paths from there. Symbolic links are not followed.
pub(crate) fn all(root: &Path) -> Outcome<BTreeMap<PathBuf, Elf>> {
    let mut found = BTreeMap::new();
    for entry in WalkDir::new(root) {
        let entry = entry.map_err(|error| error.to_string())?;
        if entry.file_type().is_file() && has_magic(entry.path())? {
            let path = entry.path().strip_prefix(root).map_err(|error| error.to_string())?;
            found.insert(path.to_owned(), read(entry.path())?);
        }
    }
    Ok(found)
}

fn has_magic(path: &Path) -> Outcome<bool> {
    let mut start = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(4).read_to_end(&mut start).map_err(failed)?;
    Ok(start == b"\x7fELF")
}

/// Asks readelf about one file.
fn read(path: &Path) -> Outcome<Elf> {
    let text = readelf(&["--wide", "--section-headers", "--notes", "--debug-dump=links"], path)?;
    let mut elf = Elf::default();
    let mut file = None;
    for line in text.lines().map(str::trim) {
        if let Some(id) = line.split_once("Build ID: ") {
            elf.build_id = Some(id.1.to_owned());
        } else if let Some(name) = line.strip_prefix("Separate debug info file: ") {
            file = Some(name.to_owned());
        } else if let Some(crc) = line.strip_prefix("CRC value: 0x") {
            let crc = u32::from_str_radix(crc, 16).map_err(|error| format!("{line}: {error}"))?;
            elf.link = file.take().map(|name| (name, crc));
        } else if let Some((_, name)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            // The title of the table and the unnamed first section are no names.
            let name = name.split_whitespace().next().filter(|name| name.starts_with('.'));
            elf.sections.extend(name.map(ToOwned::to_owned));
        }
    }
    Ok(elf)
}

/// What compiled the units that a file of debug symbols tells of: the compiler's name, version and flags, each once.
pub(crate) fn producers(symbols: &Path) -> Outcome<BTreeSet<String>> {
    let text = readelf(&["--debug-dump=info", "--dwarf-depth=1"], symbols)?;
    let values = text
        .lines()
        .filter_map(|line| line.split_once("DW_AT_producer")?.1.split_once(": "));
    // The value comes after the form that it is stored in, if that is not a plain string.
    Ok(values
        .map(|(_, value)| match value.split_once("): ") {
            Some((_, value)) => value.to_owned(),
            None => value.to_owned(),
        })
        .collect())
}

fn readelf(words: &[&str], path: &Path) -> Outcome<String> {
    output(
        Command::new("readelf")
            .env("LC_ALL", "C")
            // It would ask that server for the symbols which are beside the file.
            .env_remove("DEBUGINFOD_URLS")
            .args(words)
            .arg(path),
    )
}
