//! Folders of literal files: configuration layers (`profiles/NAME/`), and the root of the binfarm.
//!
//! What is read is the content, the executable bit and where links point. Times, owners and other modes are not part of it, so
//! that a fresh clone reads the same.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use globset::{Glob, GlobSet, GlobSetBuilder};
use thiserror::Error;

use crate::load::Disk;
use crate::span::FileId;

/// A configuration layer: an `/etc/portage` tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name: the path below `profiles/`.
    pub name: String,
    /// Its files by their path in the layer, sorted.
    pub files: BTreeMap<Utf8PathBuf, LayerFile>,
}

/// A folder of literal files that is laid over a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootTree {
    /// Where it is, relative to the workspace.
    pub path: Utf8PathBuf,
    /// Its files by their path in the root, sorted.
    pub files: BTreeMap<Utf8PathBuf, LayerFile>,
    /// Folders that hold no file; they are made too.
    pub empty_folders: Vec<Utf8PathBuf>,
}

/// One file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFile {
    /// The content; empty for a symbolic link.
    pub bytes: Vec<u8>,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Where it points, if it is a symbolic link.
    pub link: Option<Utf8PathBuf>,
    /// Its text among the [`Sources`](crate::Sources), for messages; links and files that are no UTF-8 have none.
    pub source: Option<FileId>,
}

/// A folder that could not be read.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The system refused. This is the environment's fault.
    #[error("cannot read a folder of files")]
    Io(#[from] std::io::Error),
    /// A name or a link that is not UTF-8. This is the input's fault.
    #[error("the name `{}` is not UTF-8", .0.display())]
    NotUtf8(std::path::PathBuf),
    /// A socket, a device or a pipe. This is the input's fault.
    #[error("`{0}` is neither a file, nor a folder, nor a symbolic link")]
    Special(Utf8PathBuf),
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Folder {
    pub(crate) files: BTreeMap<Utf8PathBuf, LayerFile>,
    pub(crate) empty_folders: Vec<Utf8PathBuf>,
}

/// What editors and version control leave behind; `.keep` keeps an empty folder in git.
const IGNORED: &[&str] = &[".keep", ".git", "*.sw?", "*~", "#*#", ".#*"];

fn ignored() -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in IGNORED {
        set.add(Glob::new(pattern).expect("the patterns are written above, and a test builds them"));
    }
    set.build().expect("a set of valid patterns is valid")
}

/// Reads a folder of the workspace with everything below it. Symbolic links are not followed, except the folder itself.
///
/// # Errors
/// See [`FolderError`].
pub(crate) fn read_folder(disk: Disk<'_>, folder: &Utf8Path) -> Result<Folder, FolderError> {
    let ignored = ignored();
    let mut found = Folder::default();
    // Relative paths of folders still to be read.
    let mut pending = vec![Utf8PathBuf::new()];
    while let Some(relative) = pending.pop() {
        let mut names = Vec::new();
        for entry in fs_err::read_dir(disk.at(folder.join(&relative)))? {
            let entry = entry?;
            if ignored.is_match(entry.file_name()) {
                continue;
            }
            let path = Utf8PathBuf::from_path_buf(entry.path()).map_err(FolderError::NotUtf8)?;
            let name = path.file_name().unwrap_or_default().to_owned();
            names.push((name, entry.file_type()?));
        }
        if names.is_empty() && !relative.as_str().is_empty() {
            found.empty_folders.push(relative.clone());
        }
        for (name, kind) in names {
            let inside = relative.join(name);
            if kind.is_dir() {
                pending.push(inside);
                continue;
            }
            let path = disk.at(folder.join(&inside));
            if kind.is_symlink() {
                let link = Utf8PathBuf::from_path_buf(fs_err::read_link(&path)?).map_err(FolderError::NotUtf8)?;
                found.files.insert(
                    inside,
                    LayerFile {
                        bytes: Vec::new(),
                        executable: false,
                        link: Some(link),
                        source: None,
                    },
                );
            } else if kind.is_file() {
                let executable = fs_err::metadata(&path)?.permissions().mode() & 0o100 != 0;
                found.files.insert(
                    inside,
                    LayerFile {
                        bytes: fs_err::read(&path)?,
                        executable,
                        link: None,
                        source: None,
                    },
                );
            } else {
                return Err(FolderError::Special(inside));
            }
        }
    }
    found.empty_folders.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use camino::{Utf8Path, Utf8PathBuf};

    use super::{ignored, read_folder};
    use crate::load::Disk;

    #[test]
    fn knows_what_editors_leave_behind() {
        let set = ignored();
        for name in [
            ".keep",
            ".git",
            "make.conf.swp",
            ".make.conf.swp",
            "make.conf~",
            "#make.conf#",
            ".#make.conf",
        ] {
            assert!(set.is_match(name), "{name}");
        }
        for name in ["make.conf", "package.use", "keep", "swap", "x.conf"] {
            assert!(!set.is_match(name), "{name}");
        }
    }

    #[test]
    fn reads_content_bit_and_link_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir_all(root.join("etc/portage/env")).unwrap();
        fs_err::create_dir_all(root.join("var/empty")).unwrap();
        fs_err::write(root.join("var/empty/.keep"), "").unwrap();
        fs_err::write(root.join("etc/portage/make.conf"), "USE=\"x\"\n").unwrap();
        fs_err::write(root.join("etc/portage/make.conf~"), "").unwrap();
        fs_err::write(root.join("etc/portage/bashrc"), [0xff]).unwrap();
        let mut mode = fs_err::metadata(root.join("etc/portage/bashrc")).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
        fs_err::set_permissions(root.join("etc/portage/bashrc"), mode).unwrap();
        fs_err::os::unix::fs::symlink("../nowhere", root.join("etc/link")).unwrap();

        let read = read_folder(Disk::new(root, &|_| ()), Utf8Path::new("")).unwrap();

        let names: Vec<&str> = read.files.keys().map(|path| path.as_str()).collect();
        assert_eq!(names, ["etc/link", "etc/portage/bashrc", "etc/portage/make.conf"]);
        assert_eq!(
            read.files[Utf8Path::new("etc/link")].link,
            Some(Utf8PathBuf::from("../nowhere"))
        );
        assert!(read.files[Utf8Path::new("etc/portage/bashrc")].executable);
        assert_eq!(read.files[Utf8Path::new("etc/portage/make.conf")].bytes, b"USE=\"x\"\n");
        assert_eq!(
            read.empty_folders,
            [Utf8PathBuf::from("etc/portage/env"), Utf8PathBuf::from("var/empty")]
        );
    }
}
