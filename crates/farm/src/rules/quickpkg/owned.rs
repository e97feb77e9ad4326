//! The files of an installed package as they are in its root, and what became of them since they were merged.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use farm_image::{Entry, EntryKind, Index};
use farm_portage::gpkg::{self, ImageEntry};
use farm_portage::vdb::ContentsEntry;

use super::guarded::Guarded;

/// So many paths are named in a sentence; there may be thousands.
const NAMED: usize = 8;

/// A root that packages are taken from.
pub(super) struct Root<'a> {
    /// All of it.
    pub(super) index: &'a Index,
    /// What of it is its own.
    pub(super) guarded: &'a Guarded,
    /// Names of owners by number, of users and of groups.
    pub(super) names: [&'a BTreeMap<u32, String>; 2],
    /// The MD5 of a file's content, by the file's path.
    pub(super) md5: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// What a package owns of a root.
#[derive(Debug, Default)]
pub(super) struct Owned {
    /// In Portage's order. Paths are as they were merged, which may be through a link of the root.
    pub(super) entries: Vec<ImageEntry>,
    /// Where the content of each file among them lies, by its path in `entries`.
    pub(super) content: BTreeMap<String, PathBuf>,
    /// What became of the others, and of some of these.
    pub(super) findings: Findings,
}

/// What of a package is not as it was merged. Paths are absolute.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Changed where a root has what is its own: left out.
    pub(super) changed: Vec<String>,
    /// Not there any more.
    pub(super) gone: Vec<String>,
    /// FIFOs and devices, which no package can hold: left out.
    pub(super) special: Vec<String>,
    /// Programs and their data that were changed: as the root has them.
    pub(super) altered: Vec<String>,
}

impl Findings {
    /// A sentence for each kind of finding.
    pub(super) fn sentences(&self) -> Vec<String> {
        let sentences = [
            (
                &self.changed,
                "is packed without",
                "which changed after the merge and may be the base's own",
            ),
            (&self.gone, "is packed without", "which the base does not have any more"),
            (
                &self.special,
                "is packed without",
                "as no package can hold FIFOs and devices",
            ),
            (
                &self.altered,
                "is packed with",
                "which changed after the merge, as the base has it",
            ),
        ];
        let found = sentences.into_iter().filter(|(paths, ..)| !paths.is_empty());
        found
            .map(|(paths, what, why)| format!("{what} {}, {why}", listed(paths)))
            .collect()
    }
}

/// Some of the paths, and how many there are besides.
fn listed(paths: &[String]) -> String {
    let named = paths
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match paths.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Finds what a package owns.
///
/// # Errors
///
/// The content of a file cannot be read.
pub(super) fn owned(root: &Root<'_>, contents: &[ContentsEntry]) -> io::Result<Owned> {
    let mut findings = Findings::default();
    // By the components of paths, which is the order in which Portage packs.
    let mut found: BTreeMap<Vec<&str>, (PathBuf, &Entry)> = BTreeMap::new();
    for line in contents {
        let path = line.path();
        let at = match line {
            ContentsEntry::Directory { .. } => root.index.resolve(&Path::new(path).join("in it")),
            _ => root.index.resolve(Path::new(path)),
        };
        let at = match line {
            ContentsEntry::Directory { .. } => at.parent().unwrap_or(Path::new("")).to_path_buf(),
            _ => at,
        };
        let Some(entry) = root.index.get(&at) else {
            findings.gone.push(path.to_owned());
            continue;
        };
        match fate(root, line, &at, entry)? {
            Fate::Packed => {}
            Fate::Altered => findings.altered.push(path.to_owned()),
            Fate::Changed => {
                findings.changed.push(path.to_owned());
                continue;
            }
            Fate::Special => {
                findings.special.push(path.to_owned());
                continue;
            }
        }
        found.insert(components(path), (at, entry));
    }
    let mut owned = Owned {
        entries: vec![root_entry()],
        content: BTreeMap::new(),
        findings,
    };
    // Of a file with several names the first has the content.
    let mut first: BTreeMap<&Path, String> = BTreeMap::new();
    for (components, (at, entry)) in found {
        let path = components.join("/");
        let (kind, size) = match &entry.kind {
            EntryKind::Dir => (gpkg::EntryKind::Directory, 0),
            EntryKind::Symlink { target } => {
                let target = target.to_string_lossy().into_owned();
                (gpkg::EntryKind::Symlink { target }, 0)
            }
            EntryKind::File { size, link_group, .. } => {
                let other = link_group.as_deref().and_then(|group| first.get(group));
                if let Some(other) = other {
                    let target = other.clone();
                    (gpkg::EntryKind::HardLink { target }, 0)
                } else {
                    first.extend(link_group.as_deref().map(|group| (group, path.clone())));
                    owned.content.insert(path.clone(), at);
                    (gpkg::EntryKind::File, *size)
                }
            }
            EntryKind::Fifo | EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. } => continue,
        };
        let name = |at: usize, id: u32| root.names[at].get(&id).cloned().unwrap_or_default();
        let capability = entry.capability.iter();
        owned.entries.push(ImageEntry {
            path,
            kind,
            mode: entry.mode,
            uid: entry.uid.into(),
            gid: entry.gid.into(),
            uname: name(0, entry.uid),
            gname: name(1, entry.gid),
            mtime: 0,
            size,
            xattrs: capability
                .map(|value| ("security.capability".to_owned(), value.clone()))
                .collect(),
        });
    }
    Ok(owned)
}

/// What becomes of a path that is there.
enum Fate {
    /// It is what was merged.
    Packed,
    /// It is not, and is packed.
    Altered,
    /// It is not, and is left out.
    Changed,
    /// It cannot be packed.
    Special,
}

fn fate(root: &Root<'_>, line: &ContentsEntry, at: &Path, entry: &Entry) -> io::Result<Fate> {
    let is_same = match (line, &entry.kind) {
        (ContentsEntry::Fifo { .. } | ContentsEntry::Device { .. }, _) => return Ok(Fate::Special),
        (_, EntryKind::Fifo | EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. }) => {
            return Ok(Fate::Special);
        }
        (ContentsEntry::Directory { .. }, EntryKind::Dir) => true,
        (ContentsEntry::File { md5, .. }, EntryKind::File { .. }) => (root.md5)(at)?.eq_ignore_ascii_case(md5),
        (ContentsEntry::Symlink { target, .. }, EntryKind::Symlink { target: now }) => now == target.as_str(),
        // Something else took its place.
        _ => return Ok(Fate::Changed),
    };
    let is_own = || root.guarded.holds(at) || root.guarded.holds(Path::new(line.path().trim_start_matches('/')));
    Ok(match is_same {
        true => Fate::Packed,
        false if is_own() => Fate::Changed,
        false => Fate::Altered,
    })
}

fn components(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// The folder that all of an image is in.
fn root_entry() -> ImageEntry {
    ImageEntry {
        path: String::new(),
        kind: gpkg::EntryKind::Directory,
        mode: 0o755,
        uid: 0,
        gid: 0,
        uname: "root".to_owned(),
        gname: "root".to_owned(),
        mtime: 0,
        size: 0,
        xattrs: BTreeMap::new(),
    }
}

/// Names by number, of a file like `/etc/passwd`. The first line of a number counts, as for everybody who asks.
pub(super) fn names(text: &str) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(Ok(number))) = (fields.next(), fields.nth(1).map(str::parse)) {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}
