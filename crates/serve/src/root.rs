//! The folder that is served: every name is opened below its descriptor, and nothing outside of it can be.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat, openat2};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};

use crate::validators::Stat;

/// How often a name is looked up again because somebody moved folders meanwhile.
const ATTEMPTS: usize = 16;

/// How files and folders are opened. Without `NONBLOCK` a FIFO would hold up whoever opens it.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY)
    .union(OFlags::NONBLOCK);

/// Whether the disk may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// What is not in memory is [`Errno::AGAIN`]. For threads on which others wait.
    None,
    /// As long as it takes.
    Endless,
}

/// The folder that is served.
#[derive(Debug)]
pub(crate) struct Root {
    folder: OwnedFd,
    lookup: Lookup,
}

/// How names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookup {
    /// The kernel follows symlinks, and keeps to the folder.
    Beneath,
    /// Component by component, without following any symlink: for kernels before 5.6, and sandboxes that know no `openat2`.
    Plain,
}

/// A file or folder that was opened.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its descriptor: what is done with it concerns this file, whatever bears its name meanwhile.
    pub(crate) file: OwnedFd,
    /// A folder, or else a regular file.
    pub(crate) is_folder: bool,
    /// What was seen of it.
    pub(crate) stat: Stat,
}

impl Root {
    /// Opens the folder.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
        let folder = open(path, flags, Mode::empty())?;
        let probe = openat2(&folder, ".", FLAGS, Mode::empty(), ResolveFlags::BENEATH);
        let lookup = match probe {
            Err(Errno::NOSYS | Errno::PERM) => Lookup::Plain,
            _ => Lookup::Beneath,
        };
        Ok(Self { folder, lookup })
    }

    /// Opens what lies at `path`, which is relative and made of plain names.
    ///
    /// # Errors
    ///
    /// [`Errno::NOENT`] for what is neither a regular file nor a folder; [`Errno::XDEV`] for symlinks that lead out; whatever else the
    /// system says.
    pub(crate) fn find(&self, path: &Path, patience: Patience) -> Result<Found, Errno> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let file = match self.lookup {
            Lookup::Beneath => self.find_beneath(path, patience)?,
            Lookup::Plain if patience == Patience::None => return Err(Errno::AGAIN),
            Lookup::Plain => self.find_plain(path)?,
        };
        Found::of(file)
    }

    fn find_beneath(&self, path: &Path, patience: Patience) -> Result<OwnedFd, Errno> {
        let look = |flags| openat2(&self.folder, path, FLAGS, Mode::empty(), flags);
        // Magic links are those of /proc, which lead anywhere.
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        if patience == Patience::None {
            // Kernels before 5.12 do not know what they are asked for.
            return look(beneath | ResolveFlags::CACHED).map_err(|error| match error {
                Errno::INVAL => Errno::AGAIN,
                other => other,
            });
        }
        let mut found = look(beneath);
        for _ in 1..ATTEMPTS {
            if !matches!(found, Err(Errno::AGAIN | Errno::INTR)) {
                break;
            }
            found = look(beneath);
        }
        found
    }

    fn find_plain(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let mut folder: Option<OwnedFd> = None;
        let mut names = path.iter().peekable();
        while let Some(name) = names.next() {
            let flags = if names.peek().is_some() {
                OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY
            } else {
                FLAGS
            };
            let parent = folder.as_ref().unwrap_or(&self.folder);
            folder = Some(openat(parent, name, flags | OFlags::NOFOLLOW, Mode::empty())?);
        }
        folder.ok_or(Errno::NOENT)
    }
}

impl Found {
    fn of(file: OwnedFd) -> Result<Self, Errno> {
        let found = fstat(&file)?;
        let is_folder = match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => false,
            FileType::Directory => true,
            _ => return Err(Errno::NOENT),
        };
        Ok(Self {
            file,
            is_folder,
            stat: Stat {
                len: found.st_size.try_into().unwrap_or(0),
                modified: (found.st_mtime, found.st_mtime_nsec),
                changed: (found.st_ctime, found.st_ctime_nsec),
                inode: found.st_ino,
            },
        })
    }
}

/// Reads into all of `buffer` what lies at `offset`, and returns how much that was: less at the end of the file only, or, without
/// patience, where the rest is not in memory.
pub(crate) fn read(file: &OwnedFd, buffer: &mut [u8], offset: u64, patience: Patience) -> Result<usize, Errno> {
    let file = file.as_fd();
    match patience {
        Patience::None => read_cached(file, buffer, offset),
        Patience::Endless => {
            let mut done = 0;
            while done < buffer.len() {
                match pread(file, &mut buffer[done..], offset + done as u64) {
                    Ok(0) => break,
                    Ok(count) => done += count,
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(done)
        }
    }
}

fn read_cached(file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let mut buffers = [io::IoSliceMut::new(buffer)];
    preadv2(file, &mut buffers, offset, ReadWriteFlags::NOWAIT).map_err(|error| match error {
        // Not every file system can tell what is in memory.
        Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR => Errno::AGAIN,
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use fs_err as fs;
    use rustix::fs::{CWD, FileType, mknodat};
    use tempfile::TempDir;

    use super::*;

    /// `root` with a file, a folder and links in it, and a secret beside it.
    fn laid_out() -> (TempDir, Root) {
        let space = tempfile::tempdir().unwrap();
        let path = |name: &str| space.path().join(name);
        fs::create_dir_all(path("root/sub")).unwrap();
        fs::create_dir(path("rooted")).unwrap();
        for name in ["root/sub/file", "rooted/secret", "secret"] {
            fs::write(path(name), name).unwrap();
        }
        for (to, name) in [
            ("sub/file", "inside"),
            ("sub", "folder"),
            ("../secret", "out"),
            ("..", "up"),
            ("../rooted", "beside"),
            ("loop", "loop"),
            ("nowhere", "broken"),
        ] {
            symlink(to, path("root").join(name)).unwrap();
        }
        symlink(path("secret"), path("root/absolute")).unwrap();
        symlink("/proc/self/root", path("root/magic")).unwrap();
        mknodat(CWD, path("root/fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let root = Root::open(&path("root")).unwrap();
        (space, root)
    }

    fn content(root: &Root, path: &str) -> Result<String, Errno> {
        let found = root.find(Path::new(path), Patience::Endless)?;
        let mut buffer = vec![0; 100];
        let count = read(&found.file, &mut buffer, 0, Patience::Endless)?;
        Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
    }

    #[test]
    fn links_inside_are_followed_and_links_out_are_not() {
        let (_space, root) = laid_out();
        assert_eq!(root.lookup, Lookup::Beneath, "this machine's kernel is new enough");
        for inside in ["sub/file", "inside", "folder/file"] {
            assert_eq!(content(&root, inside).unwrap(), "root/sub/file", "{inside}");
        }
        for out in [
            "out",
            "up/secret",
            "up",
            "beside/secret",
            "absolute",
            "magic/etc/passwd",
            "magic",
        ] {
            assert_eq!(content(&root, out), Err(Errno::XDEV), "{out}");
        }
        assert_eq!(content(&root, "loop"), Err(Errno::LOOP));
        assert_eq!(content(&root, "broken"), Err(Errno::NOENT));
        assert_eq!(content(&root, "sub/file/x"), Err(Errno::NOTDIR));
    }

    #[test]
    fn without_the_kernels_help_no_link_is_followed() {
        let (_space, mut root) = laid_out();
        root.lookup = Lookup::Plain;
        assert_eq!(content(&root, "sub/file").unwrap(), "root/sub/file");
        assert!(root.find(Path::new(""), Patience::Endless).unwrap().is_folder);
        for link in [
            "inside",
            "folder/file",
            "out",
            "up/secret",
            "absolute",
            "magic/etc/passwd",
        ] {
            let error = content(&root, link).unwrap_err();
            assert!(matches!(error, Errno::LOOP | Errno::NOTDIR), "{link}: {error}");
        }
        assert_eq!(
            root.find(Path::new("sub/file"), Patience::None).map(|_| ()),
            Err(Errno::AGAIN),
            "components cannot be looked up without waiting"
        );
    }

    #[test]
    fn what_is_neither_file_nor_folder_is_not_there() {
        let (_space, root) = laid_out();
        assert_eq!(content(&root, "fifo"), Err(Errno::NOENT));
        assert!(root.find(Path::new("sub"), Patience::Endless).unwrap().is_folder);
    }

    /// Whatever is opened stays what it was.
    #[test]
    fn a_descriptor_outlives_its_name() {
        let (space, root) = laid_out();
        let found = root.find(Path::new("sub/file"), Patience::Endless).unwrap();
        let new = space.path().join("new");
        fs::write(&new, "another").unwrap();
        fs::rename(&new, space.path().join("root/sub/file")).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(read(&found.file, &mut buffer, 5, Patience::Endless), Ok(4));
        assert_eq!(&buffer, b"sub/");
        assert_eq!(content(&root, "sub/file").unwrap(), "another");
    }

    #[test]
    fn without_patience_the_answer_is_the_same_or_none() {
        let (_space, root) = laid_out();
        // Looked up and read once, both are in memory, on most file systems.
        content(&root, "sub/file").unwrap();
        let mut buffer = [0; 100];
        match root.find(Path::new("sub/file"), Patience::None) {
            Ok(found) => match read(&found.file, &mut buffer, 0, Patience::None) {
                Ok(count) => assert_eq!(&buffer[..count], b"root/sub/file"),
                Err(error) => assert_eq!(error, Errno::AGAIN),
            },
            Err(error) => assert_eq!(error, Errno::AGAIN),
        }
        let out = root.find(Path::new("out"), Patience::None).map(|_| ());
        assert!(matches!(out, Err(Errno::XDEV | Errno::AGAIN)), "{out:?}");
    }
}
