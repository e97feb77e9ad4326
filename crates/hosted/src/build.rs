//! A lock's files to one canonical archive of a root.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::Path;

use fs_err::File;
use md5::{Digest, Md5};

use crate::contents::hex;
use crate::debian::{InstalledPackage, parse_status};
use crate::error::BuildError;
use crate::lock::HostedLock;
use crate::mmdebstrap::{OVERLAY, bootstrap};
use crate::ownership::Ownership;
use crate::portage_system::{self, SystemPortage};
use crate::stubs::{self, StubContext, StubPackage};
use crate::tree::{Entry, Kind, Tree};
use crate::{normalise, pyc, repository};

/// The time that everything in a root has unless the workspace says otherwise, in seconds since 1970.
pub const SOURCE_DATE_EPOCH: u64 = 1_700_000_000;

/// Raised whenever the same lock would come to other bytes.
const RECIPE: u32 = 2;

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildReport {
    /// BLAKE3 of the archive.
    pub digest: blake3::Hash,
    /// Bytes of the archive.
    pub size: u64,
    /// Entries of the archive.
    pub entries: usize,
    /// The packages that were registered in `/var/db/pkg`, sorted by name.
    pub stubs: Vec<StubPackage>,
    /// Paths (relative, sorted) of the files and links that neither a package owns nor generates.
    pub unowned: Vec<String>,
}

/// Digest of what this crate itself puts into a root, for the key of the node that builds it.
#[must_use]
pub fn recipe_digest() -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key("farm hosted recipe 1");
    hasher.update(&RECIPE.to_le_bytes());
    hasher.update(stubs::TABLE.as_bytes());
    hasher.finalize()
}

/// Builds the root of `lock` and writes it to `out` as an uncompressed tar archive in canonical form.
///
/// `files` is a folder with exactly what [`fetch`](crate::fetch) put there; `scratch` a folder on a filesystem with
/// about 1 GB to spare, in which nothing is left; `epoch` the time of everything in the root, normally
/// [`SOURCE_DATE_EPOCH`]. Needs mmdebstrap, and for anybody but root also uidmap with a range of subordinate ids;
/// takes some 20 s, most of which ends soon after `stop` says so. The bytes depend on lock, epoch and [`recipe_digest`] only.
///
/// # Errors
/// See [`BuildError`]. On error what was written to `out` is to be thrown away.
pub fn build(
    lock: &HostedLock,
    files: &Path,
    scratch: &Path,
    epoch: u64,
    stop: &dyn Fn() -> bool,
    out: &mut dyn Write,
) -> Result<BuildReport, BuildError> {
    fs_err::create_dir_all(scratch)?;
    let stage = tempfile::Builder::new().prefix("hosted-").tempdir_in(scratch)?;
    repository::stage(lock, files, stage.path())?;
    let wheel = stage.path().join("portage.whl");
    repository::take(&files.join(&lock.portage.file), &wheel, &lock.portage.sha256)?;
    let portage = portage_system::from_wheel(File::open(&wheel)?, &lock.portage.version)?;
    portage.write_tar(epoch, BufWriter::new(File::create(stage.path().join(OVERLAY))?))?;

    let modules: Vec<&str> = portage.modules.iter().map(String::as_str).collect();
    let archive = bootstrap(lock, stage.path(), &modules, epoch, stop)?;
    let mut tree = Tree::read(&archive, normalise::keep)?;

    let installed = parse_status(&tree.text("var/lib/dpkg/status")?);
    check_installed(lock, &installed)?;
    normalise::add_gentoo_parts(&mut tree, epoch)?;
    pyc::stamp(&mut tree, epoch)?;
    let contents = portage_contents(&mut tree, &portage, epoch)?;
    let context = StubContext {
        architecture: &lock.architecture,
        portage: &lock.portage.version,
        portage_contents: &contents,
        epoch,
        libraries: &shared_libraries(&mut tree)?,
    };
    let stubs = stubs::stub_packages(&installed, &context);
    register(&mut tree, &stubs);
    let unowned = unowned(&mut tree, &contents)?;

    let mut out = Hashed {
        inner: BufWriter::with_capacity(1 << 16, out),
        hasher: blake3::Hasher::new(),
        size: 0,
    };
    tree.write(epoch, &mut out)?;
    out.flush()?;
    Ok(BuildReport {
        digest: out.hasher.finalize(),
        size: out.size,
        entries: tree.len(),
        stubs,
        unowned,
    })
}

/// The root must have exactly the lock's packages: a package whose script pulls in another, or an apt that leaves one
/// out, would make the lock a lie.
fn check_installed(lock: &HostedLock, installed: &[InstalledPackage]) -> Result<(), BuildError> {
    let found: BTreeSet<(&str, &str, &str)> = installed
        .iter()
        .filter(|package| package.is_installed())
        .map(|package| {
            (
                package.name.as_str(),
                package.version.as_str(),
                package.architecture.as_str(),
            )
        })
        .collect();
    let wanted: BTreeSet<(&str, &str, &str)> = lock
        .debs
        .iter()
        .map(|deb| (deb.name.as_str(), deb.version.as_str(), deb.architecture.as_str()))
        .collect();
    let difference: Vec<&str> = found.symmetric_difference(&wanted).map(|(name, _, _)| *name).collect();
    if difference.is_empty() {
        Ok(())
    } else {
        Err(BuildError::NotTheLock {
            difference: difference.join(", "),
        })
    }
}

/// CONTENTS of Portage itself: its own folders with all in them, and its other files.
fn portage_contents(tree: &mut Tree, portage: &SystemPortage, epoch: u64) -> Result<String, BuildError> {
    let mut paths: BTreeSet<String> = portage.entries.iter().map(|(path, _)| path.clone()).collect();
    for folder in &portage.directories {
        paths.insert(folder.clone());
        let below = format!("{folder}/");
        paths.extend(tree.under(&below).map(|(path, _)| path.to_owned()));
    }
    let mut contents = String::new();
    for path in paths {
        let line = match tree.get(&path).map(|entry| entry.kind.clone()) {
            Some(Kind::Directory) => format!("dir /{path}"),
            Some(Kind::Symlink(target)) => format!("sym /{path} -> {target} {epoch}"),
            Some(Kind::File(_) | Kind::Hardlink(_)) => {
                let digest = Md5::digest(tree.bytes(&path)?.unwrap_or_default());
                format!("obj /{path} {} {epoch}", hex(&digest))
            }
            None => {
                return Err(BuildError::BadRoot {
                    reason: format!("{path} of Portage is missing"),
                });
            }
        };
        writeln!(contents, "{line}").expect("writing to a string cannot fail");
    }
    Ok(contents)
}

/// Sonames by Debian package, from the packages' shlibs files (deb-shlibs(5)).
///
/// Such a file has a library's name and version; the soname is `NAME.so.VERSION` or `NAME-VERSION.so`, and which of
/// them it is only the files themselves say.
fn shared_libraries(tree: &mut Tree) -> Result<BTreeMap<String, BTreeSet<String>>, BuildError> {
    let present: BTreeSet<String> = tree
        .iter()
        .filter_map(|(path, _)| path.rsplit_once('/'))
        .filter(|(_, name)| name.contains(".so"))
        .map(|(_, name)| name.to_owned())
        .collect();
    let lists: Vec<String> = tree
        .under("var/lib/dpkg/info/")
        .filter(|(path, _)| path.ends_with(".shlibs"))
        .map(|(path, _)| path.to_owned())
        .collect();
    let mut libraries = BTreeMap::new();
    for list in lists {
        let file = list.rsplit('/').next().unwrap_or_default().trim_end_matches(".shlibs");
        let package = file.split(':').next().unwrap_or_default().to_owned();
        let sonames: &mut BTreeSet<String> = libraries.entry(package).or_default();
        for line in tree.text(&list)?.lines() {
            let mut words = line.split_whitespace().skip_while(|word| word.ends_with(':'));
            let (Some(name), Some(version)) = (words.next(), words.next()) else {
                continue;
            };
            let candidates = [format!("{name}.so.{version}"), format!("{name}-{version}.so")];
            sonames.extend(candidates.into_iter().filter(|soname| present.contains(soname)));
        }
    }
    libraries.retain(|_, sonames| !sonames.is_empty());
    Ok(libraries)
}

/// Writes the stubs into the VDB, and the counter that Portage expects beside them.
fn register(tree: &mut Tree, stubs: &[StubPackage]) {
    for stub in stubs {
        let (category, _) = stub.name.split_once('/').unwrap_or_default();
        tree.insert(&format!("var/db/pkg/{category}"), Entry::directory(0o755, 0));
        let folder = format!("var/db/pkg/{}", stub.cpv());
        tree.insert(&folder, Entry::directory(0o755, 0));
        for (name, text) in &stub.files {
            tree.insert(&format!("{folder}/{name}"), Entry::file(text.as_str()));
        }
    }
    let last = stubs.len().saturating_sub(1);
    tree.insert("var/cache/edb/counter", Entry::file(last.to_string()));
}

fn unowned(tree: &mut Tree, portage_contents: &str) -> Result<Vec<String>, BuildError> {
    let names: Vec<String> = tree
        .under("var/lib/dpkg/info/")
        .filter(|(path, _)| path.ends_with(".list"))
        .map(|(path, _)| path.to_owned())
        .collect();
    let mut lists = Vec::new();
    for name in names {
        lists.push(tree.text(&name)?);
    }
    let links: BTreeMap<String, String> = tree
        .iter()
        .filter_map(|(path, entry)| match &entry.kind {
            Kind::Symlink(target) if !path.contains('/') => Some((path.to_owned(), target.clone())),
            _ => None,
        })
        .collect();
    let ownership = Ownership::new(lists.iter().map(String::as_str), [portage_contents], &links);
    let is_unowned = |(path, entry): &(&str, &Entry)| entry.kind != Kind::Directory && !ownership.covers(path);
    Ok(tree
        .iter()
        .filter(is_unowned)
        .map(|(path, _)| path.to_owned())
        .collect())
}

/// Counts and hashes what goes through.
struct Hashed<W> {
    inner: W,
    hasher: blake3::Hasher,
    size: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
