//! What a root holds: its tree, its packages, and one digest of what no package owns.
//!
//! The base enters a package's key package by package (each by what its VDB entry records), and by the digest of unowned
//! files. So a new weekly base with the same versions rebuilds nothing, and neither does a tool nobody depends on.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use farm_engine::{Digest, Failure, FailureKind, Guard, Output};
use farm_executor::ImageId;
use farm_hosted::{FARM_DPKG, Ownership};
use farm_image::{EntryKind, Exclusions, Index};
use farm_portage::vdb::Installed;
use serde::{Deserialize, Serialize};

use super::abi::{Findings, InstalledAbis, Owned};
use crate::context::{Context, chain, executor_failure};
use crate::place::{self, Place};

/// Files of a VDB entry that say what the package is. The others can be large and say nothing more.
const VDB_FILES: &[&str] = &[
    "CBUILD",
    "CFLAGS",
    "CHOST",
    "CONTENTS",
    "CXXFLAGS",
    "EAPI",
    "IUSE",
    "KEYWORDS",
    "LDFLAGS",
    "SLOT",
    "USE",
    "repository",
    FARM_DPKG,
];

/// Paths that Portage or farm generate in every root from what packages bring, besides those of
/// [`farm_hosted::is_generated`]. Shared files are never a property of one package.
const GENERATED: &[&str] = &[
    ".farm",
    "etc/csh.env",
    "etc/environment.d/10-gentoo-env.conf",
    "etc/ld.so.conf",
    "etc/portage",
    "etc/profile.env",
    // Holds the day of the last change, and nothing that a package could see.
    "etc/shadow",
    "etc/shadow-",
    "root/.bash_history",
    "usr/share/info/dir",
    "var/db/repos",
    "var/lib/gentoo",
    "var/lib/portage",
];

/// What comes before the digest of what stands behind a stub.
const BEHIND_STUB: &str = " Debian ";

/// A package of a root as keys see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledRecord {
    /// `CATEGORY/NAME:SLOT`: under this name it is an input, so that another version is a change and not a stranger.
    pub name: String,
    /// Version, USE, CHOST and flags, and the digest of what stands behind a stub.
    pub text: String,
}

impl InstalledRecord {
    /// Whether it is of a stub, behind which there are Debian packages and no files.
    #[must_use]
    pub fn is_stub(&self) -> bool {
        // The flags before it are in quotes.
        self.text
            .rsplit_once('"')
            .is_some_and(|(_, after)| after.starts_with(BEHIND_STUB))
    }
}

/// The packages of a root, and the digest of what none of them owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledSet {
    /// By `CATEGORY/PF`.
    pub packages: BTreeMap<String, InstalledRecord>,
    /// Over all files and links that belong to no package.
    pub unowned: Digest,
}

impl InstalledSet {
    /// Reads the output `installed` of a node that makes a root.
    ///
    /// # Errors
    ///
    /// The environment's, or a bug of ours: it cannot be read.
    pub fn read(context: &Context, guard: &Guard) -> Result<Self, Failure> {
        serde_json::from_slice(&context.read(&place::blob(guard, "installed")?)?).map_err(|error| bug(&error))
    }
}

/// What a root holds.
pub struct Scan {
    /// Its tree.
    pub index: Index,
    /// Its packages.
    pub installed: InstalledSet,
    /// Their ABIs, if they were asked for.
    pub abi: Option<InstalledAbis>,
}

impl Scan {
    /// Counts everything that differs from `lower` as unowned, whoever owns it there: a literal file or a script that
    /// replaces a package's file makes it the farm's, and the package's record does not tell.
    pub fn count_changes(&mut self, lower: &Index) {
        let changed = self.index.digest_where(|path, entry| {
            !entry.is_dir() && !is_ignored(&path.to_string_lossy()) && lower.get(path) != Some(entry)
        });
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.installed.unowned.as_bytes());
        hasher.update(changed.as_bytes());
        self.installed.unowned = hasher.finalize().into();
    }

    /// The outputs `index` and `installed` of a node that makes a root, and `abi` if it was asked for.
    pub fn outputs(&self, context: &Context) -> Result<Vec<Output>, Failure> {
        let index = context.keep(&self.index.encode())?;
        let json = serde_json::to_vec(&self.installed).map_err(|error| bug(&error))?;
        let installed = context.keep(&json)?;
        let mut outputs = vec![
            Place::Store { blob: index }.output("index", self.index.digest()),
            Place::Store { blob: installed }.output("installed", installed.digest),
        ];
        if let Some(abi) = &self.abi {
            let json = serde_json::to_vec(abi).map_err(|error| bug(&error))?;
            let abi = context.keep(&json)?;
            outputs.push(Place::Store { blob: abi }.output("abi", abi.digest));
        }
        Ok(outputs)
    }
}

fn bug(error: &dyn std::error::Error) -> Failure {
    Failure::new(FailureKind::Bug, error.to_string())
}

/// Reads an image's whole tree.
pub fn image(context: &Context, image: &ImageId) -> Result<Scan, Failure> {
    read(context, image, tree)
}

/// Reads an image's whole tree and takes the ABI of each of its packages, which costs a look into every shared library.
pub fn image_with_abi(context: &Context, image: &ImageId) -> Result<Scan, Failure> {
    read(context, image, tree_with_abi)
}

fn read(
    context: &Context,
    image: &ImageId,
    tree: impl Fn(&mut dyn Read) -> Result<Scan, Failure>,
) -> Result<Scan, Failure> {
    let mut scanned = None;
    context
        .executor()?
        .read_path(image, "/", &mut |stream| {
            scanned = Some(tree(stream).map_err(|failure| std::io::Error::other(failure.message))?);
            Ok(())
        })
        .map_err(|error| executor_failure(&error))?;
    scanned.ok_or_else(|| Failure::new(FailureKind::Bug, "the executor gave no tree"))
}

/// Reads a tree from its tar.
pub fn tree(stream: &mut dyn Read) -> Result<Scan, Failure> {
    scan(stream, Kept::default())
}

/// Reads a tree from its tar, with the ABIs of its packages.
pub fn tree_with_abi(stream: &mut dyn Read) -> Result<Scan, Failure> {
    let kept = Kept {
        findings: Some(Findings::default()),
        ..Kept::default()
    };
    scan(stream, kept)
}

fn scan(stream: &mut dyn Read, mut kept: Kept) -> Result<Scan, Failure> {
    let scanned = Index::read_with(stream, Path::new(""), |path, _, content| kept.see(path, content))
        .map_err(|error| Failure::new(FailureKind::Environment, chain(&error)))?;
    kept.finish(scanned.index)
}

/// Contents that say what is installed.
#[derive(Default)]
struct Kept {
    /// By `CATEGORY/PF`, then by file name.
    entries: BTreeMap<(String, String), BTreeMap<String, Vec<u8>>>,
    /// By the name of the Debian package.
    lists: BTreeMap<String, String>,
    /// What was found in libraries, if that is asked for.
    findings: Option<Findings>,
}

impl Kept {
    /// Keeps a file's content if it matters.
    fn see(&mut self, path: &Path, content: &mut dyn Read) -> std::io::Result<()> {
        let Some(path) = path.to_str() else { return Ok(()) };
        if let Some(rest) = path.strip_prefix("var/db/pkg/") {
            let parts: Vec<&str> = rest.split('/').collect();
            if let [category, pf, file] = parts[..]
                && VDB_FILES.contains(&file)
            {
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                self.entries
                    .entry((category.to_owned(), pf.to_owned()))
                    .or_default()
                    .insert(file.to_owned(), bytes);
            }
        } else if let Some(list) = path.strip_prefix("var/lib/dpkg/info/") {
            if let Some(package) = list.strip_suffix(".list") {
                let mut text = String::new();
                content.read_to_string(&mut text)?;
                self.lists.insert(package.to_owned(), text);
            }
        } else if let Some(findings) = &mut self.findings {
            findings.see(path, content)?;
        }
        Ok(())
    }

    /// What the tree of `index` holds.
    fn finish(self, index: Index) -> Result<Scan, Failure> {
        let mut owned_by = BTreeMap::new();
        let mut packages = BTreeMap::new();
        let mut contents = Vec::new();
        for ((category, pf), files) in self.entries {
            let entry = Installed::parse(&category, &pf, &files)
                .map_err(|error| Failure::new(FailureKind::Environment, format!("the root's /var/db/pkg: {error}")))?;
            if let Some(text) = files.get("CONTENTS") {
                contents.push(String::from_utf8_lossy(text).into_owned());
            }
            let dpkg = files.get(FARM_DPKG);
            packages.insert(entry.cpv.clone(), record(&entry, dpkg));
            if self.findings.is_some() {
                owned_by.insert(entry.cpv, Owned::new(&entry.contents, dpkg));
            }
        }
        let links: BTreeMap<String, String> = index
            .iter()
            .filter_map(|(path, entry)| match &entry.kind {
                EntryKind::Symlink { target } if path.components().count() == 1 => Some((
                    path.to_string_lossy().into_owned(),
                    target.to_string_lossy().into_owned(),
                )),
                _ => None,
            })
            .collect();
        let owned = Ownership::new(
            self.lists.values().map(String::as_str),
            contents.iter().map(String::as_str),
            &links,
        );
        let unowned = index.digest_where(|path, entry| {
            let path = path.to_string_lossy();
            !entry.is_dir() && !is_ignored(&path) && !owned.covers(&path)
        });
        let abi = self
            .findings
            .map(|findings| findings.abis(&index, &owned_by, &self.lists));
        Ok(Scan {
            index,
            installed: InstalledSet {
                packages,
                unowned: unowned.into(),
            },
            abi,
        })
    }
}

/// Paths that are no property of a root: the executor's, the moment's, and what is generated from packages.
fn is_ignored(path: &str) -> bool {
    is_generated(path) || farm_hosted::is_generated(path) || Exclusions::standard().excludes(Path::new(path))
}

fn is_generated(path: &str) -> bool {
    GENERATED.iter().any(|generated| {
        path.strip_prefix(generated)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn record(entry: &Installed, dpkg: Option<&Vec<u8>>) -> InstalledRecord {
    let (category, pf) = entry.cpv.split_once('/').unwrap_or(("", &entry.cpv));
    let cp = farm_portage::cpv::Cpv::parse(&entry.cpv).map_or_else(|_| format!("{category}/{pf}"), |cpv| cpv.cp());
    let version = pf
        .strip_prefix(cp.rsplit('/').next().unwrap_or(&cp))
        .unwrap_or(pf)
        .trim_start_matches('-');
    let use_flags = entry.use_flags.iter().cloned().collect::<Vec<_>>().join(" ");
    let mut text = format!(
        "{version} slot {}/{} USE=\"{use_flags}\" CHOST={} CFLAGS=\"{}\" CXXFLAGS=\"{}\" LDFLAGS=\"{}\"",
        entry.slot, entry.subslot, entry.chost, entry.cflags, entry.cxxflags, entry.ldflags
    );
    if let Some(dpkg) = dpkg {
        text.push_str(&format!("{BEHIND_STUB}{}", Digest::of(dpkg).short()));
    }
    InstalledRecord {
        name: format!("{cp}:{}", entry.slot),
        text,
    }
}
