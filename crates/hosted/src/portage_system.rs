//! The Portage wheel made into what `meson install` makes: a system installation.
//!
//! The wheel calls itself a MODULE installation, whose prefix is that of Python and whose configuration is elsewhere.
//! The differences are two comparisons in `portage/installation.py` and two empty paths in `portage/const.py`, which
//! meson fills in; and the places of the programs and of their data.

use std::io::{Read, Seek, Write};

use crate::error::BuildError;
use crate::tree::{Content, Entry, Kind};

/// Where Debian's Python looks for modules that packages bring.
pub(crate) const MODULES: &str = "usr/lib/python3/dist-packages";

/// Portage's own programs and shell functions.
const PROGRAMS: &str = "usr/lib/portage/bin";

/// Portage's own list of repositories.
const REPOSITORIES: &str = "usr/share/portage/config/repos.conf";

/// The shipped list names the `gentoo` repository and where to sync it from. A hosted base has none, and Portage would
/// complain about the missing folder in every run.
const NO_REPOSITORY: &str = "# A hosted base has no repository: the farm writes its own to /etc/portage/repos.conf.\n";

/// The files of a system installation, as entries of the root.
#[derive(Debug)]
pub(crate) struct SystemPortage {
    /// Path and entry, sorted; directories are not among them.
    pub(crate) entries: Vec<(String, Entry)>,
    /// The directories that hold nothing but Portage's files, for its CONTENTS.
    pub(crate) directories: Vec<String>,
    /// The folders that hold its Python modules, as absolute paths.
    pub(crate) modules: Vec<String>,
}

/// Reads the wheel.
///
/// # Errors
/// A wheel that is damaged, or a Portage in which a place to be changed is not there exactly as often as it should be.
pub(crate) fn from_wheel(wheel: impl Read + Seek, version: &str) -> Result<SystemPortage, BuildError> {
    let mut archive = zip::ZipArchive::new(wheel)?;
    let mut entries = Vec::new();
    let mut scripts = String::new();
    let mut modules = std::collections::BTreeSet::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        if file.is_dir() {
            continue;
        }
        let name = file.name()?.into_owned();
        let executable = file.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if name.ends_with(".dist-info/entry_points.txt") {
            scripts = String::from_utf8_lossy(&bytes).into_owned();
        }
        let Some(path) = place(&name, version)? else { continue };
        let bytes = match name.as_str() {
            "portage/installation.py" => as_system(&name, bytes)?,
            "portage/const.py" => with_paths(&name, bytes)?,
            _ if path == REPOSITORIES => NO_REPOSITORY.into(),
            _ => bytes,
        };
        if let Some((package, _)) = path.strip_prefix(MODULES).and_then(|rest| rest[1..].split_once('/')) {
            modules.insert(format!("/{MODULES}/{package}"));
        }
        let mut entry = Entry::file(bytes);
        entry.mode = if executable { 0o755 } else { 0o644 };
        entries.push((path, entry));
    }
    let is_program = |name: &str| entries.iter().any(|(path, _)| *path == format!("{PROGRAMS}/{name}"));
    let links: Vec<_> = console_scripts(&scripts)
        .filter(|name| is_program(name))
        .map(|name| {
            (
                format!("usr/bin/{name}"),
                Entry::symlink(&format!("../lib/portage/bin/{name}")),
            )
        })
        .collect();
    if links.is_empty() {
        return Err(BuildError::UnknownPortage {
            reason: "the wheel names no programs".to_owned(),
        });
    }
    entries.extend(links);
    entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut directories: Vec<String> = modules.iter().map(|path| path[1..].to_owned()).collect();
    directories.extend(["usr/lib/portage".to_owned(), "usr/share/portage".to_owned()]);
    directories.sort_unstable();
    Ok(SystemPortage {
        entries,
        directories,
        modules: modules.into_iter().collect(),
    })
}

impl SystemPortage {
    /// Writes the entries, without directories, as an archive to be unpacked at `/`.
    pub(crate) fn write_tar(&self, epoch: u64, out: impl Write) -> std::io::Result<()> {
        let mut builder = tar::Builder::new(out);
        for (path, entry) in &self.entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(entry.mode);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(epoch);
            match &entry.kind {
                Kind::File(Content::Bytes(bytes)) => {
                    header.set_size(bytes.len() as u64);
                    builder.append_data(&mut header, path, bytes.as_slice())?;
                }
                Kind::Symlink(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    builder.append_link(&mut header, path, target)?;
                }
                Kind::File(Content::Spooled { .. }) | Kind::Directory | Kind::Hardlink(_) => {
                    unreachable!("a wheel gives files in memory and links to programs only")
                }
            }
        }
        builder.into_inner()?.flush()
    }
}

/// Where a file of the wheel goes (wheel format, "The .data directory"); `None` for what an installer keeps to itself.
fn place(name: &str, version: &str) -> Result<Option<String>, BuildError> {
    if name.starts_with('/') || name.split('/').any(|part| part.is_empty() || part == "..") {
        return Err(BuildError::UnknownPortage {
            reason: format!("the wheel has a file {name:?}"),
        });
    }
    let (top, rest) = name.split_once('/').unwrap_or((name, ""));
    if top.ends_with(".dist-info") {
        // RECORD and its kin describe the wheel, not what becomes of it; the licence stays with the code.
        return Ok((rest == "LICENSE" || rest == "licenses/LICENSE")
            .then(|| format!("usr/share/doc/portage-{version}/LICENSE")));
    }
    if !top.ends_with(".data") {
        return Ok(Some(format!("{MODULES}/{name}")));
    }
    let places = [
        ("data/lib/", "usr/lib/"),
        ("data/share/", "usr/share/"),
        ("data/etc/", "etc/"),
        ("scripts/", "usr/bin/"),
    ];
    for (from, to) in places {
        if let Some(inner) = rest.strip_prefix(from) {
            return Ok(Some(format!("{to}{inner}")));
        }
    }
    Err(BuildError::UnknownPortage {
        reason: format!("the wheel has a file {name:?}"),
    })
}

/// Names of the `[console_scripts]` section of entry_points.txt.
fn console_scripts(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .skip_while(|line| line.trim() != "[console_scripts]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once('=')?.0.trim()))
}

fn as_system(name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, BuildError> {
    replace(name, bytes, "\"MODULE\" == ", &["\"SYSTEM\" == ", "\"SYSTEM\" == "])
}

fn with_paths(name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, BuildError> {
    let bytes = replace(
        name,
        bytes,
        "PORTAGE_BASE_PATH = \"\"\"\"\"\"",
        &["PORTAGE_BASE_PATH = \"/usr/lib/portage\""],
    )?;
    replace(
        name,
        bytes,
        "PORTAGE_BIN_PATH = \"\"\"\"\"\"",
        &["PORTAGE_BIN_PATH = \"/usr/lib/portage/bin\""],
    )
}

/// Replaces each occurrence of `old`, of which there must be as many as there are replacements.
fn replace(name: &str, bytes: Vec<u8>, old: &str, new: &[&str]) -> Result<Vec<u8>, BuildError> {
    let text = String::from_utf8(bytes).map_err(|_| BuildError::UnknownPortage {
        reason: format!("{name} is not UTF-8"),
    })?;
    let pieces: Vec<&str> = text.split(old).collect();
    if pieces.len() != new.len() + 1 {
        let reason = format!("{name} has {old:?} {} times instead of {}", pieces.len() - 1, new.len());
        return Err(BuildError::UnknownPortage { reason });
    }
    let mut result = pieces[0].to_owned();
    for (replacement, piece) in new.iter().zip(&pieces[1..]) {
        result += replacement;
        result += piece;
    }
    Ok(result.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_wheel_go_where_meson_puts_them() {
        let place = |name: &str| place(name, "3").unwrap();
        assert_eq!(
            place("portage/const.py").unwrap(),
            "usr/lib/python3/dist-packages/portage/const.py"
        );
        assert_eq!(
            place("portage-3.data/data/lib/portage/bin/emerge").unwrap(),
            "usr/lib/portage/bin/emerge"
        );
        assert_eq!(
            place("portage-3.data/scripts/etc-update").unwrap(),
            "usr/bin/etc-update"
        );
        assert_eq!(
            place("portage-3.dist-info/LICENSE").unwrap(),
            "usr/share/doc/portage-3/LICENSE"
        );
        assert_eq!(place("portage-3.dist-info/RECORD"), None);
    }

    #[test]
    fn a_wheel_cannot_write_elsewhere() {
        for name in ["../x", "/etc/passwd", "portage/../../x", "portage-3.data/headers/x"] {
            assert!(place(name, "3").is_err(), "{name}");
        }
    }

    #[test]
    fn a_portage_that_looks_different_is_refused() {
        let error = as_system("portage/installation.py", b"TYPE = 1\n".to_vec()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this version of Portage cannot be made a system installation: \
             portage/installation.py has \"\\\"MODULE\\\" == \" 0 times instead of 2"
        );
    }

    #[test]
    fn programs_are_those_of_the_entry_points() {
        let text = "[console_scripts]\nemerge = a:b\nebuild = a:b\n[other]\nx = y\n";
        assert_eq!(console_scripts(text).collect::<Vec<_>>(), ["emerge", "ebuild"]);
    }
}
